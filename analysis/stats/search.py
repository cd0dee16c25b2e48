"""What a search found: history, optimism, importance, work saved.

Read from its journal and its trials' folders; neither torch nor ray is imported. Scores of a search
are chosen to be high; the result is the confirmation's table.
"""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
from optuna.importance import (
    FanovaImportanceEvaluator,
    PedAnovaImportanceEvaluator,
    get_param_importances,
)
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from analysis.results.study_folder import NoStudy
from analysis.stats.comparison import BASELINE
from trainable.storage.names import JOURNAL, PLAN, RUNS, VALIDATION_ACCURACY
from trainable.storage.trial_folder import PLACE, TrialFolder, score

FIXED = "fixed"
BOOTSTRAPS = 20
FEWEST = 8
"""Full-length trials below which importances would be made of noise alone."""


def read(root: Path) -> list[optuna.Study]:
    """The searches of the study in `root`; none if it is an ablation. Raises NoStudy."""
    path = root / JOURNAL
    if not path.is_file():
        return []
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = JournalStorage(JournalFileBackend(str(path)))
    names = optuna.get_all_study_names(storage)
    for name in names:
        # Tables are named after the searches.
        if not PLACE.fullmatch(f"{name}/seed=0"):
            raise NoStudy(f"{path}: {name!r} cannot be the name of a search")
    return [optuna.load_study(study_name=name, storage=storage) for name in names]


def trials(root: Path, study: optuna.Study) -> pd.DataFrame:
    """One row a trial of a search.

    Columns: trial (name), state (complete, pruned, fail, running), same_as (name of the trial that
    it repeats, or ""), accuracy (its score; of a stopped one the last epoch's, not comparable),
    epochs (trained, summed over seeds), planned (epochs at full length), one column a parameter.
    """
    place = accuracy_place(study)
    rows = []
    for trial in study.get_trials(deepcopy=False):
        # Not all seeds on disk: its confirmation on fresh seeds may be in the same folder.
        on_disk = _folder(root, study, trial.number)
        seeds = study.user_attrs["definition"]["seeds"]
        folders = [TrialFolder(on_disk / f"seed={seed}") for seed in seeds]
        rows.append(_trial_row(trial, place, folders))
    return pd.DataFrame(rows)


def _trial_row(trial: FrozenTrial, place: int, folders: list[TrialFolder]) -> dict[str, Any]:
    """A row of `trials`; a repeated trial trained nothing."""
    row: dict[str, Any] = {
        "trial": name(trial.number),
        "state": trial.state.name.lower(),
        "same_as": "",
        "accuracy": np.nan,
        "epochs": 0,
        "planned": 0,
    }
    if trial.values:
        row["accuracy"] = trial.values[place]
    if "same_as" in trial.user_attrs:
        row["same_as"] = name(trial.user_attrs["same_as"])
    else:
        row["epochs"] = sum(len(folder.rows()) for folder in folders)
        row["planned"] = sum(_length(folder) for folder in folders)
    row.update(trial.params)
    return row


def history(study: optuna.Study) -> pd.DataFrame:
    """Full-length trials in the order of their proposals: number, accuracy, and the best so far."""
    place = accuracy_place(study)
    rows = [(trial.number, trial.values[place]) for trial in complete(study)]
    table = pd.DataFrame(rows, columns=["number", "accuracy"])
    return table.assign(best=table["accuracy"].cummax())


def complete(study: optuna.Study) -> list[FrozenTrial]:
    """Distinct configurations that ran to full length.

    Repeated proposals are left out: they brought no new knowledge.
    """
    found = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return [trial for trial in found if "same_as" not in trial.user_attrs]


def optimism(root: Path) -> pd.DataFrame:
    """What the search promised and what fresh seeds showed: one row a confirmed configuration.

    Columns: setting, arm, trial, n (fresh seeds done), score (the search's noisy-validation
    accuracy; unknown if the search stopped the trial early, as it may the baseline), confirmed
    (mean over fresh seeds of the same metric), sd (over seeds, in points), optimism
    (score − confirmed), promised and gained (score and confirmed, less the baseline's: what seeds
    and splits have in common cancels out there).
    """
    values_of = _confirmed_values(root)
    studies = read(root)
    rows = []
    for (setting, arm), values in values_of.items():
        study, trial = _searched(studies, setting, arm)
        if study is not None and trial is not None:
            row = {"setting": setting or "", "arm": arm}
            row.update(_promise(study, trial, values))
            rows.append(row)
    columns = ["setting", "arm", "trial", "n", "score", "confirmed", "sd", "optimism"]
    table = pd.DataFrame(rows, columns=columns)
    baselines = table[table["arm"] == BASELINE].set_index("setting")
    table["promised"] = table["score"] - table["setting"].map(baselines["score"])
    table["gained"] = table["confirmed"] - table["setting"].map(baselines["confirmed"])
    return table


