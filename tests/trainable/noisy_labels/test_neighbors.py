"""The neighbours' vote by hand, and against a loop."""

import math

import pytest
import torch

from trainable.noisy_labels import neighbors
from trainable.noisy_labels.neighbors import label_support


def slow(features, labels, classes, count):
    """A loop over samples: who is nearest by angle, and whom do they vote for?"""
    points, given, result = features.tolist(), labels.tolist(), []
    for a in points:
        cosines = []
        for j, b in enumerate(points):
            dot = sum(x * y for x, y in zip(a, b, strict=True))
            cosines.append((dot / (math.hypot(*a) * math.hypot(*b)), j))
        nearest = [j for _, j in sorted(cosines, reverse=True)[:count]]
        votes = [
            sum(given[j] == c for j in nearest) / max(1, given.count(c)) for c in range(classes)
        ]
        result.append(votes[given[len(result)]] / max(votes))
    return result


def test_worked_case():
    # Two directions with three samples each, of any length; one sample of each has the other's label.
    features = torch.tensor(
        [[1.0, 0.0], [2.0, 0.1], [3.0, -0.1], [0.0, 1.0], [0.1, 2.0], [-0.1, 5.0]]
    )
    labels = torch.tensor([0, 0, 1, 1, 1, 0])
    expected = [
        1,
        1,
        1 / 2,
        1,
        1,
        1 / 2,
    ]  # one vote, its own, against two; the classes are equally common
    assert label_support(features, labels, 2, neighbors=3).tolist() == pytest.approx(expected)


def test_votes_count_more_for_a_rare_class():
    features = torch.tensor([[1.0, 0.0]] * 4)
    labels = torch.tensor(
        [0, 0, 0, 1]
    )  # three votes of a class of three against one of a class of one
    assert label_support(features, labels, 2, neighbors=4).tolist() == pytest.approx([1, 1, 1, 1])
    assert label_support(features, labels, 5, neighbors=4).tolist() == pytest.approx(
        [1, 1, 1, 1]
    )  # absent classes


@pytest.mark.parametrize("count", [2, 7, 40, 1000])
def test_it_is_the_loops_vote_whatever_the_chunk(count, monkeypatch):
    rng = torch.Generator().manual_seed(0)
    features, labels = torch.randn(40, 3, generator=rng), torch.randint(0, 4, (40,), generator=rng)
    found = label_support(features, labels, 4, count)
    assert found.tolist() == pytest.approx(slow(features, labels, 4, count), rel=1e-6)
    assert (found >= 0).all()
    assert (found <= 1).all()
    monkeypatch.setattr(neighbors, "CHUNK", 7)
    assert torch.equal(label_support(features, labels, 4, count), found)


def test_more_samples_are_compared_in_chunks_of_fewer_rows(monkeypatch):
    features, labels = torch.eye(40), torch.zeros(40, dtype=torch.long)
    monkeypatch.setattr(neighbors, "SIMILARITIES", 120)
    rows = []
    real = torch.Tensor.topk
    monkeypatch.setattr(
        torch.Tensor,
        "topk",
        lambda each, *how, **more: rows.append(len(each)) or real(each, *how, **more),
    )
    label_support(features, labels, 1, 2)
    assert max(rows) == 3


def test_the_length_of_a_feature_does_not_matter():
    rng = torch.Generator().manual_seed(1)
    features, labels = torch.randn(30, 3, generator=rng), torch.randint(0, 3, (30,), generator=rng)
    scaled = features * torch.rand(30, 1, generator=rng).add(0.1)
    assert label_support(scaled, labels, 3, 5).tolist() == pytest.approx(
        label_support(features, labels, 3, 5).tolist()
    )
