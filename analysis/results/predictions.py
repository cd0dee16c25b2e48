"""What the arms of a setting predicted for each test image, from their tables of samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.results.read import Results
from analysis.results.study_plan import BASELINE


@dataclass(frozen=True)
class Predictions:
    """Predictions of all trials of a setting that have the baseline's data.

    Attributes:
        data_hash: hash of the data set.
        labels: (N,) labels of the test images, as they are.
        classes: number of classes.
        of_arms: arm → seed → (epochs, N) the ensemble's classes after each of the last epochs.
    """

    data_hash: str
    labels: np.ndarray
    classes: int
    of_arms: Mapping[str, Mapping[int, np.ndarray]]

    def of(self, arm: str, seeds: Sequence[int]) -> np.ndarray | None:
        """Return an arm's predictions (seeds, epochs, N); None if one is missing.

        Where trials kept predictions of fewer epochs than others, all have those of the last ones.
        """
        found = [self.of_arms.get(arm, {}).get(seed) for seed in seeds]
        kept = [classes for classes in found if classes is not None]
        if not kept or len(kept) < len(found):
            return None
        epochs = min(map(len, kept))
        return np.stack([classes[-epochs:] for classes in kept])

    def pair(self, arm: str, seeds: Sequence[int]) -> tuple[np.ndarray, np.ndarray] | None:
        """Return the predictions of an arm and of the baseline, (seeds, epochs, N) each."""
        own = self.of(arm, seeds)
        other = self.of(BASELINE, seeds)
        if own is None or other is None:
            return None
        epochs = min(own.shape[1], other.shape[1])
        return own[:, -epochs:], other[:, -epochs:]


def read_predictions(results: Results, setting: str) -> Predictions | None:
    """Read the predictions of a setting; None if its baseline has none."""
    first = results.first_done(setting, BASELINE)
    if first is None:
        return None
    labels: np.ndarray | None = None
    greatest = 0
    of_arms: dict[str, dict[int, np.ndarray]] = {}
    done = results.done
    same = done[(done["setting"] == setting) & (done["data_hash"] == first.get("data_hash"))]
    for trial in same.to_dict("records"):
        table = results.samples(trial, "test_label", "test_classes", "given")
        if len(table) < 3 or not len(table["test_classes"]):
            continue
        if labels is None:
            labels = table["test_label"].astype(np.int64)
        fits = table["test_classes"].shape[1:] == labels.shape
        if not fits or not np.array_equal(labels, table["test_label"]):
            continue
        greatest = max(greatest, *(int(column.max()) for column in table.values()))
        of_arms.setdefault(trial["arm"], {})[trial["seed"]] = table["test_classes"]
    if labels is None or BASELINE not in of_arms:
        return None
    return Predictions(str(first["data_hash"]), labels, 1 + greatest, of_arms)
