"""Figures of accuracies: what their panels show."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from analysis.figures import comparison as figures
from analysis.figures import forest as forest_plot
from analysis.figures.curves import division_per_epoch
from analysis.stats import comparison
from analysis.stats.costs import costs_of_arms
from tests.analysis.stats.test_interactions import TWO, product

WHITE, BLACK = "#ffffff", "#000000"


def texts(legend):
    return [entry.get_text() for entry in legend.get_texts()]


def points(panel):
    """(x, y, face) of each marker."""
    lines = [line for line in panel.lines if line.get_marker() not in ("None", "")]
    return [(*line.get_xydata()[0].tolist(), to_hex(line.get_markerfacecolor())) for line in lines]


# --- factors ---


def factor(study, values, path="method.x", baseline=5, **options):
    study.factors = [*study.factors, path]
    for value, ends in values.items():
        name = "baseline" if value == baseline else f"{path[7:]}={value}".lower()
        study.arm(name, *ends, family=path, config={"method": {path[7:]: value}}, **options)
    return study


def test_a_factors_panel_has_its_values_in_order_with_means_and_a_line_a_seed(study, drawn):
    factor(study, {5: (70.0, 72.0), 10: (60.0, 64.0), 2: (50.0, "failed")})
    (panel,) = drawn(figures.factor_curves, study.read())
    assert points(panel) == [(2, 50, BLACK), (5, 71, WHITE), (10, 62, BLACK)]
    (line,) = [line for line in panel.lines if to_hex(line.get_color()) == to_hex("0.75")]
    seeds = line.get_xydata().reshape(2, 4, 2)  # a gap after each seed
    assert seeds[0, :3].tolist() == [[2, 50], [5, 70], [10, 60]]
    assert seeds[1, 1:3].tolist() == [[5, 72], [10, 64]]
    assert np.isnan(seeds[1, 0, 1])
    assert np.isnan(seeds[:, 3]).all()
    assert (panel.get_xlabel(), panel.get_title()) == ("x", "method.x")


def test_values_that_are_no_numbers_stand_side_by_side(study, drawn):
    factor(study, {"eval": (70.0,), "train": (60.0,), True: (50.0,)}, baseline="eval")
    (panel,) = drawn(figures.factor_curves, study.read())
    assert [label.get_text() for label in panel.get_xticklabels()] == ["eval", "train", "True"]
    assert [y for _, y, _ in points(panel)] == [70, 60, 50]


def test_each_factor_and_setting_has_a_panel(study, drawn):
    for setting in ("easy", "hard"):
        study.factors = []
        factor(study, {5: (70.0,), 6: (71.0,)}, setting=setting)
        study.factors = ["method.x", "method.y"]
        study.arm(
            "y=1", 60.0, setting=setting, family="method.y", config={"method": {"x": 5, "y": 1}}
        )
    panels = drawn(figures.factor_curves, study.read())
    titles = ["easy · method.x", "easy · method.y", "hard · method.x", "hard · method.y"]
    assert [panel.get_title() for panel in panels] == titles


@pytest.mark.parametrize("end", [70.0, "failed"])
def test_without_factors_or_results_there_are_no_factor_curves(study, drawn, end):
    study.arm("baseline", end).arm("a", end)
    if end == "failed":
        factor(study, {6: ("failed",)})
    assert drawn(figures.factor_curves, study.read()) == []


# --- accuracy against work ---


def against_work(study, drawn):
    results = study.read()
    table, costs = comparison.compare(results), costs_of_arms(results)
    return drawn(figures.accuracy_against_work, results, table, costs)


def work(forwards, seeds=2):
    return {seed: {"work/forwards": forwards} for seed in range(seeds)}


def test_accuracy_stands_over_millions_of_forwards(study, drawn):
    study.arm("baseline", 70.0, 72.0, change=work(3e6)).arm(
        "_variant", 60.0, 62.0, change=work(1e6)
    )
    (panel,) = against_work(study, drawn)
    assert [point[:2] for point in points(panel)] == [(3, 71), (1, 61)]
    assert texts(panel.figure.legends[0]) == ["baseline", "_variant"]


def test_an_arm_has_one_look_in_all_settings_and_the_legend_names_all(study, drawn):
    study.arm("baseline", 70.0, 70.0, setting="easy", change=work(2e6))
    study.arm("a", 60.0, 60.0, setting="easy", change=work(1e6))
    study.arm("a", 61.0, 61.0, setting="hard", change=work(1e6))
    study.arm("b", 62.0, 62.0, setting="hard", change=work(4e6))
    easy, hard = against_work(study, drawn)
    assert points(easy)[1][2] == points(hard)[0][2] != BLACK
    assert BLACK not in [face for *_, face in points(hard)]
    assert len({face for *_, face in points(hard)}) == 2
    assert texts(easy.figure.legends[0]) == ["baseline", "a", "b"]


def test_without_a_finished_baseline_no_arm_looks_like_it(study, drawn):
    study.arm("baseline", "failed", "failed").arm("a", 60.0, 60.0, change=work(1e6))
    (panel,) = against_work(study, drawn)
    assert [face for *_, face in points(panel)] != [BLACK]


def test_without_measured_work_there_is_no_such_figure(study, drawn):
    assert against_work(study.arm("baseline", 70.0), drawn) == []


# --- heat map ---


def cells(panel):
    (image,) = panel.images
    return np.ma.filled(image.get_array().astype(float), np.nan).tolist()


def test_the_heat_map_has_the_mean_of_each_cell_in_the_values_order(study, drawn):
    (panel, _) = drawn(figures.heat_map, product(study, TWO, baseline=(1, 0)).read())
    assert cells(panel) == [[55, 57], [59, 66]]
    assert {text.get_text() for text in panel.texts} == {"55.0", "57.0", "59.0", "66.0"}
    assert (panel.get_ylabel(), panel.get_xlabel()) == ("method.a", "method.b")
    assert [label.get_text() for label in panel.get_yticklabels()] == ["0", "1"]


def test_a_cell_without_a_finished_trial_is_empty(study, drawn):
    (panel, _) = drawn(
        figures.heat_map, product(study, {**TWO, (1, 1): ("failed",)}, baseline=(0, 0)).read()
    )
    assert np.isnan(cells(panel)[1][1])
    assert "nan" not in [text.get_text() for text in panel.texts]


def test_a_setting_without_a_finished_trial_has_no_heat_map_and_the_others_have(study, drawn):
    product(study, TWO, "easy", (0, 0))
    product(study, dict.fromkeys(TWO, ("missing",)), "hard", (0, 0))
    panels = drawn(figures.heat_map, study.read())
    assert [panel.get_title() for panel in panels if panel.images] == ["easy"]


def test_what_is_no_product_of_two_factors_has_no_heat_map(study, drawn):
    assert drawn(figures.heat_map, study.arm("baseline", 70.0).arm("a", 71.0).read()) == []


def test_a_product_of_three_factors_has_no_heat_map(study, drawn):
    three = {(*cell, c): ends for cell, ends in TWO.items() for c in (0, 1)}
    assert drawn(figures.heat_map, product(study, three, baseline=(0, 0, 0)).read()) == []


# --- division ---


def division(value):
    names = ("auc", "labeled_fraction", "precision", "recall")
    return {f"division/{name}_net{k}": value + k for name in names for k in (0, 1)}


def test_the_division_is_the_mean_of_the_networks(study, drawn):
    study.arm("baseline", 70.0, 71.0, metrics=division(0.25)).arm("cross_entropy", 60.0, 60.0)
    study.arm(
        "one_network",
        65.0,
        65.0,
        metrics={n: v for n, v in division(0.5).items() if n.endswith("net0")},
    )
    panels = drawn(division_per_epoch, study.read())
    assert [panel.get_ylabel() for panel in panels][:2] == [
        "AUC of the clean probability",
        "labeled fraction",
    ]
    for panel in panels:
        assert [line.get_ydata().tolist() for line in panel.lines] == [[0.75] * 3, [0.5] * 3]
    assert texts(panels[0].get_legend()) == ["baseline (n=2)", "one_network (n=2)"]


def test_without_a_division_there_is_no_figure_of_it(study, drawn):
    assert drawn(division_per_epoch, study.arm("baseline", 70.0).read()) == []


# --- files ---


def test_each_figure_is_an_image_and_a_drawing(study, tmp_path):
    product(study, TWO, baseline=(0, 0))
    results = study.read()
    paths = forest_plot.forest(results, comparison.compare(results), tmp_path) + figures.heat_map(
        results, tmp_path
    )
    assert [path.name for path in paths] == [
        "forest.png",
        "forest.svg",
        "product.png",
        "product.svg",
    ]
    for path in paths:
        if path.suffix == ".png":
            with Image.open(path) as image:
                assert image.width > 300
                assert len(set(image.convert("L").tobytes())) > 1
        else:
            assert b"<svg" in path.read_bytes()
