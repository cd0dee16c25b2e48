"""The engine's step equals the plain program's on the same batch, and the benchmark prints what it measured."""

import numpy as np
import pytest

from benchmarks import engine
from trainable.config.models import SmallCnn
from trainable.data.arrays import Arrays, Split
from trainable.models.build import build


def arrays(n: int = 128) -> Arrays:
    """`n` random images, and a quarter as many to test; half of them make one labeled batch."""
    rng = np.random.default_rng(0)
    train, test = (
        Split(rng.integers(0, 256, (m, 32, 32, 3), dtype=np.uint8), np.arange(m) % 10)
        for m in (n, n // 4)
    )
    return Arrays(train, None, test, 10, engine.MEAN, engine.STD)


def pair(guess_mode: str, guess_batched: bool) -> engine.Pair:
    networks = [build(SmallCnn(width=4), (3, 32, 32), 10, seed) for seed in range(2)]
    return engine.Pair(arrays(), networks, guess_batched, guess_mode)


@pytest.mark.parametrize(
    ("guess_mode", "guess_batched"), [("train", False), ("eval", False), ("eval", True)]
)
def test_a_step_equals_that_of_the_plain_program(guess_mode, guess_batched):
    losses, weights = pair(guess_mode, guess_batched).difference()
    assert losses < 1e-5
    assert weights < 1e-6


def test_batched_guesses_in_train_mode_are_another_algorithm():
    losses, _ = pair("train", True).difference()
    assert losses > 1e-5


def test_every_phase_of_both_programs_runs_and_the_table_has_its_ratios():
    seconds = engine.measure(pair("train", False), turns=1)
    assert all(
        (side > 0).all() for each in seconds.values() for side in (each.reference, each.engine)
    )
    lines = engine.table(seconds, 128).splitlines()
    assert [line.split("  ")[0] for line in lines[1:]] == [*engine.PHASES, "DivideMix epoch"]
    assert f"{seconds['training'].ratio:.2f}" in lines[3]
