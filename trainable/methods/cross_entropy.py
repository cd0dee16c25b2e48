"""Plain cross-entropy on the given labels: DivideMix's warm-up, continued to the end."""

import numpy as np

from trainable.methods.base import Method, Row


class CrossEntropy(Method):
    """The baseline that memorises wrong labels; best and last accuracy differ by how much."""

    def train_epoch(self) -> Row:
        """One epoch of cross-entropy for each network."""
        row = self.cross_entropy_epoch()
        if self.epoch + 1 in {(self.config.train.epochs + 1) // 2, self.config.train.epochs}:
            with self.uncounted():
                self.record(self.epoch + 1)
        return {"phase": "warmup", **row}

    def record(self, epoch: int) -> None:
        """Keep each sample's loss and the ensemble's opinion after `epoch` epochs."""
        logits, losses = zip(*(self.judge_logits(learner, self.data.train) for learner in self.learners), strict=True)
        self.records[epoch] = {"loss": np.stack([loss.cpu().numpy() for loss in losses]), **self.ensemble(logits)}
