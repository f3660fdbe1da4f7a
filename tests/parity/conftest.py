"""Stand-ins for what the originals need, while the modules of this folder run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from . import stand_ins


@pytest.fixture(autouse=True, scope="module")
def _stand_ins() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        stand_ins.install(patch)
        yield
