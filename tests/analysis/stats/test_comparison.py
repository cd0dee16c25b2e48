"""The table of arms: what is compared with what, what is corrected together, and how it reads."""

import math

import numpy as np
import pandas as pd
import pytest

from analysis.report import cells, formats, tables, verdicts
from analysis.stats import comparison, paired
from analysis.stats.costs import costs_of_arms
from analysis.stats.power import seeds_to_decide
from analysis.stats.seed_pairs import pairs

COMPARISON = ["difference", "low", "high", "t_low", "p", "p_adjusted"]


def row(study, arm, setting=""):
    table = comparison.compare(study.read())
    (found,) = table[(table["arm"] == arm) & (table["setting"] == setting)].to_dict("records")
    return found


def text(study, arm):
    table = tables.shown(comparison.compare(study.read()))
    (found,) = table[table["arm"] == arm].to_dict("records")
    return found


# --- what is compared ---


def test_an_arm_has_its_mean_sd_and_paired_difference(study):
    study.arm("baseline", 70.0, 72.0, 74.0).arm("variant", 69.0, 69.0, 75.0)
    found = row(study, "variant")
    # Differences −1, −3, +1: mean −1, sd 2, so ± 4.302653 · 2 / √3; 3 of 4 sums of signs are at least as far: |−3| ≤ 3.
    assert found["mean"] == pytest.approx(71)
    assert found["sd"] == pytest.approx(math.sqrt(12))
    assert (found["n"], found["planned"], found["pairs"]) == (3, 3, 3)
    assert found["difference"] == pytest.approx(-1)
    assert found["t_low"] == pytest.approx(-1 - 4.302653 * 2 / math.sqrt(3), abs=1e-5)
    assert found["t_high"] == pytest.approx(-1 + 4.302653 * 2 / math.sqrt(3), abs=1e-5)
    assert found["pairing"] == pytest.approx((4 + 12) / 4)
    assert found["p"] == 0.75


def test_fewer_than_six_seeds_cannot_show_a_difference(study):
    values = [70.0, 72.0, 74.0, 71.0, 70.0]
    study.arm("baseline", *values)
    study.arm("a", *(value - 3 - seed / 10 for seed, value in enumerate(values)))
    study.arm("planned", *["missing"] * 5)
    table = comparison.compare(study.read()).set_index("arm")
    assert table.loc["a", "p_adjusted"] == 2 / 2**5
    assert not table.loc["planned", "begun"]
    (reach,) = verdicts.reach(comparison.compare(study.read()), None)
    assert "5 seeds cannot show a difference, at least 6 are needed" in reach
    assert "0 of 2 questions decided" in reach


def test_the_baseline_is_not_compared_with_itself(study):
    study.arm("baseline", 70.0, 72.0).arm("variant", 69.0, 69.0)
    found = row(study, "baseline")
    assert (found["n"], found["mean"], found["paired"]) == (2, 71.0, False)
    assert np.isnan([found[name] for name in ["pairs", *COMPARISON]]).all()
    assert text(study, "baseline")["difference [interval]"] == ""


@pytest.mark.parametrize("name", ["data_hash", "noise_hash"])
@pytest.mark.parametrize("other", ["another", None])
def test_trials_on_other_data_or_noise_are_no_pair(study, name, other):
    study.arm("baseline", 70.0, 70.0, 70.0).arm(
        "variant", 71.0, 95.0, 73.0, change={1: {name: other}}
    )
    found = row(study, "variant")
    assert (found["n"], found["pairs"], found["difference"]) == (3, 2, 2.0)


@pytest.mark.parametrize("end", ["failed", "missing"])
@pytest.mark.parametrize("side", ["baseline", "variant"])
def test_a_pair_needs_both_of_its_trials(study, side, end):
    ends = {"baseline": [70.0, 70.0, 70.0], "variant": [71.0, 95.0, 73.0]}
    ends[side][1] = end
    for arm, values in ends.items():
        study.arm(arm, *values)
    found = row(study, "variant")
    assert (found["pairs"], found["difference"]) == (2, 2.0)
    assert row(study, side)["n"] == 2
    assert row(study, side)["planned"] == 3


def test_pairs_are_made_by_seed_not_by_position(study):
    same = {
        seed: {"noise_hash": "none"} for seed in range(4)
    }  # data as it is: every seed has the same labels
    study.arm("baseline", "failed", 10.0, 20.0, 30.0, change=same)
    study.arm("variant", 99.0, 11.0, "missing", 33.0, change=same)
    assert pairs(study.read(), "", "variant").to_numpy().tolist() == [[11, 10], [33, 30]]


