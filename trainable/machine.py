"""Where and on what a trial runs; none of it may change a trial's result."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Machine:
    """Settings of the machine, outside `TrialConfig`."""

    study_dir: Path = Path()
    """Folder of the study file: relative data paths start here."""
    data_dir: Path = Path("data")
    """Folder of named data sets (CIFAR-10)."""
    threads: int = 1
    """Of torch, and workers that decode streamed images."""
    device: str = "auto"
    """auto: CUDA where there is one, else the CPU."""
    checkpoint_every: int = 1
    """Epochs between checkpoints; a stopped trial keeps its last epoch in any case."""
    trial_timeout: float | None = None
    """Seconds of training after which a trial is given up."""
    resident: bool | Literal["auto"] = "auto"
    """Whether image files are all decoded into memory, or in every epoch anew; auto: in memory if they fit."""
    source_dir: Path | None = None
    """Folder of the finished trial that the trial uses (`from_arm`); whether it is the right one, its id tells."""
