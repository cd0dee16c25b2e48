"""Given labels from several annotators, of whom one label per image is taken."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from trainable.config.base import Fraction
from trainable.config.given_labels import LabelFile
from trainable.config.messages import Misfit


class AnnotatorNoise(LabelFile):
    """Labels of several annotators, one of which is taken for each image.

    They are in a file (`path`), simulated (`skills`), or part of the data set: the array
    `train_annotators` of an `.npz` file, or the three labels of CIFAR-10N (`rand1` to `rand3`).
    """

    name: Literal["annotators"] = "annotators"
    choice: Literal["majority", "first", "random"] = "majority"
    """Which label is taken. majority: the most frequent one, a random one of equally frequent;
    first: that of the first annotator who has labeled the image; random: that of a random one."""
    path: str | None = None
    """Path of a `.csv` with the column `file` or `index` and a column for each annotator, or a
    `.npy` array (images, annotators) with −1 for no label; a relative path starts at the folder of
    the study file. The trial's id depends on the labels in the file, not on the path."""
    skills: Annotated[list[Fraction], Field(min_length=1)] | None = None
    """Share of right labels of each simulated annotator, 0 to 1. A wrong label is a random other
    class. Each annotator labels all images."""

    @model_validator(mode="after")
    def _one_source(self) -> "AnnotatorNoise":
        if self.path is not None and self.skills is not None:
            raise Misfit(
                ("skills",), "simulates annotators, and `path` has their labels; keep one of both"
            )
        return self
