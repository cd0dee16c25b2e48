"""Label Wave: which share of the predictions changes from epoch to epoch, and which epoch that selects."""

import pytest
import torch

from tests.trainable.methods.tiny import make
from trainable.noisy_labels.prediction_changes import (
    PredictionChanges,
    first_minimum,
    label_wave_epoch,
)

CPU = torch.device("cpu")
EVERY = slice(None)


def classes(*values: int) -> torch.Tensor:
    return torch.tensor(values)


# --- changes ---


def test_only_images_that_were_predicted_before_are_compared():
    changes = PredictionChanges(1, 4, CPU)
    changes.add(0, classes(0, 1, 2), classes(5, 5, 5))
    assert changes.end_epoch() is None
    changes.add(0, classes(3, 0), classes(7, 5))
    changes.add(0, classes(1), classes(6))
    assert changes.end_epoch() == 50, "image 3 is new, 0 stays, 1 changes"
    # Image 2 was not seen in the last epoch: it is compared with the one before.
    changes.add(0, EVERY, classes(5, 6, 4, 7))
    assert changes.end_epoch() == 25


def test_networks_are_compared_with_themselves_and_averaged():
    changes = PredictionChanges(2, 2, CPU)
    for first, second in ((classes(0, 0), classes(1, 1)), (classes(0, 1), classes(1, 1))):
        changes.add(0, EVERY, first)
        changes.add(1, EVERY, second)
        share = changes.end_epoch()
    assert share == 25


def test_the_state_holds_what_the_next_epoch_is_compared_with():
    changes = PredictionChanges(1, 3, CPU)
    changes.add(0, EVERY, classes(0, 1, 2))
    changes.end_epoch()
    other = PredictionChanges(1, 3, CPU)
    other.load_state_dict(changes.state_dict())
    other.add(0, EVERY, classes(0, 2, 2))
    assert other.end_epoch() == pytest.approx(100 / 3)


# --- the rule ---


def test_the_first_local_minimum_of_the_moving_average_is_chosen():
    assert first_minimum([9, 6, 3, 5, 7, 9, 1, 1, 1]) == 3, "averages 6, 4.67, 5, 7, …"
    assert first_minimum([9, 6, 3, 3, 6, 9, 1, 1, 1]) == 4, "averages 6, 4, 4, 6, …: the last 4"
    assert first_minimum([9, 8, 7, 6]) == 3, "it never rises: the last one"
    assert first_minimum([9, 8]) is None
    assert first_minimum([]) is None


def test_changes_in_training_are_those_of_the_row_and_changes_before_an_epoch_of_the_one_before():
    falling = [30.0, 20.0, 10.0, 20.0, 40.0, 80.0]
    trained = [{"epoch": 1}]
    divided = [{"epoch": 1}]
    for epoch, value in enumerate(falling, 2):
        trained.append({"epoch": epoch, "train/changed": value})
        divided.append({"epoch": epoch, "train/changed": 1.0, "division/changed": value})
    assert label_wave_epoch(trained) == 5, "averages 20, 16.7, 23.3, …: the second is of epoch 5"
    assert label_wave_epoch(divided) == 4
    assert label_wave_epoch(trained[:3]) is None


# --- methods ---


def rows_of(name: str, **switches) -> list[dict]:
    return list(make(name, epochs=4, n=60, **switches))


@pytest.mark.parametrize("name", ["cross_entropy", "co_teaching", "jocor", "elr"])
def test_training_passes_are_compared_from_the_second_epoch_on(name):
    rows = rows_of(name)
    assert ["train/changed" in row for row in rows] == [False, True, True, True]
    assert all(0 <= row["train/changed"] <= 100 for row in rows[1:])
    assert not any("division/changed" in row for row in rows)


def test_dividemix_compares_training_in_warm_up_and_the_passes_before_later_epochs():
    rows = rows_of("dividemix", warmup_epochs=2)
    assert ["train/changed" in row for row in rows] == [False, True, False, False]
    assert ["division/changed" in row for row in rows] == [False, False, False, True]


@pytest.mark.parametrize("name", ["mixup", "elr_plus"])
def test_methods_that_train_on_mixed_images_only_have_no_changes(name):
    assert not any("changed" in column for row in rows_of(name) for column in row)


def test_the_changes_of_plain_training_are_those_of_its_own_logits(monkeypatch):
    method = make("cross_entropy", epochs=3, n=60)
    of_epochs: list[dict[tuple[int, int], int]] = [{}, {}, {}]
    add = method.margins.add_logits

    def spied(network, index, logits, given):
        for image, predicted in zip(index.tolist(), logits.argmax(1).tolist(), strict=True):
            of_epochs[method.epoch][network, image] = predicted
        add(network, index, logits, given)

    monkeypatch.setattr(method.margins, "add_logits", spied)
    rows = list(method)
    for before, now, row in zip(of_epochs, of_epochs[1:], rows[1:], strict=False):
        changed = [before[place] != now[place] for place in before]
        assert row["train/changed"] == pytest.approx(100 * sum(changed) / len(changed))
    assert rows[-1]["train/changed"] > 0
