"""Streaming of images that do not fit into memory: workers decode the next batches.

A method passes its batches to `ahead`. When it needs their pixels, they are in memory as bytes.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

from trainable.data.contents import Contents
from trainable.data.images import Files
from trainable.errors import DataError

Batch = TypeVar("Batch")
Index = torch.Tensor | slice
Request = tuple[int, np.ndarray]
"""(part, rows): images of one split."""
Answer = tuple[Request, torch.Tensor, np.ndarray, str]
"""The request, the images, digests of their files, and what is wrong with a file."""


class _Decoding(Dataset[Any]):
    """Decodes the images of a request in a worker.

    A message about a bad file is returned, because an exception would become a traceback.
    """

    def __init__(self, parts: list[Files]):
        self.parts = parts

    def __getitem__(self, request: Request) -> Answer:
        part, rows = request
        try:
            images = self.parts[part].load(rows)
            digests = self.parts[part].digests(rows)
        except DataError as error:
            return request, torch.empty(0), np.empty(0, np.uint64), str(error)
        return request, torch.from_numpy(images), digests, ""


class _Requests:
    """The requests of the current pass."""

    now: Iterator[Request]

    def __iter__(self) -> Iterator[Request]:
        return self.now


class Stream:
    """Decoder of images of several splits, with `workers` processes that end with this object."""

    def __init__(self, parts: list[Files], workers: int, device: torch.device):
        self.parts = parts
        self.device = device
        self.contents = Contents([len(files) for files in parts])
        self._decoding = _Decoding(parts)
        self._requests = _Requests()
        self._loader = DataLoader(
            self._decoding,
            batch_size=None,  # a request is a batch already
            sampler=self._requests,
            collate_fn=_unchanged,
            num_workers=workers,
            persistent_workers=True,
            prefetch_factor=4,
            pin_memory=device.type == "cuda",
            generator=torch.Generator(),  # else it draws from the global generator
        )

    def fetch(self, part: int, rows: np.ndarray) -> torch.Tensor:
        """Decode images in this process, uint8 (batch, height, width, channels) on the device.

        Raises:
            DataError: a file is not a valid image, or has changed.
        """
        return self._ready(self._decoding[part, rows])

    def requested(self, requests: Iterator[Request]) -> Iterator[torch.Tensor]:
        """Yield the images of each request, in order, while the next ones are decoded.

        Raises:
            DataError: a file is not a valid image, or has changed.
        """
        self._requests.now = requests
        yield from map(self._ready, self._loader)

    def _ready(self, answer: Answer) -> torch.Tensor:
        (part, rows), images, found, problem = answer
        if problem:
            raise DataError(problem)
        changed = self.contents.add(part, rows, found)
        if changed is not None:
            raise DataError(f"{self.parts[part].path(changed)} has changed since it was first read")
        return images.to(self.device, non_blocking=True)


class Streamed:
    """Images of one split; those of the current batch are in memory.

    Attributes:
        shape: (n, h + 2·padding, w + 2·padding, channels), the shape of a resident split's tensor.
    """

    def __init__(self, stream: Stream, part: int, rows: np.ndarray, padding: int = 0):
        self.stream = stream
        self.part = part
        self.rows = rows
        self.padding = padding
        height, width, channels = stream.parts[part].shape
        self.shape = (len(rows), height + 2 * padding, width + 2 * padding, channels)
        self._batch = torch.empty(0)
        # Position of each sample in the current batch; −1: not in it.
        self._place = torch.full((len(rows),), -1)

    def __getitem__(self, index: torch.Tensor) -> "Streamed":
        """Return only the images at `index`."""
        return Streamed(self.stream, self.part, self.rows[index.cpu().numpy()], self.padding)

    def ahead(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Yield `batches` in order, each when its images are decoded."""
        waiting: deque[tuple[Batch, torch.Tensor]] = deque()

        def requests() -> Iterator[Request]:
            for batch in batches:
                index = self._index(batch)
                waiting.append((batch, index))
                yield self.part, self.rows[index.numpy()]

        for images in self.stream.requested(requests()):
            batch, index = waiting.popleft()
            self._batch = images
            self._place[index] = torch.arange(len(index))
            try:
                yield batch
            finally:
                self._place[index] = -1

    def padded(self, index: Index) -> torch.Tensor:
        """Return the images at `index`, uint8 and zero-padded, on the device."""
        chosen = self._index(index)
        positions = self._place[chosen]
        if (positions < 0).any():  # not all of them are in the current batch
            images = self.stream.fetch(self.part, self.rows[chosen.numpy()])
        else:
            images = self._batch[positions.to(self._batch.device)]
        return F.pad(images, (0, 0, self.padding, self.padding, self.padding, self.padding))

    def _index(self, batch: Any) -> torch.Tensor:
        """Return all samples of a batch, which is an index or a tuple with indices."""
        if isinstance(batch, tuple):
            indices = [self._index(part) for part in batch if isinstance(part, torch.Tensor)]
            return torch.cat(indices)
        if isinstance(batch, slice):
            return torch.arange(*batch.indices(len(self.rows)))
        index: torch.Tensor = batch.cpu()
        return index


def _unchanged(answer: Any) -> Any:
    return answer
