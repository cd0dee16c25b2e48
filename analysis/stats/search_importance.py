"""Importance of a search's parameters for the accuracy."""

import warnings

import numpy as np
import optuna
import pandas as pd
from optuna.importance import (
    FanovaImportanceEvaluator,
    PedAnovaImportanceEvaluator,
    get_param_importances,
)
from optuna.trial import FrozenTrial

from analysis.stats.search import accuracy_place, complete

BOOTSTRAPS = 20
FEWEST = 8
"""Minimum number of full-length trials; importances of fewer trials are noise."""


def importance(study: optuna.Study) -> pd.DataFrame:
    """Estimate the importance of parameters for the accuracy of full-length trials.

    The two methods may disagree: fANOVA explains the variance over the whole space, PED-ANOVA the
    differences between the better trials and the others. `low` and `high` are the 5th and 95th
    percentile over resampled trials. Parameters that only some trials have are excluded.

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
    """Return the parameters that all trials have."""
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
    """Return importances in BOOTSTRAPS samples of the trials, drawn with replacement."""
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
    """Return the 5th and 95th percentile of a parameter's importance over the draws."""
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
    """Return parameter → importance in a sample of trials; empty if all scores are equal."""
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
        # A resampled study may have a single value of some parameter.
        warnings.simplefilter("ignore")
        found = get_param_importances(study, evaluator=evaluator, params=sorted(parameters))
    return {parameter: float(value) for parameter, value in found.items()}


def by_accuracy(sample: list[FrozenTrial], place: int) -> optuna.Study:
    """Return an in-memory Optuna study of these trials.

    Its only value is the accuracy, at `place` of the given trials' values.
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
