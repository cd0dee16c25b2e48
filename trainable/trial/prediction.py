"""Predictions for images of any number: files, folders and arrays, read batch by batch."""

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from trainable.data.embedding_files import vectors_of
from trainable.data.feature_scale import FeatureScale
from trainable.data.image_folder import files_below, is_image
from trainable.data.npz_rows import arrays_of_images, rows
from trainable.errors import DataError
from trainable.trial.trained_model import TrainedModel


@dataclass(frozen=True)
class Predicted:
    """The most probable classes of an image, the first one first.

    Attributes:
        file: the image's file; of an array, its file, and its name if the file has several.
        index: row in the array; None: the file is the image.
        classes: names of the classes.
        probabilities: probability of each of them.
    """

    file: str
    index: int | None
    classes: list[str]
    probabilities: list[float]


@dataclass(frozen=True)
class Skipped:
    """An image or a file of arrays that cannot be read; the reason names it."""

    reason: str


@dataclass(frozen=True)
class _Image:
    """An image to predict: its file or its pixels, or why it cannot be read."""

    file: str
    index: int | None
    content: Path | np.ndarray | DataError


def predict(
    models: Sequence[TrainedModel], paths: Iterable[Path], top: int = 1
) -> Iterator[Predicted | Skipped]:
    """Predict images in their order; memory does not grow with their number.

    Args:
        models: their probabilities are averaged.
        paths: image files, `.npz` files with images, and folders of image files at any depth. For
            networks of embeddings: files of features, and folders of them.
        top: number of most probable classes.

    Raises:
        DataError: the models are of different classes or of images of different kinds.
    """
    first = models[0]
    for model in models[1:]:
        if (model.class_names, model.preprocessing) != (first.class_names, first.preprocessing):
            raise DataError("the trials have different classes or images: choose one with --seed")
    if isinstance(first.preprocessing, FeatureScale):
        images = _vectors(paths)
    else:
        images = _images(paths)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        while batch := list(islice(images, first.preprocessing.most_at_once(first.device))):
            contents = list(pool.map(lambda image: _read(first, image), batch))
            yield from _predict_batch(models, batch, contents, top)


def _read(model: TrainedModel, image: _Image) -> np.ndarray | DataError:
    """Return an image as training reads it, or why it cannot be read."""
    if isinstance(image.content, DataError):
        return image.content
    try:
        return model.read(image.content)
    except DataError as error:
        if image.index is None:
            return error
        return DataError(f"{image.file}, row {image.index}: {error}")


def _predict_batch(
    models: Sequence[TrainedModel],
    images: Sequence[_Image],
    contents: Sequence[np.ndarray | DataError],
    top: int,
) -> Iterator[Predicted | Skipped]:
    """Yield what is predicted for the images of a batch.

    Args:
        models: their probabilities are averaged.
        images: the images.
        contents: their pixels as training reads them, or why there are none.
        top: number of most probable classes.
    """
    valid = [content for content in contents if isinstance(content, np.ndarray)]
    probabilities: Iterator[np.ndarray] = iter(())
    if valid:
        pixels = np.stack(valid)
        probabilities = iter(np.mean([model.probabilities_of(pixels) for model in models], axis=0))
    names = models[0].class_names
    for image, content in zip(images, contents, strict=True):
        if isinstance(content, DataError):
            yield Skipped(str(content))
            continue
        each = next(probabilities)
        best = np.argsort(-each, kind="stable")[:top]
        classes = [names[label] for label in best]
        yield Predicted(image.file, image.index, classes, each[best].tolist())


def _images(paths: Iterable[Path]) -> Iterator[_Image]:
    """Yield the images of files, folders and arrays, in their order."""
    for path in paths:
        if path.is_dir():
            for file in files_below(path):
                if is_image(file):
                    yield _Image(_shown(file), None, file)
        elif path.suffix.lower() == ".npz":
            yield from _rows(path)
        else:
            yield _Image(_shown(path), None, path)


def _rows(path: Path) -> Iterator[_Image]:
    """Yield the images of a file of arrays; where it cannot be read, the reason instead."""
    name = _shown(path)
    try:
        arrays = arrays_of_images(path)
    except DataError as error:
        yield _Image(name, None, error)
        return
    for array in arrays:
        file = f"{name}:{array}" if len(arrays) > 1 else name
        try:
            for index, image in enumerate(rows(path, array)):
                yield _Image(file, index, image)
        except DataError as error:
            yield _Image(file, None, error)


def _vectors(paths: Iterable[Path]) -> Iterator[_Image]:
    """Yield the vectors of files of embeddings; where one cannot be read, the reason instead."""
    for path in paths:
        index: dict[Path, int] = {}
        try:
            for file, chunk in vectors_of(path):
                for vector in chunk:
                    index[file] = index.get(file, -1) + 1
                    yield _Image(_shown(file), index[file], vector)
        except DataError as error:
            yield _Image(_shown(path), None, error)


def _shown(path: Path) -> str:
    """Return a file's name as text, whatever its bytes are."""
    return os.fsencode(path).decode(errors="backslashreplace")
