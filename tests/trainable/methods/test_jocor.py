"""JoCoR: the contrasts by NumPy, the choice of samples, any number of networks."""

import copy
from itertools import permutations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.trainable.methods.tiny import all_same, all_weights, make, weights, without_time
from trainable.methods.jocor import contrast

PREDICTIONS = np.random.default_rng(0).dirichlet(
    np.ones(4), size=(4, 6)
)  # four networks, six samples, four classes


def logs(*probabilities) -> list[torch.Tensor]:
    return [torch.tensor(p, dtype=torch.float64).log() for p in probabilities]


@pytest.mark.parametrize("k", [2, 3, 4])
def test_the_contrasts_of_k_networks_equal_sums_over_their_pairs(k):
    p = PREDICTIONS[:k]
    entropy = {(a, b): -(p[a] * np.log(p[b])).sum(1) for a in range(k) for b in range(k)}
    kl = {(a, b): entropy[a, b] - entropy[a, a] for a, b in entropy}
    expected = {
        "pairs": sum(kl[pair] for pair in permutations(range(k), 2)),
        "circular": sum(kl[a, (a + 1) % k] for a in range(k)),
        "cross_entropy": sum(entropy[pair] for pair in permutations(range(k), 2)),
    }
    for kind, values in expected.items():
        np.testing.assert_allclose(contrast(logs(*p), kind).numpy(), values, rtol=1e-12)


@pytest.mark.parametrize("kind", ["pairs", "circular"])
def test_equal_networks_have_no_contrast_and_no_pull(kind):
    networks = [torch.tensor([[1.0, 2.0, -1.0]], requires_grad=True) for _ in range(3)]
    value = contrast(networks, kind).sum()
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-7)
    assert all(each.grad.abs().max() < 1e-7 for each in networks)


def test_a_probability_that_vanishes_leaves_loss_and_gradient_finite():
    networks = [
        torch.tensor([[200.0, 0.0]], requires_grad=True),
        torch.tensor([[0.0, 200.0]], requires_grad=True),
    ]
    value = contrast(networks, "pairs").sum()
    value.backward()
    assert value.item() == pytest.approx(400)
    assert all(each.grad.isfinite().all() for each in networks)


@pytest.mark.parametrize("networks", [2, 3])
def test_a_step_equals_a_plain_restatement_of_the_joint_loss(networks, monkeypatch):
    method = make(
        "jocor",
        n=40,
        batch_size=32,
        networks=networks,
        co_lambda=0.6,
        forget_rate=0.4,
        gradual_epochs=1,
    )
    nets = [copy.deepcopy(learner.network) for learner in method.learners]
    views, drawn = method.data.train.views, []
    monkeypatch.setattr(
        method.data.train, "views", lambda *a: drawn.append((a[0], views(*a))) or drawn[-1][1]
    )
    row = next(method)
    [(index, [images])] = drawn  # all networks see one batch of the same views
    given, logits = method.data.train.given[index], [net(images) for net in nets]
    losses = torch.zeros(40)
    for own in logits:
        losses = losses + 0.4 * F.cross_entropy(own, given, reduction="none")
        for other in logits:
            losses = losses + 0.6 * F.kl_div(
                other.log_softmax(1), own.softmax(1), reduction="none"
            ).sum(1)
    kept = losses.sort().indices[:24]
    assert row["division/labeled_fraction_net0"] == pytest.approx(24 / 40)
    right = (method.data.train.given == method.data.train.true)[index]
    assert row[f"division/precision_net{networks - 1}"] == pytest.approx(
        right[kept].float().mean().item()
    )
    assert row["division/recall_net0"] == pytest.approx((right[kept].sum() / right.sum()).item())
    losses[kept].mean().backward()
    for learner, net in zip(method.learners, nets, strict=True):
        torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4).step()
        for a, b in zip(learner.network.parameters(), net.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_two_networks_make_no_difference_between_all_pairs_and_the_circle():
    pairs, circular = make("jocor", contrast="pairs"), make("jocor", contrast="circular")
    assert without_time([next(pairs)]) == without_time([next(circular)])
    three = [make("jocor", networks=3, contrast=kind) for kind in ("pairs", "circular")]
    assert len(next(three[0])) == len(next(three[1]))
    assert not all_same(all_weights(three[0]), all_weights(three[1]))


def test_the_first_networks_of_three_begin_as_the_two_do():
    two, three = make("jocor"), make("jocor", networks=3)
    assert all_same(all_weights(two), all_weights(three)[:2])
    assert weights(three.learners[2]).keys() == weights(two.learners[0]).keys()
    row = next(three)
    assert {f"test/accuracy_net{k}" for k in range(3)} <= row.keys()
