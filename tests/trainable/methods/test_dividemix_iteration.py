"""The engine's iterations against a slow re-statement of Algorithm 1: loops over rows, its own SGD.

Both run in double precision, so that they may differ by rounding only.
"""

import copy
import itertools

import numpy as np
import pytest
import torch
from torch import nn

from tests.trainable.methods.tiny import divisions, make, train_on
from trainable.engine.learner import build_optimizer
from trainable.methods import dividemix
from trainable.methods.base import Method


def predict(net: nn.Module, images: torch.Tensor, mode: str) -> list[list[float]]:
    """Softmax of one view's logits, a list a row, in the given BatchNorm mode."""
    net.train(mode == "train")
    with torch.no_grad():
        rows = net(images).tolist()
    return [[np.exp(v) / sum(np.exp(w) for w in row) for v in row] for row in rows]


def predict_together(
    net: nn.Module, views: list[torch.Tensor], mode: str
) -> list[list[list[float]]]:
    """As `predict`, for several views in one forward."""
    rows = predict(net, torch.stack([image for view in views for image in view]), mode)
    found = []
    for view in views:
        found.append(rows[: len(view)])
        rows = rows[len(view) :]
    return found


def average(predictions: list[list[list[float]]], row: int) -> list[float]:
    classes = len(predictions[0][row])
    return [sum(p[row][c] for p in predictions) / len(predictions) for c in range(classes)]


def sharpened(row: list[float], temperature: float, hard: bool) -> list[float]:
    if hard:
        return [1.0 if p == max(row) else 0.0 for p in row]
    powers = [p ** (1 / temperature) for p in row]
    return [p / sum(powers) for p in powers]


def iteration(m, own, peer, x, u, labels, w, draw):
    """The three losses of one iteration; `x` and `u` are lists of views, `draw` gives the mixup weight and partners."""
    from_u = u if m.co_guess in (True, False) else []
    from_x = x if m.co_refine else []
    if m.guess_batched and from_u + from_x:
        found = predict_together(own, [*from_u, *from_x], m.guess_mode)
        own_u, own_x = found[: len(from_u)], found[len(from_u) :]
    else:
        own_u = [predict(own, view, m.guess_mode) for view in from_u]
        own_x = [predict(own, view, m.guess_mode) for view in from_x]

    views = list(own_u)  # of the unlabeled images, from one or two networks
    if m.networks == 2 and m.co_guess in (True, "peer"):
        views += [predict(peer, view, "eval") for view in u]
    t = 1 if m.sharpen == "refine" else m.temperature
    hard = m.hard_labels in ("guess", "both")
    guesses = [sharpened(average(views, i), t, hard) for i in range(len(u[0]))]

    one_hot = [[1.0 if c == label else 0.0 for c in range(3)] for label in labels]
    refined = one_hot
    if m.co_refine:
        refined = []
        t = 1 if m.sharpen == "guess" else m.temperature
        hard = m.hard_labels in ("refine", "both")
        for i, (weight, label) in enumerate(zip(w, one_hot, strict=True)):
            blend = [
                weight * a + (1 - weight) * b for a, b in zip(label, average(own_x, i), strict=True)
            ]
            refined.append(sharpened(blend, t, hard))

    images, targets = [], []
    for view in x:
        images += list(view)
        targets += refined
    labeled = len(images)
    for view in u:
        images += list(view)
        targets += guesses
    if m.mixup:
        lam, partner = draw(labeled, len(images) - labeled)
        images, targets = (
            [lam * images[i] + (1 - lam) * images[partner[i]] for i in range(len(images))],
            [
                [
                    lam * a + (1 - lam) * b
                    for a, b in zip(targets[i], targets[partner[i]], strict=True)
                ]
                for i in range(len(targets))
            ],
        )
    if m.forward_rows == "labeled":
        images = images[:labeled]

    own.train()
    p = own(torch.stack(images)).exp()
    p = p / p.sum(1, keepdim=True)
    loss_x = loss_u = loss_prior = torch.zeros((), dtype=torch.float64)
    for i in range(len(images)):
        for c in range(3):
            if i < labeled:
                loss_x = loss_x - targets[i][c] * p[i, c].log() / labeled
            else:
                loss_u = loss_u + (p[i, c] - targets[i][c]) ** 2 / (len(images) - labeled)
    if m.unlabeled_loss == "mean":
        loss_u = loss_u / 3
    prior = [c / sum(m.prior) for c in m.prior] if m.prior else [1 / 3, 1 / 3, 1 / 3]
    for c in range(3):
        mean = sum(p[i, c] for i in range(len(images))) / len(images)
        loss_prior = loss_prior + prior[c] * torch.log(prior[c] / mean)
    return loss_x, loss_u, loss_prior


def descend(
    net: nn.Module, gradients: list[torch.Tensor], momenta: list[torch.Tensor], train
) -> None:
    for parameter, gradient, momentum in zip(net.parameters(), gradients, momenta, strict=True):
        momentum.mul_(train.momentum).add_(gradient + train.weight_decay * parameter.detach())
        parameter.data -= train.lr * momentum


