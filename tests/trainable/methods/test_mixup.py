"""MixUp and Divide-and-MixMatch."""

import copy

import numpy as np
import pytest
import torch

from tests.trainable.methods.tiny import all_same, all_weights, make, without_time


def test_an_epoch_equals_a_plain_restatement(monkeypatch):
    method = make("mixup", n=50, batch_size=16, alpha=0.7)
    net, drawn, views = copy.deepcopy(method.learners[0].network), [], method.data.train.views
    monkeypatch.setattr(
        method.data.train, "views", lambda *a: drawn.append((a[0], views(*a))) or drawn[-1][1]
    )
    row = next(method)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    rng, losses = method.streams.numpy("mixup", 0, 0), []
    for index, [images] in drawn:
        given, lam, partner = (
            method.data.train.given[index],
            rng.beta(0.7, 0.7),
            rng.permutation(len(index)),
        )
        log_p = net(lam * images + (1 - lam) * images[partner]).log_softmax(1)
        own, other = (
            torch.nn.functional.nll_loss(log_p, labels) for labels in (given, given[partner])
        )
        loss = lam * own + (1 - lam) * other  # the form of the authors' code
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item() * len(index) / 50)
    assert row["loss/labeled"] == pytest.approx(sum(losses), rel=1e-4)
    for a, b in zip(method.learners[0].network.parameters(), net.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)


def test_a_large_alpha_mixes_halves_and_a_small_one_hardly_at_all():
    weights = {}
    for alpha in (100.0, 0.01):
        rng = make("mixup", alpha=alpha).streams.numpy("mixup", 0, 0)
        weights[alpha] = rng.beta(alpha, alpha, 500)
    assert np.abs(weights[100.0] - 0.5).max() < 0.2
    assert np.median(np.minimum(weights[0.01], 1 - weights[0.01])) < 0.01


def test_mixmatch_is_dividemix_of_one_network_without_refinement():
    mixmatch = make("mixmatch", warmup_epochs=1, lambda_u=5)
    switches = make(networks=1, co_refine=False, lambda_u=5, co_divide=False, co_guess=False)
    assert without_time(list(mixmatch)) == without_time(list(switches))
    assert all_same(all_weights(mixmatch), all_weights(switches))
    assert mixmatch.config.method.name == "dividemix"
