"""TensorBoard events of one trial: its rows as scalars."""

from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter


class Events:
    """Writes rows; events of epochs after `finished` that an earlier process wrote are hidden by TensorBoard."""

    def __init__(self, path: Path, finished: int):
        self._writer = SummaryWriter(str(path), purge_step=finished + 1 if finished else None)

    def add(self, row: dict[str, Any]) -> None:
        """Add every number of a row at its epoch, and flush."""
        for name, value in row.items():
            if isinstance(value, int | float) and name != "epoch":
                self._writer.add_scalar(name, value, row["epoch"])
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()
