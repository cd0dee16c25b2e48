"""Retraining on what another trial judged clean."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from tests.trainable.methods.tiny import CPU, make, same, without_time
from trainable.config.methods import Retrain as RetrainConfig
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.engine.learner import Learner
from trainable.errors import DataError
from trainable.methods.retrain import Retrain
from trainable.models.build import build
from trainable.random_streams import Streams
from trainable.storage.trial_folder import TrialFolder
from trainable.trial.session import Session
from trainable.trial.trial import Trial


def retrain(judged, **fields):
    """A `Retrain` on the tiny data, with the clean probabilities that another trial found."""
    like = make("cross_entropy", networks=1, **fields.pop("trial", {}))
    config = like.config.model_copy(
        update={"method": RetrainConfig(**fields), "from_arm": "some id"}
    )
    data = dataclasses.replace(like.data, judged=np.asarray(judged, float))
    streams = Streams(0)
    networks = [
        build(config.model, data.shape, data.classes, streams.number(f"init{k}"))
        for k in range(config.method.networks)
    ]
    return Retrain(
        config, data, [Learner(network, config.train, CPU) for network in networks], streams
    )


JUDGED = np.arange(120) / 120


def test_a_threshold_of_zero_keeps_all_and_trains_as_cross_entropy_does():
    plain = make("cross_entropy", networks=1)
    rows = [
        {k: v for k, v in row.items() if not k.startswith("division/")}
        for row in retrain(np.zeros(120), p_threshold=0)
    ]
    assert without_time(rows) == without_time(list(plain))


def test_only_what_is_above_the_threshold_is_learned():
    method = retrain(JUDGED, p_threshold=0.5)
    assert method.kept.tolist() == list(range(61, 120)), "120 · 0.5 = 60 itself is not above"
    row = next(method)
    assert row["division/labeled_fraction_net0"] == pytest.approx(59 / 120)
    clean = (method.data.train.given == method.data.train.true).numpy()[61:]
    assert row["division/residual_noise_net0"] == pytest.approx(1 - clean.mean())
    tested = len(method.data.test) + len(method.data.validation)
    assert row["work/forwards"] == 3 * 59 + tested


def test_labels_that_are_not_kept_do_not_matter():
    rows = []
    for label in (0, 1):
        method = retrain(JUDGED, p_threshold=0.5)
        method.data.train.given[:61] = label
        rows.append({k: v for k, v in next(method).items() if not k.startswith("division/")})
    assert without_time(rows[:1]) == without_time(rows[1:])


def test_what_was_not_judged_is_not_kept():
    judged = JUDGED.copy()
    judged[100:] = np.nan
    assert retrain(judged, p_threshold=0.5).kept.max() == 99


def test_a_threshold_that_keeps_nothing_is_an_error_that_says_how_high_it_may_be():
    with pytest.raises(
        DataError,
        match=r"^method\.p_threshold: 0\.9 keeps 0 of 120 samples.* 0\.4958$",
    ):
        retrain(JUDGED / 2, p_threshold=0.9)


# --- the source ---


def trial(**changes) -> TrialConfig:
    return TrialConfig.model_validate(
        {
            "data": {"name": "digits", "validation_fraction": 0.1},
            "noise": {"name": "symmetric", "rate": 0.4},
            "model": {"name": "small_cnn", "width": 4},
            "train": {"epochs": 1, "batch_size": 128},
            **changes,
        }
    )


JUDGE = {"method": {"name": "dividemix", "warmup_epochs": 1, "networks": 1}}


@pytest.fixture
def judge(tmp_path, monkeypatch) -> TrialFolder:
    """A finished trial, all warm-up."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    return run(tmp_path / "judge", trial(**JUDGE))


def run(folder, config, source=None) -> TrialFolder:
    session = Session(config, folder, dataclasses.replace(Machine(), source_dir=source))
    while not session.finished:
        session.advance()
    session.close()
    return session.folder


def test_a_trial_keeps_what_its_source_judged_clean(judge, tmp_path):
    config = trial(method={"name": "retrain", "p_threshold": 0.5}, from_arm=judge.trial["id"])
    done = run(tmp_path / "again", config, judge.path)
    with np.load(judge.path / "samples.npz") as table:
        expected = (table["clean_probability"][-1].astype(float).mean(0) > 0.5).mean()
    assert done.summary["division/labeled_fraction_net0"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("harm", "right"),
    [
        (lambda folder: folder.joinpath("summary.json").unlink(), "from_arm: {id} – {folder} "),
        (
            lambda folder: folder.joinpath("trial.json").write_text(json.dumps({"id": "x"})),
            "from_arm: {id} – {folder} ",
        ),
        (
            lambda folder: folder.joinpath("samples.npz").write_bytes(b"damaged"),
            "{folder} is damaged: samples.npz does not match its checksum",
        ),
    ],
)
def test_a_source_that_cannot_be_used_fails_the_trial_in_a_sentence(judge, tmp_path, harm, right):
    config = trial(method={"name": "retrain"}, from_arm=judge.trial["id"])
    harm(judge.path)
    failure = run(tmp_path / "again", config, judge.path).failure
    assert failure["kind"] == "data"
    assert right.format(id=config.from_arm, folder=judge.path) in failure["message"]
    assert not failure["retry"]


def test_a_source_with_other_labels_is_refused(judge, tmp_path):
    config = trial(
        method={"name": "retrain"},
        from_arm=judge.trial["id"],
        noise={"name": "symmetric", "rate": 0.2},
    )
    message = run(tmp_path / "again", config, judge.path).failure["message"]
    assert message.startswith(f"{judge.path / 'samples.npz'}: given ")


def test_without_a_source_the_trial_says_that_one_is_needed(tmp_path):
    failure = run(tmp_path / "again", trial(method={"name": "retrain"}, from_arm="0123")).failure
    assert failure["message"].startswith("from_arm: 0123 ")
    assert "--source DIR" in failure["message"]


# --- weights ---


def test_a_trial_may_start_from_the_weights_of_its_source(judge, tmp_path):
    method = {"name": "dividemix", "warmup_epochs": 1, "init": "from_arm"}
    config = trial(
        method=method, from_arm=judge.trial["id"], noise={"name": "symmetric", "rate": 0.2}
    )
    begun = Trial(config, dataclasses.replace(Machine(), source_dir=judge.path))
    (expected,) = torch.load(judge.path / "model.pt", weights_only=True)["networks"]
    for learner in begun.method.learners:  # one network's weights serve both
        assert same(learner.network.state_dict(), expected)
    (judge.path / "model.pt").unlink()
    assert "model.pt cannot be read" in run(tmp_path / "b", config, judge.path).failure["message"]