def test_pairs_stay_within_a_setting(study):
    for setting, base in (("easy", 90.0), ("hard", 50.0)):
        study.arm("baseline", base, base + 1, setting=setting)
        study.arm("variant", base + 2, base + 4, setting=setting)
    assert row(study, "variant", "easy")["difference"] == 2.5
    assert row(study, "variant", "hard")["difference"] == 2.5
    assert row(study, "variant", "hard")["mean"] == 53.0


def test_an_arm_that_changes_the_data_has_no_difference(study):
    study.arm("baseline", 70.0, 72.0).arm("other_noise", 80.0, 82.0, paired=False)
    found = row(study, "other_noise")
    assert (found["paired"], found["n"], found["mean"]) == (False, 2, 81.0)
    assert np.isnan([found[name] for name in COMPARISON]).all()
    assert text(study, "other_noise")["difference [interval]"] == ""
    assert text(study, "other_noise")["p"] == ""


def test_another_metric_can_be_compared(study):
    study.arm("baseline", 70.0, change={0: {"test/accuracy_best": 80.0}})
    study.arm("variant", 71.0, change={0: {"test/accuracy_best": 85.0}})
    table = comparison.compare(study.read(), "test/accuracy_best")
    assert table["mean"].tolist() == [80.0, 85.0]
    assert table["difference"].tolist()[1] == 5.0


# --- what is corrected together ---

UP = (71.0, 72.0, 73.0, 74.0, 75.0, 76.0)  # with six pairs of one sign p is 2/2⁶


def test_six_seeds_suffice_for_any_number_of_arms(study):
    study.arm("baseline", *[70.0] * 6)
    for name in ("first", "second", "third"):
        study.arm(name, *UP)
    table = comparison.compare(study.read()).set_index("arm").drop(index="baseline")
    assert table["p_adjusted"].tolist() == [2 / 2**6] * 3
    assert table["verdict"].tolist() == ["better"] * 3


def test_each_family_and_setting_is_corrected_apart(study):
    noisy = (69.0, 71.0, 70.5, 69.5, 70.2, 70.4)
    for setting in ("easy", "hard"):
        study.arm("baseline", *[70.0] * 6, setting=setting).arm("first", *noisy, setting=setting)
    study.arm("second", *UP, setting="hard").arm("x=1", *noisy, family="method.x", setting="hard")
    alone = row(study, "first", "easy")["p_adjusted"]
    assert alone == row(study, "first", "easy")["p"] == row(study, "x=1", "hard")["p_adjusted"]
    together = row(study, "first", "hard")
    assert together["p_adjusted"] > alone
    assert together["p_step_down"] == pytest.approx(alone)


def test_intervals_are_wider_with_more_arms(study):
    rng = np.random.default_rng(0)
    study.arm("baseline", *[70.0] * 8)
    for name in ("a", "b", "c"):
        study.arm(name, *(70 + rng.normal(size=8)))
    study.arm("x=1", *(70 + np.array([1.0, -1, 2, 0, 0, 1, -1, 0])), family="method.x")
    three = row(study, "a")
    one = row(study, "x=1")
    assert three["high"] - three["low"] > three["t_high"] - three["t_low"]
    assert one["low"] < one["difference"] < one["high"]


def test_arms_without_a_comparison_are_not_counted_in_the_correction(study):
    study.arm("baseline", *[70.0] * 6).arm("first", *UP)
    study.arm("other_data", *UP, paired=False).arm("never_run", *["missing"] * 6)
    assert row(study, "first")["p_adjusted"] == 2 / 2**6


# --- studies that are not finished ---


def test_arms_stand_in_the_studys_order(study):
    names = ["baseline", "zeta", "alpha", "x=2", "x=10"]
    for name in names:
        study.arm(name, "missing" if name == "zeta" else 70.0, 70.0)
    assert comparison.compare(study.read())["arm"].tolist() == names
    assert tables.shown(comparison.compare(study.read()))["arm"].tolist() == names


def test_settings_stand_in_the_studys_order(study):
    for setting in ("z", "a"):
        study.arm("baseline", 70.0, 71.0, setting=setting).arm(
            "variant", 70.0, 71.0, setting=setting
        )
    table = comparison.compare(study.read())
    assert table["setting"].tolist() == ["z", "z", "a", "a"]
    assert table["arm"].tolist() == ["baseline", "variant"] * 2


