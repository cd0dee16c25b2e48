"""The test set of a user's own data: where it is from, and what is known of its labels."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from trainable.config.base import Section
from trainable.config.messages import Misfit

TestLabels = Literal["trusted", "unchecked"]
UNCHECKED = "Agreement with the unchecked labels of the test set, in percent: not accuracy."
"""What TensorBoard says of test accuracies whose labels are unchecked."""


class OwnTestSet(Section):
    """Fields that say what a test set is worth."""

    of_report = frozenset({"test_noise", "test_noise_rate", "test_noise_counts"})
    test_fraction: Annotated[float, Field(gt=0, le=0.5)] = 0.2
    """Share of each class that is held out of the training images as the test set, the same for
    every seed. Equal images are on one side. Ignored if the data have a test set."""
    test_labels: TestLabels | None = None
    """Whether the labels of the test set are known to be right (trusted), or as uncertain as those
    of the training set (unchecked). null: trusted if the data have a test set, unchecked if it is
    held out of the training images. It changes no number, only what the numbers are called and
    whether verdicts follow from them."""
    test_noise: Literal["symmetric", "class_dependent"] | None = None
    """What the owner knows of the errors of unchecked test labels. symmetric: a label is wrong by
    chance alone, whatever the image shows, and each other class is equally likely then.
    class_dependent: the chances depend on the true class. It makes verdicts possible, which are
    wrong if errors depend on the images. Trials keep their ids."""
    test_noise_rate: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Share of the test labels that are wrong by symmetric noise. If only a bound is known, give
    it: better, worse and equivalent then hold, and differences are at most as large as told."""
    test_noise_counts: list[list[Annotated[int, Field(ge=0)]]] | None = None
    """Numbers of labels by true class (a row each) and label (columns), of a random sample that was
    labeled like the test set, and whose true classes are known. For class-dependent noise."""

    @model_validator(mode="after")
    def _noise_is_declared(self) -> "OwnTestSet":
        details = {"symmetric": "test_noise_rate", "class_dependent": "test_noise_counts"}
        for noise, detail in details.items():
            if (self.test_noise == noise) != (getattr(self, detail) is not None):
                raise Misfit((detail,), f"`test_noise: {noise}` and `{detail}` need each other")
        if problem := _problem_of_counts(self.test_noise_counts):
            raise Misfit(("test_noise_counts",), problem)
        if self.test_noise is not None and self.test_labels == "trusted":
            raise Misfit(
                ("test_noise",),
                "trusted test labels have no noise; write `test_labels: unchecked`",
            )
        return self


def _problem_of_counts(counts: list[list[int]] | None) -> str | None:
    """Return what is wrong with counts of labels by true class and label, if anything is."""
    if counts is None:
        return None
    if len(counts) < 2:
        return "it has a row for each true class, two at least"
    for number, row in enumerate(counts):
        if len(row) != len(counts):
            return f"row {number} has {len(row)} numbers, and there are {len(counts)} rows"
        if not sum(row):
            return f"row {number} has no label: count some whose true class is {number}"
    return None
