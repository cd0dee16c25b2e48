"""Tables as text, for people and for LaTeX."""

import pandas as pd
import pytest

from analysis.report import cells, formats, tables
from analysis.stats import comparison, interactions
from analysis.stats.costs import costs_of_arms
from tests.analysis.stats.test_interactions import TWO, product
from trainable.storage.names import BEST_ACCURACY, LAST10


def lines(table):
    return table.to_numpy().tolist()


# --- cells ---


@pytest.mark.parametrize(
    ("p", "text"),
    [(0.046875, "0.0469"), (1.0, "1.0000"), (0.00005, "0.0001"), (0.00004, "<0.0001"), (None, "")],
)
def test_a_p_value_is_never_zero(p, text):
    assert cells.p_value(p) == text


def test_what_is_not_known_is_empty():
    nan = float("nan")
    assert [
        cells.number(nan),
        cells.signed(nan),
        cells.seeds(nan, nan),
        cells.bounds(nan, nan),
    ] == [""] * 4
    assert cells.interval(1.0, nan, nan) == "+1.00"
    assert (cells.spread(nan, nan), cells.spread(70.0, nan)) == ("", "70.00")


def test_counts_of_seeds():
    many = float("inf")
    assert cells.seeds(12.0, 12.0) == "12"
    assert cells.seeds(9.0, 64.0) == "9 to 64"
    assert cells.seeds(9.0, many) == cells.seeds(9.0, 65.0) == "9 to more than 64"
    assert cells.seeds(65.0, many) == cells.seeds(many, many) == "more than 64"
    assert cells.seeds(float("nan"), float("nan")) == ""


def test_infinite_ends_and_rates():
    assert cells.bounds(-float("inf"), 1.0) == "[−∞, +1.00]"
    assert cells.percentages(-0.125, 0.3) == "[−12 %, +30 %]"


@pytest.mark.parametrize(
    ("n", "planned", "failed", "text"),
    [
        (8, 8, 0, "8"),
        (7, 8, 0, "7 of 8"),
        (8, 8, 2, "8 (2 failed)"),
        (7, 8, 1, "7 of 8 (1 failed)"),
    ],
)
def test_finished_seeds(n, planned, failed, text):
    assert cells.finished({"n": n, "planned": planned, "failed": failed}) == text


# --- tables ---


def test_details_list_every_statistic_of_arms_with_pairs(study):
    study.arm("baseline", 70.0, 72.0).arm("a", 71.0, 75.0).arm("never", "missing", "missing")
    table = tables.details(comparison.compare(study.read()))
    (line,) = table.to_dict("records")
    # Differences 1 and 3: mean 2, sd √2, interval ± 12.71; sds √8 and √2.
    assert line == {
        **{"arm": "a", "pairs": "2", "difference": "+2.00", "95 % t interval": "[−10.71, +14.71]"},
        **{
            "95 % bootstrap": "[+1.00, +3.00]",
            "p alone": "0.5000",
            "p": "0.5000",
            "step-down p": "0.5000",
            "effect size d": "+1.41",
        },
        **{
            "seeds improved": "100 %",
            "sd ratio": "2.00",
            "pairing": "5.00",
            "only arm / baseline failed": "0 / 0",
            "failure rates": "[−100 %, +100 %]",
            "seeds to decide": line["seeds to decide"],
            "verdict": "inconclusive",
        },
    }


def test_accuracies_have_every_metric_with_the_interval_of_the_mean(study):
    study.arm(
        "baseline",
        70.0,
        72.0,
        change={0: {BEST_ACCURACY: 80.0, "test/accuracy_last10_sd": 0.5}, 1: {BEST_ACCURACY: 80.0}},
    )
    compared = {
        metric: comparison.compare(study.read(), metric) for metric in (LAST10, BEST_ACCURACY)
    }
    assert lines(tables.accuracies(compared)) == [
        ["baseline", "2", "71.00 ± 1.41 [58.29, 83.71]", "80.00 ± 0.00 [80.00, 80.00]", "0.50"]
    ]


def test_costs_have_seconds_parts_and_ratios(study):
    def cost(seconds, forwards):
        return {0: {"time/epoch_s": seconds, "time/divide_s": 1.5, "work/forwards": forwards}}

    study.arm("baseline", 70.0, change=cost(10.0, 2e6)).arm("a", 70.0, change=cost(25.0, 3e6))
    table = tables.costs(costs_of_arms(study.read()))
    assert list(table) == [
        "arm",
        "seconds a trial",
        "× baseline",
        "divide s",
        "million forwards",
        "work × baseline",
    ]
    assert lines(table)[1] == ["a", "25.00", "2.50", "1.50", "3.00", "1.50"]