def test_a_study_without_a_finished_trial_has_rows_without_numbers(study):
    study.arm("baseline", "failed", "missing").arm("variant", "missing", "missing")
    table = comparison.compare(study.read())
    assert table["n"].tolist() == [0, 0]
    assert table["planned"].tolist() == [2, 2]
    assert table[["mean", "sd", *COMPARISON]].isna().all(axis=None)
    assert tables.shown(table).to_numpy().tolist() == [
        ["baseline", "0 of 2 (1 failed)", "", "", ""],
        ["variant", "0 of 2", "", "", ""],
    ]


def test_one_seed_has_a_difference_and_no_interval(study):
    study.arm("baseline", 70.0).arm("variant", 71.5)
    found = row(study, "variant")
    assert (found["pairs"], found["difference"], found["p"]) == (1, 1.5, 1.0)
    assert np.isnan([found["sd"], found["low"], found["high"], found["more_low"]]).all()
    assert list(text(study, "variant").values()) == ["variant", "1", "71.50", "+1.50", "1.0000"]


def test_without_a_finished_baseline_arms_have_a_mean_and_no_difference(study):
    study.arm("baseline", "failed", "failed").arm("variant", 71.0, 73.0)
    found = row(study, "variant")
    assert (found["n"], found["pairs"], found["mean"], found["paired"]) == (2, 0, 72.0, True)
    assert np.isnan([found[name] for name in COMPARISON]).all()
    assert (found["seeds"], found["fails_less"], found["verdict"]) == (2, 2, "inconclusive")
    assert list(text(study, "variant").values()) == ["variant", "2", "72.00 ± 1.41", "", ""]


# --- how it reads ---


def test_unfinished_seeds_are_told_beside_n(study):
    study.arm("baseline", *[70.0] * 8).arm("variant", *[71.0] * 7, "failed").arm(
        "other", *[71.0] * 7, "missing"
    )
    shown = {arm: text(study, arm)["n"] for arm in ("baseline", "variant", "other")}
    assert shown == {"baseline": "8", "variant": "7 of 8 (1 failed)", "other": "7 of 8"}


def test_a_difference_of_fewer_pairs_than_n_is_told_from_one_of_all(study):
    study.arm("baseline", *[70.0] * 8).arm("all", *[70.0] * 8)
    study.arm("some", *[70.0] * 8, change={seed: {"noise_hash": "another"} for seed in range(5)})
    table = comparison.compare(study.read())
    assert table["pairs"].tolist()[1:] == [8, 3]
    every, some = tables.shown(table).drop(columns="arm").to_numpy().tolist()[1:]
    assert every != some


def test_the_header_says_which_accuracy(study):
    header = list(tables.shown(comparison.compare(study.arm("baseline", 70.0).read())).columns)
    assert header == ["arm", "n", "last-10 test accuracy %", "difference [interval]", "p"]


def test_settings_are_shown_where_a_study_has_them(study):
    study.arm("baseline", 70.0, setting="easy")
    assert next(iter(tables.shown(comparison.compare(study.read())))) == "setting"


def test_numbers_are_shown_with_two_decimals_signs_and_interval(study):
    study.arm("baseline", 70.0, 72.0, 74.0).arm("variant", 69.0, 69.0, 75.0)
    found = row(study, "variant")
    assert text(study, "variant") == {
        "arm": "variant",
        "n": "3",
        "last-10 test accuracy %": "71.00 ± 3.46",
        "difference [interval]": f"−1.00 {cells.bounds(found['low'], found['high'])}",
        "p": "0.7500",
    }


@pytest.mark.parametrize("p", [2 / 2**16, 1e-6])
def test_a_small_p_is_not_shown_as_zero(study, p):
    table = comparison.compare(study.arm("baseline", 70.0, 70.0).arm("variant", 71.0, 71.0).read())
    table.loc[1, "p_adjusted"] = p
    assert tables.shown(table)["p"].tolist()[1].strip("0.") != ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.314, "+0.31"),
        (-2.0, "−2.00"),
        (-0.005001, "−0.01"),
        (0.0, "0.00"),
        (-0.0, "0.00"),
        (0.004, "0.00"),
        (-0.004, "0.00"),
        (-1e-17, "0.00"),
        (-100.0, "−100.00"),
    ],
)
def test_a_signed_number_has_a_true_minus_and_zero_no_sign(value, expected):
    assert cells.signed(value) == expected


def test_markdown_is_a_table_with_the_same_cells(study, rendered):
    study.arm("baseline", 70.0, 72.0).arm("no_co_refine", 69.0, "failed").arm(
        "x=0.5,y=1+2", 70.0, 75.0
    )
    shown = tables.shown(comparison.compare(study.read()))
    (found,) = rendered(formats.markdown(shown))
    assert found == [list(shown.columns), *shown.to_numpy().tolist()]


