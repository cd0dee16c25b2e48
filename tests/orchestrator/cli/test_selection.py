"""What `--arms`, `--seeds` and `--settings` select, and the errors that name what matched nothing."""

import re

import pytest

from orchestrator.cli.selection import selected
from orchestrator.exit_codes import WRONG, Ended
from orchestrator.study.load import load_study

STUDY = """
name: s
seeds: [0, 1, 2, 3, 8]
base: {train: {epochs: 3}, method: {warmup_epochs: 1}}
arms:
  no_mixup: {method.mixup: false}
  no_co_refine: {method.co_refine: false}
  one_network: {method.networks: 1}
  alpha=1,p_threshold=0.4: {method.alpha: 1, method.p_threshold: 0.4}
  alpha=1,p_threshold=0.6: {method.alpha: 1, method.p_threshold: 0.6}
settings:
  sym20: {noise: {name: symmetric, rate: 0.2}}
  sym50: {noise: {name: symmetric, rate: 0.5}}
  pair: {noise: {name: pair, rate: 0.2}}
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    file = tmp_path_factory.mktemp("selection") / "s.yaml"
    file.write_text(STUDY)
    return load_study(file)


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("", set()),
        ("3", {3}),
        ("0-3", {0, 1, 2, 3}),
        ("0-2,8", {0, 1, 2, 8}),
        ("8, 0-1", {0, 1, 8}),
        ("2-2", {2}),
    ],
)
def test_seeds_are_numbers_and_ranges_with_both_ends(study, text, seeds):
    assert selected(study, "", text, "")["seeds"] == seeds


@pytest.mark.parametrize(
    ("text", "arms"),
    [
        ("no_*", {"no_mixup", "no_co_refine"}),
        ("no_*,baseline", {"no_mixup", "no_co_refine", "baseline"}),
        ("one_networ?", {"one_network"}),
        ("alpha=1*", {"alpha=1,p_threshold=0.4", "alpha=1,p_threshold=0.6"}),
        ("alpha=1,p_threshold=0.4,no_m*", {"alpha=1,p_threshold=0.4", "no_mixup"}),
        ("unknown", {"unknown"}),
    ],
)
def test_arms_are_names_and_patterns(study, text, arms):
    assert selected(study, text, "", "")["arms"] == arms


def test_settings_are_patterns_too(study):
    assert selected(study, "", "", "sym*")["settings"] == {"sym20", "sym50"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("x_*", "", ""), "--arms: x_* matches nothing; the study has baseline, no_mixup"),
        (("", "", "asym*"), "--settings: asym* matches nothing; the study has sym20, sym50, pair"),
        (("", "7-0", ""), "--seeds: 7-0 is not a range of 1 to 10000 seeds"),
        (("", "0-99999999", ""), "--seeds: 0-99999999 is not a range of 1 to 10000 seeds"),
        (("", "a-b", ""), "--seeds: a-b is not a number or a range such as 0-7"),
        (("", "-1", ""), "--seeds: -1 is not a number or a range such as 0-7"),
    ],
)
def test_what_matches_nothing_is_an_error_that_names_it(study, options, words):
    with pytest.raises(Ended, match=re.escape(words)) as error:
        selected(study, *options)
    assert error.value.code == WRONG
