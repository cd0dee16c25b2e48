"""Randomness: one seed, named streams.

A stream is addressed by name and counters, for instance ("order", epoch, network), and always
starts at its beginning. So nothing that one component draws, or does not draw, shifts another's
numbers; two arms with the same seed see the same order of images in the same epoch whatever
happened before; and a checkpoint has no generator to keep.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


class Streams:
    """Independent generators derived from one seed.

    They are those of numpy.random.SeedSequence with the name as spawn key.
    """

    def __init__(self, seed: int):
        self.seed = seed

    def _sequence(self, name: str, counters: tuple[int, ...]) -> np.random.SeedSequence:
        # The name's length comes first, so that no name and counters can be read as another's.
        key = (len(name), *name.encode(), *counters)
        return np.random.SeedSequence(self.seed, spawn_key=key)

    def numpy(self, name: str, *counters: int) -> np.random.Generator:
        """A NumPy generator."""
        return np.random.default_rng(self._sequence(name, counters))

    def number(self, name: str, *counters: int) -> int:
        """A 63-bit number, for libraries that take a seed."""
        state = self._sequence(name, counters).generate_state(1, np.uint64)
        return int(state[0] >> np.uint64(1))

    @contextmanager
    def of_layers(self, *counters: int, device: torch.device) -> Iterator[None]:
        """In the block, torch's global generators are the stream `layers`.

        Dropout and the like draw from nothing else.
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
        """A torch generator on a device."""
        return torch.Generator(device).manual_seed(self.number(name, *counters))
