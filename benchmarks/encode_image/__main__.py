"""What does encoding an image cost, and how large is it, beside torch's and tensorboardX's writers?

Run with `python -m benchmarks.encode_image [--rounds N]`. Measured is the CPU time of the thread that makes
the bytes of a Summary out of an array: the median over rounds in which the peers take turns. The last two
lines of each picture are Pillow's encoder alone, on ready pixels, at the settings that make it fastest.
"""

from __future__ import annotations

import argparse
import io
import platform
import statistics
import zlib
from collections.abc import Callable
from functools import partial
from time import thread_time
from typing import Any

import numpy as np
import PIL
from PIL import Image

from tbasync.encode.image import image
from tbasync.encode.pixels import to_pixels

Encode = Callable[[Any, str], bytes]


def _pictures() -> dict[str, tuple[Any, str]]:
    """Arrays and their dataformats, from the incompressible to the trivial."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[0:512, 0:512]
    waves = np.stack([np.sin(columns / 70), np.cos(rows / 90), np.sin((rows + columns) / 120)])
    smooth = (waves.astype(np.float32) + 1) / 2
    disc = np.hypot(rows - 256, columns - 256) < 200
    pictures = {
        "noise 512x512": (random.random((3, 512, 512), np.float32), "CHW"),
        "noise, uint8 HWC": (random.integers(0, 256, (512, 512, 3), np.uint8), "HWC"),
        "smooth 512x512": (smooth, "CHW"),
        "smooth and noisy": (smooth + random.normal(0, 0.01, smooth.shape).astype(np.float32), "CHW"),
        "grey noise 256x256": (random.random((256, 256), np.float32), "HW"),
        "disc 512x512": (disc, "HW"),
    }
    try:
        from sklearn.datasets import load_digits, load_sample_images
    except ImportError:
        return pictures
    photograph = load_sample_images().images[0]
    crops = [photograph[i * 40 : i * 40 + 32, j * 32 : j * 32 + 32] for i in range(8) for j in range(8)]
    return pictures | {
        "photograph 640x427": (photograph, "HWC"),
        "64 crops, 32x32": (np.stack(crops), "NHWC"),
        "64 digits, 8x8": (load_digits().images[:64, None].astype(np.float32) / 16, "NCHW"),
    }


def _peers() -> dict[str, Encode]:
    """Those that are installed; tbasync first."""
    peers: dict[str, Encode] = {"tbasync": lambda array, dataformats: image("t", array, dataformats).summary}
    for name, module in (("torch", "torch.utils.tensorboard"), ("tensorboardX", "tensorboardX")):
        try:
            summary = __import__(f"{module}.summary", fromlist=["image"])
        except ImportError:
            continue
        peers[name] = partial(_serialized, summary)
    return peers


def _serialized(summary: Any, array: Any, dataformats: str) -> bytes:
    data: bytes = summary.image("t", array, dataformats=dataformats).SerializeToString()
    return data


def _pillow(picture: Image.Image, **options: int) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", **options)
    return file.getvalue()


def _measure(tasks: dict[str, Callable[[], bytes]], rounds: int) -> dict[str, tuple[float, int]]:
    """Milliseconds of CPU time (the median) and bytes of each task."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    sizes: dict[str, int] = {}
    for _ in range(rounds):
        for name, task in tasks.items():
            start = thread_time()
            data = task()
            times[name].append(1000 * (thread_time() - start))
            sizes[name] = len(data)
    return {name: (statistics.median(times[name]), sizes[name]) for name in tasks}


def main() -> None:
    """Prints a line for each kind of picture: milliseconds and KiB, and tbasync's share of each peer's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="measurements a figure (default 9)")
    rounds = parser.parse_args().rounds
    machine = f"{platform.system()} {platform.machine()}, CPython {platform.python_version()}"
    print(f"{machine}, numpy {np.__version__}, Pillow {PIL.__version__}, zlib {zlib.ZLIB_RUNTIME_VERSION}")
    for picture, (array, dataformats) in _pictures().items():
        tasks = {name: partial(encode, array, dataformats) for name, encode in _peers().items()}
        pixels = Image.fromarray(to_pixels(array, dataformats)[0])
        tasks["Pillow, level 1"] = partial(_pillow, pixels, compress_level=1)
        tasks["Pillow, RLE"] = partial(_pillow, pixels, compress_type=3)
        measured = _measure(tasks, rounds)
        own_time, own_size = measured["tbasync"]
        print(picture)
        for name, (time, size) in measured.items():
            shares = f"   tbasync: {own_time / time:.2f} of the time, {own_size / size:.2f} of the size"
            print(f"  {name:16}{time:8.2f} ms{size / 1024:8.1f} KiB{shares if name != 'tbasync' else ''}")


main()