def restated(method: Method, found, nets, batches, epoch: int):
    """[(losses, gradients) of each step] of one epoch that trains `nets` on the views that the engine drew."""
    m = method.config.method
    given, steps, before = method.data.train.given.tolist(), [], copy.deepcopy(nets)
    for own in range(m.networks):
        peer = 1 - own if m.networks == 2 else own
        judge = found[peer if m.co_divide else own]
        momenta = [torch.zeros_like(parameter) for parameter in nets[own].parameters()]
        streams = [method.streams.numpy("mixup", epoch, own, part) for part in (0, 1)]

        def draw(labeled, unlabeled, streams=streams):
            lam = streams[0].beta(m.alpha, m.alpha)
            lam = lam if lam > 0.5 else 1 - lam
            if m.mixup_partner == "all":
                return lam, streams[1].permutation(labeled + unlabeled).tolist()
            first = streams[1].permutation(labeled).tolist()
            return lam, first + [labeled + i for i in streams[1].permutation(unlabeled).tolist()]

        labeled, b = int(judge.labeled.sum()), 0
        while b * 8 < labeled:
            (ix, x), (_, u) = next(batches), next(batches)
            ramp = (epoch + b / (labeled // 8 + 1) - m.warmup_epochs) / m.rampup_epochs
            labels, w = [given[i] for i in ix], [judge.weight[i].item() for i in ix]
            guide = (before if m.peer_update == "synchronous" else nets)[peer]
            parts = iteration(m, nets[own], guide, x, u, labels, w, draw)
            loss = parts[0] + m.lambda_u * ramp * parts[1] + m.prior_penalty * parts[2]
            gradients = list(torch.autograd.grad(loss, list(nets[own].parameters())))
            descend(nets[own], gradients, momenta, method.config.train)
            steps.append(([part.item() for part in parts], gradients))
            b += 1
    return steps


def spied(method: Method, monkeypatch):
    """What the engine draws, computes and descends on: lists that fill while it trains."""
    batches, parts, gradients = [], [], []
    views, losses = method.data.train.views, dividemix.losses

    def spied_views(index, count, rng):
        result = [view.double() for view in views(index, count, rng)]
        batches.append((index.tolist(), result))
        return result

    def spied_losses(*args, **kwargs):
        result = losses(*args, **kwargs)
        parts.append([loss.item() for loss in result])
        return result

    monkeypatch.setattr(method.data.train, "views", spied_views)
    monkeypatch.setattr(dividemix, "losses", spied_losses)
    for learner in method.learners:

        def step(loss, learner=learner, original=learner.step):
            original(loss)
            gradients.append([parameter.grad.clone() for parameter in learner.network.parameters()])

        monkeypatch.setattr(learner, "step", step)
    return batches, parts, gradients


SWITCHES = [
    {
        "networks": n,
        "co_divide": d,
        "co_refine": r,
        "co_guess": g,
        "mixup": x,
        "prior_penalty": p,
        "guess_mode": mode,
    }
    for n, d, r, g, x, p, mode in itertools.product(
        (2, 1),
        (True, False),
        (True, False),
        (True, False, "peer"),
        (True, False),
        (1.0, 0.0),
        ("train", "eval"),
    )
    if not (n == 1 and (g == "peer" or not d)) and (d or (r and g and x and p))
]


ALONE: list[
    dict
] = [  # every further switch of a step, in both guess modes, with one network and with two
    {"n_aug": 1},
    {"n_aug": 4},
    {"sharpen": "refine"},
    {"sharpen": "guess"},
    {"hard_labels": "refine"},
    {"hard_labels": "guess"},
    {"hard_labels": "both"},
    {"mixup_partner": "same_set"},
    {"forward_rows": "labeled"},
    {"unlabeled_loss": "sum"},
    {"prior": [1.0, 2.0, 5.0]},
    {"guess_batched": True},
    {"guess_batched": True, "co_refine": False},
    {"guess_batched": True, "co_guess": "peer"},
    {"guess_batched": True, "co_guess": "peer", "co_refine": False},
    {"peer_update": "synchronous"},
    {"peer_update": "synchronous", "co_guess": "peer"},
    {"n_aug": 1, "forward_rows": "labeled", "mixup": False},
    {
        "n_aug": 4,
        "mixup_partner": "same_set",
        "guess_batched": True,
        "hard_labels": "guess",
        "sharpen": "refine",
    },
]
SWITCHES += [
    {"networks": n, "guess_mode": mode, **alone}
    for n, mode, alone in itertools.product((2, 1), ("train", "eval"), ALONE)
    if n == 2 or (alone.get("co_guess") != "peer" and "peer_update" not in alone)
]


@pytest.mark.parametrize(
    "switches", SWITCHES, ids=lambda s: "-".join(f"{k}={v}" for k, v in s.items())
)
def test_losses_gradients_weights_and_buffers_of_an_epoch_equal_the_restatement(
    switches, monkeypatch
):
    method = make(n=30, batch_size=8, rampup_epochs=4, temperature=0.6, **switches)
    found = divisions(method, 13, 18)[
        : switches["networks"]
    ]  # steps of 8 + 5 and 8 + 8 + 2 labeled; unlabeled 8 + 8 + 1 and 8 + 4, restarted
    for learner in method.learners:
        learner.optimizer = build_optimizer(learner.network.double(), learner.train)
    nets = [copy.deepcopy(learner.network) for learner in method.learners]
    batches, parts, gradients = spied(method, monkeypatch)
    train_on(method, found, epoch=2)
    expected = restated(method, found, nets, iter(batches), epoch=2)

    assert (
        len(parts)
        == len(gradients)
        == len(expected)
        == sum(-(-int(v.labeled.sum()) // 8) for v in found)
    )
    for actual, (values, slopes), grads in zip(parts, expected, gradients, strict=True):
        assert actual == pytest.approx(values, rel=1e-6, abs=1e-9)
        for a, b in zip(grads, slopes, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-8)
    for learner, net in zip(method.learners, nets, strict=True):
        for a, b in zip(
            learner.network.state_dict().values(), net.state_dict().values(), strict=True
        ):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-8)
