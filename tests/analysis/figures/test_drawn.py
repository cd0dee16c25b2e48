"""Figures of the page: what is drawn where, and said on hover."""

from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from analysis.figures.drawn_curves import accuracy_groups, division_groups
from analysis.figures.drawn_forest import forests
from analysis.figures.drawn_points import factor_groups, work_groups
from analysis.stats import comparison
from analysis.stats.costs import costs_of_arms


def titles(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter("title")]


def elements(svg, name):
    return [
        element
        for element in ElementTree.fromstring(svg).iter()
        if name in (element.get("class") or "").split()
    ]


def rows(*arms):
    columns = ["arm", "difference", "low", "high", "verdict"]
    return pd.DataFrame(arms, columns=columns).assign(setting="", family="arms", pairs=8)


# --- forest ---


def test_a_forest_row_says_its_numbers_and_fills_decided_points():
    (forest,) = forests(
        rows(("a", 1.0, 0.5, 1.5, "better"), ("b", 0.0, -1.0, 1.0, "inconclusive")), 0.5
    )
    first, second = forest.rows
    assert titles(first.svg) == ["a: +1.00 points [+0.50, +1.50]"]
    assert elements(first.svg, "decided")
    assert elements(second.svg, "open")
    assert not forest.clipped


def test_an_outlier_is_an_arrow_with_its_value_and_the_others_keep_their_width():
    near = [(f"arm{k}", 0.2, -0.5, 0.9, "inconclusive") for k in range(3)]
    (forest,) = forests(rows(*near, ("far", -40.0, -42.0, -38.0, "worse")), 0.5)
    far = forest.rows[-1]
    assert far.clipped
    assert elements(far.svg, "arrow")
    assert [element.text for element in elements(far.svg, "tick")] == ["−40.00"]
    assert not elements(far.svg, "point")
    path = elements(forest.rows[0].svg, "interval")[0].get("d")
    x = [float(point.split()[0]) for point in path.removeprefix("M").split("L")]
    assert x[1] - x[0] > 60, "pixels of 360"


def test_an_infinite_interval_has_arrows_on_both_sides():
    (forest,) = forests(rows(("a", 1.0, -np.inf, np.inf, "inconclusive")), 0.5)
    assert len(elements(forest.rows[0].svg, "arrow")) == 2


# --- curves ---


def test_curves_say_mean_and_sd_of_each_epoch_on_hover(study):
    study.arm("baseline", 70.0, 72.0).arm("variant", 60.0, 61.0)
    (group,) = accuracy_groups(study.read())
    (panel,) = group.panels
    assert [key.text for key in group.keys] == ["baseline (n=2)", "variant (n=2)"]
    said = titles(panel.svg)
    assert "baseline, epoch 3: 71 ± 1.4" in said
    assert "variant, epoch 1: 58.5 ± 0.71" in said
    arms = [element.get("class").split()[1] for element in elements(panel.svg, "arm")]
    assert arms == ["a1", "a0"], "the baseline is above the others"


def test_a_long_curve_says_some_epochs_and_the_last(study):
    study.arm("baseline", 70.0, epochs=300)
    (group,) = accuracy_groups(study.read())
    said = titles(group.panels[0].svg)
    assert len(said) <= 42
    assert any("epoch 300:" in text for text in said)


def test_families_and_settings_have_groups_of_their_own(study):
    for setting in ("easy", "hard"):
        study.arm("baseline", 70.0, setting=setting).arm("variant", 60.0, setting=setting)
        study.arm("x=1", 71.0, family="method.x", setting=setting)
    groups = list(accuracy_groups(study.read()))
    assert [group.panels[0].title for group in groups] == [
        "easy · arms",
        "easy · method.x",
        "hard · arms",
        "hard · method.x",
    ]


def test_the_division_has_four_panels_and_one_legend(study):
    metrics = {
        f"division/{name}_net{k}": 0.5
        for name in ("auc", "labeled_fraction", "precision", "recall")
        for k in (0, 1)
    }
    study.arm("baseline", 70.0, 71.0, metrics=metrics).arm("cross_entropy", 60.0, 61.0)
    (group,) = division_groups(study.read())
    assert len(group.panels) == 4
    assert [key.text for key in group.keys] == ["baseline (n=2)"]


# --- points ---


def test_a_factor_shows_means_intervals_and_seeds(study):
    study.factors = ["method.x"]
    study.arm("baseline", 70.0, 72.0, config={"method": {"x": 2}})
    study.arm("x=1", 60.0, 62.0, family="method.x", config={"method": {"x": 1}})
    (group,) = factor_groups(study.read())
    (panel,) = group.panels
    assert [text.split(" [")[0] for text in titles(panel.svg)] == [
        "x=1: 61.00 %",
        "baseline: 71.00 %",
    ]
    assert len(elements(panel.svg, "seed")) == 4
    assert len(elements(panel.svg, "open")) == 1


def test_work_shows_an_arm_a_point(study):
    work = {seed: {"work/forwards": 3e6} for seed in (0, 1)}
    study.arm("baseline", 70.0, 72.0, change=work).arm("variant", 60.0, 62.0, change=work)
    results = study.read()
    (group,) = work_groups(results, comparison.compare(results), costs_of_arms(results))
    assert [key.text for key in group.keys] == ["baseline", "variant"]
    assert any(text.endswith("3 million") for text in titles(group.panels[0].svg))


@pytest.mark.parametrize("draw", [accuracy_groups, division_groups, factor_groups])
def test_a_study_without_results_draws_nothing(study, draw):
    assert list(draw(study.arm("baseline", "failed").read())) == []
