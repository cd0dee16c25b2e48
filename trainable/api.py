"""The stable interface: trained networks, and what your own methods and models need.

`load_model` loads the networks of a trial (`docs/predict.md`). A method is a subclass of `Method`
with a `Config(Section)`, and a model is a `torch.nn.Module` with a `Config(Section)`
(`docs/own-method.md`). All other modules of this package may change.
"""

from trainable.config.base import Fraction, NonNegative, Positive, Section
from trainable.data.dataset import Dataset
from trainable.data.samples import Samples
from trainable.engine.learner import Learner
from trainable.errors import DataError, TrialError
from trainable.methods.base import Losses, Method, Row
from trainable.random_streams import Streams
from trainable.trial.trained_model import TrainedModel, load_model

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
    "TrainedModel",
    "TrialError",
    "load_model",
]
