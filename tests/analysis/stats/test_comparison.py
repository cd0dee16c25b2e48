"""The table of arms: what is compared with what, what is corrected together, and how it reads."""

import math

import numpy as np
import pandas as pd
import pytest

from analysis.report import cells, formats, tables, verdicts
from analysis.stats import comparison, paired
from analysis.stats.power import seeds_to_detect
from tests.analysis.material import sample_table

COMPARISON = ["difference", "low", "high", "p", "p_holm"]


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
    assert found["low"] == pytest.approx(-1 - 4.302653 * 2 / math.sqrt(3), abs=1e-5)
    assert found["high"] == pytest.approx(-1 + 4.302653 * 2 / math.sqrt(3), abs=1e-5)
    assert found["p"] == 0.75


def test_an_arm_counts_in_its_family_once_it_has_begun(study):
    values = [70.0, 72.0, 74.0, 71.0, 70.0]
    study.arm("baseline", *values).arm("begun", *["failed"] * 5)
    for name in ("a", "b"):
        study.arm(name, *(value - 3 - seed / 10 for seed, value in enumerate(values)))
    study.arm("planned", *["missing"] * 5)
    table = comparison.compare(study.read()).set_index("arm")
    assert table.loc[["a", "b", "begun", "planned"], "comparisons"].tolist() == [3, 3, 3, 3]
    assert table.loc["a", ["p", "p_holm"]].tolist() == pytest.approx([2 / 2**5, 3 * 2 / 2**5])
    assert not table.loc["planned", "begun"]
    (reach,) = verdicts.reach(comparison.compare(study.read()))
    assert "5 seeds are too few for 3 comparisons" in reach
    assert "Holm p 0.1875" in reach


def test_the_baseline_is_not_compared_with_itself(study):
    study.arm("baseline", 70.0, 72.0).arm("variant", 69.0, 69.0)
    found = row(study, "baseline")
    assert (found["n"], found["mean"], found["paired"]) == (2, 71.0, False)
    assert np.isnan([found[name] for name in ["pairs", *COMPARISON]]).all()
    assert text(study, "baseline")["difference [95 % interval]"] == ""


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
    assert comparison.pairs(study.read(), "", "variant").to_numpy().tolist() == [[11, 10], [33, 30]]


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
    assert text(study, "other_noise")["difference [95 % interval]"] == ""
    assert text(study, "other_noise")["Holm p"] == ""


def test_another_metric_can_be_compared(study):
    study.arm("baseline", 70.0, change={0: {"test/accuracy_best": 80.0}})
    study.arm("variant", 71.0, change={0: {"test/accuracy_best": 85.0}})
    table = comparison.compare(study.read(), "test/accuracy_best")
    assert table["mean"].tolist() == [80.0, 85.0]
    assert table["difference"].tolist()[1] == 5.0


# --- what is corrected together ---

UP = (71.0, 72.0, 73.0, 74.0)  # with four pairs of one sign p is 2/2⁴ = 0.125


def test_each_family_is_corrected_apart(study):
    study.arm("baseline", 70.0, 70.0, 70.0, 70.0)
    for name in ("first", "second", "third"):
        study.arm(name, *UP)
    for name in ("x=1", "x=2"):
        study.arm(name, *UP, family="method.x")
    study.arm("y=1", *UP, family="method.y")
    table = comparison.compare(study.read()).set_index("arm")
    assert table["p"].drop("baseline").eq(0.125).all()
    assert table["p_holm"].drop("baseline").tolist() == [0.375, 0.375, 0.375, 0.25, 0.25, 0.125]


def test_each_setting_is_corrected_apart(study):
    for setting in ("easy", "hard"):
        study.arm("baseline", 70.0, 70.0, 70.0, 70.0, setting=setting).arm(
            "first", *UP, setting=setting
        )
    study.arm("second", *UP, setting="hard")
    assert row(study, "first", "easy")["p_holm"] == 0.125
    assert row(study, "first", "hard")["p_holm"] == 0.25


def test_arms_without_a_comparison_are_not_counted_in_the_correction(study):
    study.arm("baseline", 70.0, 70.0, 70.0, 70.0).arm("first", *UP)
    study.arm("other_data", *UP, paired=False).arm("never_run", *["missing"] * 4)
    assert row(study, "first")["p_holm"] == 0.125


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
        ["baseline", "0 of 2", "", "", ""],
        ["variant", "0 of 2", "", "", ""],
    ]


def test_one_seed_has_a_difference_and_no_interval(study):
    study.arm("baseline", 70.0).arm("variant", 71.5)
    found = row(study, "variant")
    assert (found["pairs"], found["difference"], found["p"]) == (1, 1.5, 1.0)
    assert np.isnan([found["sd"], found["low"], found["high"]]).all()
    assert list(text(study, "variant").values()) == ["variant", "1", "71.50", "+1.50", "1.0000"]


def test_without_a_finished_baseline_arms_have_a_mean_and_no_difference(study):
    study.arm("baseline", "failed", "failed").arm("variant", 71.0, 73.0)
    found = row(study, "variant")
    assert (found["n"], found["pairs"], found["mean"], found["paired"]) == (2, 0, 72.0, True)
    assert np.isnan([found[name] for name in COMPARISON]).all()
    assert list(text(study, "variant").values()) == ["variant", "2", "72.00 ± 1.41", "", ""]


# --- how it reads ---


def test_unfinished_seeds_are_told_beside_n(study):
    study.arm("baseline", *[70.0] * 8).arm("variant", *[71.0] * 7, "failed").arm(
        "other", *[71.0] * 7, "missing"
    )
    shown = {arm: text(study, arm)["n"] for arm in ("baseline", "variant", "other")}
    assert shown == {"baseline": "8", "variant": "7 of 8", "other": "7 of 8"}


