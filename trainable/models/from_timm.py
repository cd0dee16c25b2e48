"""Networks of the optional package timm (github.com/huggingface/pytorch-image-models)."""

import difflib
from pathlib import Path

import torch
from torch import nn

from trainable.config.models import Timm, missing_package
from trainable.errors import DataError

PREFIX = "timm:"


def unknown_name(model: str) -> str | None:
    """Return a message if timm, which is installed, has no network of this name; else None."""
    import timm

    name = model.removeprefix(PREFIX)
    if timm.is_model(name):
        return None
    close = difflib.get_close_matches(name, timm.list_models(), n=1)
    known = f"; did you mean `{PREFIX}{close[0]}`?" if close else ""
    return f"model.name: timm {timm.__version__} has no model `{name}`{known}"


def timm_network(model: Timm, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Build a network with random weights for images of `shape` (channels, h, w).

    Raises:
        DataError: timm is not installed, or has no model of that name.
    """
    problem = missing_package(model.name) or unknown_name(model.name)
    if problem:
        raise DataError(problem)
    import timm

    network: nn.Module = timm.create_model(
        model.name.removeprefix(PREFIX), pretrained=False, num_classes=classes, in_chans=shape[0]
    )
    return network


def timm_classifier(
    model: str,
) -> tuple[nn.Module, int, tuple[float, ...], tuple[float, ...]]:
    """Return a classifier of timm with random weights, and what images it was made for.

    Args:
        model: `timm:NAME`.

    Returns:
        The network for 3 channels; side of the images, pixels; mean and standard deviation per
        channel that they are normalised by, of pixels in [0, 1].

    Raises:
        DataError: timm has no model of that name.
    """
    problem = unknown_name(model)
    if problem:
        raise DataError(problem.removeprefix("model.name: "))
    import timm

    network: nn.Module = timm.create_model(model.removeprefix(PREFIX), pretrained=False)
    images = timm.data.resolve_model_data_config(network)
    return network, images["input_size"][-1], images["mean"], images["std"]


def read_safetensors(file: Path) -> dict[str, torch.Tensor]:
    """Return the weights of a `.safetensors` file, in which timm's models are published.

    Raises:
        DataError: the file is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(file)
    except (SafetensorError, OSError) as error:
        raise DataError(f"{file} is not a readable file of weights: {error}") from None
