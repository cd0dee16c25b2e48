"""Load initial weights of networks from a file (`init: pretrained`)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import nn

from trainable.config.data import Photos
from trainable.config.initialization import Start, content_hash
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.data import registry
from trainable.data.arrays import Arrays
from trainable.data.features import Features
from trainable.engine.model_file import Weights, read_model
from trainable.errors import DataError
from trainable.models.build import build
from trainable.models.head import head_name
from trainable.storage.wording import first_names

Shape = tuple[int, ...]


def load_pretrained(
    networks: Sequence[nn.Module], file: Path, expected: str | None = None
) -> list[str]:
    """Load the weights of a file into networks; return messages about ignored layers.

    Args:
        networks: they are changed in place.
        file: a state dict, or several (a list, or `model.pt`), which the networks use in turn.
        expected: SHA-256 of the file's content; None: not checked.

    Raises:
        DataError: the file is missing, has changed, has no weights, or those of another network.
    """
    notes = []
    states = _read(file, expected)
    for k, network in enumerate(networks):
        note = load_state(network, states[k % len(states)], file)
        if note:
            notes.append(f"network {k}: {note}")
    return notes


def misfit(config: TrialConfig, machine: Machine) -> str | None:
    """Return why the weights of a trial's `init: pretrained` cannot be used; None: they can.

    The data are read, because a network depends on the size of the images.
    """
    start = config.method
    if not isinstance(start, Start) or start.init != "pretrained" or start.weights is None:
        return None
    try:
        arrays = registry.load(config.data, machine)
        shape = _input_shape(config, arrays)
        network = build(config.model, shape, arrays.classes, seed=0)
        load_pretrained([network], machine.study_dir / start.weights)
    except DataError as error:
        return str(error)
    return None


def _input_shape(config: TrialConfig, arrays: Arrays) -> tuple[int, ...]:
    """Return the shape of a network's input, without the batch."""
    images = arrays.train.images
    if isinstance(images, Features):
        return (images.width,)
    height, width, channels = images.shape[-3:]
    crop = config.data.crop if isinstance(config.data, Photos) else None
    return channels, crop or height, crop or width


def _read(file: Path, expected: str | None) -> list[Weights]:
    try:
        stat = file.stat()
        if expected is not None and content_hash(file, stat.st_mtime_ns, stat.st_size) != expected:
            raise DataError(f"{file} has changed since the study was read; run the study again")
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}") from None
    states, _ = read_model(file)
    return states


def load_state(network: nn.Module, state: Weights, file: Path) -> str:
    """Load one state dict; return a message about an ignored last layer, or an empty string.

    Raises:
        DataError: the weights are those of another network.
    """
    own = network.state_dict()
    last = {name for name in own if name.startswith(f"{head_name(network)}.")}
    shapes = {name: tuple(tensor.shape) for name, tensor in own.items()}
    head_fits = all(name in state and tuple(state[name].shape) == shapes[name] for name in last)
    kept = dict(state)
    expected = dict(shapes)
    if not head_fits:
        for name in last:
            kept.pop(name, None)
            expected.pop(name)
    wrong = _differences(kept, expected, shapes)
    if wrong:
        raise DataError(f"{file} has the weights of another network: {first_names(wrong, shown=3)}")
    network.load_state_dict({**own, **kept})
    if head_fits:
        return ""
    names = ", ".join(sorted(last))
    return f"the last layer ({names}) does not fit {file.name} and is initialised at random"


def _differences(
    kept: Weights, expected: Mapping[str, Shape], shapes: Mapping[str, Shape]
) -> list[str]:
    """List missing weights, unknown weights and weights of another shape.

    Args:
        kept: weights of the file.
        expected: shapes of the required weights.
        shapes: shapes of all weights of the network.
    """
    missing = [f"{name} is missing" for name in expected if name not in kept]
    unknown = [f"{name} is unknown" for name in kept if name not in shapes]
    misshapen = []
    for name, tensor in kept.items():
        found = tuple(tensor.shape)
        if name in shapes and found != shapes[name]:
            misshapen.append(f"{name} is {found} and should be {shapes[name]}")
    return missing + unknown + misshapen
