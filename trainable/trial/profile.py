"""Profile one epoch with PyTorch's profiler, into a trace for Perfetto."""

from pathlib import Path

from torch.profiler import ProfilerActivity, profile

from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.methods.base import Row
from trainable.trial.trial import Trial

BEFORE = 2
"""Number of epochs before the profiled one: a warm-up epoch if the method has warm-up, then an
epoch in which memory is allocated and caches are filled."""


def profile_epoch(config: TrialConfig, machine: Machine, trace: Path) -> Row:
    """Train `BEFORE` epochs, profile the next one into `trace` (`.json.gz`) and return its row.

    Warm-up is shortened to one epoch, so the profiled epoch is not a warm-up epoch.

    Raises:
        TrialError: the data is missing or wrong, or training diverged.
    """
    epochs = max(config.train.epochs, BEFORE + 1)
    config = config.model_copy(
        update={
            "method": config.method.with_warmup(1),
            "train": config.train.model_copy(update={"epochs": epochs}),
        }
    )
    trial = Trial(config, machine)
    for _ in range(BEFORE):
        next(trial)
    kinds = [ProfilerActivity.CPU] + (
        [ProfilerActivity.CUDA] if trial.device.type == "cuda" else []
    )
    with profile(activities=kinds) as profiler:
        row = next(trial)
    trace.parent.mkdir(parents=True, exist_ok=True)
    profiler.export_chrome_trace(str(trace))
    return row
