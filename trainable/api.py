"""What a method or model of your own may import; `docs/own-method.md` shows how. Everything else
may change.

A method is derived from `Method` and has a `Config(Section)`; a model is a `torch.nn.Module` with a
`Config(Section)`.
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
