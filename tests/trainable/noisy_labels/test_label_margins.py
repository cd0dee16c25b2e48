"""Running means of the given label's margin and probability."""

import numpy as np
import torch

from trainable.noisy_labels.label_margins import LabelMargins, margins

CPU = torch.device("cpu")
LOGITS = torch.tensor([[2.0, 5.0, 1.0], [0.5, -1.0, 3.0]])


def test_the_margin_is_the_given_logit_less_the_largest_other_one():
    assert margins(LOGITS, torch.tensor([1, 0])).tolist() == [3.0, -2.5]
    assert margins(LOGITS, torch.tensor([0, 2])).tolist() == [-3.0, 2.5]


def test_means_are_over_the_times_that_each_sample_was_seen():
    sums = LabelMargins(networks=2, samples=3, device=CPU)
    given = torch.tensor([1, 0])
    sums.add_logits(0, torch.tensor([2, 0]), LOGITS, given)
    sums.add_logits(0, torch.tensor([2]), LOGITS[1:], given[1:])
    sums.add_logits(1, torch.tensor([1, 2]), LOGITS, given)
    found = sums.means()
    nan = np.nan
    np.testing.assert_array_equal(found["label_margin"], [[-2.5, nan, 0.25], [nan, 3.0, -2.5]])
    chances = LOGITS.softmax(1).numpy()
    first, second = chances[0, 1], chances[1, 0]
    expected = [[second, nan, (first + second) / 2], [nan, first, second]]
    np.testing.assert_allclose(found["label_probability"], expected, rtol=1e-6)


def test_nothing_is_said_where_nothing_was_added():
    assert LabelMargins(networks=1, samples=2, device=CPU).means() == {}


def test_a_state_continues_the_sums():
    whole = LabelMargins(networks=1, samples=2, device=CPU)
    part = LabelMargins(networks=1, samples=2, device=CPU)
    for sums in (whole, part):
        sums.add_logits(0, torch.tensor([0, 1]), LOGITS, torch.tensor([1, 0]))
    resumed = LabelMargins(networks=1, samples=2, device=CPU)
    resumed.load_state_dict(part.state_dict())
    for sums in (whole, resumed):
        sums.add_logits(0, torch.tensor([1, 0]), LOGITS, torch.tensor([2, 2]))
    for name, values in whole.means().items():
        np.testing.assert_array_equal(resumed.means()[name], values)
