"""Trials by setting, arm and seed."""

from typing import NamedTuple

import pytest

from analysis.results.selected_trials import NoTrial, select


class Trial(NamedTuple):
    setting: str | None
    arm: str
    seed: int


ALL = [
    Trial(setting, arm, seed) for setting in ("a", "b") for arm in ("base", "c") for seed in (0, 1)
]


def test_each_part_selects():
    assert select(ALL, "b", "c", 1) == [Trial("b", "c", 1)]
    assert select(ALL, "b", "c") == [Trial("b", "c", 0), Trial("b", "c", 1)]
    assert select(ALL, "a") == ALL[:4]


@pytest.mark.parametrize("nothing", ["", None])
def test_a_study_without_settings_needs_none(nothing):
    trials = [Trial(nothing, "base", 0), Trial(nothing, "c", 0)]
    assert select(trials, arm="c") == trials[1:]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({}, "there are several settings; choose one with --setting: a, b"),
        ({"setting": "z"}, "--setting z: the study has a, b"),
        ({"setting": "a", "arm": "z"}, "--arm z: the study has base, c"),
        ({"setting": "a", "arm": "c", "seed": 7}, "--seed 7: the study has 0, 1"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(wanted, message):
    with pytest.raises(NoTrial) as caught:
        select(ALL, **wanted)
    assert str(caught.value) == message


def test_a_setting_of_a_study_without_settings():
    with pytest.raises(NoTrial, match=r"^--setting a: the study has none$"):
        select([Trial(None, "base", 0)], "a")
