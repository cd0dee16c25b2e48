"""Trials of one study on two versions of the data: named by every command, and never compared as one."""

from analysis.results.other_data import other_data
from analysis.results.study_plan import TrialRecord
from analysis.results.trial_files import TrialFiles, without_config

CONFIG = {"data": {"name": "npz", "path": "d.npz"}, "noise": {"name": "none"}, "seed": 0}


def trial(
    arm: str, finished: float, data: str = "old", noise: str = "n", **config: object
) -> tuple[TrialRecord, TrialFiles]:
    record = TrialRecord(arm, None, arm, 0, "arms", "baseline", 3)
    summary = {"data_hash": data, "noise_hash": noise, "finished": finished}
    about = without_config({"id": arm, "config": {**CONFIG, **config}})
    return record, TrialFiles(True, about, summary)


def named(*trials: tuple[TrialRecord, TrialFiles]) -> dict[str, str]:
    return {record.arm: reason for record, reason in other_data(dict(trials)).items()}


def test_trials_of_one_data_set_have_the_images_of_the_newest():
    found = named(trial("a", 1), trial("b", 3, "new"), trial("c", 2), trial("d", 2, "new"))
    reason = "trained on other data than b/seed=0, which is newer"
    assert found == {"a": reason, "c": reason}


def test_other_data_sets_are_not_compared():
    other = {"name": "npz", "path": "other.npz"}
    record, files = trial("b", 2, "new")
    about = without_config({"id": "b", "config": {**CONFIG, "data": other}})
    assert named(trial("a", 1), (record, TrialFiles(True, about, files.summary))) == {}


def test_trials_of_one_noise_and_seed_have_the_labels_of_the_newest():
    found = named(trial("a", 1, noise="x"), trial("b", 2, noise="y"))
    assert found == {"a": "trained on other given labels than b/seed=0, which is newer"}
    assert named(trial("a", 1, noise="x"), trial("b", 2, noise="y", seed=1)) == {}


def test_trials_of_unknown_configuration_are_not_compared():
    record, files = trial("a", 1)
    assert named((record, TrialFiles(True, {"id": "a"}, files.summary)), trial("b", 2, "new")) == {}


def test_images_are_compared_by_their_content_where_it_is_known():
    pairs = [trial("old", 1), trial("a", 2), trial("b", 3)]
    pairs[1][1].summary["content_hash"] = "x"
    pairs[2][1].summary["content_hash"] = "y"
    assert named(*pairs) == {"a": "trained on other images than b/seed=0, which is newer"}
