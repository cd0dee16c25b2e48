"""TensorBoard events of one trial: its rows as scalars."""

import time
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard import SummaryWriter


class Events:
    """Writes rows; events of epochs after `finished` that an earlier process wrote are hidden by TensorBoard."""

    def __init__(self, path: Path, finished: int):
        self._writer = SummaryWriter(str(path), purge_step=finished + 1 if finished else None)
        self._file = self._writer._get_file_writer()
        self._flushed = 0.0

    def add(self, row: dict[str, Any]) -> None:
        """Add every number of a row at its epoch, and show it within a second or with the next row."""
        numbers = {n: v for n, v in row.items() if isinstance(v, int | float) and n != "epoch"}
        # One event for the whole row: thirty calls of `add_scalar` take ten times as long.
        values = [Summary.Value(tag=name, simple_value=value) for name, value in numbers.items()]
        self._file.add_summary(Summary(value=values), row["epoch"])
        if time.monotonic() - self._flushed > 1:
            self._writer.flush()
            self._flushed = time.monotonic()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()
