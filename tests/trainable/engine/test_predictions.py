"""What networks say of a set, batch by batch: the same as at once, and no array of (samples, classes)."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.trainable.methods.tiny import all_same, all_weights, make
from trainable.data import samples
from trainable.engine.predictions import predict_all, score


class Said:
    """A learner that answers the batches of `Rows` with given logits (n, classes)."""

    def __init__(self, logits: torch.Tensor):
        self.logits = logits

    def mode(self, name):
        from contextlib import nullcontext

        return nullcontext()

    def predict(self, images, tested=False):
        return self.logits[images]


class Rows:
    """Stands in for images: a batch is its own positions."""

    def __init__(self, labels: torch.Tensor, size: int):
        self.given, self.size = labels, size

    def __len__(self):
        return len(self.given)

    def in_batches(self):
        for start in range(0, len(self), self.size):
            rows = slice(start, start + self.size)
            yield rows, torch.arange(len(self))[rows]


def summed(logits):
    return torch.stack(tuple(logits)).sum(0)


def made(n: int = 23, classes: int = 7) -> tuple[list[torch.Tensor], torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    logits = [torch.randn(n, classes, generator=rng) for _ in range(2)]
    return logits, torch.randint(0, classes, (n,), generator=rng)


@pytest.mark.parametrize("size", [1, 5, 23, 100])
def test_a_judgement_is_that_of_all_samples_at_once(size):
    logits, given = made()
    judgement = predict_all([Said(each) for each in logits], Rows(given, size), summed)
    for each, prediction in zip(logits, judgement.networks, strict=True):
        loss = F.cross_entropy(each, given, reduction="none")
        torch.testing.assert_close(prediction.loss, loss)
        assert torch.equal(prediction.classes, each.argmax(1))
        assert prediction.features is None
    chosen = summed(logits).argmax(1)
    assert torch.equal(judgement.ensemble_class, chosen)
    mean = (logits[0].softmax(1) + logits[1].softmax(1)) / 2
    expected = mean.gather(1, chosen[:, None])[:, 0]
    torch.testing.assert_close(judgement.ensemble_probability, expected)


@pytest.mark.parametrize("size", [1, 5, 23])
def test_a_score_counts_what_is_right(size):
    logits, labels = made()
    found = score([Said(each) for each in logits], Rows(labels, size), labels, summed)
    total = summed(logits)
    ranks = (total > total.gather(1, labels[:, None])).sum(1)
    assert found.ensemble == pytest.approx(100 * (ranks == 0).double().mean().item())
    assert found.top5 == pytest.approx(100 * (ranks < 5).double().mean().item())
    alone = [100 * (each.argmax(1) == labels).double().mean().item() for each in logits]
    assert found.networks == pytest.approx(alone)
    assert 0 < found.ensemble < found.top5 < 100
    assert found.sums == pytest.approx([each.sum().item() for each in logits], rel=1e-4)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_one_logit_that_is_not_finite_shows_in_the_sum_of_its_network(bad):
    logits, labels = made()
    logits[1][17, 3] = bad
    sums = score([Said(each) for each in logits], Rows(labels, 5), labels, summed).sums
    assert np.isfinite(sums[0])
    assert not np.isfinite(sums[1])


def test_of_four_classes_no_five_are_best():
    logits, labels = made(classes=4)
    assert score([Said(each) for each in logits], Rows(labels, 5), labels, summed).top5 is None


def test_real_networks_are_judged_alike_whatever_the_batch_and_stay_as_they_are(monkeypatch):
    method = make()
    next(method)
    before, work = all_weights(method), method.forwards
    whole = method.predict_all(method.data.train)
    assert method.forwards == work + 2 * len(method.data.train)
    monkeypatch.setitem(samples.MOST_PIXELS, "cpu", 7 * 64)
    parts = method.predict_all(method.data.train)
    for a, b in zip(whole.networks, parts.networks, strict=True):
        torch.testing.assert_close(a.loss, b.loss, rtol=1e-5, atol=1e-6)
        assert torch.equal(a.classes, b.classes)
    assert torch.equal(whole.ensemble_class, parts.ensemble_class)
    assert all_same(all_weights(method), before)
    assert all(learner.network.training for learner in method.learners)


def test_each_image_is_loaded_once_for_all_networks(monkeypatch):
    method, seen = make(), []
    plain = type(method.data.train).plain
    monkeypatch.setattr(
        type(method.data.train), "plain", lambda self, at: seen.append(at) or plain(self, at)
    )
    method.predict_all(method.data.train)
    assert seen == [slice(0, method.data.train.most_at_once)]
