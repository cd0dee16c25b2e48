"""Which images a review shows next, and what its decisions certify."""

import numpy as np
import pandas as pd
import pytest

from analysis.audit.audit import Audited, NoAudit
from analysis.audit.decisions import Settled
from analysis.audit.networks_accuracy import NetworksAccuracy
from analysis.audit.review import RANDOM_EVERY, Review
from analysis.audit.review_order import ReviewOrder, order_of, read_order, write_order
from analysis.audit.witnesses import Judgement

IMAGES = 200
WRONG = 20
"""The first rows have wrong labels, and the audit knows it of three quarters of them."""
GIVEN = dict.fromkeys(range(IMAGES), 0)
RIGHT = Settled("label", 0, ("Ann",))
CHANGED = Settled("label", 1, ("Ann",))


@pytest.fixture
def order():
    wrong = np.where(np.arange(IMAGES) < 0.75 * WRONG, 0.9, 0.05)
    turn = np.random.default_rng(1).permutation(IMAGES)
    return ReviewOrder(np.arange(IMAGES), wrong, np.ones(IMAGES, int), turn)


def truth(row: int) -> Settled:
    return CHANGED if row < WRONG else RIGHT


def test_the_most_suspicious_come_first_and_every_eighth_is_random(order):
    review, seen = Review(order, GIVEN, {}), []
    while len(seen) < 24:
        (row,) = review.next_rows(1, "suspicious", (), "Ann")
        review.update({row: truth(row)})
        seen.append(row)
    by_suspicion = [row for number, row in enumerate(seen, 1) if number % RANDOM_EVERY]
    assert by_suspicion == sorted(by_suspicion)
    random = seen[RANDOM_EVERY - 1 :: RANDOM_EVERY]
    turns = order.turn[random]
    assert any(row >= 0.75 * WRONG for row in random)
    assert len(set(seen)) == 24
    assert len(turns) == 3


def test_several_images_ahead_are_those_that_come_one_by_one(order):
    at_once = Review(order, GIVEN, {}).next_rows(7, "suspicious", (), "Ann")
    assert at_once == list(range(7))
    rest = Review(order, GIVEN, {}).next_rows(7, "suspicious", set(at_once), "Ann")
    assert not set(rest) & set(at_once)


def in_random_order(order, count):
    """The images that the certificate counts first, if all labels are as they truly are."""
    settled: dict[int, Settled] = {}
    review = Review(order, GIVEN, settled)
    for _ in range(count):
        (row,) = review.next_rows(1, "certificate", (), "Ann")
        settled[row] = truth(row)
        review.update({row: truth(row)})
    return settled


def test_the_certificate_counts_a_decision_when_its_turn_has_come(order):
    settled = in_random_order(order, 30)
    _, *later = settled
    without = Review(order, GIVEN, {row: settled[row] for row in later}).certificate()
    assert (without.looks, without.counted) == (29, 0)
    both = Review(order, GIVEN, settled).certificate()
    assert (both.looks, both.counted) == (30, 30)
    assert both.at_most < without.at_most
    assert "(30 of 200 images reviewed, 30 of them counted in random order;" in both.sentence()


def test_the_certificate_does_not_depend_on_the_way_to_its_decisions(order):
    settled = in_random_order(order, 50)
    whole = Review(order, GIVEN, settled)
    step_by_step = Review(order, GIVEN, {})
    rows = list(settled)
    rng = np.random.default_rng(2)
    for row in rng.permutation(rows).tolist():
        step_by_step.update({row: CHANGED if rng.random() < 0.5 else RIGHT})
    for row in rng.permutation(rows).tolist():
        step_by_step.update({row: settled[row]})
    assert step_by_step.certificate() == whole.certificate()
    for taken_back in (rows[-1], rows[30], rows[0]):
        del settled[taken_back]
        step_by_step.update({taken_back: None})
        assert step_by_step.certificate() == Review(order, GIVEN, settled).certificate()
        assert step_by_step.plan() == Review(order, GIVEN, settled).plan()


def test_images_ahead_are_those_that_the_certificate_counts(order):
    rows = Review(order, GIVEN, {}).next_rows(8, "certificate", (), "Ann")
    settled = dict.fromkeys(rows, RIGHT)
    assert Review(order, GIVEN, settled).certificate().counted == 8


def test_a_whole_review_says_what_is_left(order):
    settled = {row: truth(row) for row in range(IMAGES)}
    done = Review(order, GIVEN, settled).certificate()
    assert (done.wrong, done.corrected, done.at_most, done.percent) == (WRONG, WRONG, 0, 0)
    assert done.step is None
    assert Review(order, GIVEN, settled).plan() == ""
    settled[0] = Settled("unsure", None, ("Ann",))
    settled[1] = Settled("disputed", None, ("Ann", "Bo"))
    settled[199] = Settled("unusable", None, ("Ann",))
    done = Review(order, GIVEN, settled).certificate()
    assert (done.wrong, done.corrected, done.at_most) == (WRONG + 1, WRONG - 1, 2)


def test_a_review_that_certifies_most_needs_fewer_looks_than_all_images(order):
    review = Review(order, GIVEN, {})
    seen = set()
    while review.certificate().percent > 15:
        (row,) = review.next_rows(1, "certificate", (), "Ann")
        review.update({row: truth(row)})
        seen.add(row)
    assert len(seen) < 0.5 * IMAGES
    certificate = review.certificate()
    left = sum(truth(row) is CHANGED for row in range(IMAGES) if row not in seen)
    assert left <= certificate.at_most
    assert "with 95 % confidence" in certificate.sentence()
    assert review.plan().startswith("About ")


def test_a_second_reviewer_sees_what_is_open_first_and_nothing_twice(order):
    settled = {
        3: RIGHT,
        4: Settled("unsure", None, ("Ann",)),
        5: Settled("disputed", None, ("Ann", "Cy")),
        6: Settled("label", 0, ("Bo",)),
    }
    rows = Review(order, GIVEN, settled).next_rows(9, "second", (), "Bo")
    assert rows == [5, 4, 3]


def audited(wrong=(0.9, 0.2, 0.1)) -> Audited:
    ranked = pd.DataFrame(
        {"index": [4, 2, 9], "given": [0, 1, 2], "suggested": [1, 1, 2], "wrong": wrong}
    )
    given = pd.Series([1, 0, 2, 1], [2, 4, 9, 11])
    judgement = Judgement(NetworksAccuracy(0.8), False, False, 3, ("division",))
    return Audited([0], {"data_hash": "d1"}, given, ranked, judgement, 3)


def test_an_order_has_every_image_and_is_kept(tmp_path):
    order = order_of(audited())
    assert order.rows.tolist() == [4, 2, 11, 9]
    assert order.wrong.tolist() == [0.9, 0.2, 0.15, 0.1], "an unjudged image is like the rest"
    assert order.suggested.tolist() == [1, 1, 1, 2]
    assert sorted(order.turn) == [0, 1, 2, 3]
    path = tmp_path / "review.csv"
    write_order(order, path)
    kept = read_order(path, audited((0.1, 0.2, 0.3)))
    assert all(np.array_equal(getattr(kept, name), getattr(order, name)) for name in vars(order))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "row,wrong\n",
        "row,wrong,suggested,turn\n4,0.9,1,0\n",
        "row,wrong,suggested,turn\nx,,,\n",
    ],
)
def test_an_order_of_other_images_is_refused(tmp_path, content):
    path = tmp_path / "review.csv"
    path.write_text(content)
    with pytest.raises(NoAudit, match="Delete it to begin the review anew"):
        read_order(path, audited())
