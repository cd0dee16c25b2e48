"""The Trainable under a Tuner of one's own, without Ray: configurations, folders, lineage."""

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from analysis.results.study_folder import study_states
from analysis.results.study_plan import NoStudy, TrialRecord, read_plan
from analysis.results.trial_files import read_folders
from orchestrator.results.reproduce import NotATrial, reproduce
from tests.orchestrator.runs import untimed
from trainable.api import DataError, load_model
from trainable.config.runtime import Machine
from trainable.config.strict_yaml import ConfigError
from trainable.config.trial import TrialConfig, trial_id
from trainable.errors import TrialError
from trainable.ray_trainable import DivideMixTrainable, as_trainable
from trainable.storage.checksums import Damaged
from trainable.storage.trial_folder import TrialFolder
from trainable.trial.job import TrialJob
from trainable.trial.lineage import OtherTrial
from trainable.trial.trial import Trial

BASE = {
    "data": {"name": "digits", "validation_fraction": 0.1},
    "noise.name": "symmetric",
    "noise.rate": 0.4,
    "model": {"name": "small_cnn", "width": 4},
    "train": {"epochs": 3, "lr": 0.02, "batch_size": 128},
    "method": {"warmup_epochs": 1, "loss_history": 2},
}


class Tune:
    """What Tune does with a Trainable: it makes, saves, restores and stops the actors of trials."""

    def __init__(self, results: Path, base=BASE):
        self.results = results
        self.kind = as_trainable(base)
        self.saved = 0

    def folder(self, trial: str) -> Path:
        return self.results / "experiment" / trial

    def actor(self, trial: str, config, restore=None):
        folder = self.folder(trial)
        folder.mkdir(parents=True, exist_ok=True)
        actor = self.kind.__new__(self.kind)
        local = SimpleNamespace(type_name="local")
        actor._storage = SimpleNamespace(storage_filesystem=local, trial_fs_path=str(folder))
        actor._trial_info = None
        actor.gauges = SimpleNamespace(show=lambda row, place: None)
        actor.setup(config)
        if restore is not None:
            actor.load_checkpoint(str(restore))
        return actor

    def save(self, actor) -> Path:
        self.saved += 1
        folder = self.results / f"checkpoint{self.saved}"
        folder.mkdir()
        actor.save_checkpoint(str(folder))
        return folder


@pytest.fixture
def tune(tmp_path, monkeypatch) -> Tune:
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    return Tune(tmp_path)


def epochs(folder: Path) -> list[int]:
    return [row["epoch"] for row in TrialFolder(folder).rows()]


# --- configurations ---


def test_flat_and_nested_configurations_are_the_same_trial(tune):
    flat = tune.actor("a", {"method.lambda_u": 0, "train.epochs": 5}).job
    nested = tune.actor("b", {"method": {"lambda_u": 0}, "train": {"epochs": 5}}).job
    assert flat.config == nested.config
    assert (flat.config.method.lambda_u, flat.config.train.epochs) == (0, 5)
    assert flat.config.noise.rate == 0.4, "of the base"


def test_numbers_of_numpy_are_accepted(tune):
    config = {"method.warmup_epochs": np.int64(2), "train.lr": np.float64(0.1)}
    checked = tune.actor("a", config).job.config
    assert (checked.method.warmup_epochs, checked.train.lr) == (2, 0.1)


def test_a_wrong_key_is_answered_as_in_a_study_file_and_before_a_trial_starts():
    with pytest.raises(ConfigError) as found:
        DivideMixTrainable.default_resource_request({"method.lambda_uu": 1})
    expected = "method.lambda_uu: unknown key `lambda_uu`; did you mean `lambda_u`?"
    assert str(found.value) == f"param_space: {expected}"
    with pytest.raises(ConfigError) as found:
        as_trainable({"method": {"lambda_uu": 1}})
    assert str(found.value) == f"base: {expected}"
    with pytest.raises(ConfigError, match="param_space: optimizer: unknown key `optimizer`"):
        DivideMixTrainable.default_resource_request({"optimizer.lr": 1})


def test_a_field_that_is_set_twice_is_refused(tune):
    with pytest.raises(
        ConfigError, match=r"param_space: train\.lr: is set twice; keep one of them"
    ):
        tune.actor("a", {"train.lr": 0.1, "train": {"lr": 0.2}})
    with pytest.raises(ConfigError, match=r"param_space: train\.lr: is set twice"):
        DivideMixTrainable.default_resource_request({"train.lr": 0.1, "train": {"lr": 0.2}})


