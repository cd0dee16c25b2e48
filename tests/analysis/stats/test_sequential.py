"""Judgement while seeds are added: errors, power, independence of the order of results."""

import math

import numpy as np
import pytest

from analysis.stats.attainable_p import ALPHA, CENTERS
from analysis.stats.sequential import (
    RESERVE,
    Question,
    fewest_seeds,
    intervals,
    judge,
    seeds_to_train,
    share,
)


def question(differences, failures=None, generation=0):
    differences = np.array(differences, float)
    if failures is None:
        failures = np.zeros(len(differences))
    return Question(differences, np.array(failures, float), generation)


def shared(rng, effects, n):
    """Arms that share a baseline, with paired differences of one standard deviation."""
    runs = rng.normal(size=(len(effects) + 1, n)) / math.sqrt(2)
    return [question(run - runs[0] + effect) for run, effect in zip(runs[1:], effects, strict=True)]


def verdicts(answers):
    return [answer.verdict for answer in answers]


# --- answers ---


@pytest.mark.parametrize(("arms", "generation"), [(1, 0), (3, 0), (7, 0), (3, 1)])
def test_the_fewest_seeds_are_those_that_answer_if_every_bet_is_won(arms, generation):
    fewest = fewest_seeds(arms, generation)
    enormous = np.full(fewest, 1e6)
    all_alike = [question(enormous, generation=generation) for _ in range(arms)]
    assert [answer.seeds for answer in judge(all_alike, 0.5, 1)] == [fewest] * arms
    one_less = [question(enormous[1:], generation=generation) for _ in range(arms)]
    assert verdicts(judge(one_less, 0.5, 1)) == ["inconclusive"] * arms


def test_a_clear_difference_is_better_or_worse():
    up = 1 + np.arange(12) / 100
    answers = judge([question(up), question(-up)], 0.5, 6)
    assert verdicts(answers) == ["better", "worse"]
    assert all(6 <= answer.seeds <= 12 for answer in answers)


def test_no_difference_is_equivalent_within_the_margin():
    small = np.tile([0.1, -0.1], 12)
    assert verdicts(judge([question(small)], 0.5, 6)) == ["equivalent"]
    assert verdicts(judge([question(small)], 0.01, 6)) == ["inconclusive"]