def test_a_difference_of_fewer_pairs_than_n_is_told_from_one_of_all(study):
    study.arm("baseline", *[70.0] * 8).arm("all", *[70.0] * 8)
    study.arm("some", *[70.0] * 8, change={seed: {"noise_hash": "another"} for seed in range(5)})
    table = comparison.compare(study.read())
    assert table["pairs"].tolist()[1:] == [8, 3]
    every, some = tables.shown(table).drop(columns="arm").to_numpy().tolist()[1:]
    assert every != some


def test_the_header_says_which_accuracy(study):
    header = list(tables.shown(comparison.compare(study.arm("baseline", 70.0).read())).columns)
    assert header == ["arm", "n", "last-10 test accuracy %", "difference [95 % interval]", "Holm p"]


def test_settings_are_shown_where_a_study_has_them(study):
    study.arm("baseline", 70.0, setting="easy")
    assert next(iter(tables.shown(comparison.compare(study.read())))) == "setting"


def test_numbers_are_shown_with_two_decimals_signs_and_interval(study):
    study.arm("baseline", 70.0, 72.0, 74.0).arm("variant", 69.0, 69.0, 75.0)
    assert text(study, "variant") == {
        "arm": "variant",
        "n": "3",
        "last-10 test accuracy %": "71.00 ± 3.46",
        "difference [95 % interval]": "−1.00 [−5.97, +3.97]",
        "Holm p": "0.7500",
    }


@pytest.mark.parametrize("p", [2 / 2**16, 1e-6])
def test_a_small_p_is_not_shown_as_zero(study, p):
    table = comparison.compare(study.arm("baseline", 70.0, 70.0).arm("variant", 71.0, 71.0).read())
    table.loc[1, "p_holm"] = p
    assert tables.shown(table)["Holm p"].tolist()[1].strip("0.") != ""


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
    assert found["comparisons"] == 1
    assert found["seeds_to_detect"] == seeds_to_detect(found["effect_size"])
    assert found["seeds_for_equivalence"] == math.inf


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


def test_comparisons_count_their_family_in_seeds_to_detect(study):
    study.arm("baseline", *BASE)
    ends = (71.0, 72.5, 72.8, 74.9)
    study.arm("a", *ends).arm("b", *ends).arm("c", *ends).arm("x=1", *ends, family="method.x")
    three, one = row(study, "a"), row(study, "x=1")
    assert (three["comparisons"], one["comparisons"]) == (3, 1)
    assert three["seeds_to_detect"] == seeds_to_detect(three["effect_size"], 3)
    assert one["seeds_to_detect"] < three["seeds_to_detect"]


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
        **{"baseline": "", "better": "matters", "alike": "equivalent", "unclear": "undecided"},
        **{"other_data": "", "never_run": ""},
    }


def test_the_margin_is_the_studys(study):
    study.arm("baseline", *[70.0] * 8).arm("variant", *(70.1 + EIGHT / 2 - 0.175))
    found = {}
    for study.margin in (0.5, 0.1):
        found[study.margin] = row(study, "variant")
    assert found[0.5]["verdict"] == "equivalent"
    assert found[0.1]["verdict"] == "undecided"
    assert found[0.5]["seeds_for_equivalence"] < 8
    assert found[0.1]["seeds_for_equivalence"] == math.inf


def test_one_seed_is_undecided_even_without_a_difference(study):
    assert (
        row(study.arm("baseline", 70.0).arm("variant", 70.0), "variant")["verdict"] == "undecided"
    )


def test_an_interval_that_ends_at_the_margin_is_undecided():
    line = {"difference": 0.0, "low": -0.4, "high": 0.5, "p_holm": 1.0}
    assert comparison.verdict(line, 0.5) == "undecided"
    assert comparison.verdict({**line, "high": 0.49}, 0.5) == "equivalent"
    assert comparison.verdict({**line, "p_holm": 0.05}, 0.5) == "matters"


# --- collapse ---


def test_runs_near_chance_are_counted_as_collapsed(study):
    table = sample_table(classes=4)  # chance is 25 %: nearer to it than to 85 is below 55
    study.arm("baseline", 85.0, 54.0, 56.0, samples=table).arm(
        "variant", 30.0, 29.0, 28.0, samples=table
    )
    assert row(study, "baseline")["collapsed"] == 1
    assert row(study, "variant")["collapsed"] == 0  # bad, but all alike
    assert text(study, "baseline")["n"] == "3 (1 collapsed)"


def test_collapse_is_seen_though_the_first_trials_samples_are_damaged(study):
    study.arm("baseline", 85.0, 30.0, 84.0, samples=sample_table(classes=4)).write()
    (study.path("baseline", 0) / "samples.npz").write_bytes(b"PK")
    assert row(study, "baseline")["collapsed"] == 1


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
    table = comparison.costs(study.read()).set_index("arm")
    assert table["n"].tolist() == [3, 2, 1]
    assert table["time/epoch_s"].tolist() == [40, 30, 5]
    assert table["time/train_s"].tolist() == [20, 15, 2.5]
    assert table["work/forwards"].tolist() == [100, 200, 50]
    assert table["seconds_ratio"].tolist() == pytest.approx(
        [1, 2, math.nan], nan_ok=True
    )  # 60 s to 30 s
    assert table["work_ratio"].tolist() == pytest.approx([1, 2, math.nan], nan_ok=True)


def test_costs_of_a_study_without_measurements_have_none(study):
    table = comparison.costs(study.arm("baseline", 70.0).arm("variant", "failed").read())
    assert table["n"].tolist() == [1, 0]
    assert table[["seconds_ratio", "work_ratio"]].isna().all(axis=None)
