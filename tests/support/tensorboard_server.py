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
POLL_SECONDS = 0.05
RELOAD_SECONDS = {True: 1, False: 0.1}  # of the fast reader, which takes whole seconds, and of the slow one

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
        address = f"{self.url}{path}?{urlencode(query)}" if query else f"{self.url}{path}"
        request = Request(address, data, {"Content-Type": "application/json"})
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

    def image_files(self, run: str, tag: str) -> list[tuple[int, bytes]]:
        """(step, file) of each image, fetched as a browser would."""
        answers = json.loads(self.get("data/plugin/images/images", run=run, tag=tag, sample=0))
        path = "data/plugin/images/individualImage"
        return [(answer["step"], self.get(f"{path}?{answer['query']}")) for answer in answers]

    def images(self, run: str, tag: str) -> list[tuple[int, NDArray[np.uint8]]]:
        """(step, pixels [H, W, C]) of each image; the first frame of a film."""
        return [(step, _pixels(file)) for step, file in self.image_files(run, tag)]

    def sounds(self, run: str, tag: str) -> list[tuple[int, bytes]]:
        """(step, file) of each sound, fetched as a browser would."""
        answers = json.loads(self.get("data/plugin/audio/audio", run=run, tag=tag, sample=0))
        path = "data/plugin/audio/individualAudio"
        return [(answer["step"], self.get(f"{path}?{answer['query']}")) for answer in answers]

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

    def precision_recall(self, run: str, tag: str) -> list[dict[str, Any]]:
        """For each step a dict with "step", and lists by threshold: "precision", "true_positives", ..."""
        answer = json.loads(self.get("data/plugin/pr_curves/pr_curves", run=run, tag=tag))
        return list(answer[run])

    def layout(self) -> list[dict[str, Any]]:
        """The categories of the Custom Scalars dashboard, as their protos are in JSON."""
        return list(json.loads(self.get("data/plugin/custom_scalars/layout")).get("category", []))

    def graph(self, run: str) -> dict[str, list[str]]:
        """Node -> its inputs."""
        text = self.get("data/plugin/graphs/graph", run=run).decode()
        nodes = re.split(r"^node \{$", text, flags=re.MULTILINE)[1:]
        return {
            re.findall(r'^  name: "(.*)"$', node, re.MULTILINE)[0]: re.findall(
                r'^  input: "(.*)"$', node, re.MULTILINE
            )
            for node in nodes
        }

    def embeddings(self, run: str) -> list[dict[str, Any]]:
        """What the Projector is told of each embedding: "tensorName", "tensorShape", ..."""
        return list(json.loads(self.get("data/plugin/projector/info", run=run))["embeddings"])

    def points(self, run: str, name: str) -> NDArray[np.float32]:
        """[points, dimensions] of an embedding."""
        answer = np.frombuffer(self.get("data/plugin/projector/tensor", run=run, name=name), "<f4")
        (info,) = (info for info in self.embeddings(run) if info["tensorName"] == name)
        return answer.reshape(info["tensorShape"])

    def labels(self, run: str, name: str) -> list[list[str]]:
        """The rows of an embedding's labels, the header first."""
        text = self.get("data/plugin/projector/metadata", run=run, name=name).decode()
        return [line.split("\t") for line in text.splitlines()]

    def sprite(self, run: str, name: str) -> bytes:
        """The file with the pictures of an embedding's points."""
        return self.get("data/plugin/projector/sprite_image", run=run, name=name)

    def mesh(self, run: str, tag: str, part: str) -> bytes:
        """The numbers of "VERTEX", "COLOR" or "FACE" of a mesh at step 0, as the browser gets them."""
        return self.get("data/plugin/mesh/data", run=run, tag=tag, content_type=part, sample=0, step=0)

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


def _pixels(file: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(file)) as image:
        pixels = np.asarray(image.convert("RGB") if image.mode == "P" else image)
    return pixels if pixels.ndim == 3 else pixels[..., np.newaxis]


@contextmanager
def tensorboard(
    log_dir: Path | str, *, fast: bool = True, within: Path | None = None
) -> Iterator[TensorBoard]:
    """TensorBoard on `log_dir`, on a free port of loopback; it and its data server are gone afterwards.

    A relative `log_dir` counts from the folder `within`; TensorBoard's pages show it as it is given.

    `fast` chooses its reader of event files: the data server in Rust, its default where that is installed, or
    the one in Python. They read anew every RELOAD_SECONDS. A URL is given as a str.
    """
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(log_dir)]
    command += ["--host", "127.0.0.1", "--port", "0", "--reload_interval", str(RELOAD_SECONDS[fast])]
    command += ["--load_fast", "true" if fast else "false"]
    settings = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "ignore"}
    with TemporaryFile("w+") as said:
        process = subprocess.Popen(
            command, stdout=said, stderr=said, env=settings, cwd=within, start_new_session=True
        )
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
