"""Work of parametrized tests that is done in processes of their own, begun ahead of them, on all cores.

    endings = ahead("script", run)

    @pytest.mark.parametrize("script", SCRIPTS)
    def test_it_ends_well(script, endings):
        assert endings(script).returncode == 0

All is over when the last of these tests is: nothing runs beside the tests that come after them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

T = TypeVar("T")


def ahead(parameter: str, work: Callable[[str, Path], T]) -> Any:
    """A fixture: a function from a value of the parameter to what `work` returns for it, or raises.

    `work` gets the value and a directory of its own. It is called in threads, for the values of the tests that have
    been selected in the fixture's module, when the first of them begins.
    """

    @pytest.fixture(scope="module")
    def results(
        request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[Callable[[str], T]]:
        pool = ThreadPoolExecutor(os.cpu_count())
        begun: dict[str, Future[T]] = {}
        for item in request.session.items:
            values = item.callspec.params if hasattr(item, "callspec") else {}
            if item.path == request.path and parameter in values and values[parameter] not in begun:
                begun[values[parameter]] = pool.submit(
                    work, values[parameter], tmp_path_factory.mktemp("ahead")
                )
        yield lambda value: begun[value].result()
        pool.shutdown(cancel_futures=True)

    return results
