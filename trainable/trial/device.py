"""The device on which networks are trained or used."""

import torch

from trainable.errors import DataError


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
