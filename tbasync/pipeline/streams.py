"""What is asked of an accelerator, through torch: streams, events, a pinned buffer.

A device that has no streams of torch's making, such as Apple's, is waited for as a whole, by the writer thread.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Protocol

# Pinned memory on the host, one buffer for each device, allocated once: pinning synchronises the device.
STAGING_BYTES = 4 << 20


class Mark(Protocol):
    """A place in a stream: an event."""

    def synchronize(self) -> None:
        """Waits until the device has come to this place."""


class Streams(Protocol):
    """What is asked of an accelerator."""

    def capturing(self, device: Any) -> bool:
        """Whether the caller's stream is being captured into a graph."""

    def freeze(self, tensor: Any, dtype: Any, copy: bool) -> tuple[Any, Mark]:
        """A contiguous copy as `dtype`, made by the caller's current stream, and the place behind it."""

    def run(self, device: Any, after: Iterable[Mark], work: Callable[[], None]) -> Mark:
        """Gives `work` to the writer thread's stream, behind all of `after`; returns the place behind it."""

    def staging(self, device: Any) -> Any:
        """The device's buffer in pinned host memory: uint8, `STAGING_BYTES` long."""


def _contiguous(tensor: Any, dtype: Any, copy: bool) -> Any:
    torch = sys.modules["torch"]
    with torch.no_grad():
        frozen = tensor.detach().to(dtype=dtype, memory_format=torch.contiguous_format, copy=copy)
        return frozen.resolve_conj().resolve_neg().contiguous()


class TorchStreams:
    """Streams of one kind of accelerator, through torch's module for it (`torch.cuda`, `torch.xpu`, …)."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self._streams: dict[Any, Any] = {}
        self._staging: dict[Any, Any] = {}
        self._thread: int | None = None  # the last one that has done `run`

    def capturing(self, device: Any) -> bool:
        """Whether the caller's stream is being captured into a graph."""
        del device
        is_capturing = getattr(self._module, "is_current_stream_capturing", None)
        return is_capturing is not None and bool(is_capturing())

    def freeze(self, tensor: Any, dtype: Any, copy: bool) -> tuple[Any, Mark]:
        """A contiguous copy as `dtype`, made by the caller's current stream, and the place behind it."""
        stream = self._module.current_stream(tensor.device)
        copied = _contiguous(tensor, dtype, copy)
        # Blocking: who waits for the event sleeps; otherwise CUDA spins, a core lost to waiting.
        mark = self._module.Event(blocking=True)
        mark.record(stream)
        return copied, mark

    def run(self, device: Any, after: Iterable[Mark], work: Callable[[], None]) -> Mark:
        """Gives `work` to the writer thread's stream, behind all of `after`; returns the place behind it."""
        if self._thread != threading.get_ident():
            self._thread = threading.get_ident()
            if device.type == "cuda":
                _leave_captures_alone()
        stream = self._streams.get(device)
        if stream is None:
            stream = self._streams[device] = self._module.Stream(device=device)
        with self._module.stream(stream):
            for mark in after:
                stream.wait_event(mark)
            work()
            done = self._module.Event(blocking=True)
            done.record(stream)
        place: Mark = done
        return place

    def staging(self, device: Any) -> Any:
        """The device's buffer in pinned host memory: uint8, `STAGING_BYTES` long."""
        buffer = self._staging.get(device)
        if buffer is None:
            torch = sys.modules["torch"]
            buffer = torch.empty(STAGING_BYTES, dtype=torch.uint8, pin_memory=True)
            self._staging[device] = buffer
        return buffer


def _leave_captures_alone() -> None:
    """Lets the calling thread allocate and wait for events while another thread captures a CUDA graph.

    Otherwise the capture, in torch's default mode, would fail. (CUDA driver API, cuThreadExchangeStreamCaptureMode;
    CU_STREAM_CAPTURE_MODE_RELAXED is 2.)
    """
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        exchange = driver.cuThreadExchangeStreamCaptureMode
    except (OSError, AttributeError):
        return  # no NVIDIA driver: torch's name for AMD's devices is cuda as well
    exchange(ctypes.byref(ctypes.c_int(2)))


class PlainStreams:
    """A device without streams of its own making, such as Apple's: the writer thread waits for all of it."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def capturing(self, device: Any) -> bool:
        """Such devices have no graphs."""
        return False

    def freeze(self, tensor: Any, dtype: Any, copy: bool) -> tuple[Any, Mark]:
        """A contiguous copy as `dtype`, in the device's only queue."""
        return _contiguous(tensor, dtype, copy), self

    def run(self, device: Any, after: Iterable[Mark], work: Callable[[], None]) -> Mark:
        """Does `work` in the device's only queue, which is behind everything already."""
        work()
        return self

    def staging(self, device: Any) -> Any:
        """A buffer in host memory: uint8, `STAGING_BYTES` long."""
        torch = sys.modules["torch"]
        return torch.empty(STAGING_BYTES, dtype=torch.uint8)

    def synchronize(self) -> None:
        """Waits for everything that the device has been given."""
        self._module.synchronize()


@cache
def streams_of(device_type: str) -> Streams:
    """The streams of a kind of device, by torch's name for it."""
    module = getattr(sys.modules["torch"], device_type)
    if hasattr(module, "Stream") and hasattr(module, "current_stream"):
        return TorchStreams(module)
    return PlainStreams(module)
