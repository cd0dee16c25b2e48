"""Networks whose features are taken: of torchvision, of timm, or of a user's own file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from trainable.config.custom_code import own_function
from trainable.config.messages import Misfit
from trainable.config.models import Timm, missing_package
from trainable.embedding.encoder import Encoder
from trainable.engine.model_file import Weights, read_model
from trainable.engine.pretrained import load_state
from trainable.errors import DataError
from trainable.models.from_timm import read_safetensors, timm_classifier
from trainable.models.from_torchvision import published_network
from trainable.models.head import head_name

BATCH = 64


class Network(Encoder):
    """The inputs of a network's last layer.

    Args:
        network: maps images (batch, 3, side, side) to features (batch, width).
        side: side of the images, pixels.
        mean, std: of the pixels that the network was trained on, in [0, 1], per channel.
        device: where it computes.
    """

    batch = BATCH
    channels = 3

    def __init__(
        self,
        network: nn.Module,
        side: int,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        device: torch.device,
    ):
        self.side = side
        self._network = network.eval().to(device)
        self._mean = torch.tensor(mean, device=device).reshape(1, 3, 1, 1)
        self._std = torch.tensor(std, device=device).reshape(1, 3, 1, 1)
        self._device = device

    def encode(self, pixels: np.ndarray) -> np.ndarray:
        """Return the features (batch, width)."""
        images = torch.from_numpy(pixels).to(self._device).permute(0, 3, 1, 2).float() / 255
        with torch.inference_mode():
            features = self._network((images - self._mean) / self._std)
        found: np.ndarray = features.flatten(1).float().cpu().numpy()
        return found


class OwnFunction(Encoder):
    """A function of a user's file.

    Args:
        function: called once with the path of the weights (None without), it returns a function
            that maps images (batch, height, width, channels) uint8 to features (batch, width).
        name: the file and the function, for messages.
        weights: the path.

    Raises:
        DataError: the function fails.
    """

    batch = BATCH

    def __init__(self, function: Callable[[Path | None], object], name: str, weights: Path | None):
        self._name = name
        try:
            encode = function(weights)
        except Exception as error:  # a user's code can raise any type
            raise DataError(f"--model {name}: {type(error).__name__}: {error}") from error
        if not callable(encode):
            raise DataError(
                f"--model {name} should return a function of images; it returns "
                f"{type(encode).__name__}"
            )
        self._encode = encode

    def encode(self, pixels: np.ndarray) -> np.ndarray:
        """Return the features (batch, width)."""
        try:
            with torch.inference_mode():
                found = self._encode(pixels)
        except Exception as error:  # a user's code can raise any type
            raise DataError(f"--model {self._name}: {type(error).__name__}: {error}") from error
        if isinstance(found, torch.Tensor):
            found = found.cpu().numpy()
        if not isinstance(found, np.ndarray) or found.ndim != 2 or len(found) != len(pixels):
            given = getattr(found, "shape", type(found).__name__)
            raise DataError(
                f"--model {self._name} should return ({len(pixels)}, width) features for "
                f"{len(pixels)} images; it returns {given}"
            )
        return found


def torchvision_encoder(
    name: str, weights: Path | None, side: int | None, device: torch.device
) -> Network:
    """Return a network of torchvision with the weights of a file.

    `side` of the images; None: that of the published weights.

    Raises:
        DataError: there is no such network, or the weights are missing or those of another one.
    """
    network, usual_side, mean, std = published_network(name)
    _load(network, _weights_file(f"torchvision:{name}", weights))
    network.set_submodule(head_name(network), nn.Identity())
    if side is not None:
        _check_side(network, f"torchvision:{name}", side, usual_side)
    return Network(network, side or usual_side, mean, std, device)


def timm_encoder(
    name: str, weights: Path | None, side: int | None, device: torch.device
) -> Network:
    """Return a network of timm with the weights of a file; else as `torchvision_encoder`.

    For another side than that of the published weights, timm resamples the position embeddings.
    """
    model = Timm(name=f"timm:{name}")
    if missing_package(model.name):
        raise DataError(
            f"--model {model.name} needs a package: pip install 'dividemix-orchestrator[timm]'"
        )
    network, usual_side, mean, std = timm_classifier(model.name)
    _load(network, _weights_file(model.name, weights))
    network.reset_classifier(0)  # type: ignore[operator]
    if side is not None:
        if side != usual_side and hasattr(network, "set_input_size"):
            network.set_input_size(img_size=(side, side))  # type: ignore[operator]
        _check_side(network, model.name, side, usual_side)
    return Network(network, side or usual_side, mean, std, device)


def _check_side(network: nn.Module, model: str, side: int, usual_side: int) -> None:
    """Try an image of `side` pixels; raise DataError if the network cannot take it."""
    try:
        with torch.inference_mode():
            network.eval()(torch.zeros(1, 3, side, side))
    except (AssertionError, RuntimeError) as error:
        raise DataError(
            f"--size {side}: --model {model} takes images of {usual_side}×{usual_side} pixels; "
            f"leave --size out, or take another model ({error})"
        ) from None


def own_encoder(name: str, weights: Path | None) -> OwnFunction:
    """Return the function `FILE.py:FUNCTION`.

    Raises:
        DataError: the file or the function does not exist, or fails.
    """
    if weights is not None and not weights.is_file():
        raise DataError(f"--weights {weights}: there is no such file")
    try:
        function = own_function(name)
    except Misfit as misfit:
        raise DataError(f"--model {name}: {misfit}") from None
    return OwnFunction(function, name, weights)


def _weights_file(model: str, weights: Path | None) -> Path:
    """Return the file of weights. Raises DataError if none is named."""
    if weights is None:
        raise DataError(
            f"--model {model} needs --weights FILE, a state dict of this network; nothing is "
            "downloaded. Where there is a connection, "
            'torch.save(network.state_dict(), "FILE") writes one. '
            "--model random and --model pca need no weights"
        )
    return weights


def _load(network: nn.Module, file: Path) -> None:
    """Load the weights of a file; those of the last layer may be absent or of other classes.

    Raises:
        DataError: the file cannot be read, or has the weights of another network.
    """
    state: Weights
    if file.suffix == ".safetensors":
        state = read_safetensors(file)
    else:
        states, _ = read_model(file)
        if len(states) > 1:
            raise DataError(f"{file} has the weights of {len(states)} networks; one is expected")
        state = states[0]
    load_state(network, state, file)
