"""What `test/accuracy` of a study measures, and what may be concluded from it.

Both depend on the labels of its test set. Tables, figures, sentences and scripts ask here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

WITHHELD = "withheld"
"""The verdict on arms whose accuracies were measured by unchecked labels."""
ON_ACCURACY = ("better", "worse", "equivalent", "inconclusive")
"""Verdicts on differences of accuracy. Verdicts on failures need no test labels."""


@dataclass(frozen=True)
class Measure:
    """Words for the accuracies of a study.

    Attributes:
        name: of the measure, in `a difference in points of …`.
        header: of the measure, in `last-10 … %`.
        cell: of the measure, where a column is narrow.
        of_ensemble: what the ensemble's accuracy is, in `accuracy: the ensemble's …`.
        caution: what readers must know of it; None: nothing.
        decides: whether its differences are differences of accuracy, so that they allow verdicts.
    """

    name: str
    header: str
    cell: str
    of_ensemble: str
    caution: str | None
    decides: bool

    def allowed(self, verdict: str) -> str:
        """Return a verdict by this measure as it may be said."""
        if not self.decides and verdict in ON_ACCURACY:
            return WITHHELD
        return verdict


TRUSTED = Measure(
    name="test accuracy",
    header="test accuracy",
    cell="accuracy",
    of_ensemble="on the clean test set",
    caution=None,
    decides=True,
)
UNCHECKED = Measure(
    name="agreement with unchecked test labels",
    header="agreement with unchecked labels",
    cell="agreement",
    of_ensemble="agreement with unchecked test labels",
    caution="the labels of the test set are unchecked: where labels are wrong by a rule that can "
    "be learned, an arm that learns the errors agrees more, and the sign of a difference can be "
    "wrong",
    decides=False,
)


def of_summary(summary: Mapping[str, Any]) -> Measure:
    """Return the words for a trial."""
    return UNCHECKED if summary.get("test_labels") == "unchecked" else TRUSTED


def measure(done: "pd.DataFrame") -> Measure:
    """Return the words for completed trials, of which one row is one trial.

    One trial with unchecked test labels suffices: tables show all together.
    """
    if "test_labels" in done and (done["test_labels"] == "unchecked").any():
        return UNCHECKED
    return TRUSTED
