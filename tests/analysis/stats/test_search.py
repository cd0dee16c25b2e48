"""What a search's report says, against numbers worked out by hand."""

import json
from pathlib import Path

import matplotlib
import numpy as np
import optuna
import pytest
from matplotlib import pyplot
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from analysis.figures import search as figures
from analysis.report.search import write_search
from analysis.stats import search, search_importance
from tests.orchestrator.folders import SUMMARY
from trainable.storage.trial_folder import TrialFolder, score

SPACE = {
    "lr": FloatDistribution(0.001, 0.1, log=True),
    "noise": FloatDistribution(0, 1),
    "mixup": CategoricalDistribution([True, False]),
}


@pytest.fixture(autouse=True)
def no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


def folder(
    root: Path, name: str, seed: int, accuracies: list[float], epochs: int, done: bool = True
) -> dict:
    """A trial's folder; returns its line of the plan."""
    trial = TrialFolder(root / "runs" / name / f"seed={seed}")
    trial.claim()
    id = f"{name}-{seed}"
    trial.write_json("trial.json", {"id": id, "config": {"train": {"epochs": epochs}}})
    for epoch, accuracy in enumerate(accuracies, start=1):
        trial.append_row({"epoch": epoch, "val/accuracy": accuracy})
    if done:
        trial.finish(SUMMARY)
    return {
        "id": id,
        "setting": None,
        "arm": name,
        "seed": seed,
        "folder": f"runs/{name}/seed={seed}",
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Twelve full-length trials whose score depends on lr alone, one stopped, one failed, one repeated."""
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "search.journal")))
    study = optuna.create_study(storage=storage, study_name="s", direction="maximize")
    metric = [{"name": "val/accuracy", "goal": "maximize"}]
    study.set_user_attr("definition", {"metric": metric, "seeds": [0]})
    study.set_user_attr("arm", None)
    rng = np.random.default_rng(0)
    for number in range(12):
        lr = 0.001 * 100 ** (number / 12)
        params = {"lr": lr, "noise": rng.uniform(), "mixup": number % 2 == 0}
        value = 50.0 + number
        study.add_trial(optuna.trial.create_trial(params=params, distributions=SPACE, value=value))
        folder(tmp_path, f"trial-{number:04}", 0, [value] * 4, 4)
    params = {"lr": 0.01, "noise": 0.5, "mixup": True}
    common = {"params": params, "distributions": SPACE}
    study.add_trial(
        optuna.trial.create_trial(state=TrialState.PRUNED, intermediate_values={1: 99.0}, **common)
    )
    folder(tmp_path, "trial-0012", 0, [99.0], 4, done=False)
    study.add_trial(
        optuna.trial.create_trial(state=TrialState.FAIL, user_attrs={"reason": "nan"}, **common)
    )
    study.add_trial(optuna.trial.create_trial(value=61.0, user_attrs={"same_as": 11}, **common))
    planned = [
        folder(tmp_path, "baseline", seed, [40.0 + seed, 42.0 + seed], 2) for seed in (100, 102)
    ]
    planned += [
        folder(tmp_path, "trial-0011", seed, [140.0 - seed, 144.0 - seed], 2) for seed in (100, 102)
    ]
    planned += [
        {
            "id": "x",
            "setting": None,
            "arm": "trial-0010",
            "seed": 100,
            "folder": "runs/trial-0010/seed=100",
        }
    ]
    (tmp_path / "trials.json").write_text(
        json.dumps({"study": "s", "max_failures": 0, "trials": planned})
    )
    return tmp_path


def only(root: Path) -> optuna.Study:
    (study,) = search.read(root)
    return study


def test_an_ablation_has_no_search(tmp_path):
    assert search.read(tmp_path) == []
    assert write_search(tmp_path).files == []


def test_every_trial_is_listed_with_its_state_and_epochs(root):
    table = search.trials(root, only(root)).set_index("trial")
    assert list(table["state"]) == ["complete"] * 12 + ["pruned", "fail", "complete"]
    assert table.loc["trial-0014", "same_as"] == "trial-0011"
    assert table.loc["trial-0012", ["epochs", "planned"]].tolist() == [1, 4]
    assert table.loc["trial-0011", "epochs"] == 4, (
        "its confirmation on fresh seeds is not the search's work"
    )


def test_history_is_the_best_full_length_score_so_far(root):
    table = search.history(only(root))
    assert list(table["best"]) == [50.0 + k for k in range(12)], (
        "neither the stopped 99 nor the repeated trial"
    )


def test_work_counts_what_stopping_saved(root):
    found = search.work(root, only(root))
    assert found == {
        "trials": 13,
        "stopped": 1,
        "epochs": 49,
        "full_length": 52,
        "saved": pytest.approx(3 / 52),
    }


def test_confirmed_configurations_are_told_with_their_parameters(root):
    found = search.confirmed(root)
    assert list(found) == ["baseline", "trial-0011"]
    assert found["trial-0011"]["lr"] == pytest.approx(0.001 * 100 ** (11 / 12))
    assert found["baseline"]["mixup"] is True


def test_optimism_is_the_search_s_score_minus_that_of_fresh_seeds(root):
    table = search.optimism(root).set_index("arm")
    assert list(table.index) == ["baseline", "trial-0011"], "trial-0010 has not been confirmed yet"
    # The last epochs: (142 + 144)/2 = 143 against 50; trial-0011: (44 + 42)/2 = 43 against 61
    assert table.loc["baseline", ["score", "confirmed", "optimism"]].tolist() == [
        50.0,
        143.0,
        -93.0,
    ]
    assert table.loc["trial-0011", ["score", "confirmed", "optimism"]].tolist() == [
        61.0,
        43.0,
        18.0,
    ]
    assert table.loc["trial-0011", ["promised", "gained"]].tolist() == [11.0, -100.0]
    assert table.loc["baseline", "sd"] == pytest.approx(2**0.5)


def test_what_a_search_stopped_promised_nothing(root):
    plan = json.loads((root / "trials.json").read_text())
    plan["trials"] += [folder(root, "trial-0012", seed, [70.0] * 4, 4) for seed in (100, 102)]
    (root / "trials.json").write_text(json.dumps(plan))
    found = search.optimism(root).set_index("arm").loc["trial-0012"]
    assert found["confirmed"] == 70.0
    assert found["gained"] == -73.0
    assert found[["score", "optimism", "promised"]].isna().all(), (
        "99 was the score of its first epoch"
    )


def test_importance_names_the_parameter_that_matters_with_its_spread(root, monkeypatch):
    monkeypatch.setattr(search_importance, "BOOTSTRAPS", 5)
    table = search_importance.importance(only(root)).set_index(["method", "parameter"])
    for method in ("fANOVA", "PED-ANOVA"):
        assert table.loc[method, "importance"].idxmax() == "lr"
        assert table.loc[method, "importance"].sum() == pytest.approx(1)
    assert (table["low"] <= table["high"]).all()
    assert set(table["n"]) == {12}


def test_importance_of_too_few_or_equal_trials_is_left_out():
    study = optuna.create_study(direction="maximize")
    assert search_importance.importance(study).empty
    same = {"params": {"noise": 0.5}, "distributions": {"noise": SPACE["noise"]}, "value": 1}
    for _ in range(20):
        study.add_trial(optuna.trial.create_trial(**same))
    assert search_importance.importance(study).empty


def test_tables_and_figures_are_written_and_pyplot_is_left_as_it_was(root, monkeypatch):
    monkeypatch.setattr(search_importance, "BOOTSTRAPS", 2)
    before = dict(matplotlib.rcParams)
    written = write_search(root)
    drawn = [path for picture in written.pictures for path in picture.paths]
    assert all(path.stat().st_size > 0 for path in [*written.files, *drawn])
    stems = {path.stem for path in drawn if path.suffix == ".svg"}
    assert stems == {"history", "slices", "contour", "parallel_coordinates", "importance"}
    assert {path.name for path in written.files} == {
        "search_s_trials.csv", "search_s_importance.csv", "search_s_work.csv", "optimism.csv",
    }  # fmt: skip
    assert dict(matplotlib.rcParams) == before
    assert pyplot.get_fignums() == []


def test_a_search_without_full_length_trials_has_no_figures(tmp_path):
    study = optuna.create_study(direction="maximize")
    assert figures.write(study, search_importance.importance(study), tmp_path) == []


def test_two_metrics_have_a_front(tmp_path):
    study = optuna.create_study(directions=["maximize", "minimize"])
    metric = [{"name": "val/accuracy"}, {"name": "work/forwards"}]
    study.set_user_attr("definition", {"metric": metric, "seeds": [0]})
    for k in range(4):
        params = {"noise": k / 4}
        distributions = {"noise": SPACE["noise"]}
        study.add_trial(
            optuna.trial.create_trial(params=params, distributions=distributions, values=[k, k])
        )
    stems = {
        path.stem for path in figures.write(study, search_importance.importance(study), tmp_path)
    }
    assert stems == {"history", "slices", "pareto_front"}


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1.0, 2.0, 3.0, 4.0], 3.5), ([9.0] * 20 + [1.0] * 10, 1.0), ([], None), ([1.0, None], None)],
)
def test_a_score_is_the_mean_of_the_last_epochs(values, expected):
    rows = [{} if value is None else {"m": value} for value in values]
    assert score(rows, "m") == expected
    assert score([{"work/forwards": 2}, {"work/forwards": 3}], "work/forwards") == 5
