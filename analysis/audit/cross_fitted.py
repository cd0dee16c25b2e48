"""Studies whose settings are the folds of one partition of the training samples (`data.folds`)."""

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.results.read import Results, value_at


def has_folds(study: Results, trial: Mapping[Any, Any]) -> bool:
    """Return whether a trial held out one of several folds."""
    return value_at(study.config(trial), "data.folds") is not None


def joined_folds(study: Results, arm: str) -> pd.DataFrame | None:
    """Return an arm's planned trials without their settings, if these are folds; else None.

    They are folds if the completed trials differ in `data.fold` and the seed alone.
    """
    trials = study.trials[study.trials["arm"] == arm]
    done = trials[trials["state"] == "done"].to_dict("records")
    recipes = {_without_fold(study.config(trial)) for trial in done}
    if len(recipes) != 1 or not has_folds(study, done[0]):
        return None
    return trials.assign(setting="")


def _without_fold(config: dict[str, Any]) -> str:
    """Write a configuration without its fold, its seed and the trial that it uses."""
    data = dict(config.get("data") or {}, fold=None)
    return json.dumps({**config, "data": data, "seed": None, "from_arm": None}, sort_keys=True)
