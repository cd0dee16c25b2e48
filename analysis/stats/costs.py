"""What the arms of a study cost."""

import pandas as pd

from analysis.results.read import Results
from analysis.stats.seed_pairs import pairs, ratio_to_baseline
from trainable.storage.names import EPOCH_SECONDS, FORWARDS


def costs_of_arms(results: Results) -> pd.DataFrame:
    """Return mean seconds and work of each setting and arm, and their ratios to the baseline.

    Columns: setting, arm, n, the summary's `time/*_s` (seconds of training by part) and
    `work/forwards` (forward passes of one image, a backward counted as two), seconds_ratio and
    work_ratio (to the baseline; ratios of sums over the seeds that both have).
    """
    measures = [c for c in results.trials.columns if c.startswith(("time/", "work/"))]
    rows = []
    for (setting, arm), group in results.trials.groupby(["setting", "arm"], sort=False):
        done = group[group["state"] == "done"]
        means = done[measures].mean().to_dict()
        row = {"setting": setting, "arm": arm, "n": len(done), **means}
        seconds = pairs(results, str(setting), str(arm), EPOCH_SECONDS)
        work = pairs(results, str(setting), str(arm), FORWARDS)
        row["seconds_ratio"] = ratio_to_baseline(seconds.sum())
        row["work_ratio"] = ratio_to_baseline(work.sum())
        rows.append(row)
    return pd.DataFrame(rows)
