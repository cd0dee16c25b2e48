"""What a written label means: a name, or a number, and never a position where names are numbers."""

import unicodedata

import pytest

from trainable.data.class_labels import ClassLabels, unique, whole_number

COMPOSED = unicodedata.normalize("NFC", "Bär")
DECOMPOSED = unicodedata.normalize("NFD", "Bär")


@pytest.mark.parametrize(
    ("names", "label", "position"),
    [
        (("crow", "owl"), "owl", 1),
        (("crow", "owl"), " owl ", 1),
        (("crow ", "crow"), "crow ", 0),
        (("crow ", "crow"), "crow", 1),
        (("crow ", "crow"), " crow", None),
        (("crow", "owl"), "1", 1),
        (("crow", "owl"), "1.0", 1),
        (("crow", "owl"), "2", None),
        (("crow", "owl"), "-1", None),
        (("crow", "owl"), "1.5", None),
        (("crow", "owl"), "", None),
        ((COMPOSED, "owl"), DECOMPOSED, 0),
        ((DECOMPOSED, "owl"), COMPOSED, 0),
        (("0", "1", "10", "11", "2"), "2", 4),
        (("0", "1", "10", "11", "2"), "10", 2),
        (("0", "1", "10", "11", "2"), "3", None),
        (("1", "2", "3"), "3", 2),
        (("1", "2", "3"), "0", None),
        (("01", "02"), "2", 1),
        (("1", "2"), "02", 1),
        (("1", "2"), "2.0", 1),
        (("1", "01"), "1", 0),
        (("1", "01"), "01", 1),
        (("1", "01"), "1.0", None),
        (("0", "other"), "1", None),
        (("-1", "1"), "-1", 0),
        ((), "1", 1),
        ((), "01", 1),
        ((), "2", None),
        ((), "a", None),
        (("²", "owl"), "2", None),
    ],
)
def test_a_label_means_one_class_or_none(names, label, position):
    assert ClassLabels(names, len(names) or 2).position(label) == position


@pytest.mark.parametrize(
    ("names", "misnumbered"),
    [
        ((), None),
        (("crow", "owl"), None),
        (tuple(map(str, range(10))), None),
        (tuple(f"{number:02}" for number in range(12)), None),
        (tuple(sorted(map(str, range(12)))), (2, 10)),
        (("1", "2", "3"), (0, 1)),
        (("0", "2"), (1, 2)),
        (("a", "0"), (1, 0)),
    ],
)
def test_names_that_are_other_numbers_than_their_positions_are_found(names, misnumbered):
    assert ClassLabels(names, len(names) or 2).misnumbered == misnumbered


def test_a_number_is_ascii_and_whole():
    numbers = {text: whole_number(text) for text in ("7", " 07 ", "7.", "7.00", "-7", "+7")}
    assert set(numbers.values()) == {7, -7}
    for text in ("", "7.5", "1e3", "0x7", "٧", "7 8", "9" * 19):
        assert whole_number(text) is None


def test_keys_that_repeat_are_left_out():
    assert unique([("a", 1), ("b", 2), ("a", 3)]) == {"b": 2}
