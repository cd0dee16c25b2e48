"""The table of what predictions tell without any label."""

import numpy as np
import pytest

from analysis.report import without_labels
from analysis.report.without_labels import agreement, changed

STEADY = np.array([[0, 1, 2, 0], [0, 1, 2, 0], [0, 1, 2, 0]])
RESTLESS = np.array([[0, 1, 2, 0], [0, 1, 2, 1], [0, 2, 2, 1]])


def test_changes_are_counted_between_epochs_that_follow_each_other():
    assert changed([STEADY]) == 0
    assert changed([RESTLESS]) == pytest.approx(0.25)
    assert changed([STEADY, RESTLESS]) == pytest.approx(0.125)
    assert np.isnan(changed([STEADY[:1]])), "one epoch has nothing to be compared with"


def test_seeds_are_compared_after_their_last_epochs():
    assert agreement([STEADY, RESTLESS]) == pytest.approx(0.5)
    assert agreement([STEADY, RESTLESS, STEADY]) == pytest.approx(2 / 3)
    assert np.isnan(agreement([STEADY]))


def unchecked(study, label: str = "unchecked"):
    """Two arms with kept predictions."""
    for arm, of_seeds in {"baseline": [STEADY, RESTLESS], "plain": [STEADY, STEADY]}.items():
        tables = [
            {"test_label": np.array([0, 1, 2, 0]), "test_classes": each, "given": np.arange(3)}
            for each in of_seeds
        ]
        fields = {"test_labels": label, "data_hash": "d1"}
        study.arm(arm, 90.0, 91.0, change=dict.fromkeys(range(2), fields), samples=tables)
    return study.read()


def test_a_study_with_unchecked_labels_has_the_table(study):
    block = without_labels.block(unchecked(study))
    assert block.table.to_dict("list") == {
        "arm": ["baseline", "plain"],
        "n": ["2", "2"],
        "changed %": ["12.50", "0.00"],
        "seeds agree %": ["50.00", "100.00"],
    }


def test_a_study_with_trusted_labels_has_none(study):
    assert without_labels.block(unchecked(study, "trusted")) is None
