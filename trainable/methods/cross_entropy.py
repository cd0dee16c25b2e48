"""Plain cross-entropy on the given labels: DivideMix's warm-up, continued to the end."""

from trainable.methods.base import Method, Row


class CrossEntropy(Method):
    """The baseline that memorises wrong labels; best and last accuracy differ by how much."""

    def train_epoch(self) -> Row:
        """One epoch of cross-entropy for each network."""
        row = self.cross_entropy_epoch()
        self.record_losses()
        return {"phase": "warmup", **row}
