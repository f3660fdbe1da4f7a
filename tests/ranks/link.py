"""Two hosts of the test's own making: network namespaces, and a link between them that can be cut.

The link is a pair of TUN devices, one in each namespace, whose packets pass through this process: it holds each
for as long as the link is long, or drops it while the link is cut. Nothing in the kernel is needed but TUN.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import queue
import select
import shutil
import struct
import subprocess
import threading
import time

_TUNSETIFF = 0x400454CA
_TUN_WITHOUT_HEADER = 0x1001


def why_not() -> str | None:
    """Why no hosts can be made here; None if they can."""
    if shutil.which("ip") is None:
        return "iproute2 is not installed"
    if os.geteuid() != 0:
        return "namespaces need root"
    name = f"tbasync-{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode:
        return "no network namespace may be made"
    subprocess.run(["ip", "netns", "del", name], check=True)
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR))
    except OSError as error:
        return f"no TUN device: {error}"
    return None


class Link:
    """A link between two hosts, for use as a context manager.

    Attributes:
        hosts: the namespaces' names.
        addresses: the hosts' addresses.
        devices: their interfaces.
        up: whether packets pass.
        passed: packets that have passed.
    """

    def __init__(self, delay: float) -> None:
        self.hosts = [f"tbasync-{os.getpid()}-{end}" for end in "ab"]
        self.addresses = ["10.213.77.1", "10.213.77.2"]
        self.devices = [f"tb{os.getpid()}{end}" for end in "ab"]
        self.up = True
        self.passed = 0
        self._delay = delay
        self._ends: list[int] = []
        self._threads: list[threading.Thread] = []
        self._over = threading.Event()

    def __enter__(self) -> Link:
        try:
            for host, address, device in zip(self.hosts, self.addresses, self.devices, strict=True):
                self._make_host(host, address, device)
        except BaseException:
            self.__exit__()
            raise
        for source, target in (self._ends, self._ends[::-1]):
            held: queue.Queue[tuple[float, bytes] | None] = queue.Queue()
            self._threads.append(threading.Thread(target=self._hold, args=(source, held)))
            self._threads.append(threading.Thread(target=self._pass_on, args=(held, target)))
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        for end in self._ends:
            os.close(end)
        for host in self.hosts:
            subprocess.run(["ip", "netns", "del", host], capture_output=True)

    def command(self, host: int, *command: str) -> list[str]:
        """A command as it is run on a host, which has memory of its own to share."""
        private = 'mount -t tmpfs tmpfs /dev/shm && exec "$@"'
        return ["ip", "netns", "exec", self.hosts[host], "sh", "-c", private, "sh", *command]

    def _make_host(self, host: str, address: str, device: str) -> None:
        end = os.open("/dev/net/tun", os.O_RDWR)
        self._ends.append(end)
        fcntl.ioctl(end, _TUNSETIFF, struct.pack("16sH14x", device.encode(), _TUN_WITHOUT_HEADER))
        for command in (
            f"ip netns add {host}",
            f"ip link set {device} netns {host}",
            f"ip -n {host} addr add {address}/30 dev {device}",
            f"ip -n {host} link set {device} up",
            f"ip -n {host} link set lo up",
        ):
            subprocess.run(command.split(), check=True, capture_output=True)

    def _hold(self, source: int, held: queue.Queue[tuple[float, bytes] | None]) -> None:
        while not self._over.is_set():
            if not select.select([source], [], [], 0.1)[0]:
                continue
            packet = os.read(source, 65536)
            if self.up:
                held.put((time.monotonic() + self._delay, packet))
        held.put(None)

    def _pass_on(self, held: queue.Queue[tuple[float, bytes] | None], target: int) -> None:
        while (item := held.get()) is not None:
            due, packet = item
            time.sleep(max(0.0, due - time.monotonic()))
            if self.up:
                with contextlib.suppress(OSError):
                    os.write(target, packet)
                self.passed += 1
