"""A trial's data set: training, validation and test set, with hashes and noise statistics."""

from dataclasses import dataclass, field

import numpy as np

from trainable.data.contents import Contents
from trainable.data.ratings import Ratings
from trainable.data.samples import Samples


@dataclass
class Dataset:
    """Training, validation and test set of a trial, with hashes and noise statistics.

    The validation set has noisy labels by default, and is never used for training.
    """

    train: Samples
    validation: Samples | None
    test: Samples
    classes: int
    data_hash: str
    noise_hash: str
    noise_rate: float | None
    """Share of the training labels that are wrong; None: unknown."""
    noise_transition: np.ndarray | None = None
    """P(given | true) of the training samples, (classes, classes), one row per true class; None:
    true labels are unknown, or there are many classes."""
    more_tests: dict[str, Samples] = field(default_factory=dict)
    """Further test sets, by the prefix of their metrics."""
    judged: np.ndarray | None = None
    """Clean probability (n,) of each training sample by the trial that `from_arm` names; NaN: not
    judged."""
    epoch_batches: int | None = None
    """Number of batches per epoch, a balanced draw for each network; None: an epoch uses all
    samples."""
    ratings: Ratings | None = None
    """Labels of annotators for the training samples; None: there are none."""
    contents: Contents | None = None
    """Digests of the files of images; None: there are no such files."""
    class_names: tuple[str, ...] = ()
    """Names of the classes; (): the data set has none."""

    @property
    def content_hash(self) -> str | None:
        """Hash of all files of images; None: there are none, or not all have been read yet."""
        return self.contents.hash if self.contents else None

    @property
    def shape(self) -> tuple[int, ...]:
        """(channels, height, width) of an image, or (features,) of an embedding."""
        return tuple(self.test.plain(slice(0, 1)).shape[1:])

    def epoch_rows(self, rng: np.random.Generator, batch_size: int) -> np.ndarray | None:
        """Draw the positions (m,) of the training samples of a network's epoch; None: all."""
        if self.epoch_batches is None:
            return None
        return balanced(
            self.train.given.cpu().numpy(), self.classes, self.epoch_batches * batch_size, rng
        )

    def chosen(self, rows: np.ndarray | None) -> Samples:
        """Return the training samples at `rows` (m,), in that order; None: all."""
        return self.train if rows is None else self.train.only(rows)


def balanced(labels: np.ndarray, classes: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the rows of up to `count` samples, at most ⌈count / classes⌉ per class, in random order.

    As in `clothing_dataset(mode='all')` of the authors' code, samples are shuffled, and each is
    taken while its class is below that limit.
    """
    order = rng.permutation(len(labels))
    by_class = np.argsort(labels[order], kind="stable")
    sizes = np.bincount(labels, minlength=classes)
    turn = np.empty(len(labels), np.int64)
    turn[by_class] = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return order[turn < -(-count // classes)][:count]
