"""An S3-compatible server on loopback: moto's, in this process, which can be stopped, slowed and made to fail."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest


class Server:
    """Serves one bucket, "bucket". What it holds outlives `stop()` and `start()`.

    Attributes:
        status: what it answers to uploads instead of taking them; None takes them.
        delay: seconds that it waits before it takes an upload.
        uploads: keys of the objects that it has taken, in order.
    """

    def __init__(self) -> None:
        server = pytest.importorskip("moto.server")
        self._application = server.DomainDispatcherApplication(server.create_backend_app)
        self._port = 0
        self.status: str | None = None
        self.delay = 0.0
        self.uploads: list[str] = []
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listens, on the same port as before."""
        serving = pytest.importorskip("werkzeug.serving")

        class Quiet(serving.WSGIRequestHandler):  # type: ignore[misc, name-defined]
            def log(self, *arguments: object) -> None:
                """Nothing."""

        self._server = serving.make_server("127.0.0.1", self._port, self._answer, True, request_handler=Quiet)
        self._port = self._server.port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def stop(self) -> None:
        """Refuses connections from now on."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, environ: dict[str, Any], respond: Callable[..., object]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "PUT" or environ["PATH_INFO"].count("/") < 2:
            answer: Iterable[bytes] = self._application(environ, respond)
            return answer
        time.sleep(self.delay)
        if self.status is not None:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            respond(self.status, [("Content-Type", "application/xml")])
            return [b"<Error><Code>InternalError</Code><Message>not now</Message></Error>"]
        answer = self._application(environ, respond)
        self.uploads.append(environ["PATH_INFO"])
        return answer
