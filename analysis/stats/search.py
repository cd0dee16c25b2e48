"""Results of a search: history, optimism, work saved.

They are read from the journal and the trial folders, without torch and Ray. Search scores are
biased upwards by the selection; the result of a search is the table of its confirmation.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
from optuna.trial import FrozenTrial, TrialState

from analysis.results.study_plan import BASELINE, NoStudy
from analysis.stats.search_journal import open_journal
from trainable.storage.names import JOURNAL, PLAN, RUNS, VALIDATION_ACCURACY
from trainable.storage.trial_folder import PLACE, TrialFolder, score

FIXED = "fixed"


def read(root: Path) -> list[optuna.Study]:
    """Return the searches of the study in `root`; none for an ablation. Raises NoStudy."""
    path = root / JOURNAL
    if not path.is_file():
        return []
    storage = open_journal(path)
    names = optuna.get_all_study_names(storage)
    for name in names:
        # Names of searches become names of files.
        if not PLACE.fullmatch(f"{name}/seed=0"):
            raise NoStudy(f"{path}: {name!r} cannot be the name of a search")
    return [optuna.load_study(study_name=name, storage=storage) for name in names]


def trials(root: Path, study: optuna.Study) -> pd.DataFrame:
    """Return one row per trial of a search.

    Columns: trial (name), state (complete, pruned, fail, running), same_as (name of the trial that
    it repeats, or ""), accuracy (its score; for a stopped trial of the last epoch, not comparable),
    epochs (trained, summed over seeds), planned (epochs at full length), one column per parameter.
    """
    place = accuracy_place(study)
    rows = []
    for trial in study.get_trials(deepcopy=False):
        # Seeds of the search only: the folder may also have the confirmation's fresh seeds.
        on_disk = _folder(root, study, trial.number)
        seeds = study.user_attrs["definition"]["seeds"]
        folders = [TrialFolder(on_disk / f"seed={seed}") for seed in seeds]
        rows.append(_trial_row(trial, place, folders))
    return pd.DataFrame(rows)


def _trial_row(trial: FrozenTrial, place: int, folders: list[TrialFolder]) -> dict[str, Any]:
    """Return a row of `trials`; a repeated trial has no epochs."""
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
    """Return full-length trials in order of proposal: number, accuracy, best so far."""
    place = accuracy_place(study)
    rows = [(trial.number, trial.values[place]) for trial in complete(study)]
    table = pd.DataFrame(rows, columns=["number", "accuracy"])
    return table.assign(best=table["accuracy"].cummax())


def complete(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that ran to full length.

    Repeated configurations are excluded.
    """
    found = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return [trial for trial in found if "same_as" not in trial.user_attrs]


def optimism(root: Path) -> pd.DataFrame:
    """Compare search scores with fresh seeds: one row per confirmed configuration.

    Columns: setting, arm, trial, n (fresh seeds done), score (the search's noisy-validation
    accuracy; NaN if the search stopped the trial early), confirmed
    (mean over fresh seeds of the same metric), sd (over seeds, in points), optimism
    (score − confirmed), promised and gained (score and confirmed, minus the baseline's, so that
    effects of seeds and splits cancel).
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
    """Return validation accuracies of the plan's completed trials by setting and arm."""
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
    """Compare a search trial's score with the `values` on fresh seeds."""
    promised = float("nan")
    # Optuna's score of a stopped trial is that of its last epoch.
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
    """Return name in the results → parameters of each confirmed configuration."""
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
    """Return the search and the trial of a confirmed configuration.

    With settings, each arm has a search. Its first trial is the setting `fixed`, the arm with the
    values of the study file; its best trial is the other setting. Without settings, the first trial
    of the only search is the baseline, and every other arm is named after its trial.
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
    """Return the search of this arm."""
    for study in studies:
        if study.user_attrs.get("arm") == arm:
            return study
    return None


def _first_value(trial: FrozenTrial) -> tuple[float, int]:
    """Return a sort key: first value, then the earlier trial."""
    return trial.values[0], -trial.number


def work(root: Path, study: optuna.Study) -> dict[str, Any]:
    """Return the epochs that were trained, and the epochs at full length.

    Keys: trials (that ran), stopped (of these), epochs, full_length, saved (share of epochs saved
    by early stopping).
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
    """Return `trial-0007`."""
    return f"trial-{number:04}"


def _folder(root: Path, study: optuna.Study, number: int) -> Path:
    """Return the folder of a search's trial, with a subfolder for each seed."""
    arm = study.user_attrs.get("arm") or ""
    return root / RUNS / arm / name(number)


def _length(folder: TrialFolder) -> int:
    """Return the number of epochs of a trial at full length."""
    trial = folder.trial or {}
    config = trial.get("config") or {}
    epochs: int = config.get("train", {}).get("epochs", 0)
    return epochs


def accuracy_place(study: optuna.Study) -> int:
    """Return the position of the accuracy in a trial's values."""
    metrics = study.user_attrs.get("definition", {}).get("metric", [])
    for place, metric in enumerate(metrics):
        if metric["name"] == VALIDATION_ACCURACY:
            return place
    return 0