def test_the_papers_layout_has_arms_down_settings_across_and_two_accuracies(study):
    for setting, low in (("sym80", 0.0), ("sym20", 20.0)):
        best = {0: {BEST_ACCURACY: 75.0 + low}, 1: {BEST_ACCURACY: 77.0 + low}}
        study.arm("baseline", 70.0 + low, 72.0 + low, setting=setting, change=best)
    study.arm("a", 60.0, 60.0, setting="sym20")
    results = study.read()
    table = tables.by_setting(
        {metric: comparison.compare(results, metric) for metric in (BEST_ACCURACY, LAST10)}
    )
    assert list(table) == ["arm", "accuracy", "sym80", "sym20"]
    assert lines(table) == [
        ["baseline", "best test accuracy %", "76.00 ± 1.41", "96.00 ± 1.41"],
        ["baseline", "last-10 test accuracy %", "71.00 ± 1.41", "91.00 ± 1.41"],
        ["a", "best test accuracy %", "", ""],
        ["a", "last-10 test accuracy %", "", "60.00 ± 0.00"],
    ]


def test_families_begin_with_the_baseline_and_leave_out_what_is_not_paired(study):
    study.arm("baseline", 70.0).arm("a", 71.0).arm("x=1", 71.0, family="method.x").arm(
        "other", 1.0, paired=False
    )
    found = [
        (s, f, rows["arm"].tolist())
        for s, f, rows in tables.families(comparison.compare(study.read()))
    ]
    assert found == [("", "arms", ["baseline", "a"]), ("", "method.x", ["baseline", "x=1"])]


# --- LaTeX ---


def test_latex_is_a_booktabs_table_without_characters_that_it_cannot_set(study):
    study.arm("baseline", 70.0, 72.0).arm("no_co_refine", 69.0, 70.5)
    compared = comparison.compare(study.read())
    compared.loc[1, "p_adjusted"] = 1e-6
    costs = costs_of_arms(study.read()).assign(**{"work/forwards": 1e6})
    effects = interactions.effects(product(study, TWO, setting="two", baseline=(0, 0)).read())
    assert len(effects) == 3
    texts = [
        formats.latex(table)
        for table in (tables.judged(compared), tables.costs(costs), tables.effects(effects))
    ]
    for text in texts:
        for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
            assert rule in text
        assert text.isascii()
        assert text.replace(r"\_", "").count("_") == 0
        assert text.replace(r"\%", "").count("%") == 0
        assert text.count("{tabular}") == 2
    first, second, third = texts
    assert r"no\_co\_refine & 2 & 69.75 $\pm$ 1.06 & $-$1.25 [$-$" in first
    assert r"test accuracy \%" in first
    assert "$<$0.0001" in first
    assert r"$\times$ baseline" in second
    assert r"a: 0 $\to$ 1" in third


@pytest.mark.parametrize("character", ["#", "$", "&", "_", "{", "}", "%"])
def test_latex_escapes_what_means_something_to_it(character):
    assert f"a\\{character}b" in formats.latex(pd.DataFrame({"arm": [f"a{character}b"]}))


def test_a_plain_table_shows_parameters_with_four_digits_and_no_empty_columns():
    table = pd.DataFrame(
        {
            "trial": ["a", "b"],
            "train.lr": [0.069931, None],
            "score": [61.728, 1.0],
            "none": [None, None],
        }
    )
    text = tables.plain(table)
    assert text.columns.to_list() == ["trial", "train.lr", "score"]
    assert text.to_numpy().tolist() == [["a", "0.06993", "61.73"], ["b", "", "1.00"]]


def test_ranks_count_from_the_best_in_each_setting():
    places = [
        ("a", "x", 3.0),
        ("a", "y", 2.0),
        ("b", "x", 1.0),
        ("b", "y", 5.0),
        ("c", "x", 2.0),
        ("c", "y", float("nan")),
    ]
    table = pd.DataFrame(places, columns=["arm", "setting", "mean"]).assign(paired=True)
    other = pd.DataFrame(
        [("other noise", s, 9.0, False) for s in "xy"], columns=["arm", "setting", "mean", "paired"]
    )
    assert tables.ranks(pd.concat([table, other], ignore_index=True)).to_numpy().tolist() == [
        ["a", "1", "2", "1.50"],
        ["b", "3", "1", "2.00"],
        ["c", "2", "", ""],
    ]
