"""Studies whose settings are the folds of one partition of the training samples (`data.folds`)."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from analysis.results.read import Results, value_at


def has_folds(study: Results, trial: Mapping[Any, Any]) -> bool:
    """Return whether a trial held out one of several folds."""
    return value_at(study.config(trial), "data.folds") is not None


def joined_folds(study: Results) -> Results:
    """Return a study without its settings if these are folds; another one unchanged.

    They are folds if the completed trials of each arm differ in `data.fold` and the seed alone.
    """
    recipes: dict[str, set[str]] = {}
    for trial in study.done.to_dict("records"):
        if not has_folds(study, trial):
            return study
        recipes.setdefault(trial["arm"], set()).add(_without_fold(study.config(trial)))
    if not recipes or any(len(found) > 1 for found in recipes.values()):
        return study
    return replace(study, trials=study.trials.assign(setting=""))


def _without_fold(config: dict[str, Any]) -> str:
    """Write a configuration without its fold, its seed and the trial that it uses."""
    data = dict(config.get("data") or {}, fold=None)
    return json.dumps({**config, "data": data, "seed": None, "from_arm": None}, sort_keys=True)
