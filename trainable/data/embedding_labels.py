"""Labels of embeddings by name or number: given ones, true ones, those of annotators."""

from dataclasses import dataclass, replace

import numpy as np

from trainable.data.class_labels import ClassLabels, whole_number
from trainable.data.embedding_arrays import Source, decoded
from trainable.data.ratings import NONE, Ratings
from trainable.errors import DataError
from trainable.storage.wording import first_names


@dataclass(frozen=True)
class Cells:
    """A column of labels: text, or numbers."""

    source: Source
    column: str
    values: np.ndarray

    @classmethod
    def of(cls, source: Source, column: str) -> "Cells":
        """Read a column. Raises DataError if it has other values or another number of rows."""
        source.check(column)
        values = decoded(source.column(column))
        if values.dtype.kind == "O":
            values = values.astype(str)
        if values.ndim == 2 and column != "annotators":
            values = values[:, 0]
        if values.dtype.kind == "U":
            values = np.char.strip(values)
        return cls(source, column, values)

    @property
    def text(self) -> bool:
        """Whether labels are names."""
        return self.values.dtype.kind == "U"

    @property
    def names(self) -> set[str]:
        """The different texts, without the empty one."""
        return set(np.unique(self.values).tolist()) - {""}

    def without_none(self, names: tuple[str, ...]) -> "Cells":
        """Return the column with an empty text for each −1, unless a class has that name."""
        if not self.text:
            return self
        none = [each for each in self.names - set(names) if whole_number(each) == NONE]
        if not none:
            return self
        return replace(self, values=np.where(np.isin(self.values, none), "", self.values))

    def positions(self, names: tuple[str, ...], classes: int) -> np.ndarray:
        """Return the positions of classes, int64 of the column's shape; −1: none.

        Raises:
            DataError: a label is no class; the message has the first rows.
        """
        if not self.text:
            found = self.values.astype(np.int64)
            wrong = (found < NONE) | (found >= classes)
            found[wrong] = NONE - 1
        else:
            known = ClassLabels(names, classes)
            different, inverse = np.unique(self.values, return_inverse=True)
            of_text = [NONE if not text else known.position(text) for text in different.tolist()]
            numbers = np.array([NONE - 1 if each is None else each for each in of_text])
            found = numbers[inverse].reshape(self.values.shape)
        bad = np.argwhere(found < NONE)
        if len(bad):
            shown = [f"{self.source.place(int(at[0]))}: {self.values[tuple(at)]}" for at in bad[:5]]
            more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
            expected = f"a number from 0 to {classes - 1}"
            if names:
                expected = f"one of {first_names(list(names))}"
            raise DataError(
                f"{self.source.path}: {self.column} has labels that are no class, "
                f"{', '.join(shown)}{more}; expected {expected}"
            )
        return found


class RowLabels:
    """All labels of a source as positions of classes.

    Attributes:
        given, true: (rows,) int64; −1: none.
        true_known: whether the source has true labels in addition to given ones.
        class_names: names of the classes; () if they are numbers.
        classes: number of classes.
        ratings: labels of annotators; None: there are none.
    """

    def __init__(self, source: Source):
        self._source = source
        declared = _declared(source)
        cells: dict[str, Cells] = {}
        for name in ("labels", "true_labels", "annotators"):
            if name in source.columns:
                cells[name] = Cells.of(source, name).without_none(declared)
        if not cells.keys() & {"labels", "annotators"}:
            has = ", ".join(sorted(source.columns)) or "no other column"
            raise DataError(f"{source.path} has features and {has}; expected labels too")
        self.class_names = declared or _class_names(source, cells)
        self.classes = len(self.class_names)
        if not self.classes:
            numbers = [int(each.values.max()) for each in cells.values() if not each.text]
            self.classes = 1 + max(numbers, default=NONE)
        found = {
            name: each.positions(self.class_names, self.classes) for name, each in cells.items()
        }
        self.ratings = None
        if "annotators" in found:
            self.ratings = Ratings(found["annotators"], source.annotators)
        self.true_known = "true_labels" in found
        self.given = found["labels"] if "labels" in found else _most_frequent(self.ratings)
        self.true = found.get("true_labels", self.given)
        absent = np.flatnonzero(self.given < 0)
        if len(absent):
            named = first_names([source.place(row) for row in absent.tolist()])
            raise DataError(
                f"{source.path}: {len(absent)} rows have no label: {named}; each row needs one"
            )

    def best(self, rows: np.ndarray) -> np.ndarray:
        """Return the true labels of rows (m,); where they are unknown, the given ones."""
        found: np.ndarray = np.where(self.true[rows] < 0, self.given[rows], self.true[rows])
        return found

    def check_classes(self, trained: np.ndarray) -> None:
        """Raise DataError if there are fewer than two classes, or one without a training row."""
        path = self._source.path
        if self.classes > len(self.given):
            raise DataError(
                f"{path}: labels have class {self.classes - 1}, but there are only "
                f"{len(self.given)} rows; classes are numbered from 0 without gaps"
            )
        counts = np.bincount(self.given[trained], minlength=self.classes)
        if self.classes < 2:
            raise DataError(f"{path} has one class only; at least two are needed")
        absent = np.flatnonzero(counts == 0).tolist()
        if absent:
            shown = first_names(
                [self.class_names[each] if self.class_names else str(each) for each in absent]
            )
            hint = ""
            if not self.class_names:
                hint = "; classes are numbered from 0 without gaps"
            raise DataError(f"{path} has no training row of class {shown}{hint}")


def _declared(source: Source) -> tuple[str, ...]:
    """Return the array `classes`; () if there is none. Raises DataError if names are repeated."""
    if "classes" not in source.columns:
        return ()
    named = decoded(source.column("classes"))
    if named.ndim != 1 or named.dtype.kind != "U" or len(set(named.tolist())) != len(named):
        raise DataError(
            f"{source.path}: classes is {named.dtype} {named.shape}; expected a different text "
            "for each class"
        )
    return tuple(named.tolist())


def _class_names(source: Source, cells: dict[str, Cells]) -> tuple[str, ...]:
    """Return the names of classes as labels have them, in order; () if all labels are numbers.

    Raises:
        DataError: some labels are numbers, and others text.
    """
    kinds = {each.text for each in cells.values()}
    if kinds == {False}:
        return ()
    if len(kinds) > 1:
        text = " and ".join(name for name, each in cells.items() if each.text)
        raise DataError(
            f"{source.path}: {text} are names, and other labels are numbers; add the array "
            "`classes`, the names in the order of the numbers"
        )
    names = set[str]().union(*(each.names for each in cells.values()))
    if all(whole_number(name) is not None for name in names):
        return tuple(sorted(names, key=lambda name: (whole_number(name) or 0, name)))
    return tuple(sorted(names))


def _most_frequent(ratings: Ratings | None) -> np.ndarray:
    """Return the most frequent label of each row, the first of equally frequent; −1: none."""
    assert ratings is not None
    classes = max(int(ratings.labels.max()), 0) + 1
    votes = np.stack([(ratings.labels == c).sum(1) for c in range(classes)], 1)
    best: np.ndarray = votes.argmax(1)
    best[votes.max(1) == 0] = NONE
    return best
