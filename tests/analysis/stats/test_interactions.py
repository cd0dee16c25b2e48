"""Main effects and interactions, worked by hand."""

import itertools
import re

import numpy as np
import pytest

from analysis.stats import interactions


def product(study, cells, setting=None, baseline=None, paths=("method.a", "method.b", "train.c")):
    """Add the arms of a product: {(a, b, …): ends}; `baseline` is the cell that the baseline is, if any."""
    width = len(next(iter(cells)))
    study.factors = list(paths[:width])
    for cell, ends in cells.items():
        config: dict = {"method": {}, "train": {}}
        for path, value in zip(study.factors, cell, strict=True):
            section, _, name = path.partition(".")
            config[section][name] = value
        shown = (re.sub(r"[^a-z0-9_.-]+", "+", str(value).lower()) for value in cell)
        names = (
            f"{path.rpartition('.')[2]}={value}"
            for path, value in zip(study.factors, shown, strict=True)
        )
        name = "baseline" if cell == baseline else ",".join(names)
        study.arm(name, *ends, setting=setting, family="product", config=config)
    return study


def effects(study):
    table = interactions.effects(study.read())
    return {row["effect"]: row for row in table.to_dict("records")}


# Seed 0: a adds 4 at b=0 and 10 at b=1; seed 1: 4 and 8. b adds 1 and 7; 3 and 7.
TWO = {(0, 0): (60.0, 50.0), (0, 1): (61.0, 53.0), (1, 0): (64.0, 54.0), (1, 1): (71.0, 61.0)}


def test_a_product_of_two_by_two(study):
    study.arm("baseline", 99.0, 98.0, config={"method": {"a": 7, "b": 7}})
    found = effects(product(study, TWO))
    assert {name: (row["kind"], row["difference"]) for name, row in found.items()} == {
        "a: 0 → 1": ("main", (7 + 6) / 2),
        "b: 0 → 1": ("main", (4 + 5) / 2),
        "a × b": ("interaction", (6 + 4) / 2),
    }
    a = found["a: 0 → 1"]
    half = 12.706205 * np.std([7, 6], ddof=1) / np.sqrt(2)
    assert (a["low"], a["high"]) == pytest.approx((6.5 - half, 6.5 + half), abs=1e-5)
    assert (a["pairs"], a["p"]) == (2, 0.5)
    assert [row["p_holm"] for row in found.values()] == [1.0, 1.0, 0.5]
    assert {row["verdict"] for row in found.values()} == {"inconclusive"}


def test_the_baseline_may_be_a_cell(study):
    found = effects(product(study, TWO, baseline=(0, 0)))
    assert {name: row["difference"] for name, row in found.items()} == {
        "a: 0 → 1": 6.5,
        "b: 0 → 1": 4.5,
        "a × b": 5,
    }


def test_a_baseline_with_one_value_of_the_product_is_no_cell(study):
    study.arm("baseline", 99.0, 98.0, config={"method": {"a": 0, "b": 7}})
    assert effects(product(study, TWO))["a: 0 → 1"]["difference"] == 6.5


def test_a_product_of_two_by_two_by_two(study):
    def accuracy(seed, a, b, c):
        return 50.0 + seed + 1 * a + 2 * b + 4 * c + 8 * a * b + 16 * a * b * c * seed

    cells = {
        cell: [accuracy(seed, *cell) for seed in (0, 1)]
        for cell in itertools.product((0, 1), repeat=3)
    }
    found = effects(product(study, cells, baseline=(0, 0, 0)))
    # 8ab adds 4 to a and b and 8 to a × b; 16abc of seed 1 adds 4 to each main effect and 8 to each interaction,
    # that is half of it to the mean of both seeds.
    assert {name: row["difference"] for name, row in found.items()} == pytest.approx(
        {
            **{"a: 0 → 1": 1 + 4 + 2, "b: 0 → 1": 2 + 4 + 2, "c: 0 → 1": 4 + 2},
            **{"a × b": 8 + 4, "a × c": 4, "b × c": 4},
        }
    )
    assert [row["p_holm"] for row in found.values()] == [1.0] * 6


def test_a_seed_that_lacks_a_cell_is_left_out(study):
    cells = {cell: [*ends, 10.0] for cell, ends in TWO.items()}
    cells[1, 1][2] = "failed"
    found = effects(product(study, cells, baseline=(0, 0)))
    assert [row["pairs"] for row in found.values()] == [2, 2, 2]
    assert found["a × b"]["difference"] == 5


def test_a_cell_that_no_seed_finished_leaves_no_effect_to_tell(study):
    cells = {cell: (*ends,) for cell, ends in TWO.items()}
    cells[1, 1] = ("failed", "missing")
    assert effects(product(study, cells, baseline=(0, 0))) == {}


def test_a_factor_of_three_values_gives_none(study):
    cells = {(a, b): (60.0 + a, 61.0 + b) for a in (0, 1, 2) for b in (0, 1)}
    assert effects(product(study, cells, baseline=(0, 0))) == {}


def test_factors_one_at_a_time_give_none(study):
    study.factors = ["method.a", "method.b"]
    study.arm("baseline", 70.0, 71.0, config={"method": {"a": 0, "b": 0}})
    study.arm("a=1", 70.0, 71.0, family="method.a", config={"method": {"a": 1, "b": 0}})
    study.arm("b=1", 70.0, 71.0, family="method.b", config={"method": {"a": 0, "b": 1}})
    assert effects(study) == {}


def test_a_study_without_factors_or_without_results_gives_none(study):
    assert effects(study.arm("baseline", 70.0).arm("a", 71.0)) == {}
    assert effects(product(study, dict.fromkeys(TWO, ("missing",)))) == {}


def test_each_setting_is_a_product_of_its_own(study):
    product(study, TWO, setting="easy", baseline=(0, 0))
    product(
        study,
        {cell: (ends[0], ends[1]) for cell, ends in TWO.items() if cell[0] == 0},
        "hard",
        (0, 0),
    )
    table = interactions.effects(study.read())
    assert set(table["setting"]) == {"easy"}


def test_words_and_lists_are_values_too(study):
    words = {False: "train", True: [150, 200]}
    cells = {(bool(a), str(words[bool(b)])): ends for (a, b), ends in TWO.items()}
    found = effects(product(study, cells, baseline=(False, "train")))
    assert list(found) == ["a: False → True", "b: train → [150, 200]", "a × b"]


def test_many_seeds_matter_and_the_margin_is_the_studys(study):
    cells = {cell: [50.0 + seed + 5 * cell[0] for seed in range(8)] for cell in TWO}
    verdicts = {
        name: row["verdict"]
        for name, row in effects(product(study, cells, baseline=(0, 0))).items()
    }
    assert verdicts == {"a: 0 → 1": "better", "b: 0 → 1": "equivalent", "a × b": "equivalent"}


def test_effects_on_unchecked_test_labels_are_not_judged(study):
    product(study, TWO)
    change = {seed: {"test_labels": "unchecked"} for seed in range(2)}
    study.arm("baseline", 99.0, 98.0, config={"method": {"a": 7, "b": 7}}, change=change)
    assert {row["verdict"] for row in effects(study).values()} == {"withheld"}
