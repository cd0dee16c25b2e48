"""Files of trained networks: `model.pt` and `best.pt` of a trial.

Such a file holds the weights of a trial's networks and a description, with which they are used
without the data set. Files of earlier versions hold the weights alone.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from trainable.data.feature_scale import FeatureScale
from trainable.data.preprocessing import Preprocessing
from trainable.errors import DataError

Weights = Mapping[str, torch.Tensor]
"""State dict of a network."""
Averages = Literal["logits", "probabilities", "own"]
"""Outputs of the networks that are averaged in their ensemble; own: by a rule of an own method."""

NETWORKS = "networks"
DESCRIPTION = "description"
IMAGES = "images"
FEATURES = "features"
"""Key of the preprocessing in a description: that of images, or of feature vectors."""


@dataclass(frozen=True)
class Description:
    """What is needed to use the networks of a trial.

    Attributes:
        model: the section `model` of the trial's configuration, as plain data.
        class_names: names of the classes, in their order; numbers where the data set has no names.
        preprocessing: how an image, or a feature vector, becomes their input.
        averages: outputs of the networks that are averaged.
        precision: `train.precision` of the trial.
    """

    model: dict[str, Any]
    class_names: tuple[str, ...]
    preprocessing: Preprocessing | FeatureScale
    averages: Averages
    precision: str

    @classmethod
    def from_dict(cls, content: Any) -> "Description":
        """Return what `to_dict` was called of.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        names = content["class_names"]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise TypeError("class_names is a list of texts")
        preprocessing: Preprocessing | FeatureScale
        if FEATURES in content:
            preprocessing = FeatureScale.from_dict(content[FEATURES])
        else:
            preprocessing = Preprocessing.from_dict(content[IMAGES])
        return cls(
            model=dict(content["model"]),
            class_names=tuple(names),
            preprocessing=preprocessing,
            averages=content["averages"],
            precision=content["precision"],
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        kind = IMAGES if isinstance(self.preprocessing, Preprocessing) else FEATURES
        return {
            "model": self.model,
            "class_names": list(self.class_names),
            kind: self.preprocessing.to_dict(),
            "averages": self.averages,
            "precision": self.precision,
        }


def class_names(names: Sequence[str], classes: int) -> tuple[str, ...]:
    """Return the names of a data set's classes; without names, their numbers."""
    return tuple(names) or tuple(map(str, range(classes)))


def packed(states: Sequence[Weights], description: Description) -> bytes:
    """Return the content of a file, for `torch.load(…, weights_only=True)`.

    Args:
        states: a state dict of each network.
        description: what is needed to use them.
    """
    buffer = io.BytesIO()
    torch.save({NETWORKS: list(states), DESCRIPTION: description.to_dict()}, buffer)
    return buffer.getvalue()


def read_model(file: Path) -> tuple[list[Weights], Description | None]:
    """Return the state dict of each network in a file, and their description.

    Args:
        file: a file of this program, or another one with a state dict or a list of them; these have
            no description. No code of the file is executed.

    Raises:
        DataError: the file is missing, has no weights, or its description is damaged.
    """
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}") from None
    except Exception as error:  # torch raises many types
        lines = str(error).splitlines()
        reason = lines[0] if lines else type(error).__name__
        raise DataError(
            f"{file} is not a file of weights that can be loaded safely: {reason}"
        ) from None
    description = None
    states = content if isinstance(content, list) else [content]
    if isinstance(content, dict) and isinstance(content.get(NETWORKS), list):
        states = content[NETWORKS]
        try:
            description = Description.from_dict(content[DESCRIPTION])
        except (KeyError, TypeError, ValueError):
            raise DataError(
                f"{file} has weights, but no description of the networks that this version reads"
            ) from None
    if not states or not all(map(_is_state, states)):
        raise DataError(
            f"{file} contains no weights; expected a file that torch.save(network.state_dict(), …) "
            "wrote"
        )
    return states, description


def _is_state(content: Any) -> bool:
    if not isinstance(content, Mapping) or not content:
        return False
    return all(isinstance(value, torch.Tensor) for value in content.values())
