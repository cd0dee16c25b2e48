"""One epoch under PyTorch's profiler: where the time goes, and a trace that Perfetto opens."""

from pathlib import Path

from torch.profiler import ProfilerActivity, profile

from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.methods.base import Row
from trainable.trial.trial import Trial

BEFORE = 2
"""Epochs before the profiled one: a warm-up epoch where the method has one, then one that allocates
and caches."""


def profile_epoch(config: TrialConfig, machine: Machine, trace: Path) -> Row:
    """Train `BEFORE` epochs, profile the next one into `trace` (`.json.gz`) and return its row.

    A warm-up is cut to one epoch, so that the profiled epoch is one of the method's own.

    Raises:
        TrialError: the data is missing or wrong, or training diverged.
    """
    shorter: dict[str, object] = (
        {"warmup_epochs": 1} if hasattr(config.method, "warmup_epochs") else {}
    )
    epochs = max(config.train.epochs, BEFORE + 1)
    config = config.model_copy(
        update={
            "method": config.method.model_copy(update=shorter),
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
