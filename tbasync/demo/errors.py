"""What the demo raises before it starts."""

from __future__ import annotations


class MissingPackage(Exception):
    """The demo needs a package that is not installed; the message says how to get it."""
