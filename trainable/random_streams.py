"""Random streams: named generators derived from one seed.

A name and counters identify a stream, for instance ("order", epoch, network). A stream always
starts at its beginning. Therefore:

- The draws of one component do not change those of another.
- Two arms with the same seed see the same order of images in the same epoch.
- A checkpoint contains no generator state.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


class Streams:
    """Independent generators derived from one seed.

    The seed of a stream is a numpy.random.SeedSequence with the name and counters as spawn key.
    """

    def __init__(self, seed: int):
        self.seed = seed

    def _sequence(self, name: str, counters: tuple[int, ...]) -> np.random.SeedSequence:
        # The length of the name comes first: the keys of different streams then always differ.
        key = (len(name), *name.encode(), *counters)
        return np.random.SeedSequence(self.seed, spawn_key=key)

    def numpy(self, name: str, *counters: int) -> np.random.Generator:
        """Return a NumPy generator."""
        return np.random.default_rng(self._sequence(name, counters))

    def number(self, name: str, *counters: int) -> int:
        """Return a 63-bit number, for libraries that take a seed."""
        state = self._sequence(name, counters).generate_state(1, np.uint64)
        return int(state[0] >> np.uint64(1))

    @contextmanager
    def of_layers(self, *counters: int, device: torch.device) -> Iterator[None]:
        """Set torch's global generators to the stream `layers` inside the block.

        Random layers such as dropout draw from these generators only.
        """
        cuda = device.type == "cuda"
        number = self.number("layers", *counters)
        forked = [device] if cuda else []
        with torch.random.fork_rng(devices=forked):
            torch.default_generator.manual_seed(number)
            if cuda:
                torch.cuda.manual_seed(number)
            yield

    def torch(
        self, name: str, *counters: int, device: torch.device | str = "cpu"
    ) -> torch.Generator:
        """Return a torch generator on a device."""
        return torch.Generator(device).manual_seed(self.number(name, *counters))
