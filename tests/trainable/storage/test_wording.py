"""Lists of names in sentences."""

import pytest

from trainable.storage.wording import first_names


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("", ""),
        ("a", "a"),
        ("abcde", "a, b, c, d, e"),
        ("abcdef", "a, b, c, d, e and 1 more"),
    ],
)
def test_five_names_are_shown_and_the_others_counted(names, expected):
    assert first_names(list(names)) == expected


def test_another_number_of_names_may_be_shown():
    assert first_names(["a", "b", "c"], shown=1) == "a and 2 more"