def test_a_field_of_another_method_or_a_wrong_value_is_a_fault_of_one_trial_only(tune):
    for config, message in [
        ({"method.name": "cross_entropy", "method.lambda_u": 1}, "unknown key `lambda_u`"),
        ({"train.lr": -1}, "-1 is not right"),
    ]:
        DivideMixTrainable.default_resource_request(config)
        with pytest.raises(ConfigError, match=message):
            tune.actor("a", config)


def test_resources_are_those_of_a_study(tmp_path):
    assert DivideMixTrainable.default_resource_request({}).required_resources == {"CPU": 1}
    job = TrialJob(TrialConfig(), tmp_path, Machine(), "s", "", "a", 0, cpu=2)
    request = DivideMixTrainable.default_resource_request(job.to_config())
    assert request.required_resources == {"CPU": 2}


def test_relative_paths_start_where_the_tuner_was_started(tune, monkeypatch, tmp_path):
    monkeypatch.setenv("TUNE_ORIG_WORKING_DIR", str(tmp_path / "here"))
    assert tune.actor("a", {}).job.machine.data_dir == Path("data").resolve(), "of as_trainable"
    tune.kind = DivideMixTrainable
    machine = tune.actor("a", {}).job.machine
    assert (machine.study_dir, machine.data_dir) == (tmp_path / "here", tmp_path / "here/data")


def test_a_file_system_that_is_not_mounted_is_refused(tune):
    actor = tune.actor("a", {})
    actor._storage.storage_filesystem.type_name = "s3"
    actor._storage.storage_fs_path = "bucket/results"
    with pytest.raises(ValueError, match="storage_path: bucket/results is on a file system of"):
        actor.setup({})


# --- trials ---


def test_a_trial_reports_whole_rows_and_its_folder_is_that_of_tune(tune):
    actor = tune.actor("a", {"seed": 3})
    reports = [actor.step() for _ in range(3)]
    actor.cleanup()
    folder = TrialFolder(tune.folder("a"))
    assert [report["done"] for report in reports] == [False, False, True]
    assert [report["training_iteration"] for report in reports] == [1, 2, 3]
    for report, row in zip(reports, folder.rows(), strict=True):
        assert row.items() <= report.items()
    assert "division/auc_net0" in reports[-1]
    assert folder.trial["id"] == trial_id(actor.job.config)
    assert "lineage" not in folder.trial
    assert untimed(folder.rows()) == untimed(list(Trial(actor.job.config, Machine())))


def test_the_folder_wins_over_an_older_checkpoint(tune):
    actor = tune.actor("a", {})
    actor.step()
    old = tune.save(actor)
    actor.step()
    actor.cleanup()
    again = tune.actor("a", {}, restore=old)
    assert again.step()["epoch"] == 3
    again.cleanup()
    assert epochs(tune.folder("a")) == [1, 2, 3]
    assert not list(tune.folder("a").glob("segment-*"))


def test_a_completed_trial_reports_its_last_row_again_and_can_be_saved(tune):
    actor = tune.actor("a", {"train.epochs": 2})
    actor.step()
    last = actor.step()
    actor.cleanup()
    again = tune.actor("a", {"train.epochs": 2})
    assert again.step() == last
    old = tune.save(again)
    again.cleanup()
    assert tune.actor("a", {"train.epochs": 2}, restore=old).step() == last


def test_a_trial_that_fails_is_an_error_of_tune_with_the_sentence_of_the_failure(tune):
    actor = tune.actor("a", {"train.lr": 1e30})
    with pytest.raises(TrialError, match="non-finite loss: "):
        list(iter(actor.step, None))
    assert TrialFolder(tune.folder("a")).failure["kind"] == "non-finite loss"


def test_a_folder_with_another_trial_is_refused(tune):
    actor = tune.actor("a", {})
    actor.step()
    actor.cleanup()
    before = (tune.folder("a") / "metrics.jsonl").read_bytes()
    other = tune.actor("a", {"method.lambda_u": 0})
    with pytest.raises(OtherTrial, match=f"holds another trial .{trial_id(actor.job.config)}"):
        other.step()
    assert (tune.folder("a") / "metrics.jsonl").read_bytes() == before


