"""ELR and ELR+: targets, regulariser and averages, restated in NumPy or step by step."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.trainable.methods.tiny import make
from trainable.noisy_labels.losses import early_learning_loss
from trainable.noisy_labels.ramp_up import sigmoid_ramp_up

LOGITS = np.array([[2.0, 0.0, -1.0], [0.0, 0.5, 0.0], [40.0, 0.0, 0.0]])


def clamped(logits: np.ndarray) -> np.ndarray:
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return np.clip(p, 1e-4, 1 - 1e-4)


def test_the_regulariser_is_the_mean_logarithm_of_one_minus_the_inner_product():
    targets = np.array([[0.5, 0.2, 0.1], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    expected = np.log(1 - (targets * clamped(LOGITS)).sum(1)).mean()
    found = early_learning_loss(torch.from_numpy(LOGITS), torch.from_numpy(targets))
    assert found.item() == pytest.approx(expected)
    assert np.isfinite(expected)  # the last prediction is its target, up to the clamp


def test_targets_are_moving_averages_of_clamped_and_normalised_predictions():
    method, where = make("elr", beta=0.7), torch.tensor([4, 0, 9])
    method.learners[0] = lambda images: torch.from_numpy(LOGITS).float()
    given, expected = torch.tensor([0, 1, 1]), np.zeros((3, 3))
    for _ in range(2):
        loss, terms = method.loss(0, torch.empty(3), given, where)
        p = clamped(LOGITS)
        expected = 0.7 * expected + 0.3 * p / p.sum(1, keepdims=True)
        regulariser = np.log(1 - (expected * p).sum(1)).mean()
        np.testing.assert_allclose(method.targets[0][where], expected, rtol=1e-5)
        assert terms["loss/early_learning"].item() == pytest.approx(regulariser, rel=1e-5)
        assert loss.item() == pytest.approx(
            terms["loss/labeled"].item() + 3 * regulariser, rel=1e-5
        )
    others = [i for i in range(len(method.targets[0])) if i not in where]
    assert not method.targets[0][others].any()


def test_the_gradient_pulls_towards_the_target_and_does_not_flow_into_it():
    logits, target = torch.zeros(1, 2, requires_grad=True), torch.tensor([[0.6, 0.1]])
    early_learning_loss(logits, target).backward()
    assert logits.grad[0, 0] < 0 < logits.grad[0, 1]
    method = make("elr", epochs=1)
    next(method)
    assert not method.targets[0].requires_grad
    assert (method.targets[0].sum(1) - 0.3).abs().max() < 1e-5  # every sample was seen once


def test_without_weight_it_is_plain_cross_entropy():
    plain, elr = make("cross_entropy"), make("elr", networks=2, lambda_elr=0)
    for row, other in zip(plain, elr, strict=True):
        assert row["loss/labeled"] == other["loss/labeled"]
        assert row["test/accuracy"] == other["test/accuracy"]


# --- ELR+ ---


@pytest.mark.parametrize(
    ("step", "weight"), [(0, math.exp(-5)), (50, math.exp(-1.25)), (100, 1), (1000, 1)]
)
def test_the_sigmoid_ramp_grows_from_exp_minus_5_to_1(step, weight):
    assert sigmoid_ramp_up(step, 100) == pytest.approx(weight)
    assert sigmoid_ramp_up(step, 0) == 1


def test_the_first_step_equals_a_plain_restatement(monkeypatch):
    method = make("elr_plus", n=30, batch_size=32, ema_rampup_steps=10)
    views, drawn, losses = method.data.train.views, [], []
    monkeypatch.setattr(
        method.data.train, "views", lambda *a: drawn.append((a[0], views(*a))) or drawn[-1][1]
    )
    descend = method.descend
    monkeypatch.setattr(
        method, "descend", lambda k, loss: losses.append(loss.item()) or descend(k, loss)
    )
    start = [
        {n: t.clone() for n, t in learner.network.state_dict().items()}
        for learner in method.learners
    ]
    next(method)
    index, [images] = drawn[0]
    rng = method.streams.numpy("mixup", 0, 0)
    weight, partner = rng.beta(1.0, 1.0), torch.from_numpy(rng.permutation(30))
    weight = max(weight, 1 - weight)
    own, peer = (
        type(method)(method.config, method.data, [learner.frozen()] * 2, method.streams)
        .learners[0]
        .network
        for learner in method.learners
    )
    own.load_state_dict(start[0])
    peer.load_state_dict(start[1])
    towards = 0.3 * peer.train()(images).softmax(1).detach()
    labels, targets = F.one_hot(method.data.train.given[index], 3).float(), towards
    mixed = [weight * rows + (1 - weight) * rows[partner] for rows in (images, labels, targets)]
    logits = own.train()(mixed[0])
    loss = -(mixed[1] * logits.log_softmax(1)).sum(1).mean()
    loss = loss + 3 * (1 - (mixed[2] * logits.softmax(1).clamp(1e-4, 1 - 1e-4)).sum(1)).log().mean()
    assert losses[0] == pytest.approx(loss.item(), rel=1e-4)


def test_the_average_follows_its_network_and_the_second_is_guided_by_the_firsts_new_one():
    method = make(
        "elr_plus", n=30, batch_size=32, ema_decay=0.9, ema_rampup_steps=8
    )  # one step an epoch
    decay, expected = [], [p.detach().clone() for p in method.learners[0].network.parameters()]
    for step in range(1, 4):
        next(method)
        decay.append(0.9 * math.exp(-5 * (1 - (step + 1) / 8) ** 2))
        news = method.learners[0].network.parameters()
        expected = [
            decay[-1] * old + (1 - decay[-1]) * new.detach()
            for old, new in zip(expected, news, strict=True)
        ]
    assert decay == sorted(decay)
    for a, b in zip(method.averages[0].network.parameters(), expected, strict=True):
        torch.testing.assert_close(a.detach(), b, rtol=1e-4, atol=1e-6)
    assert method.steps == [3, 3]


def test_labels_times_targets_stay_distributions():
    method = make("elr_plus", label_times_target=True, epochs=2, lr=0.02)
    rows = list(method)
    assert all(math.isfinite(row["loss/labeled"]) for row in rows)
    assert rows[0]["loss/labeled"] != next(make("elr_plus", lr=0.02))["loss/labeled"]


def test_the_averages_predictions_are_counted_as_work():
    row = next(make("elr_plus", n=50))
    assert row["work/forwards"] == 2 * (3 * 50 + 50 + 60 + 30)
