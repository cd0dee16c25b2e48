"""A study's results as DataFrames, for notebooks: `study = analysis.read("results/ablation")`."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd

from analysis.report.answers import answers
from analysis.results.read import Results, read_results

PLACE = ["setting", "arm", "seed", "epoch"]
"""The first columns of `Study.rows`."""


@dataclass(frozen=True)
class Study:
    """One study; each table is computed at its first use and then kept.

    `trainable/storage/names.py` lists every metric with its unit: accuracies are in percent,
    `time/*_s` in seconds. The tables are copies, which the caller may change.

    Attributes:
        name: the study's name.
        folder: its results folder.
        margin: equivalence margin in percentage points.
    """

    name: str
    folder: Path
    margin: float
    _results: Results = field(repr=False, compare=False)

    @cached_property
    def trials(self) -> pd.DataFrame:
        """One row per planned trial, in the study's order.

        Columns:
            - setting: name of the setting; "" if the study has none.
            - arm, seed: the arm (ablation variant) and the number of the paired seed.
            - id: hash of the trial's configuration.
            - family: comparisons that are corrected together; None for the baseline.
            - baseline: the arm that it is paired with; None if its data or noise are different.
            - source: name of the trial that it depends on, or None.
            - other_labels: whether it is paired with a baseline of other given labels, because
              files of labels are compared.
            - folder: its folder below the study's folder.
            - state: `done`, `stopped`, `partial`, `failed`, `blocked`, `stale` or `todo`.
            - reason: reason why it has no result; "" if it is done.
            - failed, failure: whether a completed run counts as failed, and why.
            - the fields of `summary.json` without `noise_transition`, such as
              `test/accuracy_last10` (%, mean of the last epochs) and `time/epoch_s` (seconds,
              all epochs); NaN if a trial is not done.
        """
        return self._results.trials.copy()

    @cached_property
    def rows(self) -> pd.DataFrame:
        """One row per epoch of each completed trial, in the order of `trials`.

        Columns: setting, arm, seed, epoch (from 1), and every number that the trials recorded, such
        as `test/accuracy` (%) and `time/train_s` (seconds); NaN if an epoch has none.
        """
        table = self._results.rows(*self._results.metrics())
        metrics = table.columns.difference(PLACE, sort=False)
        return table[[*PLACE, *metrics]]

    @cached_property
    def comparison(self) -> pd.DataFrame:
        """One row per setting and arm: its last-10 test accuracy, paired with the baseline's.

        `n`, `mean`, `sd` (%, over seeds) describe the arm. `difference`, `low`, `high` (points,
        arm − baseline on the same seeds, interval for all arms of the family together),
        `p_adjusted` and `verdict` compare it; `t_low`, `t_high` are its own 95 % t interval.
        `analysis.stats.comparison.compare` documents all columns; unchecked test labels add those
        of `analysis.report.answers.Answers`.
        """
        return answers(self._results).table


def read(folder: str | Path) -> Study:
    """Read the study in a results folder.

    Args:
        folder: the folder that `--results` named, or a link to it.

    Raises:
        NoStudy: there is no readable plan in it, or the plan has no trials.
    """
    results = read_results(Path(folder))
    return Study(results.study, results.root, results.margin, results)
