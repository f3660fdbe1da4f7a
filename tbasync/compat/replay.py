"""Any object with `add_*` methods, made asynchronous: calls frozen, and made by a writer thread in order.

The object is not made for several threads, so every call to it is made by the writer thread, one at a time;
for those that return something the caller waits. Only reading an attribute is done on the caller's thread.
"""

from __future__ import annotations

import atexit
import copy
import inspect
import time
import types
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..encode.result import Encoded
from ..files.runs import RunFiles
from ..pipeline import process
from ..pipeline.items import Barrier, Item, Summary
from ..pipeline.options import check_timeout
from ..pipeline.pipeline import Options, Pipeline
from .freeze_call import FrozenCall

# The options that mean something without files: the fields of `pipeline.options.Options`.
OPTIONS = ("interval", "capacity", "max_items", "on_full", "on_error")

# Special methods that are about making and unmaking an object, and not to be had from another.
_OF_MAKING = frozenset(
    (
        "__class_getitem__",
        "__deepcopy__",
        "__del__",
        "__getattribute__",
        "__getnewargs__",
        "__getnewargs_ex__",
        "__getstate__",
        "__init_subclass__",
        "__new__",
        "__reduce__",
        "__setstate__",
        "__subclasshook__",
    )
)


class _NoFiles(RunFiles):
    """The files of a pipeline that only makes calls."""

    def open_main(self, purge_step: int | None = None) -> None:
        """There is none."""

    def append(self, run: str | None, records: bytes, summaries: int = 0) -> None:
        """There are no records: a call that has been made counts as written."""


class _Call(Summary):
    """A call for the writer thread to make; an exception in it is reported like one in an encoder."""

    __slots__ = ()

    def __init__(self, name: str, method: Callable[..., Any], call: FrozenCall) -> None:
        Item.__init__(self, None, 1, call.nbytes)
        self.tag = str(call.arguments[0]) if call.arguments else ""
        self.step, self.wall_time, self.arguments = 0, 0.0, ()

        def make(_: str) -> Encoded:
            call.wait()
            method(*call.arguments, **call.options)
            return Encoded(b"")

        make.__name__ = name  # the name by which a failure is reported
        self.encode = make


class _Errand(_Call):
    """A call that somebody waits for: its result and its exception are theirs."""

    __slots__ = ("done", "error", "result")
    droppable = False

    def __init__(self, method: Callable[[], Any]) -> None:
        self.done = False
        self.result: Any = None
        self.error: BaseException | None = None
        super().__init__("errand", self._run(method), FrozenCall((), {}))

    def answer(self) -> Any:
        """What the call has returned; raises what it has raised."""
        if self.error is not None:
            raise self.error
        return self.result

    def _run(self, method: Callable[[], Any]) -> Callable[[], None]:
        def run() -> None:
            try:
                self.result = method()
            except BaseException as error:
                self.error = error
            self.done = True

        return run


class _CallPipeline(Pipeline):
    """A pipeline of calls, without an event file."""

    def _make_files(self) -> RunFiles:
        return _NoFiles(self.options.log_dir)

    def send(self, method: Callable[[], Any], timeout: float | None = None) -> _Errand:
        """Has the writer thread call `method` when everything before is done, and waits for that."""
        errand = _Errand(method)
        if self.on_worker_thread():
            errand.encode("")
            return errand
        self.queue.put(errand)
        barrier = Barrier()
        self.queue.put_barrier(barrier)
        self.wait_for(barrier, timeout)
        return errand


