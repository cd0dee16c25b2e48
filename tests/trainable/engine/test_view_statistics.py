"""Several views in one pass are what one pass after the other gives: predictions, running statistics, gradients."""

import copy

import pytest
import torch
from torch import nn

from trainable.config.models import LeNet, PreactResNet18, SmallCnn
from trainable.config.optimization import Train
from trainable.engine import learner as learner_module
from trainable.engine.learner import Learner
from trainable.engine.view_statistics import separate_views, views_of
from trainable.models.build import build

CPU = torch.device("cpu")
MODELS = [SmallCnn(width=4), LeNet(), PreactResNet18()]


def views(*sizes: int, side: int = 16) -> list[torch.Tensor]:
    rng = torch.Generator().manual_seed(1)
    return [torch.randn(size, 1, side, side, generator=rng) for size in sizes]


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_views_at_once_are_views_one_by_one(model, mode, monkeypatch):
    network = build(model, (1, 16, 16), 3, 0)
    apart, together = (Learner(copy.deepcopy(network), Train(), CPU) for _ in range(2))
    parts = views(6, 6, 5, 5)
    monkeypatch.setattr(learner_module, "CACHED", 0)
    passes = []
    together.network.register_forward_hook(lambda *call: passes.append(call))
    with apart.mode(mode):
        expected = apart.probabilities_of_views(parts)
    monkeypatch.setattr(learner_module, "CACHED", 10**9)
    with together.mode(mode):
        found = together.probabilities_of_views(parts)
    assert len(passes) == 1
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
    assert together.forwards == apart.forwards == 22
    expected = apart.network.state_dict()
    for name, value in together.network.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=1e-5, atol=1e-6)
    if mode == "train" and model.name != "lenet":
        counts = [b for n, b in together.network.named_buffers() if n.endswith("tracked")]
        assert {int(count) for count in counts} == {4}


def test_views_share_no_statistics():
    network = nn.Sequential(nn.BatchNorm2d(1))
    layers = separate_views(network)
    a, b = views(8, 8)
    with views_of(layers, [8, 8]):
        found = network(torch.cat([a, 100 * b + 7]))
    torch.testing.assert_close(found[8:], network(b), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(
        network(torch.cat([a, b]))[:8].mean(), found[:8].mean(), atol=0.2, rtol=0
    )
    assert not torch.allclose(network(torch.cat([a, 100 * b + 7]))[:8], found[:8], atol=0.1)


def test_the_sizes_are_forgotten_after_an_error():
    network = nn.Sequential(nn.BatchNorm2d(1))
    layers = separate_views(network)
    with pytest.raises(RuntimeError), views_of(layers, [3, 3]):
        network(views(8)[0])
    assert network(views(8)[0]).shape == (8, 1, 16, 16)


def test_weights_and_their_names_stay():
    network = build(PreactResNet18(), (1, 16, 16), 3, 0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert separate_views(network)
    after = network.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_another_kind_of_batchnorm_is_predicted_view_by_view():
    class Odd(nn.BatchNorm2d):
        def forward(self, x):
            return super().forward(x) + 1

    network = nn.Sequential(Odd(1), nn.Flatten(), nn.Linear(256, 3))
    assert separate_views(network) is None
    assert type(network[0]) is Odd
    learner, passes = Learner(network, Train(), CPU), []
    network.register_forward_hook(lambda *call: passes.append(call))
    assert [len(each) for each in learner.probabilities_of_views(views(4, 3))] == [4, 3]
    assert len(passes) == 2


def test_a_frozen_copy_tells_its_own_views_apart():
    learner = Learner(build(SmallCnn(width=4), (1, 16, 16), 3, 0), Train(), CPU)
    twin, parts = learner.frozen(), views(5, 5)
    before = copy.deepcopy(learner.network.state_dict())
    found = twin.probabilities_of_views(parts)
    expected = learner.probabilities_of_views(parts)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
    assert not torch.equal(before["1.running_mean"], learner.network.state_dict()["1.running_mean"])
    assert torch.equal(
        twin.network.state_dict()["1.running_mean"], learner.network.state_dict()["1.running_mean"]
    )


def test_a_view_of_one_vector_is_normalised_by_running_statistics():
    layer = torch.nn.BatchNorm1d(3)
    layer.running_mean += torch.arange(3)
    running = layer.running_mean.clone()
    (view,) = separate_views(torch.nn.Sequential(layer))
    rows = torch.randn(2, 3)
    with views_of([view], [1, 1]):
        found = view(rows)
    expected = (rows - running) / torch.sqrt(torch.ones(3) + view.eps)
    assert torch.allclose(found, expected)
    assert torch.equal(view.running_mean, running), "one vector changes no statistics"
