"""The demo's two networks: their gradients are right, they learn, and a seed decides everything."""

from __future__ import annotations

import numpy as np
import pytest

from tbasync.demo.data import Images, Labels
from tbasync.demo.network import Network, NetworkName, build
from tbasync.demo.numpy_network import NumpyNetwork
from tests.support.record_demo import frozen

BOTH: list[NetworkName] = ["numpy", "torch"]


@pytest.fixture(params=BOTH)
def network(request: pytest.FixtureRequest) -> Network:
    if request.param == "torch":
        pytest.importorskip("torch")
    return build(request.param, seed=1)


def batch(count: int) -> tuple[Images, Labels]:
    rng = np.random.default_rng(5)
    return rng.random((count, 1, 8, 8), np.float32), rng.integers(0, 10, count)


def test_numpys_gradients_are_autograds() -> None:
    """The gradients worked out by hand are those that torch's autograd finds, to float32's accuracy."""
    torch = pytest.importorskip("torch")
    network = NumpyNetwork(seed=1)
    images, labels = batch(7)
    weights = {name: torch.tensor(weight, requires_grad=True) for name, weight in network.parameters()}
    hidden = torch.relu(torch.tensor(images).flatten(1) @ weights["hidden.weight"] + weights["hidden.bias"])
    logits = hidden @ weights["output.weight"] + weights["output.bias"]
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(labels))
    loss.backward()
    assert network.step(images, labels, learning_rate=0.0).loss == pytest.approx(loss.item(), rel=1e-5)
    for name, gradient in network.gradients():
        np.testing.assert_allclose(gradient, weights[name].grad.numpy(), rtol=1e-4, atol=1e-6)


def test_it_learns(network: Network) -> None:
    """Forty steps on one batch make its loss much smaller."""
    images, labels = batch(16)
    first = float(network.step(images, labels, network.learning_rate).loss)
    for _ in range(40):
        last = float(network.step(images, labels, network.learning_rate).loss)
    assert last < first / 2


def test_a_parameter_is_the_live_one(network: Network) -> None:
    """What parameters() hands out changes with the next step: logging it tests the copy at the call."""
    name, parameter = next(iter(network.parameters()))
    before = frozen(parameter).copy()
    network.step(*batch(4), network.learning_rate)
    assert dict(network.parameters())[name] is parameter
    assert not np.array_equal(before, frozen(parameter))


def test_every_parameter_has_its_gradient(network: Network) -> None:
    """Names and shapes of parameters and gradients agree."""
    network.step(*batch(4), network.learning_rate)
    parameters = {name: tuple(value.shape) for name, value in network.parameters()}
    assert {name: tuple(value.shape) for name, value in network.gradients()} == parameters


def test_probabilities_are_probabilities(network: Network) -> None:
    """One row of ten for each image, none negative, each row with the sum 1."""
    probabilities = network.probabilities(batch(6)[0])
    assert probabilities.shape == (6, 10)
    assert probabilities.dtype == np.float32
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("name", BOTH)
def test_the_seed_decides(name: NetworkName) -> None:
    """Equal seeds give equal weights, others others."""
    if name == "torch":
        pytest.importorskip("torch")
    images = batch(3)[0]
    first, again, other = (build(name, seed).probabilities(images) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_features_are_what_the_last_layer_sees(network: Network) -> None:
    """The last layer's weights applied to the features give the probabilities."""
    images, _ = batch(5)
    weights = {name: frozen(value) for name, value in network.parameters()}
    weight = weights["output.weight"]
    features = network.features(images)
    if weight.shape[0] != features.shape[1]:
        weight = weight.T  # torch keeps [outputs, inputs]
    exponentials = np.exp(features @ weight + weights["output.bias"])
    expected = exponentials / exponentials.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(network.probabilities(images), expected, rtol=1e-4)


def test_filters_are_a_copy_of_the_first_layer(network: Network) -> None:
    """Each unit's weights as a picture, and the next step does not change them."""
    _, weight = next(iter(network.parameters()))
    filters = network.filters()
    before = filters.copy()
    assert filters.ndim == 3
    assert np.array_equal(np.sort(filters.ravel()), np.sort(frozen(weight).ravel()))
    network.step(*batch(4), network.learning_rate)
    assert np.array_equal(filters, before)
    assert not np.array_equal(network.filters(), before)
