"""Runs a script and measures it: the process that `tbasync profile` starts.

    python -m tbasync.profiling RESULT {own,tbasync} [-m] TARGET [ARGUMENT ...]

RESULT is the file that takes the result, as JSON, when the process ends; under `tbasync` the script's writers
are tbasync's.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import sys
import threading
from array import array
from collections.abc import Sequence
from time import perf_counter_ns

from .. import script
from ..compat import last_words
from ..wrap import install
from . import signals
from .estimate import estimate
from .instruments import Instruments
from .meter import Meter
from .result import result


class _Run:
    """One measured run of a program in this process."""

    def __init__(self, path: str, writer: str) -> None:
        self._path = os.path.abspath(path)
        self._process = os.getpid()
        self._estimates = writer == "own"
        self._meter = Meter()
        self._instruments = Instruments(self._meter)
        self._start = self._wall = 0
        self._tried: dict[str, array[int]] = {}

    def measure(self, program: script.Program) -> None:
        """Runs the program; what it raises comes out of this."""
        self._instruments.attach()
        # The first to be registered is the last to be called: it sees what the script's own handlers log.
        atexit.register(self.save)
        last_words.before_leaving(lambda: self.end(leaving=True))
        signals.before_dying(self.end_by_signal)
        self._start = perf_counter_ns()
        try:
            program.run()
        except BaseException as error:
            _report_now(error)
            raise
        finally:
            self.end()

    def end(self, *, leaving: bool = False) -> None:
        """The script is over, or about to leave by `os._exit`: takes the time, and makes the estimate."""
        if os.getpid() != self._process or self._wall:
            return  # a forked child of the script, which is not measured
        # Ctrl-C ends the wait for threads as it does under python, and the estimate: the script has ended already.
        with contextlib.suppress(KeyboardInterrupt):
            if not leaving:  # who leaves does not wait for threads, and may do so because they hang
                _wait_for_threads()
        self._take_time()
        with contextlib.suppress(Exception, KeyboardInterrupt):
            self._estimate()
        self.save()

    def end_by_signal(self) -> None:
        """As `end()`, in the midst of anything; within a few seconds, for more may not be granted."""
        if not self._wall:
            self._take_time()
            signals.give_time(self._estimate)
        self.save()

    def _take_time(self) -> None:
        self._wall = perf_counter_ns() - self._start
        self.save()  # what there is already, should the rest take too long

    def _estimate(self) -> None:
        if self._estimates:
            with self._instruments.removed():
                self._tried = estimate(self._meter.sample.calls, os.path.dirname(self._path))

    def save(self) -> None:
        """Writes the result as it is now."""
        if os.getpid() != self._process:
            return
        measured = result(self._meter, self._wall, self._tried)
        # In one step: a signal may end the process, or be handled, in the midst of it.
        new = f"{self._path}.{threading.get_ident()}"
        with open(new, "w") as file:
            json.dump(measured.to_json(), file)
        os.replace(new, self._path)


def _report_now(error: BaseException) -> None:
    """Prints what the interpreter prints of an exception at its end, and has it print nothing then."""
    if isinstance(error, SystemExit):
        if error.code is not None and not isinstance(error.code, int) and sys.stderr is not None:
            print(error.code, file=sys.stderr)
            error.code = 1
        return
    with contextlib.suppress(Exception):  # a hook that fails: the interpreter tries again, and says so
        sys.excepthook(type(error), error, error.__traceback__)
        sys.excepthook = lambda *_: None


def _wait_for_threads() -> None:
    """As the interpreter does at its end; only then are all calls made."""
    if threading.current_thread() is not threading.main_thread():
        return
    # Which first has pools of threads end theirs; a second time, by the interpreter itself, does nothing.
    for call in reversed(getattr(threading, "_threading_atexits", ())):
        call()
    for thread in threading.enumerate():
        if not thread.daemon and thread is not threading.main_thread():
            thread.join()


def main(words: Sequence[str]) -> None:
    """The command line after the module's name."""
    path, writer, *rest = words
    is_module = rest[0] == "-m"
    target, *arguments = rest[1:] if is_module else rest
    program = script.load(target, arguments, is_module=is_module)
    if writer == "tbasync":
        install()
    _Run(path, writer).measure(program)


if __name__ == "__main__":
    main(sys.argv[1:])
