"""Named generators: addressable, independent, and nothing global is touched."""

import itertools
import random

import numpy as np
import pytest
import torch

from trainable.random_streams import Streams

ADDRESSES = [
    *[
        (name,)
        for name in ("a", "b", "ab", "ba", "", "init0", "init1", "init10", "noise", "é", "Ã©")
    ],
    *[("a", i) for i in (0, 1, 2, 98)],
    *[("ab", i) for i in (0, 1)],
    *[("a", i, j) for i in (0, 1, 98) for j in (0, 1)],
    ("a", 0, 0, 0),
    ("", 0),
    ("", 1, 97),
    ("ab", 1, 98),
]


@pytest.mark.parametrize("address", [("order", 3, 1), ("noise",)])
def test_equal_addresses_give_equal_numbers(address):
    one, other = Streams(5), Streams(5)
    one.numpy(*address).random(
        10
    )  # what was drawn before does not matter: a stream starts at its beginning
    assert np.array_equal(one.numpy(*address).random(10), other.numpy(*address).random(10))
    assert one.number(*address) == other.number(*address)
    assert torch.equal(
        torch.rand(10, generator=one.torch(*address)),
        torch.rand(10, generator=other.torch(*address)),
    )


def test_no_two_names_and_counters_collide():
    # ("ab", 1) has the same bytes as ("a", 98, 1): the name's length keeps them apart.
    assert len(set(ADDRESSES)) == len(ADDRESSES)
    numbers = {address: Streams(0).number(*address) for address in ADDRESSES}
    assert len(set(numbers.values())) == len(ADDRESSES)
    arrays = {
        tuple(Streams(0).numpy(*address).integers(0, 2**62, 2).tolist()) for address in ADDRESSES
    }
    assert len(arrays) == len(ADDRESSES)


def test_seeds_give_different_streams_also_beyond_32_bits():
    seeds = [0, 1, 2, 2**32, 2**32 + 1, 2**63 - 1]
    assert len({Streams(seed).number("noise") for seed in seeds}) == len(seeds)


def test_streams_are_uncorrelated():
    draws = [Streams(0).numpy(*address).standard_normal(20_000) for address in ADDRESSES[:12]]
    for one, other in itertools.combinations(draws, 2):
        assert abs(np.corrcoef(one, other)[0, 1]) < 5 / np.sqrt(20_000)


def test_torch_streams_are_uncorrelated_from_epoch_to_epoch():
    draws = [torch.rand(20_000, generator=Streams(0).torch("augment", e)).numpy() for e in range(6)]
    for one, other in itertools.combinations(draws, 2):
        assert abs(np.corrcoef(one, other)[0, 1]) < 5 / np.sqrt(20_000)


def test_numbers_fill_63_bits():
    numbers = [Streams(0).number("x", i) for i in range(500)]
    assert min(numbers) >= 0
    assert 2**62 < max(numbers) < 2**63
    assert all(
        torch.Generator().manual_seed(number).initial_seed() == number for number in numbers[:20]
    )


def test_a_torch_generator_is_made_on_the_device_that_is_named():
    assert Streams(0).torch("x", device="cpu").device == torch.device("cpu")
    assert Streams(0).torch("x", device=torch.device("cpu")).initial_seed() == Streams(0).number(
        "x"
    )


def test_no_global_generator_is_touched():
    before = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    streams = Streams(0)
    streams.numpy("x").random(3)
    streams.number("x")
    torch.rand(3, generator=streams.torch("x"))
    assert random.getstate() == before[0]
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[2])


def test_global_seeds_do_not_change_a_stream():
    before = Streams(0).number("x"), Streams(0).numpy("x").random()
    state = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            assert (Streams(0).number("x"), Streams(0).numpy("x").random()) == before
    finally:
        random.setstate(state[0])
        np.random.set_state(state[1])  # noqa: NPY002


def test_layers_draw_from_their_stream_and_leave_the_global_generator_as_it_was():
    before, drawn = torch.get_rng_state(), []
    for seed, epoch in ((0, 1), (0, 1), (0, 2), (1, 1)):
        with Streams(seed).of_layers(epoch, device=torch.device("cpu")):
            drawn.append(torch.rand(3).tolist())
    assert drawn[0] == drawn[1]
    assert len({tuple(numbers) for numbers in drawn}) == 3
    assert torch.equal(torch.get_rng_state(), before)
