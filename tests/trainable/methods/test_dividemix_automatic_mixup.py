"""`mixup: auto`: on where the networks after warm-up predict the held-out labels poorly, and it stays so."""

import copy

import pytest

from tests.trainable.methods.tiny import all_same, all_weights, make, without_time
from trainable.errors import DataError
from trainable.methods import dividemix

SETTINGS = {"n": 240, "epochs": 6, "lr": 0.05, "warmup_epochs": 3, "mixup": "auto"}


def method(rate: float, **kwargs):
    noise = {"name": "symmetric", "rate": rate}
    return make(**{**SETTINGS, "noise": noise, **kwargs})


def rows_without_kappa(method):
    rows = without_time(list(method))
    return [{k: v for k, v in row.items() if k != "warmup/kappa"} for row in rows]


@pytest.mark.parametrize(("rate", "mixes"), [(0.0, False), (0.9, True)])
def test_poorly_predicted_labels_switch_it_on_for_the_rest_of_the_trial(rate, mixes):
    automatic, fixed = method(rate), method(rate, mixup=mixes)
    rows = list(automatic)
    (measured,) = [row["warmup/kappa"] for row in rows if "warmup/kappa" in row]
    assert "warmup/kappa" in rows[2], "the last epoch of warm-up"
    assert (measured < 0.25) is mixes
    assert rows_without_kappa(fixed) == rows_without_kappa(method(rate))
    assert all_same(all_weights(automatic), all_weights(fixed))


@pytest.mark.parametrize("interrupted", [2, 3, 5])
def test_a_resumed_trial_remembers_the_choice(interrupted, monkeypatch):
    whole, first, second = (method(0.0) for _ in range(3))
    expected = without_time(list(whole))
    for _ in range(interrupted):
        next(first)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    if interrupted > 2:  # nothing is measured again
        monkeypatch.setattr(dividemix, "kappa", None)
    assert without_time(list(second)) == expected[interrupted:]
    assert all_same(all_weights(second), all_weights(whole))


def test_without_warmup_it_is_on():
    automatic, fixed = method(0.0, warmup_epochs=0), method(0.0, warmup_epochs=0, mixup=True)
    assert without_time(list(automatic)) == without_time(list(fixed))


def test_without_validation_images_nothing_could_be_predicted():
    automatic = method(0.0)
    automatic.data.validation = None
    with pytest.raises(DataError, match=r"mixup: auto .* Set data\.validation_fraction: 0\.1"):
        type(automatic)(automatic.config, automatic.data, automatic.learners, automatic.streams)
