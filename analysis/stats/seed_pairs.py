"""Results of an arm and of the baseline of its setting, seed by seed."""

import numpy as np
import pandas as pd

from analysis.results.read import Results
from analysis.results.study_plan import BASELINE
from analysis.results.trial_failures import FAILED_STATES
from trainable.storage.names import LAST10

PAIRING = ["seed", "data_hash", "noise_hash"]
"""Fields that both results of a pair share; the last one only where labels are not compared."""


def sides(results: Results, setting: str, arm: str, metric: str = LAST10) -> pd.DataFrame:
    """Return the results of an arm and its baseline by seed.

    Only seeds are included on which both have ended, with the same data and noise; with the same
    data, if files of labels are compared. Columns: arm, baseline (values of the metric; NaN after
    an error), arm_failed, baseline_failed.
    """
    of_arm = _ended(results, setting, arm, metric)
    of_baseline = _ended(results, setting, BASELINE, metric)
    both = of_arm.merge(
        of_baseline, left_index=True, right_index=True, suffixes=("_arm", "_baseline")
    )
    same = pd.Series(True, index=both.index)
    for field in _shared(results, setting, arm)[1:]:
        same &= both[f"{field}_arm"] == both[f"{field}_baseline"]
    # A run that ended with an error has no hashes.
    both = both[same | both["error_arm"] | both["error_baseline"]]
    return pd.DataFrame(
        {
            "arm": both["value_arm"],
            "baseline": both["value_baseline"],
            "arm_failed": both["failed_arm"],
            "baseline_failed": both["failed_baseline"],
        }
    )


def _ended(results: Results, setting: str, arm: str, metric: str) -> pd.DataFrame:
    """Return value, error, failed and hashes by seed of an arm's trials that have ended."""
    planned = results.of_arm(setting, arm)
    ended = planned[planned["state"].isin(["done", *FAILED_STATES])].set_index("seed")
    found = ended.reindex(columns=PAIRING[1:])
    found["error"] = ended["state"].isin(FAILED_STATES)
    found["failed"] = ended["failed"].astype(bool) | found["error"]
    if metric in ended:
        found["value"] = ended[metric].astype(float)
    else:
        found["value"] = np.nan
    return found


def pairs(results: Results, setting: str, arm: str, metric: str = LAST10) -> pd.DataFrame:
    """Return the values of `arm` and `baseline` (columns) by seed, data and noise.

    Only seeds are included where both are completed with the same data and noise, as in `sides`.
    """
    if metric not in results.trials:
        return pd.DataFrame({"arm": [], "baseline": []}, dtype=float)
    shared = _shared(results, setting, arm)
    columns = {}
    for side, name in (("arm", arm), ("baseline", BASELINE)):
        planned = results.of_arm(setting, name)
        columns[side] = planned[planned["state"] == "done"].set_index(shared)[metric]
    return pd.DataFrame(columns).dropna()


def _shared(results: Results, setting: str, arm: str) -> list[str]:
    """Return the fields of `PAIRING` that an arm's results share with those of the baseline."""
    planned = results.of_arm(setting, arm)
    if planned.get("other_labels", pd.Series(dtype=bool)).any():
        return PAIRING[:-1]
    return PAIRING


def ratio_to_baseline(sides: pd.Series) -> float:
    """Return the ratio of `arm` to `baseline`; NaN if the baseline's value is 0."""
    if not sides["baseline"]:
        return np.nan
    ratio: float = sides["arm"] / sides["baseline"]
    return ratio
