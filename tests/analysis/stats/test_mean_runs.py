"""Averages of arms: against formulas for one column at a time."""

import numpy as np
import pytest

from analysis.stats.mean_runs import mean_runs
from analysis.stats.paired import mean_interval


def test_each_epoch_has_the_mean_and_t_interval_of_its_seeds(study):
    study.arm("baseline", 70.0, 75.0, 71.5).arm("variant", 60.0, "failed", 62.0)
    found = {run.arm: run for run in mean_runs(study.read(), ["test/accuracy", "val/accuracy"])}
    assert list(found) == ["baseline", "variant"]
    assert [run.seeds for run in found.values()] == [3, 2]
    for arm, ends in (("baseline", [70.0, 75.0, 71.5]), ("variant", [60.0, 62.0])):
        run = found[arm]
        for epoch in (1, 2, 3):
            expected = mean_interval(np.array(ends) - 3 + epoch)
            got = [part.loc[epoch, "test/accuracy"] for part in (run.mean, run.low, run.high)]
            assert got == pytest.approx(expected)


def test_one_seed_has_no_interval(study):
    (run,) = mean_runs(study.arm("baseline", 70.0).read(), ["test/accuracy"])
    assert run.mean["test/accuracy"].tolist() == [68, 69, 70]
    assert run.low.isna().all().all()
    assert run.high.isna().all().all()
