"""Settings of the machine that runs a trial; none of them may change its result."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Machine:
    """Settings of the machine; they are not part of `TrialConfig`."""

    study_dir: Path = Path()
    """Folder of the study file, where relative data paths start."""
    data_dir: Path = Path("data")
    """Folder of data sets with a name, such as CIFAR-10."""
    threads: int = 1
    """Number of torch threads, and number of workers that decode streamed images."""
    device: str = "auto"
    """Device of the trial; auto: CUDA if available, else the CPU."""
    gpu_share: float = 1.0
    """Share of a GPU that the trial may use, 0 to 1; its memory is limited to this share."""
    checkpoint_every: int = 1
    """Epochs between checkpoints; a trial that is stopped always saves its last epoch."""
    trial_timeout: float | None = None
    """Time limit of training, s; None: no limit."""
    compile: bool = False
    """Whether full batches run through `torch.compile` and CUDA graphs. It has no effect on the
    CPU, where it saves no time. Rounding differs, as between two GPUs."""
    resident: bool | Literal["auto"] = "auto"
    """Whether all images are decoded into memory once; false: they are decoded in every epoch;
    auto: in memory if they fit."""
    shared_dir: Path | None = None
    """Folder for decoded images that trials on this machine share; None: each trial decodes its
    own."""
    source_dir: Path | None = None
    """Folder of the completed trial that this trial uses (`from_arm`); the trial checks its id."""
    pictures_every: int | None = None
    """Epochs between TensorBoard's images of a division; None: only at the epochs in the sample
    table."""
    pictures: bool = True
    """Whether TensorBoard gets images, histograms and curves of divisions at all."""

    def sharing(self, gpu: float) -> "Machine":
        """Return this machine for trials that use a share `gpu` of a GPU each, 0 to 1.

        With 0, trials use the CPU: Ray does not hide GPUs from a process that requests none.
        """
        if gpu:
            return replace(self, gpu_share=gpu)
        return replace(self, device="cpu")
