"""The methods by their names in a study."""

from trainable.config.custom_code import Own
from trainable.config.trial import TrialConfig
from trainable.methods.base import Method
from trainable.methods.co_teaching import CoTeaching
from trainable.methods.co_teaching_plus import CoTeachingPlus
from trainable.methods.cross_entropy import CrossEntropy
from trainable.methods.dividemix import DivideMix
from trainable.methods.elr import Elr
from trainable.methods.elr_plus import ElrPlus
from trainable.methods.jocor import Jocor
from trainable.methods.mixmatch import MixMatch
from trainable.methods.mixup import MixUp
from trainable.methods.retrain import Retrain
from trainable.methods.ssr_plus import SsrPlus

METHODS: dict[str, type[Method]] = {
    "dividemix": DivideMix,
    "cross_entropy": CrossEntropy,
    "mixup": MixUp,
    "co_teaching": CoTeaching,
    "co_teaching_plus": CoTeachingPlus,
    "jocor": Jocor,
    "elr": Elr,
    "elr_plus": ElrPlus,
    "mixmatch": MixMatch,
    "ssr_plus": SsrPlus,
    "retrain": Retrain,
}


def method_of(config: TrialConfig) -> type[Method]:
    """Return the class that trains by `config.method`, the user's own one or one of `METHODS`."""
    if isinstance(config.method, Own):
        return config.method.implementation
    return METHODS[config.method.name]