# --- lineage ---


@pytest.fixture
def exploited(tune) -> Tune:
    """Trial b has continued the checkpoint of a after epoch 2, with another learning rate."""
    donor = tune.actor("a", {"train.epochs": 4})
    donor.step()
    donor.step()
    tune.donated = tune.save(donor)
    donor.cleanup()
    loser = tune.actor("b", {"train.epochs": 4, "train.lr": 0.001})
    loser.step()
    loser.cleanup()
    winner = tune.actor("b", MUTATED, restore=tune.donated)
    tune.row = winner.step()
    winner.cleanup()
    return tune


MUTATED = {"train.epochs": 4, "train.lr": 0.024, "train.momentum": 0.5}


def test_an_exploit_begins_a_segment_with_a_folder_and_an_id_of_its_own(exploited):
    root = exploited.folder("b")
    assert epochs(root) == [1]
    assert epochs(root / "segment-01") == [3]
    about = TrialFolder(root / "segment-01").trial
    donor = TrialFolder(exploited.folder("a")).trial["id"]
    assert about["lineage"] == {"id": donor, "trial": "a", "folder": "", "epoch": 2}
    config = TrialConfig.model_validate(about["config"])
    assert len({about["id"], trial_id(config), donor, TrialFolder(root).trial["id"]}) == 4
    assert exploited.row["schedule/lr"] == 0.024
    assert epochs(exploited.folder("a")) == [1, 2]


def test_a_segment_has_the_rows_of_the_same_training_in_one_process(exploited):
    root = exploited.folder("b") / "segment-01"
    folder = TrialFolder(root)
    resumed = exploited.actor("b", MUTATED, restore=exploited.donated)
    assert resumed.step()["done"], "the segment is continued, and no second one begins"
    resumed.cleanup()
    config = TrialConfig.model_validate(folder.trial["config"])
    about = TrialFolder(exploited.folder("a")).trial["config"]
    whole = Trial(TrialConfig.model_validate(about), Machine())
    rows = [next(whole), next(whole)]
    changed = Trial(config, Machine())
    changed.restore(whole.state(), rows)
    assert untimed(folder.rows()) == untimed([next(changed), next(changed)])
    assert [path.name for path in root.parent.glob("segment-*")] == ["segment-01"]
    assert folder.summary["epochs"] == 4


@pytest.mark.parametrize("optimizer", ["sgd", pytest.param("adam", marks=pytest.mark.slow)])
def test_what_a_segment_mutates_takes_effect(tune, optimizer):
    donor = tune.actor("a", {"train.optimizer": optimizer})
    donor.step()
    saved = tune.save(donor)
    donor.cleanup()
    rows = []
    for trial, change in [("b", {}), ("c", {"train.weight_decay": 0.3})]:
        config = {"train.optimizer": optimizer, **change}
        actor = tune.actor(trial, config, restore=saved)
        rows.append(untimed([actor.step()])[0])
        actor.cleanup()
    assert rows[0]["loss/labeled"] != rows[1]["loss/labeled"]


def test_a_restart_of_a_segment_without_a_checkpoint_finds_its_folder(exploited):
    again = exploited.actor("b", MUTATED)
    assert again.step()["epoch"] == 4
    again.cleanup()
    assert epochs(exploited.folder("b") / "segment-01") == [3, 4]


def test_a_restart_before_the_first_epoch_of_a_segment_begins_the_same_one(exploited):
    started = exploited.actor("b", {**MUTATED, "train.lr": 0.5}, restore=exploited.donated)
    started.cleanup()
    again = exploited.actor("b", {**MUTATED, "train.lr": 0.5}, restore=exploited.donated)
    assert again.step()["epoch"] == 3
    again.cleanup()
    names = sorted(path.name for path in exploited.folder("b").glob("segment-*"))
    assert names == ["segment-01", "segment-02"]


