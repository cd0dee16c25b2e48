"""The weights that grow with epochs and steps."""

import pytest

from trainable.noisy_labels.ramp_up import ramp_up


def test_the_ramp_never_falls():
    values = [ramp_up(step / 10, 10, 16) for step in range(400)]
    assert values == sorted(values)
    assert (values[0], values[-1]) == (0, 1)


@pytest.mark.parametrize("epoch", [0, 5, 10, 300])
def test_a_ramp_without_length_is_constant(epoch):
    assert ramp_up(epoch, 10, 0) == 1
