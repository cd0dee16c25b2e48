"""Embeddings as a data set: feature vectors of any source, with labels. Imports pydantic only."""

from typing import Annotated, Literal

from pydantic import Field

from trainable.config.base import NonNegative
from trainable.config.data_fields import DataFields, OwnLabels

Share = Annotated[float, Field(ge=0, lt=1)]


class Embeddings(DataFields, OwnLabels):
    """Feature vectors with labels: of images, text, tables or audio, by any network.

    A file `.npz`, `.npy` with a table of labels, or `.parquet`, or a folder of such files. The
    formats are in docs/embeddings.md. Features stay in their file and are read in batches.
    """

    of_views = frozenset(
        {"normalise", "feature_dropout", "feature_jitter", "feature_mixing", "strong_views"}
    )
    name: Literal["embeddings"] = "embeddings"
    path: str
    """Path of the file or folder; a relative path starts at the folder of the study file. The path
    as written is part of the trial's id."""
    labels: str | None = None
    """Path of the table of labels of `.npy` files, `.csv`. null: `labels.csv` next to the file, or
    in the folder of files."""
    normalise: Literal["none", "standard", "l2"] = "standard"
    """Scale of the features that a network sees. standard: each feature has mean 0 and standard
    deviation 1 over the training set. l2: each vector has the length √d, so that the mean square of
    its d features is 1. none: as they are."""
    feature_dropout: Share = 0.2
    """Views for training: probability that a feature is replaced by 0, in steps of 1/256; the
    others are divided by 1 minus it. 0: off."""
    feature_jitter: NonNegative = 0.0
    """Views for training: standard deviation of Gaussian noise on each feature, as a multiple of
    the root mean square of the normalised features. 0: off."""
    feature_mixing: Share = 0.0
    """Views for training: probability that a feature is taken from another random sample of the
    batch (the corruption of SCARF, Bahri et al. 2022), in steps of 1/256. 0: off."""
    strong_views: Annotated[float, Field(ge=1)] = 2.0
    """Factor of dropout, jitter and mixing in strong views (`method.augment: augdesc`, SSR+). The
    resulting shares are at most 0.9."""
