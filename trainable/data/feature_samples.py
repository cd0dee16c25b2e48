"""Embeddings and labels for methods: batches are read from the file, normalised and augmented.

`FeatureSamples` has the interface of `Samples`. A view of a vector is the vector with some features
dropped, mixed with those of another sample, and with noise. Features are never all in memory as
float32.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch

from trainable.config.embeddings import Embeddings
from trainable.data.augment import DrawnAhead
from trainable.data.feature_scale import FeatureScale, Scaling, most_rows_at_once
from trainable.data.samples import Draws, Samples
from trainable.data.streaming import Batch, Index

STEPS = 256
"""A share is a number of these steps: one random byte decides about one feature."""
LARGEST = 0.9
"""Largest share of features that strong views drop or mix."""


@dataclass
class FeatureSamples(Samples):
    """One split of embeddings.

    Attributes:
        images: (all rows, bytes) uint8, the features of all splits as they are in their file: a
            memory map on a CPU, a copy on a GPU.
        rows: (n,) rows of the split in `images`.
        dtype: float16 or float32, the type of the features.
        scale: their normalisation.
    """

    rows: torch.Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))
    dtype: torch.dtype = torch.float32
    scale: FeatureScale = field(default_factory=lambda: FeatureScale("none", (), ()))
    _scaling: Scaling = field(init=False)

    def __post_init__(self) -> None:
        self._scaling = self.scale.on(self.device)

    @property
    def width(self) -> int:
        """Number of features of a vector."""
        return len(self.scale.mean)

    @property
    def most_at_once(self) -> int:
        """Maximum number of vectors that are predicted at once."""
        return most_rows_at_once(self.device, self.width)

    def draws(self, rng: torch.Generator) -> Draws:
        """Return `rng`: random bytes are drawn for a whole batch already."""
        return rng

    def views(self, index: torch.Tensor, count: int, rng: Draws) -> list[torch.Tensor]:
        """Return `count` independent augmented views of the vectors at `index` (batch,).

        Each is (batch, features) float.
        """
        return self._views(index, count, rng, 1.0, 1.0)

    def strong_views(self, index: torch.Tensor, count: int, rng: Draws) -> list[torch.Tensor]:
        """Return views as `views` does, with `strong_views` times their dropout, jitter, mixing."""
        assert isinstance(self.augmentation, Embeddings)
        return self._views(index, count, rng, self.augmentation.strong_views, LARGEST)

    def _views(
        self, index: torch.Tensor, count: int, rng: Draws, factor: float, largest: float
    ) -> list[torch.Tensor]:
        assert isinstance(self.augmentation, Embeddings)
        assert not isinstance(rng, DrawnAhead)
        fields = self.augmentation
        plain = self.plain(index)
        views = []
        for _ in range(count):
            view = plain
            if fields.feature_mixing:
                share = min(largest, factor * fields.feature_mixing)
                view = mixed_features(view, share, rng)
            if fields.feature_jitter:
                spread = factor * fields.feature_jitter * self.scale.root_mean_square
                noise = torch.randn(view.shape, generator=rng, device=view.device)
                view = view.add(noise, alpha=spread)
            if fields.feature_dropout:
                share = min(largest, factor * fields.feature_dropout)
                view = dropped_features(view, share, rng)
            views.append(view.clone() if view is plain else view)
        return views

    def plain(self, index: Index) -> torch.Tensor:
        """Return the vectors at `index` without augmentation, (batch, features) float."""
        assert isinstance(self.images, torch.Tensor)
        stored = self.images.index_select(0, self.rows[index])
        return self._scaling(stored.view(self.dtype))

    def ahead(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Yield `batches` in order."""
        return iter(batches)

    def only(self, rows: np.ndarray) -> "FeatureSamples":
        """Return only the samples at `rows` (m,), in that order."""
        index = torch.from_numpy(rows).to(self.device)
        return dataclasses.replace(
            self,
            given=self.given[index],
            true=self.true[index],
            source_index=self.source_index[rows],
            rows=self.rows[index],
        )

    def every(self) -> torch.Tensor:
        """Return all vectors without augmentation, (n, features) float."""
        return torch.cat([batch for _, batch in self.in_batches()])


def random_bytes(shape: torch.Size, rng: torch.Generator) -> torch.Tensor:
    """Draw uniform numbers from 0 to 255 on the generator's device, uint8.

    One 64-bit draw gives eight numbers: a draw for each takes longer than a small network.
    """
    count = shape.numel()
    words = torch.empty(-(-count // 8), dtype=torch.int64, device=rng.device)
    words.random_(-(2**63), None, generator=rng)
    return words.view(torch.uint8)[:count].view(shape)


def dropped_features(view: torch.Tensor, share: float, rng: torch.Generator) -> torch.Tensor:
    """Return features (batch, features) of which each is 0 with probability `share`.

    The others are divided by 1 − `share`, so that each feature keeps its mean. The largest share is
    255/256.
    """
    steps = min(round(share * STEPS), STEPS - 1)
    kept = random_bytes(view.shape, rng) >= steps
    # On a CPU, bytes become floats five times as fast as truth values do.
    return view.mul(kept.view(torch.uint8)).mul_(STEPS / (STEPS - steps))


def mixed_features(view: torch.Tensor, share: float, rng: torch.Generator) -> torch.Tensor:
    """Replace features (batch, features) by those of a random row with probability `share`."""
    partner = torch.randperm(len(view), generator=rng, device=view.device)
    kept = random_bytes(view.shape, rng) >= round(share * STEPS)
    return torch.where(kept, view, view[partner])