def test_markdown_of_no_rows_is_a_header(rendered):
    assert rendered(formats.markdown(pd.DataFrame(columns=["arm", "n"]))) == [[["arm", "n"]]]


def test_markdown_keeps_a_bar_within_its_cell(rendered):
    (found,) = rendered(formats.markdown(pd.DataFrame({"arm": ["a|b"], "n": ["1"]})))
    assert found == [["arm", "n"], ["a|b", "1"]]


def test_csv_reads_back_equal(study, tmp_path):
    study.arm("baseline", 70.1, 200 / 3, "failed").arm("variant", 69.0, 100 / 7, 3.0)
    study.arm("other", 1 / 3, "missing", "missing", paired=False).arm(
        "x=1", 0.1, 0.2, 0.3, family="method.x"
    )
    table = comparison.compare(study.read())
    table.to_csv(tmp_path / "arms.csv", index=False)
    text = {"setting": "", "family": "", "verdict": ""}
    again = pd.read_csv(tmp_path / "arms.csv", dtype=dict.fromkeys(text, str)).fillna(text)
    pd.testing.assert_frame_equal(again, table, check_dtype=False, rtol=1e-12)


# --- all columns ---

BASE = (70.0, 71.0, 72.0, 73.0)


def test_an_arm_has_every_statistic_of_its_differences(study):
    study.arm("baseline", *BASE).arm("variant", 71.0, 73.0, 72.0, 77.0)
    found = row(study, "variant")
    change = np.array([1.0, 2.0, 0.0, 4.0])
    assert found["difference_sd"] == pytest.approx(np.std(change, ddof=1))
    assert (found["boot_low"], found["boot_high"]) == pytest.approx(paired.bootstrap(change))
    assert found["effect_size"] == pytest.approx(1.75 / np.std(change, ddof=1))
    assert found["improvement"] == 3.5 / 4
    assert found["spread_ratio"] == pytest.approx(
        np.std([71, 73, 72, 77], ddof=1) / np.std(BASE, ddof=1)
    )
    half = 3.182446 * math.sqrt(5 / 3) / 2
    base = row(study, "baseline")
    assert (base["mean_low"], base["mean_high"]) == pytest.approx(
        (71.5 - half, 71.5 + half), abs=1e-5
    )
    decide = seeds_to_decide(4, found["difference"], found["difference_sd"], 0.5)
    assert (found["more_low"], found["more_high"]) == decide


def test_spread_within_a_run_is_the_mean_of_the_seeds(study):
    name = "test/accuracy_last10_sd"
    study.arm("baseline", 70.0, 71.0, "failed", change={0: {name: 1.0}, 1: {name: 3.0}}).arm(
        "variant", 70.0, 71.0
    )
    assert row(study, "baseline")["within_sd"] == 2
    assert np.isnan(row(study, "variant")["within_sd"])


def test_spread_of_a_baseline_without_any_has_no_ratio(study):
    study.arm("baseline", 70.0, 70.0).arm("variant", 71.0, 73.0)
    assert np.isnan(row(study, "variant")["spread_ratio"])


# --- verdicts ---

EIGHT = np.arange(8) / 10


def test_verdicts(study):
    study.arm("baseline", *[70.0] * 8)
    study.arm("better", *(71 + EIGHT)).arm("alike", *(70 + EIGHT / 2 - 0.175)).arm(
        "unclear", *(70 + 9 * EIGHT - 3)
    )
    study.arm("other_data", *(80 + EIGHT), paired=False).arm("never_run", *["missing"] * 8)
    table = comparison.compare(study.read()).set_index("arm")
    assert table["verdict"].to_dict() == {
        **{"baseline": "", "better": "better", "alike": "equivalent", "unclear": "inconclusive"},
        **{"other_data": "", "never_run": ""},
    }


def test_the_margin_is_the_studys(study):
    study.arm("baseline", *[70.0] * 8).arm("variant", *(70.1 + EIGHT / 2 - 0.175))
    found = {}
    for study.margin in (0.5, 0.1):
        found[study.margin] = row(study, "variant")
    assert found[0.5]["verdict"] == "equivalent"
    assert found[0.1]["verdict"] == "inconclusive"
    assert found[0.5]["more_low"] < 8


def test_one_seed_is_undecided_even_without_a_difference(study):
    assert (
        row(study.arm("baseline", 70.0).arm("variant", 70.0), "variant")["verdict"]
        == "inconclusive"
    )


