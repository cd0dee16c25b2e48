"""How many checks a difference needs, for networks that differ on a known share of the images."""

import numpy as np
import pytest

from analysis.report.checks import checks_needed

IMAGES = 1000
LABELS = np.arange(IMAGES) % 10


def tables(differ: int, seeds: int = 6) -> list[dict[str, np.ndarray]]:
    """Right predictions but on `differ` images; more seeds make the same errors."""
    classes = np.where(np.arange(IMAGES) < differ, (LABELS + 1) % 10, LABELS).astype(np.int16)
    table = {"test_label": LABELS, "test_classes": np.tile(classes, (10, 1)), "given": LABELS}
    return [table] * seeds


@pytest.fixture
def unchecked(study):
    def _arm(name: str, differ: int, labels: str = "unchecked"):
        change = {seed: {"test_labels": labels} for seed in range(6)}
        return study.arm(name, *[70.0] * 6, change=change, samples=tables(differ))

    return _arm


def test_the_number_of_checks_is_told_for_each_arm(study, unchecked):
    unchecked("baseline", 0)
    unchecked("far", 200)
    unchecked("same", 0)
    far, same = checks_needed(study.read())
    assert far.startswith("far: differs from the baseline on 20 % of 1000 test images. ")
    # By hand: each image adds 100 points on a fifth: s² = 2000, and 2000 (1/n − 1/1000) = (5/2.8)².
    assert "5 points with 386" in far
    assert "1 point with 941" in far
    assert (
        same
        == "same: predicts as the baseline does on all test images, so no check tells them apart"
    )


def test_only_the_primary_arm_is_told_of_if_there_is_one(study, unchecked):
    unchecked("baseline", 0)
    unchecked("far", 200)
    unchecked("near", 10)
    study.primary = "near"
    (near,) = checks_needed(study.read())
    assert near.startswith("near: differs from the baseline on 1 % of 1000 test images")


def test_trusted_labels_need_no_checks(study, unchecked):
    unchecked("baseline", 0, "trusted")
    unchecked("far", 200, "trusted")
    assert list(checks_needed(study.read())) == []
