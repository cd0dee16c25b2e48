"""Durations as people read them."""

import pytest

from orchestrator.display.time_left import duration


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (40.4, "40 s"),
        (60, "1 min"),
        (719, "12 min"),
        (3569, "59 min"),
        (3599, "1 h 00 min"),
        (3600 * 3 + 300, "3 h 05 min"),
        (3600 * 30, "30 h 00 min"),
    ],
)
def test_a_duration_is_in_units_for_people(seconds, shown):
    assert duration(seconds) == shown
