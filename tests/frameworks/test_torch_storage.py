"""Tensors whose memory is not theirs any more are refused: never somebody else's bytes in a histogram."""

from __future__ import annotations

from typing import Any

import pytest

from tbasync.pipeline.freeze import freeze_array

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("copy", [True, False])
def test_a_freed_storage_is_refused(copy: bool) -> None:
    """As sharding frees what it has gathered; an empty tensor has no storage either, and is fine."""
    tensor = torch.ones(3)
    tensor.untyped_storage().resize_(0)
    with pytest.raises(TypeError, match="values has no values"):
        freeze_array(tensor, "values", copy=copy)
    assert freeze_array(torch.ones(0, 3), "values", copy=copy).shape == (0, 3)


def test_a_tensor_that_torch_func_wraps_is_refused() -> None:
    """Its values are elsewhere; what lay in its place was logged."""

    def log(tensor: Any) -> Any:
        with pytest.raises(TypeError, match="values has no values"):
            freeze_array(tensor, "values")
        return tensor

    torch.func.functionalize(log)(torch.ones(3))


def test_views_of_all_kinds_hold_their_values() -> None:
    """Expanded, permuted, strided, conjugated, negated, of a graph, in inference mode: as torch itself has them."""
    base = torch.arange(24.0).reshape(2, 3, 4)
    with torch.inference_mode():
        inferred = base * 2
    views = [base[:1].expand(5, 3, 4), base.permute(2, 0, 1), base[:, ::2, 1], torch._neg_view(base)]
    views += [torch.complex(base, base).conj(), base.clone().requires_grad_() * 2, inferred, base[0, 0, 1]]
    for view in views:
        frozen = freeze_array(view, "values")
        assert frozen.tolist() == view.detach().resolve_conj().resolve_neg().tolist()
        assert frozen.flags.writeable
