"""Figures: the files are images, and the panels show what was measured."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from analysis.figures.curves import accuracy_per_epoch


@pytest.fixture
def draw(monkeypatch, tmp_path):
    """Draw the figure of a study without writing it, and return its panels, row by row."""

    def draw(study):
        drawn = []
        monkeypatch.setattr(Figure, "savefig", lambda figure, *args, **kwargs: drawn.append(figure))
        accuracy_per_epoch(study.read(), tmp_path / "figures")
        drawn[0].draw_without_rendering()
        return drawn[0].axes

    return draw


def labels(panel):
    legend = panel.get_legend()
    return [entry.get_text() for entry in legend.get_texts()] if legend else []


def titles(panels):
    return [panel.get_title() for panel in panels]


def assert_images(paths):
    png, svg = paths
    assert (png.suffix, svg.suffix) == (".png", ".svg")
    with Image.open(png) as image:
        assert image.format == "PNG"
        shades = np.asarray(image.convert("L"))
    assert shades.min() < shades.max()
    assert ElementTree.parse(svg).getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_files_are_a_png_and_an_svg_in_a_new_folder(study, tmp_path):
    study.arm("baseline", 70.0, 72.0).arm("variant", 60.0, 65.0).arm(
        "x=1", 60.0, 65.0, family="method.x"
    )
    paths = accuracy_per_epoch(study.read(), tmp_path / "new" / "figures")
    assert [path.parent for path in paths] == [tmp_path / "new" / "figures"] * 2
    assert_images(paths)


def test_files_are_written_for_a_study_without_a_finished_trial(study, tmp_path):
    study.arm("baseline", "failed", "missing").arm("variant", "missing", "missing")
    assert_images(accuracy_per_epoch(study.read(), tmp_path))


def test_each_family_has_a_panel_with_the_baseline_in_black(study, draw):
    study.arm("baseline", 70.0, 72.0).arm("variant", 60.0, 65.0).arm("other", 61.0, "failed")
    study.arm("x=1", 60.0, 65.0, family="method.x").arm("x=2", 60.0, 65.0, family="method.x")
    arms, factor = draw(study)
    assert titles([arms, factor]) == ["arms", "method.x"]
    assert labels(arms) == ["baseline (n=2)", "variant (n=2)", "other (n=1)"]
    assert labels(factor) == ["baseline (n=2)", "x=1 (n=2)", "x=2 (n=2)"]
    for panel in (arms, factor):
        assert [to_hex(line.get_color()) for line in panel.lines].index("#000000") == 0


def test_each_setting_has_a_row_of_panels(study, draw):
    for setting, base in (("easy", 90.0), ("hard", 50.0)):
        study.arm("baseline", base, setting=setting).arm("variant", base - 9, setting=setting)
        study.arm("x=1", base - 5, setting=setting, family="method.x")
    panels = draw(study)
    assert titles(panels) == ["easy · arms", "easy · method.x", "hard · arms", "hard · method.x"]
    ends = [[line.get_ydata()[-1] for line in panel.lines] for panel in panels]
    assert ends == [[90, 81], [90, 85], [50, 41], [50, 45]]


def test_a_panel_leaves_out_arms_that_its_setting_lacks(study, draw):
    for setting in ("easy", "hard"):
        study.arm("baseline", 70.0, setting=setting)
    easy, hard = draw(study.arm("variant", 60.0, setting="hard"))
    assert labels(easy) == ["baseline (n=1)"]
    assert labels(hard) == ["baseline (n=1)", "variant (n=1)"]


def test_a_curve_is_the_mean_over_seeds_within_one_sd(study, draw):
    # Accuracies 8, 9, 10 and 4, 5, 6 and 6, 7, 8: mean 6, 7, 8 and sd 2.
    (panel,) = draw(study.arm("baseline", 10.0, 6.0, 8.0))
    (line,) = panel.lines
    assert line.get_xdata().tolist() == [1, 2, 3]
    assert line.get_ydata().tolist() == [6, 7, 8]
    (band,) = panel.collections
    corners = band.get_paths()[0].vertices
    assert {tuple(corner) for corner in corners.round(9).tolist()} == {
        (1, 4),
        (2, 5),
        (3, 6),
        (1, 8),
        (2, 9),
        (3, 10),
    }


def test_the_axis_says_what_is_shown(study, draw):
    (panel,) = draw(study.arm("baseline", 10.0, 6.0))
    assert panel.get_xlabel() == "epoch"
    assert panel.get_ylabel() == "test/accuracy %, mean ± sd over seeds"


def test_a_single_seed_has_a_curve_and_no_band(study, draw):
    (panel,) = draw(study.arm("baseline", 10.0))
    assert panel.lines[0].get_ydata().tolist() == [8, 9, 10]
    assert not any(len(path.vertices) for band in panel.collections for path in band.get_paths())


def test_one_epoch_is_a_point_of_each_arm(study, draw):
    (panel,) = draw(study.arm("baseline", 10.0, 12.0, epochs=1).arm("variant", 8.0, 9.0, epochs=1))
    assert [line.get_xydata().tolist() for line in panel.lines] == [[[1, 11]], [[1, 8.5]]]


def test_one_epoch_can_be_seen(study, draw):
    (panel,) = draw(study.arm("baseline", 10.0, epochs=1))
    assert panel.lines[0].get_marker() not in ("None", None, "", " ")


def test_arms_of_unequal_length_are_drawn_to_their_own_ends(study, draw):
    (panel,) = draw(study.arm("baseline", 10.0, epochs=4).arm("variant", 10.0, epochs=2))
    assert [line.get_xdata().tolist() for line in panel.lines] == [[1, 2, 3, 4], [1, 2]]


def test_an_unfinished_arm_has_no_curve_and_keeps_the_others_colours(study, draw):
    def colours(panels):
        return dict(
            zip(labels(panels[0]), [line.get_color() for line in panels[0].lines], strict=True)
        )

    study.arm("baseline", 10.0).arm("first", "missing").arm("second", 9.0)
    before = colours(draw(study))
    assert list(before) == ["baseline (n=1)", "second (n=1)"]
    study.records = [record for record in study.records if record.arm != "first"]
    after = colours(draw(study.arm("first", 8.0)))
    assert len(set(after.values())) == 3


def test_without_a_finished_baseline_the_arms_are_drawn(study, draw):
    (panel,) = draw(study.arm("baseline", "failed").arm("variant", 9.0))
    assert labels(panel) == ["variant (n=1)"]


def test_a_finished_trial_whose_rows_are_lost_is_left_out(study, draw):
    study.arm("baseline", 10.0).arm("variant", 9.0)
    (study.path("variant", 0) / "metrics.jsonl").unlink()
    (panel,) = draw(study)
    assert labels(panel) == ["baseline (n=1)"]


def test_no_two_arms_of_a_panel_look_the_same(study, draw):
    study.arm("baseline", 10.0, epochs=1)
    for k in range(12):
        study.arm(f"arm{k}", 9.0, epochs=1)
    (panel,) = draw(study)
    looks = [
        (to_hex(line.get_color()), line.get_linestyle(), line.get_marker()) for line in panel.lines
    ]
    assert len(looks) == 13
    assert len(set(looks)) == 13


def test_an_arm_whose_name_starts_with_an_underscore_is_in_the_legend(study, draw):
    (panel,) = draw(study.arm("baseline", 10.0).arm("_variant", 9.0))
    assert [label.strip() for label in labels(panel)] == ["baseline (n=1)", "_variant (n=1)"]
