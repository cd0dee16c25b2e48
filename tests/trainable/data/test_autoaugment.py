"""AutoAugment in batches against torchvision's, image by image; AugDesc's order of views."""

import numpy as np
import pytest
import torch
from torchvision.transforms import AutoAugmentPolicy

from tests.trainable.methods.tiny import make
from trainable.data.autoaugment import _Drawn, auto_augment
from trainable.data.samples import Samples
from trainable.methods import dividemix_step


def images(n: int, side: int = 16, channels: int = 3) -> torch.Tensor:
    return torch.from_numpy(
        np.random.default_rng(0).integers(0, 256, (n, side, side, channels), np.uint8)
    )


@pytest.mark.parametrize(("side", "channels"), [(16, 3), (8, 1)])
def test_every_image_goes_through_the_operations_that_were_drawn_for_it(side, channels):
    batch = images(40, side, channels)
    found = auto_augment(batch, torch.Generator().manual_seed(3))
    assert found.shape == batch.shape
    assert found.dtype == torch.uint8

    rng, one = (
        torch.Generator().manual_seed(3),
        _Drawn(AutoAugmentPolicy.CIFAR10, fill=[128.0] * channels),
    )
    pair, chance = torch.randint(25, (40, 1), generator=rng)[:, 0], torch.rand(40, 2, generator=rng)
    signs = torch.randint(2, (40, 2), generator=rng)
    for k, image in enumerate(batch):
        one.drawn = int(pair[k]), chance[k], signs[k]
        assert torch.equal(one(image.permute(2, 0, 1)).permute(1, 2, 0), found[k])


def test_a_generator_decides_and_the_global_one_is_not_touched():
    batch, before = images(30), torch.get_rng_state()
    first, again, other = (
        auto_augment(batch, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)
    assert (first != batch).flatten(1).any(1).float().mean() > 0.5


def test_augdesc_learns_from_the_two_strong_views_and_guesses_from_the_two_weak_ones(monkeypatch):
    method = make(augment="augdesc", batch_size=8, warmup_epochs=0, mixup=False)
    drawn, described, learned = [], [], []
    for name in ("strong_views", "views"):
        plain = getattr(Samples, name)

        def spied(self, *arguments, plain=plain, name=name):
            drawn.append((name, plain(self, *arguments)))
            return drawn[-1][1]

        monkeypatch.setattr(Samples, name, spied)
    predicted, called = dividemix_step.own_predictions, type(method.learners[0]).__call__
    monkeypatch.setattr(
        "trainable.methods.dividemix.own_predictions",
        lambda m, learner, u, x: (described.append((x, u)), predicted(m, learner, u, x))[1],
    )
    monkeypatch.setattr(
        type(method.learners[0]),
        "__call__",
        lambda self, x: (learned.append(x), called(self, x))[1],
    )
    next(method)
    assert [name for name, _ in drawn[:4]] == ["strong_views", "views"] * 2
    (_, strong_x), (_, weak_x), (_, strong_u), (_, weak_u) = drawn[:4]
    assert [len(views) for _, views in drawn[:4]] == [2, 2, 2, 2]
    assert described[0][0] is weak_x
    assert described[0][1] is weak_u
    assert torch.equal(learned[0], torch.cat([*strong_x, *strong_u]))