def test_a_segment_of_a_segment_names_its_parent(exploited):
    again = exploited.actor("b", MUTATED)
    again.step()
    # epoch 4 is the last one, so a longer trial continues the segment
    saved = exploited.save(again)
    again.cleanup()
    child = exploited.actor("c", {**MUTATED, "train.epochs": 6}, restore=saved)
    assert child.step()["epoch"] == 5
    child.cleanup()
    about = TrialFolder(exploited.folder("c") / "segment-01").trial
    parent = TrialFolder(exploited.folder("b") / "segment-01").trial["id"]
    assert about["lineage"] == {"id": parent, "trial": "b", "folder": "segment-01", "epoch": 4}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model.width": 6}, "model: it is .* Mutate fields of `train` and `method` only"),
        ({"seed": 1}, "seed: it is 1 here, and 0 in the checkpoint of a"),
        ({"train.epochs": 2}, "train.epochs: 2 are not more than the 2 epochs in the checkpoint"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(exploited, change, message):
    with pytest.raises(OtherTrial, match=message):
        exploited.actor("d", {**MUTATED, **change}, restore=exploited.donated)
    assert not list(exploited.folder("d").iterdir())


def test_a_segment_whose_checkpoints_are_lost_is_not_trained_from_the_beginning(exploited):
    root = exploited.folder("b") / "segment-01"
    for file in root.glob("checkpoint*"):
        file.unlink()
    again = exploited.actor("b", MUTATED)
    with pytest.raises(TrialError, match=r"lineage: .* continues a after epoch 2"):
        again.step()


def test_segments_are_no_trials_of_a_study(exploited, tmp_path):
    last = exploited.actor("b", MUTATED)
    last.step()
    last.cleanup()
    segment = exploited.folder("b") / "segment-01"
    assert TrialFolder(segment).summary is not None
    config = TrialConfig.model_validate(TrialFolder(segment).trial["config"])
    planned = TrialRecord(trial_id(config), None, "b", 0, None, None, 4)
    shutil.copytree(segment, tmp_path / "study/runs/b/seed=0")
    files = read_folders(tmp_path / "study", [planned])
    assert study_states([planned], files, 0) == {planned: "stale"}
    with pytest.raises(NotATrial, match="continues the checkpoint of another trial"):
        reproduce(segment, Machine())


def test_a_completed_trial_can_be_reproduced_and_loaded(tune):
    actor = tune.actor("a", {"seed": 3})
    list(iter(lambda: actor.step()["done"], True))
    actor.cleanup()
    folder = tune.folder("a")
    assert str(reproduce(folder, Machine())) == "identical: all 3 rows, times excepted"
    images = np.zeros((2, 8, 8), np.uint8)
    assert load_model(folder).predict_probabilities(images).shape == (2, 10)


def neither_reproduced_nor_loaded(folder: Path, why: str) -> None:
    message = re.escape(f"{folder} contains no completed trial: {why}")
    with pytest.raises(NotATrial, match=message):
        reproduce(folder, Machine())
    with pytest.raises(DataError, match=message):
        load_model(folder)


def test_a_completed_segment_can_be_loaded(exploited):
    last = exploited.actor("b", MUTATED)
    last.step()
    last.cleanup()
    root = exploited.folder("b")
    assert len(load_model(root / "segment-01").networks) == 2
    neither_reproduced_nor_loaded(
        root, "population-based training continued another trial in segment-01"
    )


def test_a_trial_that_a_scheduler_has_stopped_is_neither_reproduced_nor_loaded(tune):
    actor = tune.actor("a", {})
    actor.step()
    actor.cleanup()
    neither_reproduced_nor_loaded(
        tune.folder("a"), "it has 1 of 3 epochs, because it was stopped, or has not ended"
    )


def test_commands_on_studies_say_what_reads_an_experiment_of_tune(tune):
    actor = tune.actor("a", {})
    actor.step()
    actor.cleanup()
    root = tune.folder("a").parent
    (root / "experiment_state-2026-11-30_11-05-38.json").write_text("{}")
    with pytest.raises(
        NoStudy, match=r"It is an experiment of Ray Tune, which ray\.tune\.ResultGrid"
    ):
        read_plan(root)
    with pytest.raises(NoStudy, match="It is the folder of one trial, which `python -m orch"):
        read_plan(tune.folder("a"))


def test_a_damaged_description_in_a_checkpoint_is_not_used(exploited):
    about = exploited.donated / "lineage.json"
    content = json.loads(about.read_text())
    content["origin"]["epoch"] = 1
    about.write_text(json.dumps(content))
    with pytest.raises(Damaged, match=r"lineage.json does not match its checksum"):
        exploited.actor("d", MUTATED, restore=exploited.donated)
