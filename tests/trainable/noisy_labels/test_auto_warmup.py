"""The rule that ends an automatic warm-up."""

import numpy as np
import pytest

from trainable.noisy_labels.auto_warmup import ended, separation


def test_separation_is_the_distance_of_the_two_groups_in_nats():
    rng = np.random.default_rng(0)
    losses = np.concatenate([rng.normal(1.0, 0.1, 2000), rng.normal(3.5, 0.2, 2000)]).astype(
        np.float32
    )
    assert separation(losses) == pytest.approx(2.5, abs=0.02)
    assert separation(2 * losses) == pytest.approx(5.0, abs=0.04)
    assert separation(losses + 7) == pytest.approx(2.5, abs=0.02)


def test_constant_losses_are_not_separated():
    assert separation(np.full(10, 2.3, np.float32)) == 0


@pytest.mark.parametrize(
    ("separations", "over"),
    [
        ([], False),
        ([1.0], False),
        ([1.0, 1.2], False),
        ([1.0, 1.2, 1.3], False),
        ([1.0, 1.2, 1.2], True),
        ([1.0, 1.2, 1.1], True),
        ([1.0, 0.9], True),
        ([0.0, 0.0], True),
    ],
)
def test_it_ends_with_the_first_epoch_that_moves_the_groups_no_further_apart(separations, over):
    assert ended(separations, epochs=100) == over


@pytest.mark.parametrize(("epochs", "longest"), [(1, 1), (2, 1), (3, 1), (4, 2), (30, 15)])
def test_it_ends_after_half_of_all_epochs_at_the_latest_but_not_before_the_first(epochs, longest):
    rising = [float(k) for k in range(1, longest + 1)]
    assert ended(rising, epochs)
    assert not ended(rising[:-1], epochs)