def test_an_interval_that_ends_at_the_margin_is_undecided():
    line = {"difference": 0.1, "low": -0.4, "high": 0.5, "p_adjusted": 1.0, "seeds": 8}
    assert comparison.verdict(line, 0.5) == "inconclusive"
    assert comparison.verdict({**line, "high": 0.49}, 0.5) == "equivalent"
    assert comparison.verdict({**line, "p_adjusted": 0.04}, 0.5) == "better"
    assert comparison.verdict({**line, "p_adjusted": 0.041}, 0.5) == "inconclusive"
    worse = {**line, "difference": -1.0, "p_adjusted": 0.01}
    assert comparison.verdict(worse, 0.5) == "worse"
    assert comparison.verdict({**line, "rate_low": 0.01}, 0.5) == "worse by failures"
    assert comparison.verdict({**line, "rate_high": -0.01}, 0.5) == "better by failures"


# --- failures ---

LOST = {"lost_classes": [3]}
COLLAPSED = {"collapsed": True}


def test_runs_that_failed_are_no_pairs_and_are_counted_for_both_sides(study):
    study.arm("baseline", *[70.0] * 7, 30.0, change={7: COLLAPSED, 0: {"lost_classes": []}})
    study.arm("variant", *[71.0] * 5, 60.0, "failed", 71.0, change={5: LOST})
    found = row(study, "variant")
    assert (found["seeds"], found["pairs"], found["difference"]) == (8, 5, 1.0)
    assert (found["fails_more"], found["fails_less"]) == (2, 1)
    assert (row(study, "baseline")["failed"], found["failed"]) == (1, 2)
    assert found["rate_low"] < 0 < found["rate_high"]
    assert text(study, "variant")["n"] == "7 of 8 (2 failed)"
    assert "failed alone on 2 seeds, the baseline on 1" in verdicts.sentence(found, 0.5)


def test_an_arm_that_fails_in_most_runs_is_worse_by_failures(study):
    study.arm("baseline", *[70.0] * 30).arm(
        "variant", *[70.0] * 16, *[60.0] * 14, change=dict.fromkeys(range(16, 30), LOST)
    )
    assert row(study, "variant")["verdict"] == "worse by failures"


def test_where_failures_are_usual_nothing_is_taken_out(study):
    change = dict.fromkeys(range(5), LOST)
    study.arm("baseline", *[70.0] * 8, change=change).arm("variant", *[71.0] * 8, change=change)
    found = row(study, "variant")
    assert (found["pairs"], found["failed"]) == (8, 5)
    assert next(verdicts.unusual(comparison.compare(study.read()))).startswith(
        "the baseline failed in 5 of 8 runs"
    )


def test_equivalent_is_said_with_what_is_known_of_failures(study):
    study.arm("baseline", *[70.0] * 8).arm("variant", *[70.0] * 8)
    found = row(study, "variant")
    assert found["verdict"] == "equivalent"
    sentence = verdicts.sentence(found, 0.5)
    assert "equivalent within ±0.5 points in the center" in sentence
    assert "failed alone on 0 seeds, the baseline on 0 (difference of the rates in [" in sentence


# --- costs ---


def cost(seconds, forwards):
    return {"time/epoch_s": seconds, "time/train_s": seconds / 2, "work/forwards": forwards}


def test_costs_are_means_with_ratios_on_the_seeds_that_both_have(study):
    study.arm(
        "baseline",
        70.0,
        70.0,
        70.0,
        change={0: cost(10.0, 100), 1: cost(20.0, 100), 2: cost(90.0, 100)},
    )
    study.arm("variant", 70.0, 70.0, "failed", change={0: cost(20.0, 150), 1: cost(40.0, 250)})
    study.arm("other", 70.0, change={0: cost(5.0, 50) | {"noise_hash": "other"}}, paired=False)
    table = costs_of_arms(study.read()).set_index("arm")
    assert table["n"].tolist() == [3, 2, 1]
    assert table["time/epoch_s"].tolist() == [40, 30, 5]
    assert table["time/train_s"].tolist() == [20, 15, 2.5]
    assert table["work/forwards"].tolist() == [100, 200, 50]
    assert table["seconds_ratio"].tolist() == pytest.approx(
        [1, 2, math.nan], nan_ok=True
    )  # 60 s to 30 s
    assert table["work_ratio"].tolist() == pytest.approx([1, 2, math.nan], nan_ok=True)


def test_costs_of_a_study_without_measurements_have_none(study):
    table = costs_of_arms(study.arm("baseline", 70.0).arm("variant", "failed").read())
    assert table["n"].tolist() == [1, 0]
    assert table[["seconds_ratio", "work_ratio"]].isna().all(axis=None)
