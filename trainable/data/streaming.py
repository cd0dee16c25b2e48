"""Images that do not fit into memory: workers decode the batches that are needed next.

A method announces its batches with `ahead`; when it asks for their pixels, they are in memory as
bytes.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

from trainable.data.images import Files
from trainable.errors import DataError

Batch = TypeVar("Batch")
Index = torch.Tensor | slice
Request = tuple[int, np.ndarray]
"""(part, rows): images of one split."""


class _Decoding(Dataset[Any]):
    """What a worker does with a request. A bad file comes back as a sentence: raised there, it
    would be a traceback."""

    def __init__(self, parts: list[Files]):
        self.parts = parts

    def __getitem__(self, request: Request) -> tuple[torch.Tensor, str]:
        part, rows = request
        try:
            return torch.from_numpy(self.parts[part].load(rows)), ""
        except DataError as error:
            return torch.empty(0), str(error)


class _Requests:
    """The batches of the pass that is under way."""

    now: Iterator[Request]

    def __iter__(self) -> Iterator[Request]:
        return self.now


class Stream:
    """Decodes images of several splits in `workers` processes, which live as long as this
    object."""

    def __init__(self, parts: list[Files], workers: int, device: torch.device):
        self.parts = parts
        self.device = device
        self._decoding = _Decoding(parts)
        self._requests = _Requests()
        self._loader = DataLoader(
            self._decoding,
            batch_size=None,  # a request is a batch already
            sampler=self._requests,
            collate_fn=_as_it_is,
            num_workers=workers,
            persistent_workers=True,
            prefetch_factor=4,
            pin_memory=device.type == "cuda",
            generator=torch.Generator(),  # it would draw from the global one
        )

    def fetch(self, part: int, rows: np.ndarray) -> torch.Tensor:
        """Images uint8 (batch, height, width, channels) on the device, decoded here and now. Raises
        DataError."""
        return self._ready(self._decoding[part, rows])

    def requested(self, requests: Iterator[Request]) -> Iterator[torch.Tensor]:
        """The images of each request, in order; the next ones are being decoded. Raises
        DataError."""
        self._requests.now = requests
        yield from map(self._ready, self._loader)

    def _ready(self, answer: tuple[torch.Tensor, str]) -> torch.Tensor:
        images, problem = answer
        if problem:
            raise DataError(problem)
        return images.to(self.device, non_blocking=True)


class Streamed:
    """One split's images, of which those of the present batch are in memory.

    Attributes:
        shape: (n, h + 2·padding, w + 2·padding, channels), as a resident split's tensor has it.
    """

    def __init__(self, stream: Stream, part: int, rows: np.ndarray, padding: int = 0):
        self.stream = stream
        self.part = part
        self.rows = rows
        self.padding = padding
        height, width, channels = stream.parts[part].shape
        self.shape = (len(rows), height + 2 * padding, width + 2 * padding, channels)
        self._batch = torch.empty(0)
        self._place = torch.full((len(rows),), -1)  # of each sample in the batch; −1: not there

    def __getitem__(self, index: torch.Tensor) -> "Streamed":
        """The images at `index` alone."""
        return Streamed(self.stream, self.part, self.rows[index.cpu().numpy()], self.padding)

    def ahead(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """`batches`, one after the other, each when its images have come."""
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
        """The images at `index`, uint8 with zeros around them, on the device."""
        chosen = self._index(index)
        places = self._place[chosen]
        if (places < 0).any():  # they were not announced
            images = self.stream.fetch(self.part, self.rows[chosen.numpy()])
        else:
            images = self._batch[places.to(self._batch.device)]
        return F.pad(images, (0, 0, self.padding, self.padding, self.padding, self.padding))

    def _index(self, batch: Any) -> torch.Tensor:
        """All samples that a batch, an index or a tuple that holds some, is about."""
        if isinstance(batch, tuple):
            indices = [self._index(part) for part in batch if isinstance(part, torch.Tensor)]
            return torch.cat(indices)
        if isinstance(batch, slice):
            return torch.arange(*batch.indices(len(self.rows)))
        index: torch.Tensor = batch.cpu()
        return index


def _as_it_is(answer: Any) -> Any:
    return answer
