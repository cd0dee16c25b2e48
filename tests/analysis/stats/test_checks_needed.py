"""Numbers of checks, against their formulas and in a simulation."""

import math

import numpy as np
import pytest

from analysis.stats.checked_labels import CheckedLabels, difference
from analysis.stats.checks_needed import Checks, checks_before


def test_200_checks_where_arms_differ_on_5_percent_of_the_images():
    found = Checks(images=100_000, differ=0.05, image_sd=100 * math.sqrt(0.05))
    assert found.half_width(200) == pytest.approx(3.1, abs=0.05)


def test_help_of_unchecked_labels_is_the_square_root_of_what_is_not_explained():
    alone = Checks(images=100_000, differ=0.05, image_sd=20)
    helped = Checks(images=100_000, differ=0.05, image_sd=20, correlation=0.8)
    assert helped.half_width(200) == pytest.approx(0.6 * alone.half_width(200))


def test_a_difference_is_found_with_80_percent_by_the_promised_number():
    checks = Checks(images=2000, differ=0.1, image_sd=30, seed_error=0.5)
    number = int(checks.to_find(4))
    error = checks.half_width(number) / 1.95996
    rng = np.random.default_rng(0)
    found = np.abs(rng.normal(4, error, 20_000)) > 1.95996 * error
    assert found.mean() == pytest.approx(0.8, abs=0.01)


def test_seeds_can_make_every_number_of_checks_too_small():
    checks = Checks(images=2000, differ=0.1, image_sd=30, seed_error=0.5)
    assert checks.half_width(2000) == pytest.approx(1.96 * 0.5, abs=0.001)
    assert checks.to_find(1.3) == math.inf
    assert checks.to_find(1.5) <= 2000


def test_after_the_checks_that_pay_the_rest_narrows_the_interval_by_a_tenth():
    checks = Checks(images=2000, differ=0.1, image_sd=30, seed_error=2)
    number = int(checks.worth_doing())
    assert checks.half_width(2000) >= 0.9 * checks.half_width(number)
    assert checks.half_width(2000) < 0.9 * checks.half_width(number - 2)


def test_without_seeds_all_checks_pay_and_without_differences_none():
    assert Checks(images=2000, differ=0.1, image_sd=30).worth_doing() == 2000
    assert Checks(images=2000, differ=0, image_sd=0).to_find(1) == 0


def test_before_any_check_what_differs_decides():
    arm = np.array([[0, 0, 0, 0], [0, 0, 1, 1]])
    baseline = np.array([[0, 0, 0, 1], [0, 0, 0, 0]])
    found = checks_before(arm, baseline, np.zeros(4, int))
    assert (found.images, found.differ) == (4, 0.5)
    assert found.image_sd == pytest.approx(100 * math.sqrt((0.5**2 + 1) / 4))
    # Differences of +25 and −50 points: sd 53.03, over √2.
    assert found.seed_error == pytest.approx(37.5)
    assert checks_before(arm, baseline, np.zeros(4, int), of_arm=False).seed_error == 0


def test_what_is_promised_before_is_not_exceeded_after():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, 1000)
    baseline = true[None]
    arm = np.where(rng.random(1000) < 0.3, (true + 1) % 3, true)[None]
    promised = checks_before(arm, baseline, true).half_width(150)
    labels = CheckedLabels(true, np.arange(150), true[:150])
    found = difference(arm, baseline, labels, tuned=False)
    assert (found.high - found.low) / 2 < promised
