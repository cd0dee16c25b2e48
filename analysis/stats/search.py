"""What a search found, read from its journal and its trials' folders: history, optimism, importance, work saved.

Neither torch nor ray is imported. Scores of a search are chosen to be high; the result is the confirmation's table.
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
    if strange := [
        name for name in names if not PLACE.fullmatch(f"{name}/seed=0")
    ]:  # tables are named after them
        raise NoStudy(f"{path}: {strange[0]!r} cannot be the name of a search")
    return [optuna.load_study(study_name=name, storage=storage) for name in names]


def trials(root: Path, study: optuna.Study) -> pd.DataFrame:
    """One row a trial of a search.

    Columns: trial (name), state (complete, pruned, fail, running), same_as (name of the trial that it repeats, or ""),
    accuracy (its score; of a stopped one the last epoch's, not comparable), epochs (trained, summed over seeds),
    planned (epochs at full length), one column a parameter.
    """
    place = accuracy_place(study)
    rows = []
    for trial in study.get_trials(deepcopy=False):
        place_on_disk = _folder(
            root, study, trial.number
        )  # where its confirmation on fresh seeds may lie too
        folders = [
            TrialFolder(place_on_disk / f"seed={seed}")
            for seed in study.user_attrs["definition"]["seeds"]
        ]
        repeats = "same_as" in trial.user_attrs
        rows.append(
            {
                "trial": name(trial.number),
                "state": trial.state.name.lower(),
                "same_as": name(trial.user_attrs["same_as"]) if repeats else "",
                "accuracy": trial.values[place] if trial.values else np.nan,
                "epochs": 0 if repeats else sum(len(folder.rows()) for folder in folders),
                "planned": 0 if repeats else sum(_length(folder) for folder in folders),
                **trial.params,
            }
        )
    return pd.DataFrame(rows)


def history(study: optuna.Study) -> pd.DataFrame:
    """Full-length trials in the order of their proposals: number, accuracy, and the best so far."""
    place = accuracy_place(study)
    table = pd.DataFrame(
        [(trial.number, trial.values[place]) for trial in complete(study)],
        columns=["number", "accuracy"],
    )
    return table.assign(best=table["accuracy"].cummax())


def complete(study: optuna.Study) -> list[FrozenTrial]:
    """Distinct configurations that ran to full length; a repeated proposal brought no new knowledge."""
    found = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return [trial for trial in found if "same_as" not in trial.user_attrs]


def optimism(root: Path) -> pd.DataFrame:
    """What the search promised and what fresh seeds showed: one row a confirmed configuration.

    Columns: setting, arm, trial, n (fresh seeds done), score (the search's noisy-validation accuracy; unknown if the
    search stopped the trial early, as it may the baseline), confirmed (mean over fresh seeds of the same metric), sd
    (over seeds, in points), optimism (score − confirmed), promised and gained (score and confirmed, less the
    baseline's: what seeds and splits have in common cancels out there).
    """
    try:
        planned = json.loads((root / PLAN).read_bytes())["trials"]
    except (OSError, ValueError, KeyError):
        planned = []
    confirmed: dict[tuple[str | None, str], list[float]] = {}
    for trial in planned:
        folder = TrialFolder(root / trial["folder"])
        value = score(folder.rows(), VALIDATION_ACCURACY)
        if (
            (folder.trial or {}).get("id") == trial["id"]
            and folder.summary is not None
            and value is not None
        ):
            confirmed.setdefault((trial["setting"], trial["arm"]), []).append(value)
    studies = read(root)
    rows = []
    for (setting, arm), values in confirmed.items():
        study, trial = _searched(studies, setting, arm)
        if study is None or trial is None:
            continue
        # The score that Optuna has of a stopped trial is that of its last epoch.
        whole = trial.state == TrialState.COMPLETE
        promised = trial.values[accuracy_place(study)] if whole else float("nan")
        mean, sd = (
            float(np.mean(values)),
            float(np.std(values, ddof=1)) if len(values) > 1 else float("nan"),
        )
        row = {
            "setting": setting or "",
            "arm": arm,
            "trial": name(trial.number),
            "n": len(values),
            "score": promised,
        }
        rows.append({**row, "confirmed": mean, "sd": sd, "optimism": promised - mean})
    columns = ["setting", "arm", "trial", "n", "score", "confirmed", "sd", "optimism"]
    table = pd.DataFrame(rows, columns=columns)
    baselines = table[table["arm"] == BASELINE].set_index("setting")
    for gain, of in (("promised", "score"), ("gained", "confirmed")):
        table[gain] = table[of] - table["setting"].map(baselines[of])
    return table


def confirmed(root: Path) -> dict[str, dict[str, Any]]:
    """The parameters of each configuration that fresh seeds confirmed, by its name in the result."""
    studies, found = read(root), {}
    for row in optimism(root).to_dict("records"):
        _, trial = _searched(studies, row["setting"] or None, row["arm"])
        if trial is not None and trial.params:
            found["/".join(filter(None, [row["setting"], row["arm"]]))] = trial.params
    return found


def _searched(
    studies: list[optuna.Study], setting: str | None, arm: str
) -> tuple[optuna.Study | None, FrozenTrial | None]:
    """The search and the trial that a confirmed configuration comes from: an arm's own setting is its first trial."""
    study = next(
        (s for s in studies if s.user_attrs.get("arm") == (arm if setting else None)), None
    )
    if study is None:
        return None, None
    tried = study.get_trials(deepcopy=False)
    if setting == FIXED or (setting is None and arm == BASELINE):
        return study, next(iter(tried), None)
    if setting is None:
        return study, next((trial for trial in tried if name(trial.number) == arm), None)
    return study, max(
        complete(study), key=lambda trial: (trial.values[0], -trial.number), default=None
    )


def importance(study: optuna.Study) -> pd.DataFrame:
    """Which parameters the accuracy of full-length trials depends on, by two methods that need not agree.

    fANOVA explains the variance over the whole space, PED-ANOVA what sets the better part of the trials apart. `low`
    and `high` are the 5th and 95th percentile over resampled trials. Parameters that only some trials have are left
    out.

    Columns: method, parameter, importance, low, high, n. Empty with fewer than FEWEST trials, or equal scores.
    """
    place, done = accuracy_place(study), complete(study)
    columns = ["method", "parameter", "importance", "low", "high", "n"]
    shared = set.intersection(*(set(trial.params) for trial in done)) if done else set()
    if len(done) < FEWEST or not shared or len({trial.values[place] for trial in done}) == 1:
        return pd.DataFrame(columns=columns)
    rng = np.random.default_rng(0)
    rows = []
    for method in ("fANOVA", "PED-ANOVA"):
        found = _importances(done, place, method, shared, trees=64)
        draws = [
            _importances(
                [done[k] for k in rng.integers(len(done), size=len(done))],
                place,
                method,
                shared,
                trees=16,
            )
            for _ in range(BOOTSTRAPS)
        ]
        for parameter, value in found.items():
            spread = [draw[parameter] for draw in draws if parameter in draw]
            low, high = np.percentile(spread, [5, 95]) if spread else (np.nan, np.nan)
            rows.append((method, parameter, value, float(low), float(high), len(done)))
    return pd.DataFrame(rows, columns=columns)


def _importances(
    sample: list[FrozenTrial], place: int, method: str, parameters: set[str], trees: int
) -> dict[str, float]:
    """Importance of each parameter in a sample of trials; none if all scored the same."""
    values = [trial.values[place] for trial in sample]
    if len(set(values)) < 2:
        return {}
    study = by_accuracy(sample, place)
    evaluator = (
        FanovaImportanceEvaluator(n_trees=trees, seed=0)
        if method == "fANOVA"
        else PedAnovaImportanceEvaluator()
    )
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # a resampled study may hold a single value of some parameter
        return {
            name: float(value)
            for name, value in get_param_importances(
                study, evaluator=evaluator, params=sorted(parameters)
            ).items()
        }


def by_accuracy(sample: list[FrozenTrial], place: int) -> optuna.Study:
    """A study in memory of these trials, with the accuracy (at `place` of their values) as the only one."""
    study = optuna.create_study(direction="maximize")
    study.add_trials(
        [
            optuna.trial.create_trial(
                params=trial.params, distributions=trial.distributions, value=trial.values[place]
            )
            for trial in sample
        ]
    )
    return study


def work(root: Path, study: optuna.Study) -> dict[str, Any]:
    """Epochs that were trained, those that full lengths would have taken, and the share that stopping saved."""
    table = trials(root, study)
    ran = (
        table[table["state"].isin(["complete", "pruned"]) & (table["same_as"] == "")]
        if len(table)
        else table
    )
    trained, planned = (
        int(ran[column].sum()) if len(ran) else 0 for column in ("epochs", "planned")
    )
    stopped = int((ran["state"] == "pruned").sum()) if len(ran) else 0
    return {
        "trials": len(ran),
        "stopped": stopped,
        "epochs": trained,
        "full_length": planned,
        "saved": 1 - trained / planned if planned else 0.0,
    }


def name(number: int) -> str:
    """`trial-0007`."""
    return f"trial-{number:04}"


def _folder(root: Path, study: optuna.Study, number: int) -> Path:
    return root / RUNS / (study.user_attrs.get("arm") or "") / name(number)


def _length(folder: TrialFolder) -> int:
    """Epochs of a trial at full length."""
    return ((folder.trial or {}).get("config") or {}).get("train", {}).get("epochs", 0)


def accuracy_place(study: optuna.Study) -> int:
    """Which of a trial's values is the accuracy."""
    metrics = study.user_attrs.get("definition", {}).get("metric", [])
    return next((k for k, metric in enumerate(metrics) if metric["name"] == VALIDATION_ACCURACY), 0)
