"""Two whole steps of the authors' code, BatchNorm included: targets, losses, weights and buffers."""

from collections import OrderedDict
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.trainable.methods.tiny import CPU, all_weights, divisions, make, same, train_on, weights
from trainable.config.dividemix import DivideMix as DivideMixConfig
from trainable.config.optimization import Train
from trainable.engine.learner import Learner
from trainable.methods import dividemix
from trainable.methods.dividemix_step import (
    guessed_targets,
    losses,
    own_predictions,
    refined_targets,
)
from trainable.noisy_labels.ramp_up import ramp_up
from trainable.noisy_labels.targets import mix

CLOSE = {"rtol": 1e-5, "atol": 1e-6}


@pytest.fixture
def golden(vectors):
    return vectors["ssl_two_steps_bn"]


def network(saved: dict) -> nn.Module:
    layers = [
        ("fc1", nn.Linear(5, 4)),
        ("bn", nn.BatchNorm1d(4)),
        ("relu", nn.ReLU()),
        ("fc2", nn.Linear(4, 3)),
    ]
    net = nn.Sequential(OrderedDict(layers))
    state = {name: torch.tensor(value) for name, value in saved.items()}
    net.load_state_dict(state | {"bn.num_batches_tracked": torch.tensor(0)})
    return net


def learners(golden: dict) -> list[Learner]:
    return [Learner(network(golden[name]), Train(lr=0.02), CPU) for name in ("net1_before", "net2")]


def settings(golden: dict) -> DivideMixConfig:
    same_name = {name: golden[name] for name in ("lambda_u", "alpha")}
    return DivideMixConfig(temperature=golden["T"], warmup_epochs=golden["warm_up"], **same_name)


def close(actual: torch.Tensor, expected: list | float) -> None:
    torch.testing.assert_close(actual, torch.tensor(expected), **CLOSE)


def check_end(golden: dict, own: Learner) -> None:
    state = own.network.state_dict()
    assert state.pop("bn.num_batches_tracked") == golden["net1_bn_updates"] == 10
    assert state.keys() == golden["net1_after"].keys()
    for name, value in golden["net1_after"].items():
        close(state[name], value)


def test_stages_in_the_engines_order_follow_the_authors_two_steps(golden):
    m, (own, peer) = settings(golden), learners(golden)
    before = weights(peer)
    views_u = [torch.tensor(golden["unlabelled"][0][name]) for name in ("u1", "u2")]
    for step, (batch, expected) in enumerate(zip(golden["labelled"], golden["steps"], strict=True)):
        views_x = [torch.tensor(batch[name]) for name in ("x1", "x2")]
        one_hot = F.one_hot(torch.tensor(batch["labels"]), 3).float()
        own_u, own_x = own_predictions(m, own, views_u, views_x)
        targets_u = guessed_targets(m, own_u, peer, views_u)
        targets_x = refined_targets(m, own_x, one_hot, torch.tensor(batch["w"]))
        close(targets_u, expected["targets_u"])
        close(targets_x, expected["targets_x"])

        inputs, targets = (
            torch.cat([*views_x, *views_u]),
            torch.cat([targets_x, targets_x, targets_u, targets_u]),
        )
        inputs, targets = (
            mix(rows, expected["lam"], torch.tensor(expected["perm"])) for rows in (inputs, targets)
        )
        logits = own(inputs)
        close(logits.detach(), expected["logits"])
        loss_x, loss_u, loss_prior = losses(
            m, logits, targets, labeled_rows=2 * len(one_hot), prior=None
        )
        close(loss_x.detach(), expected["Lx"])
        close(loss_u.detach(), expected["Lu"])
        close(loss_prior.detach(), expected["penalty"])
        finished = golden["epoch"] + step / golden["num_iter"]
        lambda_u = m.lambda_u * ramp_up(finished, m.warmup_epochs, m.rampup_epochs)
        assert lambda_u == pytest.approx(expected["lambda_u_t"], rel=1e-7)
        loss = loss_x + lambda_u * loss_u + m.prior_penalty * loss_prior
        close(loss.detach(), expected["loss"])
        own.step(loss)
    check_end(golden, own)
    assert same(weights(peer), before)


class GoldenData:
    """Stands in for the training samples: the labeled ones count from 0, the three unlabeled ones from 9."""

    device, true_known = CPU, True

    def __init__(self, golden: dict):
        first, second = golden["labelled"]
        self.given = self.true = torch.tensor([*first["labels"], *second["labels"], 0, 0, 0])
        self.weight = torch.tensor([*first["w"], *second["w"], 0, 0, 0])
        unlabeled = golden["unlabelled"][0]
        self.pictures = [
            torch.tensor([*first[f"x{v}"], *second[f"x{v}"], *unlabeled[f"u{v}"]]) for v in (1, 2)
        ]

    def draws(self, rng):
        return rng

    def views(self, index: torch.Tensor, count: int, rng: torch.Generator) -> list[torch.Tensor]:
        return [pictures[index] for pictures in self.pictures[:count]]

    def ahead(self, batches):
        return batches


class GoldenDraws:
    """Stands in for a mixup stream, of weights or of partners: the authors' draws, one after the other."""

    def __init__(self, golden: dict):
        self.steps = iter(golden["steps"])

    def beta(self, a: float, b: float) -> float:
        return 1 - next(self.steps)["lam"]  # the engine has to take the larger of l and 1 − l

    def permutation(self, n: int):
        partners = next(self.steps)["perm"]
        assert n == len(partners)
        return torch.tensor(partners).numpy()


def test_the_engines_own_loop_follows_the_authors_two_steps(golden, monkeypatch):
    method = make(
        lambda_u=golden["lambda_u"], alpha=golden["alpha"], warmup_epochs=golden["warm_up"]
    )
    found = divisions(method, 9, 9)
    method.learners = learners(golden)
    data = GoldenData(golden)
    method.data = SimpleNamespace(train=data, classes=3, chosen=lambda rows: data)
    method.streams = SimpleNamespace(
        torch=lambda *a, **k: None, numpy=lambda *a: GoldenDraws(golden)
    )

    def batches(labeled, own):
        if own == 0:  # the vectors end after the first network
            u = torch.tensor([9, 10, 11])
            yield torch.tensor([0, 1, 2, 3, 4]), u, golden["epoch"] + 0 / golden["num_iter"]
            yield torch.tensor([5, 6, 7, 8]), u, golden["epoch"] + 1 / golden["num_iter"]

    monkeypatch.setattr(method, "batches", batches)
    seen = []

    def spied(*args):
        result = losses(*args)
        seen.append([loss.item() for loss in result])
        return result

    monkeypatch.setattr(dividemix, "losses", spied)
    peer = all_weights(method)[1]
    for division in found:
        division.weight = data.weight
    row = train_on(method, found, epoch=golden["epoch"])

    expected = [[step[name] for name in ("Lx", "Lu", "penalty")] for step in golden["steps"]]
    assert seen == [pytest.approx(values, rel=1e-5, abs=1e-6) for values in expected]
    assert row["loss/labeled"] == pytest.approx(
        (5 * expected[0][0] + 4 * expected[1][0]) / 9, rel=1e-5
    )
    assert row["loss/unlabeled"] == pytest.approx((expected[0][1] + expected[1][1]) / 2, rel=1e-5)
    check_end(golden, method.learners[0])
    assert same(weights(method.learners[1]), peer)
