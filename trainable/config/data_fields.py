"""Fields that data sets of every kind share: splits, folds, imbalance. Imports pydantic only."""

from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from trainable.config.base import Section
from trainable.config.messages import Misfit
from trainable.config.test_set import OwnTestSet


class DataFields(Section):
    """Fields of every data set."""

    known_classes: ClassVar[int | None] = None
    """Number of classes, where the name of the data set determines it."""
    of_views: ClassVar[frozenset[str]] = frozenset()
    """Fields that say how networks see samples; arms that differ in these alone are paired."""
    validation_fraction: Annotated[float, Field(ge=0, le=0.5)] = 0.05
    """Share of the training set that is held out as the validation set, with its noisy labels.
    Ignored if the data set has its own validation set. The authors' CIFAR script has none (0)."""
    clean_validation: bool = False
    """Whether the validation set keeps its true labels: label noise is then added after the split,
    to the training set only. Clean labels are rarely available in practice. By default the epoch is
    selected by labels that are as noisy as those of the training set."""
    folds: Annotated[int, Field(ge=2, le=100)] | None = None
    """Number of folds of cross-fitting: the training set is divided into folds with equal shares of
    each given class, equal images in one fold; the validation set is fold `fold`. The given labels
    are the same in all folds. `validation_fraction` and the data set's own validation set are then
    not used. null: no folds."""
    fold: Annotated[int, Field(ge=0)] = 0
    """The fold that is the validation set, counted from 0."""
    imbalance: Annotated[float, Field(ge=1)] = 1.0
    """Samples of the first class ÷ samples of the last one in the training and validation set, at
    least 1. The numbers fall exponentially from class to class (Cui et al., CVPR 2019). The test
    set keeps all samples. 1: the classes as they are."""

    @model_validator(mode="after")
    def _fold_fits(self) -> "DataFields":
        if self.folds is None and self.fold:
            raise Misfit(("fold",), f"{self.fold} has no effect without `folds`, their number")
        if self.folds is not None and self.fold >= self.folds:
            raise Misfit(
                ("fold",), f"{self.fold} is not one of {self.folds} folds, 0 to {self.folds - 1}"
            )
        if self.folds is not None and self.clean_validation:
            raise Misfit(
                ("clean_validation",),
                "true gives each of the `folds` other labels; use false",
            )
        return self

    def same_samples(self, other: "DataFields") -> bool:
        """Return whether other fields give the same samples and labels, seen alike or not."""
        if type(self) is not type(other):
            return False
        fields = set(self.of_views)
        return self.model_dump(exclude=fields) == other.model_dump(exclude=fields)


class OwnLabels(OwnTestSet):
    """Fields of the labels of a user's own data, which may come without a test set."""

    labels_are_true: bool = True
    """Whether the training labels are the true ones; false: the true labels are unknown, and no
    metric uses them."""
