"""The progress bar: rich's where rich is installed, a plain one otherwise, none where nobody looks on."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from types import TracebackType
from typing import Protocol, TextIO

WIDTH = 30  # characters of the plain bar


class Progress(Protocol):
    """A bar that counts steps; a context manager, so that it leaves the terminal clean."""

    def __enter__(self) -> Progress: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def advance(self) -> None:
        """One step done."""
        ...

    def note(self, text: str) -> None:
        """Show `text` beside the bar from now on."""
        ...


def progress_bar(steps: int, stream: TextIO | None = None) -> Progress:
    """A bar of `steps` steps on `stream` (default: stderr), silent unless that is a terminal."""
    stream = sys.stderr if stream is None else stream
    if not stream.isatty():
        return SilentProgress()
    if find_spec("rich") is None:
        return PlainProgress(steps, stream)
    return RichProgress(steps, stream)


class SilentProgress:
    """Shows nothing."""

    def __enter__(self) -> SilentProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def advance(self) -> None:
        pass

    def note(self, text: str) -> None:
        pass


class PlainProgress(SilentProgress):
    """A bar of # characters, redrawn in place when it grows."""

    def __init__(self, steps: int, stream: TextIO) -> None:
        self._steps, self._stream = steps, stream
        self._done, self._text, self._shown = 0, "", ""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.write("\n")

    def advance(self) -> None:
        self._done += 1
        self._draw()

    def note(self, text: str) -> None:
        self._text = text
        self._draw()

    def _draw(self) -> None:
        full = WIDTH * self._done // self._steps
        line = f"\r[{'#' * full:{WIDTH}}] {100 * self._done // self._steps:3d} %  {self._text}"
        if line != self._shown:
            self._stream.write(line)
            self._stream.flush()
            self._shown = line


class RichProgress:
    """rich's bar, with the time that is left."""

    def __init__(self, steps: int, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import Progress as Bar

        self._bar = Bar(console=Console(file=stream))
        self._task = self._bar.add_task("training", total=steps)

    def __enter__(self) -> RichProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def advance(self) -> None:
        self._bar.advance(self._task)

    def note(self, text: str) -> None:
        self._bar.update(self._task, description=text)
