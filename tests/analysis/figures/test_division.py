"""Figures and thresholds from the sample tables."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from analysis.figures import division
from analysis.figures.style import CLEAN, NOISY
from analysis.report import tables
from tests.analysis.material import sample_table

MIXTURE = {
    f"mixture/{name}_{side}_net0": value
    for side, values in (("clean", (0.2, 0.1, 0.6)), ("noisy", (0.8, 0.1, 0.4)))
    for name, value in zip(("mean", "sd", "weight"), values, strict=True)
}


def labels(panel):
    return [entry.get_text() for entry in panel.get_legend().get_texts()]


def heights(panel, colour=None):
    """Sum of the bars' heights, of one colour if named."""
    bars = [
        bar
        for bar in panel.patches
        if colour is None or to_hex(bar.get_facecolor()) == to_hex(colour)
    ]
    return sum(bar.get_height() for bar in bars)


# --- losses ---


def test_losses_of_right_and_wrong_labels_are_one_density(study, drawn):
    study.arm(
        "baseline", 70.0, 71.0, samples=sample_table(60, epochs=(2, 3)), epochs=4, metrics=MIXTURE
    )
    panels = drawn(division.loss_histograms, study.read())
    assert [panel.get_title() for panel in panels] == [
        "after epoch 2, seed 0",
        "after epoch 3, seed 0",
    ]
    for panel in panels:
        clean, noisy = heights(panel, CLEAN) / 40, heights(panel, NOISY) / 40
        assert clean == pytest.approx(42 / 60)  # labels of 18 of the 60 training samples are wrong
        assert noisy == pytest.approx(18 / 60)
    assert labels(panels[0]) == ["clean", "noisy"]


def test_the_mixture_is_the_one_of_the_next_epoch(study, drawn):
    study.arm("baseline", 70.0, samples=sample_table(epochs=(2, 3)), epochs=3, metrics=MIXTURE)
    first, last = drawn(division.loss_histograms, study.read())
    peaks = [line.get_xdata()[line.get_ydata().argmax()] for line in first.lines]
    assert peaks == pytest.approx([0.2, 0.8], abs=0.01)
    assert first.lines[0].get_ydata().max() == pytest.approx(
        0.6 / (0.1 * np.sqrt(2 * np.pi)), rel=1e-3
    )
    assert not last.lines, "no row describes the division after the last epoch"


def test_a_narrow_component_does_not_flatten_the_histogram(study, drawn):
    narrow = MIXTURE | {"mixture/sd_clean_net0": 1e-4}
    study.arm("baseline", 70.0, samples=sample_table(epochs=(2,)), metrics=narrow)
    (panel,) = drawn(division.loss_histograms, study.read())
    assert panel.get_ylim()[1] < 100


def test_without_known_truth_all_losses_are_one_colour(study, drawn):
    study.arm("baseline", 70.0, samples=sample_table(known=False))
    panels = drawn(division.loss_histograms, study.read())
    assert labels(panels[0]) == ["all"]
    assert {to_hex(bar.get_facecolor()) for bar in panels[0].patches} == {to_hex("0.6")}
    assert heights(panels[0]) == pytest.approx(40)


def test_equal_losses_can_be_drawn(study, drawn):
    table = sample_table()
    table["loss"][:] = 1.5
    assert (
        len(drawn(division.loss_histograms, study.arm("baseline", 70.0, samples=table).read())) == 2
    )


def test_each_setting_has_a_row_and_one_without_samples_none(study, drawn):
    study.arm("baseline", 70.0, setting="easy", samples=sample_table(epochs=(2,)))
    study.arm("baseline", 70.0, setting="lost")
    study.arm("baseline", 60.0, setting="hard", samples=sample_table(epochs=(2,)))
    titles = [panel.get_title() for panel in drawn(division.loss_histograms, study.read())]
    assert titles == ["easy · after epoch 2, seed 0", "hard · after epoch 2, seed 0"]


