"""Cross-entropy on the samples that another trial judges clean.

The test accuracy measures the quality of a threshold on the clean probability. A high threshold
keeps few wrong labels, but possibly also few samples, in particular of difficult classes.
"""

from dataclasses import replace

import numpy as np

from trainable.config.methods import Retrain as RetrainConfig
from trainable.config.trial import TrialConfig
from trainable.data.dataset import Dataset
from trainable.engine import metrics
from trainable.engine.learner import Learner
from trainable.errors import DataError
from trainable.methods.base import Row
from trainable.methods.cross_entropy import CrossEntropy
from trainable.random_streams import Streams


class Retrain(CrossEntropy):
    """Cross-entropy on the kept samples; every row has their share and their quality.

    Raises:
        DataError: fewer than two samples are kept.
    """

    def __init__(
        self, config: TrialConfig, data: Dataset, learners: list[Learner], streams: Streams
    ):
        super().__init__(config, replace(data, epoch_batches=None), learners, streams)
        assert isinstance(config.method, RetrainConfig)
        assert data.judged is not None
        threshold = config.method.p_threshold
        judged = np.nan_to_num(data.judged, nan=-1.0)
        clean = judged > threshold if threshold else np.ones(len(judged), bool)
        if clean.sum() < 2:
            raise DataError(
                f"method.p_threshold: {threshold:g} keeps {clean.sum()} of {len(clean)} samples; "
                f"at least 2 are needed. The largest clean probability is {judged.max():.4g}"
            )
        self.kept = np.flatnonzero(clean)
        self.described = {"labeled_fraction": float(clean.mean())}
        if data.train.true_known:
            right = (data.train.given == data.train.true).cpu().numpy()
            self.described.update(metrics.division(judged, clean, right))

    def train_epoch(self) -> Row:
        """Train each network for one epoch with cross-entropy on the kept samples."""
        row = super().train_epoch()
        for name, value in self.described.items():
            for k in range(len(self.learners)):
                row[f"division/{name}_net{k}"] = value
        return row
