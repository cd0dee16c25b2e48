"""The device on which networks are trained or used."""

import torch

from trainable.errors import DataError

OUTSIDE_TENSORS = 0.1
"""Share of a shared GPU's memory that is reserved for CUDA's context and libraries."""
MOST_GRAPHS = 64
"""Limit of compiled variants of a step in one trial: two networks, with and without gradient, in
both modes, at several batch sizes."""


def choose_device(name: str) -> torch.device:
    """Return the device of that name; auto: CUDA if available, else the CPU.

    Raises:
        DataError: there is no such device, or CUDA is requested and not available.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise DataError(f"--device {name}: no CUDA device is available. Use --device cpu or auto")
    try:
        return torch.device(name)
    except RuntimeError:
        raise DataError(f"--device {name}: it is cpu, cuda or auto") from None


def count_gpus() -> int:
    """Return how many GPUs torch can use."""
    return torch.cuda.device_count()


def limit_memory(device: torch.device, share: float) -> None:
    """Limit this process to its share (0 to 1) of a GPU's memory.

    A process that needs more then fails itself, instead of other processes on the GPU.
    """
    if device.type == "cuda":
        # The function rejects a device without a number; None is the current device.
        torch.cuda.set_per_process_memory_fraction(
            share * (1 - OUTSIDE_TENSORS) if share < 1 else 1.0, device.index
        )


def compile_afresh() -> None:
    """Discard what earlier trials of this process compiled.

    It counts towards torch's limit, and steps beyond the limit run eagerly. Compilation changes
    rounding, so it must not depend on earlier trials.
    """
    torch.compiler.reset()
    torch._dynamo.config.recompile_limit = MOST_GRAPHS
