"""Divide-and-MixMatch: the last row of the DivideMix paper's ablation, with DivideMix's step.

One network divides the samples for itself. The labeled set keeps the given labels; the target of an
unlabeled sample is the sharpened mean of the network's own predictions. Like DivideMix, it differs
from MixMatch (Berthelot et al., NeurIPS 2019):

- Labeled images also have `n_aug` views.
- The loss includes the prior penalty (`prior_penalty: 0` switches it off).
- BatchNorm is in train mode during guessing.
- The tested weights are not averaged.
"""

from trainable.config.dividemix import DivideMix as DivideMixConfig
from trainable.config.methods import MixMatch as MixMatchConfig
from trainable.config.trial import TrialConfig
from trainable.data.dataset import Dataset
from trainable.engine.learner import Learner
from trainable.methods.dividemix import DivideMix
from trainable.random_streams import Streams


class MixMatch(DivideMix):
    """DivideMix with one network and without co-refinement."""

    def __init__(
        self, config: TrialConfig, data: Dataset, learners: list[Learner], streams: Streams
    ):
        assert isinstance(config.method, MixMatchConfig)
        method = as_dividemix(config.method)
        super().__init__(config.model_copy(update={"method": method}), data, learners, streams)


def as_dividemix(m: MixMatchConfig) -> DivideMixConfig:
    """Return the equivalent fields of DivideMix."""
    return DivideMixConfig(networks=1, co_refine=False, **m.model_dump(exclude={"name"}))
