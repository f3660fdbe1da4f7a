"""The one error that a command raises for what its user can mend."""

from __future__ import annotations


class CommandError(Exception):
    """A command cannot do what was asked; the message says why, and what to do, in one line."""
