"""What `test/accuracy` of a study measures: it depends on the labels of its test set."""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Measure:
    """Words for the accuracies of a study.

    Attributes:
        name: of the measure, in `a difference in points of …`.
        of_ensemble: what the ensemble's accuracy is, in `accuracy: the ensemble's …`.
        caution: what readers must know of it; None: nothing.
    """

    name: str
    of_ensemble: str
    caution: str | None


TRUSTED = Measure("test accuracy", "on the clean test set", None)
UNCHECKED = Measure(
    "agreement with unchecked test labels",
    "agreement with unchecked test labels",
    "the labels of the test set are unchecked: where labels are wrong by a rule that can be "
    "learned, an arm that learns the errors agrees more, and the sign of a difference can be wrong",
)


def measure(done: pd.DataFrame) -> Measure:
    """Return the words for completed trials, of which one row is one trial.

    One trial with unchecked test labels suffices: tables show all together.
    """
    if "test_labels" in done and (done["test_labels"] == "unchecked").any():
        return UNCHECKED
    return TRUSTED
