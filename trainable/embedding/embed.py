"""Write the features of a data set's images to a file, batch by batch."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from trainable.config.custom_code import is_own
from trainable.config.runtime import Machine
from trainable.embedding.encoder import Encoder
from trainable.embedding.feature_file import ROWS, Shards
from trainable.embedding.images import read_images
from trainable.embedding.networks import own_encoder, timm_encoder, torchvision_encoder
from trainable.embedding.principal_components import PrincipalComponents
from trainable.embedding.random_patches import RandomPatches
from trainable.errors import DataError
from trainable.storage.code_version import code_hash
from trainable.trial.device import choose_device

KINDS = "random, pca, torchvision:NAME, timm:NAME or FILE.py:FUNCTION"


@dataclass(frozen=True)
class Request:
    """What is to be embedded, and how.

    Attributes:
        source: folder of images, `.npz` file, or name of a data set.
        model: one of `KINDS`.
        weights: file of the network's weights; None: there is none.
        side: side of the squares to which images are scaled, pixels; None: as the model needs.
        seed: seed of random patches, and of the sample that a model is fitted to.
        skip_unreadable: whether damaged files of a folder are left out.
    """

    source: str
    model: str
    weights: Path | None = None
    side: int | None = None
    seed: int = 0
    skip_unreadable: bool = False


@dataclass(frozen=True)
class Embedded:
    """A file of features.

    Attributes:
        rows: number of rows.
        width: number of features.
        resumed: number of rows that were there already.
        left_out: sentence about damaged files that have no row; "": there are none.
    """

    rows: int
    width: int
    resumed: int
    left_out: str = ""


def embed(
    request: Request, out: Path, machine: Machine, tell: Callable[[int, int], None]
) -> Embedded:
    """Write the features of all images; resume if an earlier call was interrupted.

    Args:
        request: images and model.
        out: the `.npz` file; until it is complete, there is a folder `.OUT.partial`.
        machine: where data sets with a name are, threads that decode, device.
        tell: called with the number of images that are done, and of all.

    Raises:
        DataError: images, weights or the model are not valid; features are not finite.
    """
    device = choose_device(machine.device)
    encoder = _encoder(request, device)
    images = read_images(
        request.source,
        machine,
        request.side or encoder.side,
        encoder.channels,
        machine.threads,
        request.skip_unreadable,
    )
    shards = Shards(
        out,
        {
            "images": images.content,
            "side": request.side or encoder.side,
            "model": request.model,
            "weights": _content(request.weights),
            "function": _content(Path(request.model.rpartition(":")[0]))
            if is_own(request.model)
            else None,
            "seed": request.seed,
            "device": device.type,
            "code": code_hash(),
        },
    )
    encoder.use(shards.fitted(lambda: encoder.fit(images)))
    total = len(images)
    count = -(-total // ROWS)
    resumed = 0
    for number in range(count):
        rows = np.arange(number * ROWS, min((number + 1) * ROWS, total))
        if shards.has(number):
            resumed += len(rows)
        else:
            batches = np.array_split(rows, -(-len(rows) // encoder.batch))
            features = [_finite(encoder.encode(images.load(batch)), batch) for batch in batches]
            shards.write(number, np.concatenate(features))
        tell(int(rows[-1]) + 1, total)
    width = shards.join(count, images.columns(out.parent))
    return Embedded(total, width, resumed, images.left_out)


def _encoder(request: Request, device: torch.device) -> Encoder:
    """Return the model. Raises DataError if it is unknown or cannot be used."""
    kind, _, name = request.model.partition(":")
    if is_own(request.model):
        return own_encoder(request.model, request.weights)
    if kind == "torchvision" and name:
        return torchvision_encoder(name, request.weights, request.side, device)
    if kind == "timm" and name:
        return timm_encoder(name, request.weights, request.side, device)
    if request.model not in ("random", "pca"):
        raise DataError(f"--model {request.model}: expected {KINDS}")
    if request.weights is not None:
        raise DataError(f"--weights {request.weights}: --model {request.model} has no weights")
    if request.model == "random":
        return RandomPatches(request.seed)
    return PrincipalComponents(request.seed)


def _content(file: Path | None) -> str | None:
    """Return the SHA-256 of a file's content. Raises DataError if it cannot be read."""
    if file is None:
        return None
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}") from None


def _finite(features: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return features as float16. Raises DataError if one is not finite or too large for that."""
    with np.errstate(over="ignore"):
        found = features.astype(np.float16)
    wrong = np.flatnonzero(~np.isfinite(found).all(axis=1))
    if len(wrong):
        worst = np.abs(features[wrong[0]]).max()
        raise DataError(
            f"the features of the image in row {rows[wrong[0]]} are not finite numbers of at most "
            f"65504, the largest of 16 bits: {worst:g}"
        )
    return found
