"""The forest plot: what its panels show."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from analysis.figures import comparison as figures
from analysis.figures import forest as forest_plot
from analysis.figures.curves import accuracy_per_epoch
from analysis.stats import comparison
from tests.analysis.figures.test_comparison import BLACK, WHITE, points, texts

EIGHT = np.arange(8) / 10


def test_with_unchecked_test_labels_no_point_is_filled_and_the_axes_say_agreement(
    study, drawn, forest
):
    change = {seed: {"test_labels": "unchecked"} for seed in range(8)}
    study.factors = ["method.x"]
    study.arm("baseline", *[70.0] * 8, change=change, config={"method": {"x": 1}})
    study.arm("x=2", *(71 + EIGHT), family="method.x", config={"method": {"x": 2}})
    (panel,) = forest(study)
    assert [face for _, _, face in points(panel)] == [WHITE]
    assert "agreement with unchecked labels" in panel.get_xlabel()
    assert texts(panel.figure.legends[0]) == ["verdict withheld: test labels are unchecked"]
    (panel,) = drawn(figures.factor_curves, study.read())
    assert panel.get_ylabel() == "last-10 agreement with unchecked labels %"
    (panel,) = drawn(accuracy_per_epoch, study.read())
    assert panel.get_ylabel().startswith("agreement with unchecked labels (test/accuracy) %")


@pytest.fixture
def forest(drawn):
    def forest(study):
        results = study.read()
        return drawn(forest_plot.forest, results, comparison.compare(results))

    return forest


def test_the_forest_has_a_line_an_arm_with_its_interval_and_fills_what_matters(study, forest):
    study.arm("baseline", *[70.0] * 8).arm("better", *(71 + EIGHT)).arm("alike", *[70.0] * 8)
    study.arm("x=1", *(70 + 9 * EIGHT - 3), family="method.x").arm(
        "other", *[5.0] * 8, paired=False
    )
    (panel,) = forest(study)
    assert [label.get_text() for label in panel.get_yticklabels()] == ["better", "alike", "x=1"]
    assert points(panel) == [
        (pytest.approx(1.35), 0, BLACK),
        (0, 1, to_hex("0.6")),
        (pytest.approx(0.15), 2, WHITE),
    ]
    found = comparison.compare(study.read()).set_index("arm").loc["better"]
    assert [found["low"], found["high"]] in [list(line.get_xdata()) for line in panel.lines]
    assert texts(panel.figure.legends[0]) == [
        "better or worse",
        "equivalent within ±0.5 (band)",
        "inconclusive",
    ]


def test_the_forest_has_a_panel_a_setting_and_the_studys_margin(study, forest):
    study.margin = 2.0
    for setting in ("easy", "hard"):
        study.arm("baseline", 70.0, 71.0, setting=setting).arm("a", 71.0, 71.0, setting=setting)
    panels = forest(study)
    assert [panel.get_title() for panel in panels] == ["easy", "hard"]
    bands = [
        panel.patches[0].get_extents().transformed(panel.transData.inverted()) for panel in panels
    ]
    assert [edge for band in bands for edge in (band.x0, band.x1)] == pytest.approx([-2, 2, -2, 2])


def test_one_seed_is_a_point_in_the_forest(study, forest):
    (panel,) = forest(study.arm("baseline", 70.0).arm("a", 71.0))
    assert points(panel) == [(1, 0, WHITE)]


def test_without_a_pair_there_is_no_forest(study, forest):
    assert forest(study.arm("baseline", 70.0, "failed").arm("a", "missing", 71.0)) == []
