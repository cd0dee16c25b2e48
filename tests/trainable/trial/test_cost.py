"""The estimate of a trial's work against the work that it then does."""

import numpy as np
import pytest

from tests.trainable.methods.tiny import blobs
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.errors import DataError
from trainable.trial import cost
from trainable.trial.trial import Trial

N = 128
METHODS = [
    {"name": "cross_entropy"},
    {"name": "dividemix"},
    {"name": "dividemix", "networks": 1},
    {"name": "dividemix", "co_guess": "peer", "co_refine": False},
    {"name": "dividemix", "n_aug": 1},
    {"name": "dividemix", "n_aug": 4, "co_guess": False},
    {"name": "dividemix", "forward_rows": "labeled"},
    {"name": "dividemix", "peer_update": "synchronous"},
    {"name": "dividemix", "division": "both", "neighbors": 10},
    {"name": "mixup"},
    {"name": "co_teaching"},
    {"name": "jocor", "networks": 3, "forget_rate": 0.3},
    {"name": "elr_plus"},
    {"name": "ssr_plus", "neighbors": 20},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("data")
    train, test = blobs(N, 4, 0), blobs(40, 4, 2)
    images = {"train_images": train.images, "test_images": test.images}
    np.savez(path / "tiny.npz", **images, train_labels=train.labels, test_labels=test.labels)
    return path


def config(method: dict) -> TrialConfig:
    return TrialConfig.model_validate(
        {
            "data": {"name": "npz", "path": "tiny.npz", "validation_fraction": 0},
            "noise": {"name": "symmetric", "rate": 0.5, "include_true": False},
            "model": {"name": "small_cnn", "width": 4},
            "train": {"epochs": 3, "batch_size": 16},
            "method": {"warmup_epochs": 1, **method} if method["name"] == "dividemix" else method,
        }
    )


@pytest.mark.parametrize(
    "method", METHODS, ids=lambda m: ",".join(f"{k}={v}" for k, v in m.items())
)
def test_the_estimate_is_the_work_where_as_many_samples_are_labeled_as_have_right_labels(
    method, folder, monkeypatch
):
    monkeypatch.setattr(cost, "_pace", lambda trial: cost.Pace(0.5, 1.0, 2.0))
    machine = Machine(study_dir=folder, device="cpu")
    trial = Trial(config(method), machine)
    if method["name"] == "dividemix":
        right = (trial.data.train.given == trial.data.train.true).numpy()
        divide = trial.method.divide_samples

        def ideal(finished=0):
            divisions = divide(finished)
            for division in divisions:
                division.labeled = right
            return divisions

        monkeypatch.setattr(trial.method, "divide_samples", ideal)
    work = sum(row["work/forwards"] for row in trial)
    # Half of the labels are right, so each labeled batch meets an unlabeled one; their last ones may differ in length.
    assert cost.estimate(config(method), machine).seconds == pytest.approx(work, rel=0.08)


def test_an_automatic_warmup_is_taken_to_be_as_short_as_it_can_be(folder, monkeypatch):
    monkeypatch.setattr(cost, "_pace", lambda trial: cost.Pace(0.5, 1.0, 2.0))
    machine = Machine(study_dir=folder, device="cpu")
    shortest, automatic, longer = (
        cost.estimate(config({"name": "dividemix", "warmup_epochs": epochs}), machine).seconds
        for epochs in (1, "auto", 2)
    )
    assert shortest == automatic > longer


def test_least_warmup_steps_are_whole_epochs_and_at_most_half_of_all(folder, monkeypatch):
    monkeypatch.setattr(cost, "_pace", lambda trial: cost.Pace(0.5, 1.0, 2.0))
    machine = Machine(study_dir=folder, device="cpu")

    def seconds(**warmup):
        return cost.estimate(config({"name": "dividemix", **warmup}), machine).seconds

    assert seconds(warmup_epochs=1) == seconds(warmup_epochs=0, warmup_steps=1)
    assert seconds(warmup_epochs=1) == seconds(warmup_epochs=1, warmup_steps=1000)


def test_the_range_is_that_of_the_pace(folder, monkeypatch):
    monkeypatch.setattr(cost, "_pace", lambda trial: cost.Pace(0.5, 1.0, 2.0))
    found = cost.estimate(config({"name": "cross_entropy"}), Machine(study_dir=folder))
    assert (found.low, found.high) == (found.seconds / 2, found.seconds * 2)


def test_random_images_are_timed_in_place_of_the_data():
    """The data of the configuration do not exist."""
    recipe = config({"name": "dividemix", "recipe": "robust"})  # needs validation images
    found = cost.pace_of(recipe, (8, 8, 1), Machine(device="cpu"))
    assert 0 < found.low <= found.typical <= found.high
    with pytest.raises(DataError, match="small_cnn"):
        cost.pace_of(config({"name": "cross_entropy"}), (200, 200, 3), Machine(device="cpu"))