class Replayed:
    """Stands in for an object of any class; `isinstance` takes it for one of that class.

    `add_*` methods return at once; what goes wrong in them is warned of once, and raised by the next
    `flush()` or `close()`, as with tbasync's own writer. Other methods, and assignments, wait for all calls
    before them and return what the original's return, special methods among them. `flush`, `close` and `stats`
    are there in any case.
    """

    def __init__(self, original: Any, options: Mapping[str, Any]) -> None:
        pipeline = _CallPipeline(Options(log_dir=type(original).__qualname__, **options))
        vars(self).update(_original=original, _pipeline=pipeline, _takes_time={}, _options=options)
        finalizer = weakref.finalize(self, pipeline.abandon)
        finalizer.atexit = False
        # Before the handlers that the original may have registered, which could close it under our calls.
        atexit.register(_close_at_exit, weakref.ref(pipeline))

    _original: Any
    _options: Mapping[str, Any]
    _pipeline: _CallPipeline
    _takes_time: dict[str, int | None]

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self._original)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in Replayed.__annotations__:  # the latter while it is being made
            raise AttributeError(name)
        if name == "stats" and not hasattr(self._original, name):
            return self._pipeline.stats
        value = getattr(self._original, name)
        if not callable(value):
            return value
        return self._pushing(name, value) if name.startswith("add_") else self._waiting(value)

    def __setattr__(self, name: str, value: Any) -> None:
        self._pipeline.send(lambda: setattr(self._original, name, value)).answer()

    def __delattr__(self, name: str) -> None:
        self._pipeline.send(lambda: delattr(self._original, name)).answer()

    def __dir__(self) -> list[str]:
        return sorted({*dir(self._original), "flush", "close", "stats"})

    def __repr__(self) -> str:
        return f"<tbasync.wrap({self._original!r})>"

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """A pickle has the original as it is after all calls before; the copy has a queue of its own."""
        self._pipeline.send(lambda: None).answer()
        return replayed, (self._original, self._options)

    def __copy__(self) -> Replayed:
        return replayed(self._pipeline.send(lambda: copy.copy(self._original)).answer(), self._options)

    def __enter__(self) -> Any:
        if hasattr(type(self._original), "__enter__"):
            self._pipeline.send(self._original.__enter__).answer()
        return self

    def __exit__(self, *exception: object) -> Any:
        if not hasattr(type(self._original), "__exit__"):
            return self.close()
        answer = self._pipeline.send(lambda: self._original.__exit__(*exception)).answer()
        self._pipeline.close()
        return answer

    def flush(self, timeout: float | None = None) -> bool:
        """Waits until all calls have been made, and the original's own `flush()` if it has one.

        Returns:
            False if `timeout`, in seconds, passed first.

        Raises:
            LoggingError: a call has failed.
            TypeError, ValueError: `timeout` is not what it should be.
        """
        timeout = check_timeout(timeout)
        return self._told("flush", timeout) and self._pipeline.flush(timeout)

    def close(self, timeout: float | None = None) -> bool:
        """As `flush()`, then the original's `close()` if it has one, and ends the thread."""
        timeout = check_timeout(timeout)
        return self._told("close", timeout) and self._pipeline.close(timeout)

    def _told(self, name: str, timeout: float | None) -> bool:
        """Has the original's method called, if it has one; False if the timeout passed first."""
        method = getattr(self._original, name, None)
        if method is None:
            return True
        errand = self._pipeline.send(method, timeout)
        errand.answer()
        return errand.done

    def _pushing(self, name: str, method: Callable[..., Any]) -> Callable[..., None]:
        def push(*arguments: Any, **options: Any) -> None:
            self._note_time(name, method, arguments, options)
            self._pipeline.queue.put(_Call(name, method, FrozenCall(arguments, options)))

        return push

    def _waiting(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def wait(*arguments: Any, **options: Any) -> Any:
            return self._pipeline.send(lambda: method(*arguments, **options)).answer()

        return wait

    def _note_time(
        self, name: str, method: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> None:
        """Fills in an optional `walltime`: the call happens now, whenever it is made."""
        if name not in self._takes_time:
            self._takes_time[name] = _place_of_walltime(method)
        place = self._takes_time[name]
        if place is not None and len(arguments) <= place and options.get("walltime") is None:
            options["walltime"] = time.time()


def replayed(original: Any, options: Mapping[str, Any]) -> Replayed:
    """A stand-in for an object, with the special methods of its class: Python looks for them in the class.

    Args:
        original: has `add_*` methods.
        options: those of `OPTIONS`.

    Raises:
        TypeError, ValueError: an option's value is not what it should be.
    """
    body: dict[str, Any] = {name: _special(name) for name in _special_methods(type(original))}
    body["__module__"] = __name__
    cls = types.new_class("Replayed", (Replayed,), exec_body=lambda namespace: namespace.update(body))
    made: Replayed = cls(original, options)
    return made


def _special_methods(cls: type) -> Iterator[str]:
    for name in dir(cls):
        if name.startswith("__") and name.endswith("__") and name not in _OF_MAKING.union(vars(Replayed)):
            method = getattr(cls, name, None)
            if callable(method) and method is not getattr(object, name, None):
                yield name


def _special(name: str) -> Callable[..., Any]:
    def special(self: Replayed, *arguments: Any, **options: Any) -> Any:
        return self._pipeline.send(lambda: getattr(self._original, name)(*arguments, **options)).answer()

    return special


def _place_of_walltime(method: Callable[..., Any]) -> int | None:
    """Where the method takes an optional `walltime`; None if it takes none, or cannot be asked."""
    try:
        parameters = inspect.signature(method).parameters
    except (TypeError, ValueError):
        return None
    if "walltime" not in parameters or parameters["walltime"].default is not None:
        return None
    return list(parameters).index("walltime")


def _close_at_exit(reference: weakref.ref[Pipeline]) -> None:
    pipeline = reference()
    if pipeline is not None:
        process.close_at_exit(pipeline)
