"""Cross-entropy on the given labels: DivideMix's warm-up for all epochs."""

from trainable.methods.base import Method, Row


class CrossEntropy(Method):
    """The baseline that memorises wrong labels: its last accuracy is below its best accuracy."""

    def train_epoch(self) -> Row:
        """Train each network for one epoch with cross-entropy."""
        row = self.cross_entropy_epoch()
        self.record_losses()
        return {"phase": "warmup", **row}