def _confirmed_values(root: Path) -> dict[tuple[str | None, str], list[float]]:
    """Validation accuracies of the plan's finished trials, by setting and arm."""
    try:
        planned = json.loads((root / PLAN).read_bytes())["trials"]
    except (OSError, ValueError, KeyError):
        planned = []
    values_of: dict[tuple[str | None, str], list[float]] = {}
    for trial in planned:
        folder = TrialFolder(root / trial["folder"])
        value = score(folder.rows(), VALIDATION_ACCURACY)
        started = folder.trial or {}
        if started.get("id") != trial["id"] or folder.summary is None or value is None:
            continue
        key = (trial["setting"], trial["arm"])
        values_of.setdefault(key, []).append(value)
    return values_of


def _promise(study: optuna.Study, trial: FrozenTrial, values: list[float]) -> dict[str, Any]:
    """A search trial's score against the `values` that it reached on fresh seeds."""
    promised = float("nan")
    # The score that Optuna has of a stopped trial is that of its last epoch.
    if trial.state == TrialState.COMPLETE:
        promised = trial.values[accuracy_place(study)]
    mean = float(np.mean(values))
    sd = float("nan")
    if len(values) > 1:
        sd = float(np.std(values, ddof=1))
    return {
        "trial": name(trial.number),
        "n": len(values),
        "score": promised,
        "confirmed": mean,
        "sd": sd,
        "optimism": promised - mean,
    }


def confirmed(root: Path) -> dict[str, dict[str, Any]]:
    """Parameters of each configuration that fresh seeds confirmed, by its name in the result."""
    studies = read(root)
    found = {}
    for row in optimism(root).to_dict("records"):
        _, trial = _searched(studies, row["setting"] or None, row["arm"])
        if trial is not None and trial.params:
            parts = filter(None, [row["setting"], row["arm"]])
            found["/".join(parts)] = trial.params
    return found


def _searched(
    studies: list[optuna.Study], setting: str | None, arm: str
) -> tuple[optuna.Study | None, FrozenTrial | None]:
    """The search and the trial that a confirmed configuration comes from.

    With settings, each arm has a search: `fixed` is the arm as it was, which is the search's first
    trial, and any other setting is its best one. Without, the only search has the baseline as its
    first trial, and every other arm is named after its trial.
    """
    searched_arm = arm if setting else None
    study = _search_of(studies, searched_arm)
    if study is None:
        return None, None
    tried = study.get_trials(deepcopy=False)
    if setting == FIXED or (setting is None and arm == BASELINE):
        return study, next(iter(tried), None)
    if setting is None:
        named = (trial for trial in tried if name(trial.number) == arm)
        return study, next(named, None)
    return study, max(complete(study), key=_first_value, default=None)


def _search_of(studies: list[optuna.Study], arm: str | None) -> optuna.Study | None:
    """The first of the searches that is of this arm."""
    for study in studies:
        if study.user_attrs.get("arm") == arm:
            return study
    return None


def _first_value(trial: FrozenTrial) -> tuple[float, int]:
    """Order of trials by their first value; of equal ones the earlier is the greater."""
    return trial.values[0], -trial.number


def importance(study: optuna.Study) -> pd.DataFrame:
    """Which parameters the accuracy of full-length trials depends on, by two methods.

    The two need not agree: fANOVA explains the variance over the whole space, PED-ANOVA what sets
    the better part of the trials apart. `low` and `high` are the 5th and 95th percentile over
    resampled trials. Parameters that only some trials have are left out.

    Columns: method, parameter, importance, low, high, n. Empty with fewer than FEWEST trials, or
    equal scores.
    """
    place = accuracy_place(study)
    done = complete(study)
    columns = ["method", "parameter", "importance", "low", "high", "n"]
    shared = _shared_parameters(done)
    scores = {trial.values[place] for trial in done}
    if len(done) < FEWEST or not shared or len(scores) == 1:
        return pd.DataFrame(columns=columns)
    rng = np.random.default_rng(0)
    rows = []
    for method in ("fANOVA", "PED-ANOVA"):
        found = _importances(
            done,
            place,
            method,
            shared,
            trees=64,
        )
        draws = _resampled(done, place, method, shared, rng)
        for parameter, value in found.items():
            low, high = _spread(draws, parameter)
            rows.append((method, parameter, value, low, high, len(done)))
    return pd.DataFrame(rows, columns=columns)