def nothing(study, what):
    table = sample_table()
    if what == "failed":
        study.arm("baseline", "failed")
    elif what == "lost":
        study.arm("baseline", 70.0)
    elif what == "no division":
        kept = ("source_index", "split", "given", "true", "epochs", "loss")
        study.arm("baseline", 70.0, samples={name: table[name] for name in kept})
    else:
        study.arm("baseline", 70.0, samples=table).write()
        path = study.path("baseline", 0) / "samples.npz"
        content = path.read_bytes()
        path.write_bytes(
            {"empty": b"", "torn": content[: len(content) // 2], "text": b"samples"}[what]
        )
    study.arm("a", 70.0, samples=table)
    return study.read()


@pytest.mark.parametrize("what", ["failed", "lost", "no division", "empty", "torn", "text"])
def test_nothing_is_drawn_where_the_baseline_kept_no_division(study, drawn, what):
    results = nothing(study, what)
    assert drawn(division.loss_histograms, results) == []
    assert drawn(division.class_histograms, results) == []
    assert division.thresholds(results).empty


def test_a_table_that_was_damaged_anywhere_is_no_table_or_has_what_was_written(study):
    """Each byte of the first entry and some of the others are turned over, one at a time."""
    study.arm("baseline", 70.0, samples=sample_table(24, 3)).write()
    results, path = study.read(), study.path("baseline", 0) / "samples.npz"
    trial = results.first_done("", "baseline")
    whole, table = path.read_bytes(), results.samples(trial)
    assert table
    unreadable = 0
    for place in [*range(150), *range(150, len(whole), 11)]:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        found = results.samples(trial)
        assert all(np.array_equal(found[name], table[name]) for name in found), place
        unreadable += not found
    assert unreadable


# --- classes ---


def test_classes_that_stay_at_a_threshold(study, drawn):
    table = sample_table(6, 2, 3, epochs=(1,))
    table["given"] = np.array([0, 0, 0, 1, 1, 2, 0, 0])
    table["clean_probability"] = np.array(
        [[[0.95, 0.6, 0.4, 0.95, 0.2, 0.1], [0.95, 0.6, 0.4, 0.97, 0.2, 0.1]]]
    )
    study.arm("baseline", 70.0, samples=table)
    (panel,) = drawn(division.class_histograms, study.read())
    assert [bar.get_height() for bar in panel.patches] == [3, 2, 1, 2, 1, 0, 1, 1, 0]
    assert labels(panel) == ["all: 6", "clean probability > 0.5: 3", "clean probability > 0.9: 2"]


# --- thresholds ---


def table_of(probability, given, true):
    table = sample_table(4, 1, 2, epochs=(1, 2))
    table["given"], table["true"] = np.array([*given, 0]), np.array([*true, 0])
    table["clean_probability"][0] = np.array(probability)
    return table


def test_thresholds_worked_by_hand(study):
    table = table_of(
        [[0.875, 0.5, 0.25, 0.125], [0.75, 0.75, 0.25, 0.125]],
        given=(0, 0, 1, 1),
        true=(0, 1, 1, 0),
    )
    study.arm("baseline", 70.0, samples=table).arm("other", 70.0, samples=sample_table())
    found = division.thresholds(study.read()).set_index("threshold")
    # Means of the networks: 0.81 right, 0.63 wrong, 0.25 right, 0.13 wrong; classes 0, 0, 1, 1.
    assert found.loc[0.0].drop(["setting", "retrained"]).to_dict() == {
        **{"n": 1, "kept": 4, "residual_noise": 50, "smallest_class": 50, "largest_class": 50},
        **{"class_0": 2, "class_1": 2},
    }
    assert found.loc[0.5].drop(["setting", "retrained"]).to_dict() == {
        **{"n": 1, "kept": 2, "residual_noise": 50, "smallest_class": 0, "largest_class": 100},
        **{"class_0": 2, "class_1": 0},
    }
    assert found.loc[0.7, "kept"] == 1
    assert found.loc[0.7, "residual_noise"] == 0
    assert list(found.index) == pytest.approx([k / 10 for k in range(9)]), "nothing is above 0.9"


def test_thresholds_are_means_over_seeds_of_each_setting(study):
    for setting in ("easy", "hard"):
        study.arm("baseline", 70.0, 71.0, "failed", setting=setting, samples=sample_table())
    found = division.thresholds(study.read())
    assert found["setting"].unique().tolist() == ["easy", "hard"]
    assert found.groupby("setting").size().tolist() == [10, 10]
    assert set(found["n"]) == {2}


def retrain(p_threshold):
    return {
        "config": {"method": {"name": "retrain", "p_threshold": p_threshold}},
        "source": "judge",
    }


def test_beside_a_threshold_stands_the_accuracy_of_what_retrains_on_what_it_keeps(study):
    study.arm("baseline", 70.0, 80.0, **retrain(0)).arm(
        "p_threshold=0.3", 75.0, "failed", **retrain(0.3)
    )
    study.arm("judge", 60.0, 61.0, samples=sample_table(epochs=(2,)))
    found = division.thresholds(study.read()).set_index("threshold")
    assert found.loc[0.0, "retrained"] == 75
    assert found.loc[0.3, "retrained"] == 75
    assert found["retrained"].notna().sum() == 2
    assert found.loc[0.0, "kept"] == 60
    assert tables.thresholds(found.reset_index())["retrained %"].tolist()[:2] == ["75.00", ""]


def test_what_was_judged_more_than_once_stands_beside_no_accuracy(study):
    study.arm("baseline", 70.0, samples=sample_table(epochs=(2, 3)))
    study.arm("again", 70.0, **(retrain(0.5) | {"source": "baseline"}))
    assert division.thresholds(study.read())["retrained"].isna().all()


def test_without_known_truth_there_is_no_residual_noise(study):
    found = division.thresholds(
        study.arm("baseline", 70.0, samples=sample_table(known=False)).read()
    )
    assert found["residual_noise"].isna().all()
    assert found["kept"].iloc[0] == 60
    assert isinstance(found, pd.DataFrame)


def test_of_few_arms_all_losses_are_shown_of_many_the_baselines(study, drawn):
    study.arm("baseline", 70.0, samples=sample_table(epochs=(2,))).arm(
        "variant", 70.0, samples=sample_table(epochs=(2,))
    )
    titles = [panel.get_title() for panel in drawn(division.loss_histograms, study.read())]
    assert titles == ["after epoch 2, seed 0", "variant · after epoch 2, seed 0"]
    for name in "abc":
        study.arm(name, 70.0, samples=sample_table(epochs=(2,)))
    assert len(drawn(division.loss_histograms, study.read())) == 1