def test_failures_are_a_question_of_their_own():
    n = 24
    failed = np.arange(n) % 2
    differences = np.where(failed, np.nan, np.tile([3.0, 3.0, -3.0, -3.0], n // 4))
    answers = judge([question(differences, failed), question(differences, -failed)], 0.1, 6)
    assert verdicts(answers) == ["worse by failures", "better by failures"]
    found = intervals(question(differences, failed), answers[0])
    assert 0 < found.rate_low < 0.5 < found.rate_high


def test_nothing_is_looked_at_before_the_first_look():
    up = 1 + np.arange(20) / 100
    assert judge([question(up)], 0.5, 15)[0].seeds == 15
    assert judge([question(up[:14])], 0.5, 15)[0].verdict == "inconclusive"


def test_an_arm_without_seeds_is_inconclusive_and_keeps_its_part():
    up = 1 + np.arange(12) / 100
    alone = judge([question(up)], 0.5, 6)[0]
    beside = judge([question(up), question([])], 0.5, 6)
    assert beside[1].verdict == "inconclusive"
    assert beside[0].alpha == alone.alpha / 2
    assert judge([question([])], 0.5, 6)[0].seeds == 0


def test_a_closed_question_hands_its_part_on():
    rng = np.random.default_rng(0)
    arms = shared(rng, [3, 3, 3, 0.9], 40)
    answers = judge(arms, 0.2, 6)
    assert verdicts(answers)[:3] == ["better"] * 3
    assert answers[3].alpha == share(0)


def test_all_parts_of_the_error_sum_to_alpha():
    parts = [share(generation) for generation in range(60)]
    assert parts[0] == ALPHA * (1 - RESERVE)
    assert sum(parts) == pytest.approx(ALPHA)


def test_an_arm_that_joins_late_does_not_change_the_others():
    rng = np.random.default_rng(1)
    first = shared(rng, [1, 0], 40)
    before = judge(first, 1.0, 6)
    late = question(rng.normal(1, 1, 30), generation=1)
    after = judge([*first, late], 1.0, 6)
    assert after[:2] == before
    assert after[2].alpha == share(1)


def test_the_interval_fits_the_answer():
    rng = np.random.default_rng(2)
    for effect in (2, 1, 0, -1):
        for arm in shared(rng, [effect] * 4, 64):
            (answer,) = judge([arm], 1.0, 6)
            found = intervals(arm, answer)
            expected = {
                "better": found.low > 0,
                "worse": found.high < 0,
                "equivalent": -1 < found.low < found.high < 1,
                "inconclusive": True,
            }
            assert expected[answer.verdict]
            if answer.verdict == "better":
                assert found.p <= CENTERS * answer.alpha


# --- the order of results ---


def test_answers_depend_on_the_prefix_alone():
    rng = np.random.default_rng(3)
    for _ in range(20):
        arms = shared(rng, [2, 0.7, 0, 0], 30)
        whole = judge(arms, 0.8, 6)
        for end in (6, 9, 17, 30):
            part = judge([question(arm.differences[:end]) for arm in arms], 0.8, 6)
            for early, late in zip(part, whole, strict=True):
                if early.decided:
                    assert early == late
                else:
                    assert not late.decided or late.seeds > end


def test_trials_in_any_order_end_with_the_same_seeds_and_answers():
    """Train what is needed, in random order, with random interruptions: the same trials, the same end."""
    rng = np.random.default_rng(4)
    most = 40
    for _ in range(5):
        arms = shared(rng, [2, 0.8, 0, 0.3], most)
        ends = set()
        for _ in range(3):
            have = [0] * len(arms)
            while True:
                known = [
                    question(arm.differences[:count]) for arm, count in zip(arms, have, strict=True)
                ]
                answers = judge(known, 1.0, 6)
                open_ = [k for k, answer in enumerate(answers) if not answer.decided]
                wanted = seeds_to_train([known[k] for k in open_], 1.0, 6) if open_ else []
                missing = [
                    k for k, count in zip(open_, wanted, strict=True) if have[k] < min(count, most)
                ]
                if not missing:
                    break
                have[rng.choice(missing)] += 1
            ends.add((tuple(have), tuple((answer.verdict, answer.seeds) for answer in answers)))
        assert len(ends) == 1
        ((have, found),) = ends
        # No seed too many: what is decided was decided by the last one.
        assert all(seeds == count for count, (verdict, seeds) in zip(have, found, strict=True))


def test_the_next_seeds_are_those_that_cannot_decide():
    assert seeds_to_train([question([])], 1.0, 6)[0] >= 6
    rng = np.random.default_rng(5)
    fresh, old = question([]), question(rng.normal(size=12))
    assert seeds_to_train([fresh, old], 0.1, 6)[1] >= 12


# --- simulated studies: short forms of those in benchmarks/sequential.py ---


def simulated(effects, margin, studies, most, failing=0.0, seed=0):
    rng = np.random.default_rng(seed)
    found = []
    seeds = []
    for _ in range(studies):
        arms = shared(rng, effects, most)
        runs_failed = rng.random((len(effects) + 1, most)) < failing
        for k, arm in enumerate(arms):
            differences = np.where(runs_failed[0] | runs_failed[k + 1], np.nan, arm.differences)
            failures = runs_failed[k + 1].astype(float) - runs_failed[0]
            arms[k] = question(differences, failures)
        answers = judge(arms, margin, 6)
        found.append(verdicts(answers))
        seeds.append([answer.seeds for answer in answers])
    return np.array(found), np.array(seeds)


@pytest.mark.parametrize("failing", [0.0, 0.1])
def test_errors_of_arms_without_a_difference(failing):
    studies = 150
    found, _ = simulated([0] * 6, 1.0, studies, 40, failing)
    wrong = ~np.isin(found, ["equivalent", "inconclusive"])
    error = 2 * math.sqrt(ALPHA * (1 - ALPHA) / studies)
    assert wrong.any(axis=1).mean() <= ALPHA + error


def test_errors_of_equivalence_at_the_margin():
    studies = 150
    found, _ = simulated([1, 1, 1, -1, -1, -1], 1.0, studies, 40)
    error = 2 * math.sqrt(ALPHA * (1 - ALPHA) / studies)
    assert (found == "equivalent").any(axis=1).mean() <= ALPHA + error


def test_effects_are_found_with_half_of_the_trials():
    found, seeds = simulated([2, 1, 1, 0, 0, 0], 1.0, 60, 64)
    assert (found[:, 0] == "better").mean() >= 0.95
    assert (found[:, 1:3] == "better").mean() >= 0.95
    assert (found[:, 3:] == "equivalent").mean() >= 0.9
    trials = seeds.sum(axis=1) + seeds.max(axis=1)
    assert trials.mean() <= 0.5 * 7 * 64


def test_failures_in_all_arms_leave_most_questions_decided():
    found, _ = simulated([2, 1, 1, 0, 0, 0], 1.0, 60, 64, failing=0.1)
    assert (found != "inconclusive").mean() >= 0.8
