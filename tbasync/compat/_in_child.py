"""Run by its path at the start of a spawned process, see `spawned`; not to be imported."""

import sys
from pathlib import Path

try:
    import tbasync
except ImportError:
    sys.path.append(str(Path(__file__).parents[2]))
    import tbasync

from tbasync.compat import last_words, spawned
from tbasync.pipeline import sigterm

tbasync.install()
if globals().get("drains_at_sigterm"):  # given by `spawned`
    sigterm.install_for_all()
spawned.install_in_children()
last_words.flush_before_leaving()
