"""Survey of embeddings: classes, sizes, and suspicious findings. The module loads no torch."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from trainable.config.embeddings import Embeddings
from trainable.data import embeddings
from trainable.data.arrays import Arrays, Split
from trainable.data.features import Features
from trainable.storage.wording import first_names

FEW = 10
"""Minimum number of training rows of a class; fewer are too few to divide."""
UNEVEN = 10
"""Ratio of the largest to the smallest class above which classes are reported as uneven."""
MEASURED = 2000
"""Maximum number of vectors whose lengths are measured."""


@dataclass
class EmbeddingsSurvey:
    """Findings about embeddings.

    Attributes:
        class_names: names of the classes, in their order.
        counts: {split: number of rows of each class}.
        width: number of features.
        dtype: type of the features.
        length: mean length of the vectors.
        true_labels: whether there are true labels in addition to the given ones.
        trusted: whether the test labels are the true labels.
        annotators: names of annotators, if their labels are there.
        held_out: whether the data have no test set, and a part of the training rows is used.
        problems: messages, the most serious first.
    """

    class_names: tuple[str, ...]
    counts: dict[str, list[int]]
    width: int
    dtype: str
    length: float
    true_labels: bool
    trusted: bool
    annotators: tuple[str, ...]
    held_out: bool
    problems: list[str] = field(default_factory=list)

    @property
    def train(self) -> int:
        """Number of training rows."""
        return sum(self.counts["train"])


def survey_embeddings(path: Path) -> EmbeddingsSurvey:
    """Survey a file or a folder of embeddings.

    Raises:
        DataError: no study can use the data.
    """
    data = embeddings.load(path, Embeddings(path=str(path)), None)
    features = data.train.images
    assert isinstance(features, Features)
    chosen = np.arange(0, len(features), -(-len(features) // MEASURED))
    lengths = np.linalg.norm(features.load(chosen).astype(np.float32), axis=1)
    found = EmbeddingsSurvey(
        class_names=data.class_names or tuple(str(c) for c in range(data.classes)),
        counts=_counts(data),
        width=features.width,
        dtype=str(features.dtype),
        length=float(lengths.mean()),
        true_labels=data.train.given is not None,
        trusted=data.train.given is not None and data.test_labels == "trusted",
        annotators=data.train.ratings.annotators if data.train.ratings else (),
        held_out=data.held_out is not None,
    )
    found.problems += [*_copies(data), *_uneven(found)]
    return found


def _counts(data: Arrays) -> dict[str, list[int]]:
    """Return the number of rows of each class in each split, by their given labels."""
    labels = {"train": data.train.start[data.trained]}
    if data.validation is not None:
        labels["validation"] = data.validation.start
    labels["test"] = data.test.labels
    return {
        name: np.bincount(split, minlength=data.classes).tolist() for name, split in labels.items()
    }


def _copies(data: Arrays) -> Iterator[str]:
    """Yield messages about equal vectors."""
    train = _contents(data.train)
    different, number, counts = np.unique(train, return_inverse=True, return_counts=True)
    leaked = {"test": data.test, "validation": data.validation}
    for name, split in leaked.items():
        # No copy of a row that is held out for the test is trained on.
        if split is None or (name == "test" and data.held_out is not None):
            continue
        if same := int(np.isin(_contents(split), train).sum()):
            yield f"{same} {name} rows are training rows too: accuracy on them is not meaningful"
    lowest = np.full(len(different), data.classes)
    highest = np.full(len(different), -1)
    np.minimum.at(lowest, number, data.train.start)
    np.maximum.at(highest, number, data.train.start)
    if ambiguous := int((lowest < highest).sum()):
        yield (
            f"{ambiguous} training vectors appear under several classes: at least one of those "
            "labels is wrong"
        )
    if copies := int((counts - 1).sum()):
        yield f"{copies} training rows are copies of another"


def _contents(split: Split) -> np.ndarray:
    assert isinstance(split.images, Features)
    return split.images.contents


def _uneven(found: EmbeddingsSurvey) -> Iterator[str]:
    """Yield messages about small classes."""
    train = found.counts["train"]
    few = [name for name, n in zip(found.class_names, train, strict=True) if n < FEW]
    if few:
        yield f"fewer than {FEW} training rows: {first_names(few)}"
    if max(train) > UNEVEN * max(1, min(train)):
        yield (
            f"uneven classes: {max(train)} training rows of the largest and {min(train)} of the "
            "smallest; set method.prior to their frequencies, or method.prior_penalty to 0, "
            "because the penalty assumes equal classes"
        )
    counts = zip(found.class_names, found.counts["test"], strict=True)
    if untested := [name for name, n in counts if n == 0]:
        yield f"classes without a test row: {first_names(untested)}"
