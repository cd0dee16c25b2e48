"""Studies that are too large: answered with a number, or planned within seconds."""

from pathlib import Path

import pytest

from analysis.results.study_folder import study_states
from analysis.results.trial_files import TrialFiles
from orchestrator.study.load import Study, load_study
from orchestrator.study.schema import unique
from trainable.config.strict_yaml import LARGEST_FILE, ConfigError
from trainable.config.trial import trial_id

HEAD = """\
name: s
seeds: [0]
base: {data: {name: digits}, train: {epochs: 3}, method: {warmup_epochs: 1}}
"""
SEARCH = """\
name: s
kind: search
metric: {name: val/accuracy, goal: maximize}
base:
  data: {name: digits, validation_fraction: 0.2}
  train: {epochs: 16}
  method: {name: dividemix, warmup_epochs: 5}
seeds: [0]
confirm: {top_k: 1, seeds: [100]}
"""


def load(tmp_path: Path, text: str) -> Study:
    path = tmp_path / "s.yaml"
    path.write_text(text)
    return load_study(path)


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as error:
        load(tmp_path, text)
    return str(error.value)


def test_a_product_of_too_many_arms_is_refused_with_their_number(tmp_path):
    values = {"lambda_u": "0, 1, 2", "alpha": "1, 2, 3", "rampup_epochs": "1, 2, 3, 4"}
    factors = "".join(f"  method.{name}: {{values: [{v}]}}\n" for name, v in values.items())
    assert len(load(tmp_path, f"{HEAD}design: product\nfactors:\n{factors}").trials) == 37
    many = ", ".join(map(str, range(1, 1001)))
    factors += f"  method.prior_penalty: {{values: [{many}]}}\n"
    message = refusal(tmp_path, f"{HEAD}design: product\nfactors:\n{factors}")
    assert "s.yaml:4: design: the product of the factors has 36,000 arms; at most 10,000" in message


def test_thousands_of_seeds_are_planned(tmp_path):
    seeds = ", ".join(map(str, range(5000)))
    assert len(load(tmp_path, HEAD.replace("[0]", f"[{seeds}]")).trials) == 5000


def test_a_chain_of_a_thousand_arms_is_planned_in_its_order(tmp_path):
    arms = "arms:\n  a0: {method.alpha: 2}\n" + "".join(
        f"  a{k}: {{method.init: from_arm, from_arm: a{k - 1}}}\n" for k in range(1, 1200)
    )
    trials = load(tmp_path, HEAD + arms).trials
    ids = {trial.record.arm: trial.record.id for trial in trials}
    assert len(set(ids.values())) == 1201
    for trial in trials:
        assert trial.record.id == trial_id(trial.config)
        if trial.record.source:
            source = trial.record.source.partition("/")[0]
            assert trial.config.from_arm == ids[source]
    records = [trial.record for trial in trials]
    failed = TrialFiles(exists=True, trial={"id": ids["a0"]}, failure={"retry": False})
    states = study_states(records, {"a0/seed=0": failed}, 0)
    assert [states[record] for record in records] == ["todo", "failed", *["blocked"] * 1199]


def test_a_file_of_megabytes_is_refused(tmp_path):
    text = HEAD + "# x\n" * (LARGEST_FILE // 4)
    assert "is larger than 2 MB" in refusal(tmp_path, text)


def test_a_grid_of_too_many_points_is_refused(tmp_path):
    space = "space:\n  method.lambda_u: {low: 0, high: 999999, step: 1}\n"
    message = refusal(tmp_path, f"{SEARCH}{space}sampler: {{name: grid, n_trials: 5}}\n")
    assert ": sampler: a grid has at most 100,000 points" in message


def test_a_search_of_more_trials_than_points_is_warned_of(tmp_path):
    space = "space:\n  method.mixup: {values: [true, false]}\n  method.alpha: {values: [2, 4], when: {method.mixup: true}}\n"
    sampler = "sampler: {name: tpe, n_trials: 30}\n"
    study = load(tmp_path, SEARCH + space + sampler)
    assert any("has 3 different points" in warning for warning in study.warnings)
    study = load(tmp_path, SEARCH + space + sampler.replace("30", "3"))
    assert not any("different points" in warning for warning in study.warnings)


@pytest.mark.parametrize("condition", ["", "when: {method.mixup: true}"])
def test_points_are_counted_as_the_grid_lists_them(tmp_path, condition):
    space = f"space:\n  method.mixup: {{values: [true, false]}}\n  method.lambda_u: {{low: 0, high: 50, step: 25, {condition}}}\n"
    study = load(tmp_path, f"{SEARCH}{space}sampler: {{name: grid}}\n")
    assert study.search is not None
    found = study.search.searches[0].space
    points = list(found.grid())
    assert found.count(100) == len(points) == (4 if condition else 6)
    assert found.count(2) == 3
    assert study.search.budget(study.search.searches[0]) == len(points)


def test_a_condition_without_values_is_a_mistake(tmp_path):
    space = "space:\n  method.alpha: {low: 1, high: 4, when: {method.mixup: []}}\n"
    message = refusal(tmp_path, f"{SEARCH}{space}sampler: {{name: tpe, n_trials: 3}}\n")
    assert "space.method.alpha.when.method.mixup" in message


def test_what_is_listed_twice_is_named():
    assert unique([1, 2, [1], [2], "1", None]) == [1, 2, [1], [2], "1", None]
    for items in ([1, 1.0], [[1], [1]], ["a", "b", "a"], [True, 1]):
        with pytest.raises(ValueError, match="more than once"):
            unique(items)