def _shared_parameters(done: list[FrozenTrial]) -> set[str]:
    """Parameters that every trial has."""
    if not done:
        return set()
    return set.intersection(*(set(trial.params) for trial in done))


def _resampled(
    done: list[FrozenTrial],
    place: int,
    method: str,
    parameters: set[str],
    rng: np.random.Generator,
) -> list[dict[str, float]]:
    """Importances in BOOTSTRAPS samples of the trials, drawn with replacement."""
    draws = []
    for _ in range(BOOTSTRAPS):
        chosen = rng.integers(len(done), size=len(done))
        sample = [done[k] for k in chosen]
        draws.append(
            _importances(
                sample,
                place,
                method,
                parameters,
                trees=16,
            )
        )
    return draws


def _spread(draws: list[dict[str, float]], parameter: str) -> tuple[float, float]:
    """5th and 95th percentile of a parameter's importance over the draws that have one."""
    values = [draw[parameter] for draw in draws if parameter in draw]
    if not values:
        return float("nan"), float("nan")
    low, high = np.percentile(values, [5, 95])
    return float(low), float(high)


def _importances(
    sample: list[FrozenTrial],
    place: int,
    method: str,
    parameters: set[str],
    trees: int,
) -> dict[str, float]:
    """Importance of each parameter in a sample of trials; none if all scored the same."""
    values = {trial.values[place] for trial in sample}
    if len(values) < 2:
        return {}
    study = by_accuracy(sample, place)
    evaluator: FanovaImportanceEvaluator | PedAnovaImportanceEvaluator
    if method == "fANOVA":
        evaluator = FanovaImportanceEvaluator(n_trees=trees, seed=0)
    else:
        evaluator = PedAnovaImportanceEvaluator()
    with warnings.catch_warnings():
        # A resampled study may hold a single value of some parameter.
        warnings.simplefilter("ignore")
        found = get_param_importances(study, evaluator=evaluator, params=sorted(parameters))
    return {parameter: float(value) for parameter, value in found.items()}


def by_accuracy(sample: list[FrozenTrial], place: int) -> optuna.Study:
    """A study in memory of these trials.

    Their only value is the accuracy, which is at `place` of the given trials' values.
    """
    copies = []
    for trial in sample:
        copy = optuna.trial.create_trial(
            params=trial.params,
            distributions=trial.distributions,
            value=trial.values[place],
        )
        copies.append(copy)
    study = optuna.create_study(direction="maximize")
    study.add_trials(copies)
    return study


def work(root: Path, study: optuna.Study) -> dict[str, Any]:
    """Epochs that were trained and that full lengths would have taken.

    Keys: trials (that ran), stopped (of them), epochs, full_length, saved (the share of epochs that
    stopping saved).
    """
    table = trials(root, study)
    stopped = trained = planned = 0
    if len(table):
        table = table[table["state"].isin(["complete", "pruned"]) & (table["same_as"] == "")]
        stopped = int((table["state"] == "pruned").sum())
        trained = int(table["epochs"].sum())
        planned = int(table["planned"].sum())
    saved = 0.0
    if planned:
        saved = 1 - trained / planned
    return {
        "trials": len(table),
        "stopped": stopped,
        "epochs": trained,
        "full_length": planned,
        "saved": saved,
    }


def name(number: int) -> str:
    """`trial-0007`."""
    return f"trial-{number:04}"


def _folder(root: Path, study: optuna.Study, number: int) -> Path:
    """Folder of a trial of a search, with a subfolder for each seed."""
    arm = study.user_attrs.get("arm") or ""
    return root / RUNS / arm / name(number)


def _length(folder: TrialFolder) -> int:
    """Epochs of a trial at full length."""
    trial = folder.trial or {}
    config = trial.get("config") or {}
    epochs: int = config.get("train", {}).get("epochs", 0)
    return epochs


def accuracy_place(study: optuna.Study) -> int:
    """Which of a trial's values is the accuracy."""
    metrics = study.user_attrs.get("definition", {}).get("metric", [])
    for place, metric in enumerate(metrics):
        if metric["name"] == VALIDATION_ACCURACY:
            return place
    return 0
