"""Where and on what a trial runs; none of it may change a trial's result."""

from dataclasses import dataclass, replace
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
    gpu_share: float = 1.0
    """The part of a GPU that the trial may use, of 1; its share of the memory is a limit."""
    checkpoint_every: int = 1
    """Epochs between checkpoints; a stopped trial keeps its last epoch in any case."""
    trial_timeout: float | None = None
    """Seconds of training after which a trial is given up."""
    compile: bool = False
    """Whether whole batches run through `torch.compile` and CUDA graphs; without effect on the CPU,
    where it does not pay. Rounding is another one, as on another GPU."""
    resident: bool | Literal["auto"] = "auto"
    """Whether image files are all decoded into memory, or in every epoch anew; auto: in memory if
    they fit."""
    shared_dir: Path | None = None
    """Folder in which the first trial leaves decoded images for others; None: every trial decodes
    its own."""
    source_dir: Path | None = None
    """Folder of the finished trial that the trial uses (`from_arm`); whether it is the right one,
    its id tells."""
    pictures_every: int | None = None
    """Epochs between TensorBoard's pictures of a division; None: only at the epochs that the sample
    table keeps."""

    def sharing(self, gpu: float) -> "Machine":
        """This machine for trials that take so much of a GPU each. Without any, they stay on the
        CPU: Ray hides no GPU from a process that asks for none."""
        if gpu:
            return replace(self, gpu_share=gpu)
        return replace(self, device="cpu")
