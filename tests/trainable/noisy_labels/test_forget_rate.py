"""How many samples are forgotten, and which (JoCoR's schedule)."""

import numpy as np
import pytest
import torch

from trainable.noisy_labels.forget_rate import estimated_rate, forget_rate, smallest


@pytest.mark.parametrize("gradual", [2, 3])  # 10: vectors.json
def test_the_rate_grows_as_the_authors_linspace_from_its_second_entry_on(gradual):
    schedule = [*np.linspace(0, 0.2, gradual), 0.2, 0.2]
    found = [forget_rate(0.2, finished, gradual) for finished in range(gradual + 1)]
    assert found == pytest.approx(schedule[1:])


def test_with_one_gradual_epoch_the_rate_is_whole_at_once():
    assert [forget_rate(0.3, finished, 1) for finished in (0, 1, 50)] == [0.3] * 3


@pytest.mark.parametrize(
    ("rate", "count"), [(0, 128), (0.2, 102), (0.5, 64), (0.8, 25), (0.999, 1)]
)
def test_of_a_batch_of_128_as_many_are_kept_as_in_the_authors_code_and_one_at_least(rate, count):
    losses = torch.randn(128, generator=torch.Generator().manual_seed(0))
    kept = smallest(losses, rate)
    assert len(kept) == count
    assert losses[kept].tolist() == sorted(losses.tolist())[:count]


def test_of_equal_losses_the_first_are_kept():
    assert smallest(torch.ones(6), 0.5).tolist() == [0, 1, 2]


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_the_estimate_is_the_share_of_the_group_with_large_losses(share):
    rng, noisy = np.random.default_rng(0), int(1000 * share)
    losses = np.concatenate([rng.normal(0.4, 0.1, 1000 - noisy), rng.normal(3, 0.3, noisy)])
    assert estimated_rate(losses) == pytest.approx(share, abs=0.01)


def test_constant_losses_are_no_reason_to_forget_anything():
    assert estimated_rate(np.full(20, 0.7)) == 0
