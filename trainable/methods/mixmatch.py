"""Divide-and-MixMatch: the lowest row of the DivideMix paper's ablation, with DivideMix's own step.

One network divides for itself; labels of the labeled are taken as they are, the unlabeled get the
sharpened mean of the network's own predictions. From MixMatch itself (Berthelot et al., NeurIPS
2019) it differs, as DivideMix does: labeled images have `n_aug` views too, the mean prediction is
drawn to the prior (`prior_penalty: 0` for none), BatchNorm is in train mode while it guesses, and
weights are not averaged for testing.
"""

from trainable.config.dividemix import DivideMix as DivideMixConfig
from trainable.config.methods import MixMatch as MixMatchConfig
from trainable.config.trial import TrialConfig
from trainable.data.dataset import Dataset
from trainable.engine.learner import Learner
from trainable.methods.dividemix import DivideMix
from trainable.random_streams import Streams


class MixMatch(DivideMix):
    """DivideMix of one network without co-refinement."""

    def __init__(
        self, config: TrialConfig, data: Dataset, learners: list[Learner], streams: Streams
    ):
        assert isinstance(config.method, MixMatchConfig)
        method = as_dividemix(config.method)
        super().__init__(config.model_copy(update={"method": method}), data, learners, streams)


def as_dividemix(m: MixMatchConfig) -> DivideMixConfig:
    """The same as switches of DivideMix."""
    return DivideMixConfig(networks=1, co_refine=False, **m.model_dump(exclude={"name"}))
