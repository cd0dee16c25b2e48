"""What allows verdicts on arms with unchecked test labels: checked labels, or declared noise."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from analysis.audit.decisions import BadDecisions
from analysis.audit.drawn_test_images import Checks, read_checks
from analysis.results.predictions import Predictions, read_predictions
from analysis.results.read import Results
from analysis.results.study_plan import DeclaredNoise
from analysis.stats.checked_labels import CheckedLabels
from analysis.stats.true_accuracy import Labels, declared_transition
from analysis.stats.unchecked_labels import symmetric_factor

CHECKED = "checked labels"
DECLARED = "declared noise"
OF_LOOKS = (
    "seeds were added until agreement with unchecked labels had decided, so that intervals of "
    "accuracy are given, and no verdicts"
)


@dataclass(frozen=True)
class Evidence:
    """What is known of the test labels of a setting.

    Attributes:
        predictions: of its trials; None: they were not kept.
        labels: checked labels, or the transition matrix of declared noise; None: neither.
        judged_by: what accuracies are known by; "": nothing.
        notes: sentences on it.
        decides: whether verdicts follow.
    """

    predictions: Predictions | None
    labels: Labels | None
    judged_by: str
    notes: list[str]
    decides: bool = False

    @property
    def all_checked(self) -> bool:
        """Whether the labels of all test images have been checked."""
        labels = self.labels
        return isinstance(labels, CheckedLabels) and len(labels.rows) == len(labels.unchecked)


def evidence_of(results: Results, setting: str) -> Evidence:
    """Return what is known of the test labels of a setting, checks before declarations."""
    predictions = read_predictions(results, setting)
    if predictions is None:
        note = (
            "there are no predictions of the test images (trials of an earlier version, or a "
            "bundle without samples), so that verdicts stay withheld whatever is checked"
        )
        return Evidence(None, None, "", [note])
    nothing = Evidence(predictions, None, "", [])
    try:
        checks = read_checks(results.root, predictions.data_hash, predictions.labels)
    except BadDecisions as error:
        return replace(nothing, notes=[f"checked test labels are not used: {error}"])
    if checks is not None:
        return replace(
            nothing,
            labels=checks.labels,
            judged_by=CHECKED,
            notes=list(_of_checks(results, checks)),
            decides=checks.complete and results.design is None,
        )
    noise = results.test_noise.get(setting)
    if noise is None:
        return nothing
    try:
        transition = declared_transition(noise, predictions.classes)
    except ValueError as error:
        return replace(nothing, notes=[f"data.test_noise is not used: {error}"])
    notes = [_of_noise(noise, predictions.classes, results.margin)]
    if results.design is not None:
        notes.append(OF_LOOKS)
    return replace(
        nothing, labels=transition, judged_by=DECLARED, notes=notes, decides=results.design is None
    )


def _of_checks(results: Results, checks: Checks) -> Iterator[str]:
    yield checks.sentence()
    if results.design is not None:
        yield OF_LOOKS
    elif not checks.complete:
        yield (
            "verdicts follow once all drawn images are checked, so that the answer does not decide "
            "when checking stops"
        )


def _of_noise(noise: DeclaredNoise, classes: int, margin: float) -> str:
    caution = "The verdicts are wrong if the noise depends on the images"
    if isinstance(noise, list):
        return (
            "the study declares class-dependent noise of the test labels: accuracies and "
            "differences are corrected by the transition matrix, which is estimated from "
            f"{sum(map(sum, noise))} counted labels. {caution}"
        )
    factor = symmetric_factor(noise, classes)
    return (
        f"the study declares symmetric noise in {100 * noise:g} % of the test labels: differences "
        f"of agreement are {factor:.2f} of those of accuracy, and are divided by this, so that the "
        f"margin of ±{margin:g} points of accuracy is ±{factor * margin:.2g} points of agreement. "
        f"{caution}"
    )
