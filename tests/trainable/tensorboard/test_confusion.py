"""The picture of a confusion matrix: what is where, in which colour, and what is written."""

import numpy as np

from trainable.tensorboard.confusion import CELL, MARGIN, confusion, cut

TRUE = np.array([0, 0, 0, 1, 1])
SUGGESTED = np.array([0, 0, 0, 0, 1])


def cell(picture, classes, row, column):
    """A cell of the picture, which ends one margin before the lower edge."""
    top = picture.shape[0] - MARGIN - (classes - row) * CELL
    first = next(
        x for x in range(picture.shape[1]) if (picture[top + 1, x] != 255).any() and x > MARGIN
    )
    left = first + column * CELL
    return picture[top : top + CELL, left : left + CELL]


def test_the_diagonal_is_blue_and_confusions_are_orange():
    picture = confusion(TRUE, SUGGESTED, ["cat", "dog"], "True class")
    whole = cell(picture, 2, 0, 0)[3, 3].astype(int)
    half = cell(picture, 2, 1, 0)[3, 3].astype(int)
    assert whole.tolist() == [0, 114, 178], "all cats"
    assert half[0] > half[1] > half[2], "half of the dogs are taken for cats"
    assert (cell(picture, 2, 0, 1)[3, 3] == 255).all(), "no cat is taken for a dog"


def test_cells_have_numbers_and_empty_ones_do_not():
    picture = confusion(TRUE, SUGGESTED, ["cat", "dog"], "True class")
    middle = slice(8, CELL - 8)
    assert len(np.unique(cell(picture, 2, 1, 0)[middle, middle].reshape(-1, 3), axis=0)) > 2
    assert len(np.unique(cell(picture, 2, 0, 1)[middle, middle].reshape(-1, 3), axis=0)) == 1


def test_names_of_classes_are_written():
    short = confusion(TRUE, SUGGESTED, ["a", "b"], "True class")
    long = confusion(TRUE, SUGGESTED, ["a", "a longer name"], "True class")
    assert long.shape[0] > short.shape[0], "names of columns are upright"
    assert (short[:, :20] < 128).any(), "names of rows"
    assert cut("a very long name of a class") == "a very long nam…"


def test_of_many_classes_the_most_confused_are_shown():
    true = np.arange(100)
    suggested = true.copy()
    suggested[70] = 71
    few = confusion(true[:20], suggested[:20], list(map(str, range(20))), "Given label")
    many = confusion(true, suggested, list(map(str, range(100))), "Given label")
    assert abs(many.shape[0] - few.shape[0]) < CELL, "20 classes each"
    pixels = many.reshape(-1, 3).astype(int)
    orange = (pixels[:, 0] > 200) & (pixels[:, 2] < 60)
    assert orange.any(), "the confusion of class 70"
