"""The stable interface for your own methods and models; `docs/own-method.md` has examples.

A method is a subclass of `Method` with a `Config(Section)`. A model is a `torch.nn.Module` with a
`Config(Section)`. All other modules of this package may change.
"""

from trainable.config.base import Fraction, NonNegative, Positive, Section
from trainable.data.dataset import Dataset
from trainable.data.samples import Samples
from trainable.engine.learner import Learner
from trainable.errors import DataError, TrialError
from trainable.methods.base import Losses, Method, Row
from trainable.random_streams import Streams

__all__ = [
    "DataError",
    "Dataset",
    "Fraction",
    "Learner",
    "Losses",
    "Method",
    "NonNegative",
    "Positive",
    "Row",
    "Samples",
    "Section",
    "Streams",
    "TrialError",
]
