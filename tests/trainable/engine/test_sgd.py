"""The optimiser must take the very steps of torch's own class, without what that class imports."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from trainable.engine.sgd import SGD

RATES = [0.05, 0.05, 0.005, 0.005]


def network() -> nn.Sequential:
    torch.manual_seed(4)
    return nn.Sequential(nn.Linear(7, 9), nn.ReLU(), nn.BatchNorm1d(9), nn.Linear(9, 3))


def descend(
    net: nn.Module, optimizer: SGD | torch.optim.SGD, rates: list[float], first: int = 0
) -> None:
    for k, rate in enumerate(rates, first):
        rng = torch.Generator().manual_seed(k)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        images, labels = torch.randn(6, 7, generator=rng), torch.randint(3, (6,), generator=rng)
        nn.functional.cross_entropy(net(images), labels).backward()
        optimizer.step()


def equal(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize(("momentum", "decay"), [(0.9, 5e-4), (0.9, 0.0), (0.0, 5e-4)])
def test_its_steps_are_those_of_torchs_class(momentum, decay):
    ours, theirs = network(), network()
    descend(ours, SGD(ours.parameters(), 0.05, momentum, decay), RATES)
    descend(
        theirs,
        torch.optim.SGD(theirs.parameters(), 0.05, momentum, weight_decay=decay, fused=True),
        RATES,
    )
    assert equal(ours, theirs)
    assert not equal(ours, network())


def test_a_parameter_without_gradient_stays_and_learns_later():
    net, before = network(), network()
    optimizer = SGD(net.parameters(), 0.05, 0.9, 5e-4)
    net[0].requires_grad_(False)
    descend(net, optimizer, RATES[:2])
    assert torch.equal(net[0].weight, before[0].weight)
    assert not torch.equal(net[3].weight, before[3].weight)
    assert not optimizer.averages[0].any()
    net[0].requires_grad_(True)
    descend(net, optimizer, RATES[2:], first=2)
    assert not torch.equal(net[0].weight, before[0].weight)


def test_a_state_of_torchs_class_is_resumed():
    ours, theirs = network(), network()
    optimizer = torch.optim.SGD(theirs.parameters(), 0.05, 0.9, weight_decay=5e-4, fused=True)
    descend(theirs, optimizer, RATES[:2])
    ours.load_state_dict(theirs.state_dict())
    resumed = SGD(ours.parameters(), 0.05, 0.9, 5e-4)
    resumed.load_state_dict(optimizer.state_dict())
    descend(theirs, optimizer, RATES[2:], first=2)
    descend(ours, resumed, RATES[2:], first=2)
    assert equal(ours, theirs)


def test_training_does_not_import_the_compiler():
    program = """
import sys
import torch
from torch import nn
from trainable.config.trial import Train
from trainable.engine.learner import Learner
learner = Learner(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), Train(), torch.device("cpu"))
learner.start_epoch(0)
learner.step(learner(torch.ones(3, 1, 2, 2)).sum())
sys.exit("torch._dynamo" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
