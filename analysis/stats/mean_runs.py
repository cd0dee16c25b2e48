"""Average of each arm's trials: mean and interval over seeds at every epoch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from analysis.results.read import Results


@dataclass(frozen=True)
class MeanRun:
    """The average of an arm's completed trials.

    Attributes:
        setting: "" if the study has none.
        arm: its name.
        seeds: number of completed trials.
        mean: one row an epoch, one column a metric; NaN where no trial has the metric.
        low, high: ends of the 95 % t interval of the mean, as `mean`; NaN with one seed.
    """

    setting: str
    arm: str
    seeds: int
    mean: pd.DataFrame
    low: pd.DataFrame
    high: pd.DataFrame


def mean_runs(results: Results, metrics: Sequence[str]) -> Iterator[MeanRun]:
    """Yield the average of each arm with a completed trial, in the study's order."""
    rows = results.rows(*metrics)
    for (setting, arm), of_arm in rows.groupby(["setting", "arm"], sort=False):
        by_epoch = of_arm.groupby("epoch")[list(metrics)]
        mean = by_epoch.mean()
        count = by_epoch.count()
        quantile = stats.t.ppf(0.975, np.maximum(count - 1, 1))
        half = by_epoch.std() * quantile / np.sqrt(count)
        yield MeanRun(
            setting=str(setting),
            arm=str(arm),
            seeds=of_arm["seed"].nunique(),
            mean=mean,
            low=mean - half,
            high=mean + half,
        )
