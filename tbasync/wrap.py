"""Existing writers made asynchronous: `wrap()` one of them, or `install()` tbasync in place of all."""

from __future__ import annotations

import contextlib
import inspect
import itertools
from collections.abc import Collection, Mapping
from typing import Any, TypeVar, cast

from .compat import installation
from .compat.handles import redirect
from .compat.installation import Installed
from .compat.kinds import TENSORBOARDX, TORCH, Kind, kind_of, stand_in
from .compat.replay import OPTIONS, Replayed, replayed
from .encode.projector import ProjectorList
from .writer import SummaryWriter

_Writer = TypeVar("_Writer")

_SETTINGS = ("max_queue", "flush_secs", "filename_suffix")
_put_aside_before = itertools.count(1)

# Arguments of `SummaryWriter` that a writer that exists has settled.
_SETTLED = ("self", "log_dir", "logdir", "comment")


def wrap(writer: _Writer, **options: Any) -> _Writer:
    """An existing writer made asynchronous; log through what this returns from now on.

    In place of a torch or tensorboardX `SummaryWriter` comes a tbasync one for the same directory, with that
    package's argument orders and habits. The original is flushed and closed, and opens a new file should it
    be used again; what is still logged through a `file_writer` that was taken from it goes the new way too. A
    closed one is taken as well: as with torch, the next `add_*` opens a new file.

    Of any other object with `add_*` methods the calls are frozen and made by a writer thread, one at a time
    and in order. Its other methods and its attributes are there as well.

    Either way `isinstance(wrap(writer), type(writer))` holds.

    Args:
        writer: the writer. One that is tbasync's already, or wrapped, is returned as it is, whatever the options.
        options: tbasync's own options, keyword arguments of `SummaryWriter`. A writer of another kind takes those
            that do not concern files: `interval`, `capacity`, `max_items`, `on_full` and `on_error`.

    Raises:
        TypeError: `writer` has no `add_*` methods, or an option is unknown or of a wrong type.
        ValueError: an option is not what it should be. Whatever is wrong with options, the original stays as it is.
        OSError: what the writer held could not be written, or the new event file cannot be made.
    """
    if isinstance(writer, SummaryWriter) or issubclass(type(writer), Replayed):
        return writer
    kind = kind_of(type(writer))
    if kind is not None:
        return cast(_Writer, _take_over(writer, kind, options))
    if isinstance(writer, type):
        raise TypeError(
            f"writer must be a writer and not a class of writers, got the class {writer.__name__}"
        )
    if not hasattr(writer, "add_scalar") and not any(name.startswith("add_") for name in dir(writer)):
        raise TypeError(
            f"writer must have add_* methods, such as a SummaryWriter has, got {type(writer).__name__}"
        )
    _check_names(options, OPTIONS, type(writer))
    return cast(_Writer, replayed(writer, options))


def install() -> Installed:
    """Has torch's and tensorboardX's `SummaryWriter` give tbasync's, wherever one is constructed from now on.

    In modules that have imported the class already too, in subclasses of it, in frameworks that use it.
    Writers that exist already stay what they are: see `wrap()`. Neither package has to be there.

    Twice is as good as once. As a context manager, `with tbasync.install(): ...`, it is undone at the end.
    """
    return installation.install()


def uninstall() -> None:
    """Undoes `install()`. Writers that were made meanwhile stay tbasync's, and go on working."""
    installation.uninstall()


def _check_names(options: Mapping[str, Any], accepted: Collection[str], cls: type) -> None:
    """Raises TypeError unless all options are among those accepted for a writer of this class."""
    for name in options:
        if name not in accepted:
            raise TypeError(f"wrap() of a {cls.__name__} takes no option {name!r}, but {', '.join(accepted)}")


def _take_over(original: Any, kind: Kind, options: dict[str, Any]) -> SummaryWriter:
    known = inspect.signature(SummaryWriter.__init__).parameters
    _check_names(options, [name for name in known if name not in _SETTLED], type(original))
    directory, settings = _settings(original, kind)
    handle = original.file_writer
    put_aside = contextlib.ExitStack()
    put_aside.callback(_put_aside, original, kind)
    writer = object.__new__(stand_in(type(original)))  # its own `__new__` may want a subclass's arguments
    # Called when all options have been found good, and before the new file is made.
    vars(writer)["_make_way"] = put_aside.close
    kind.writer.__init__(writer, directory, **{**settings, **options})
    put_aside.close()  # a null writer makes no file
    if handle is not None:
        redirect(handle, writer)
    # tensorboardX adds to a list that it finds, torch starts a new one with its first embedding.
    if kind is TENSORBOARDX or hasattr(original, "_projector_config"):
        writer._embeddings = ProjectorList()
    if kind is TENSORBOARDX and writer._kept is not None:
        writer._kept.take_over(original.scalar_dict)
    # What a subclass keeps about itself, and what the package's own methods keep from call to call.
    for name, value in vars(original).items():
        if not hasattr(writer, name):
            setattr(writer, name, value)
    return writer


def _settings(original: Any, kind: Kind) -> tuple[str, dict[str, Any]]:
    """The directory that a writer was made with, and the rest of what its successor should be made with."""
    if kind is TORCH:
        return original.log_dir, {name: getattr(original, name) for name in _SETTINGS}
    own = {name: getattr(original, f"_{name}") for name in (*_SETTINGS, "write_to_disk")}
    return original.logdir, own


def _put_aside(original: Any, kind: Kind) -> None:
    """Brings what the writer holds to its files; what it is used for later goes to new ones.

    To new ones, for TensorBoard reads the files of a run one after the other: an old one that grew again
    would not be followed.
    """
    original.flush()
    original.close()  # tensorboardX's flush() does not wait for its queue; its close() does
    if kind is TENSORBOARDX:
        # It would open a file of the same name if it is still the same second, and empty it; and it would
        # purge again, from its old step on, what has been logged meanwhile.
        original._filename_suffix += f".{next(_put_aside_before)}"
        original.purge_step = None
