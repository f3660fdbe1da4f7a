"""The real TensorBoard, started on loopback and asked over HTTP what it shows.

with tensorboard(log_dir) as board:
    board.wait_for(lambda: board.scalars(".", "loss"))
"""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, NamedTuple, TypeVar
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

needs_tensorboard = pytest.mark.skipif(find_spec("tensorboard") is None, reason="needs TensorBoard")

START_SECONDS = 60.0  # a cold start on a busy machine; usually about one
POLL_SECONDS = 0.1

T = TypeVar("T")


class NotThere(LookupError):
    """TensorBoard does not (yet) have what it was asked for."""


class Bucket(NamedTuple):
    """One bar of a histogram as TensorBoard shows it."""

    left: float
    right: float
    number: float  # of values in it


class TensorBoard:
    """A running TensorBoard; each method is one question to its HTTP API.

    Runs are named by their path below the log directory, "." being that itself. What is not there, or not
    yet, raises NotThere.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._open = build_opener(ProxyHandler({})).open  # loopback needs no proxy, whatever is configured

    def get(self, path: str, body: object = None, **query: object) -> bytes:
        """The answer to GET `path`, or to POST with `body` as JSON."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.url}{path}?{urlencode(query)}", data, {"Content-Type": "application/json"})
        try:
            with self._open(request, timeout=30) as response:
                answer: bytes = response.read()
        except HTTPError as error:
            with error:
                raise NotThere(f"{path} {query}: {error.code} {error.read()[:200]!r}") from error
        return answer

    def runs(self) -> list[str]:
        return sorted(json.loads(self.get("data/runs")))

    def tags(self, plugin: str) -> dict[str, Any]:
        """Run -> its tags, as the plugin ("scalars", "images", "text", ...) lists them."""
        return dict(json.loads(self.get(f"data/plugin/{plugin}/tags")))

    def scalars(self, run: str, tag: str) -> list[tuple[int, float]]:
        """(step, value) of each point."""
        points = json.loads(self.get("data/plugin/scalars/scalars", run=run, tag=tag))
        return [(step, value) for _, step, value in points]

    def histograms(self, run: str, tag: str) -> list[tuple[int, list[Bucket]]]:
        """(step, buckets from left to right) of each histogram."""
        answers = json.loads(self.get("data/plugin/histograms/histograms", run=run, tag=tag))
        return [(step, [Bucket(*bucket) for bucket in buckets]) for _, step, buckets in answers]

    def images(self, run: str, tag: str) -> list[tuple[int, NDArray[np.uint8]]]:
        """(step, pixels [H, W, C]) of each image, fetched and decoded as a browser would."""
        answers = json.loads(self.get("data/plugin/images/images", run=run, tag=tag, sample=0))
        return [(answer["step"], self._image(answer["query"])) for answer in answers]

    def _image(self, query: str) -> NDArray[np.uint8]:
        key = query.partition("=")[2]
        with Image.open(io.BytesIO(self.get("data/plugin/images/individualImage", blob_key=key))) as image:
            pixels = np.asarray(image.convert("RGB") if image.mode == "P" else image)
        return pixels if pixels.ndim == 3 else pixels[..., np.newaxis]

    def texts(self, run: str, tag: str) -> list[tuple[int, str]]:
        """(step, HTML) of each text; the writer's tag "t" is TensorBoard's "t/text_summary"."""
        answers = json.loads(self.get("data/plugin/text/text", run=run, tag=tag))
        return [(answer["step"], answer["text"]) for answer in answers]

    def sessions(self) -> list[dict[str, Any]]:
        """The rows of the HParams table: dicts with "hparams" {name: value} and "metrics" {tag: value}."""
        every_status = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]
        question = {"allowedStatuses": every_status, "colParams": [], "startIndex": 0, "sliceSize": 1000}
        groups = json.loads(self.get("data/plugin/hparams/session_groups", question))["sessionGroups"]
        return [
            {
                "hparams": group["hparams"],
                "metrics": {metric["name"]["tag"]: metric["value"] for metric in group["metricValues"]},
            }
            for group in groups
        ]

    def wait_for(self, question: Callable[[], T], seconds: float = 30.0) -> T:
        """The first true answer to `question`, asked again and again for at most `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            answer: object
            try:
                answer = true_answer = question()
                if true_answer:
                    return true_answer
            except NotThere as error:
                answer = error
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds:g} s; TensorBoard's last answer: {answer!r}")
            time.sleep(POLL_SECONDS)


@contextmanager
def tensorboard(log_dir: Path, *, fast: bool = True, reload_seconds: int = 1) -> Iterator[TensorBoard]:
    """TensorBoard on `log_dir`, on a free port of loopback; it and its data server are gone afterwards.

    `fast` chooses its reader of event files: the data server in Rust, its default where that is installed, or
    the one in Python. Both read anew every `reload_seconds`.
    """
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(log_dir)]
    command += ["--host", "127.0.0.1", "--port", "0", "--reload_interval", str(reload_seconds)]
    command += ["--load_fast", "true" if fast else "false"]
    settings = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "ignore"}
    with TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, env=settings, start_new_session=True)
        try:
            yield TensorBoard(_url(process, said))
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _url(process: subprocess.Popen[bytes], said: IO[str]) -> str:
    """Where TensorBoard says that it listens, once it does."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        status = process.poll()
        said.seek(0)
        text = said.read()
        if found := re.search(r"http://127\.0\.0\.1:\d+/", text):
            return found.group()
        if status is not None or time.monotonic() > deadline:
            raise AssertionError(f"TensorBoard does not listen; exit status {status}, it said:\n{text}")
        time.sleep(POLL_SECONDS)
