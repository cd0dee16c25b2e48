"""A search space over the fields of `TrialConfig`: dimensions, conditions, points.

A point maps dotted paths to values, and `arm` to an arm's name. The module does not import Optuna:
Optuna trials are passed as arguments.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations_with_replacement, islice, product
from pathlib import Path
from typing import Any, Protocol, cast

from analysis.results.study_plan import BASELINE
from orchestrator.study.search_schema import ARM, Number, Parameter, Scalar
from trainable.config.overrides import resolve
from trainable.config.trial import TrialConfig

Point = dict[str, Any]
Choose = Callable[["Dimension"], Scalar]


class Suggests(Protocol):
    """The methods of an Optuna trial that a space uses."""

    def suggest_categorical(self, name: str, choices: Any) -> Any: ...  # noqa: D102
    def suggest_int(  # noqa: D102
        self,
        name: str,
        low: int,
        high: int,
        *,
        step: int = 1,
        log: bool = False,
    ) -> int: ...
    def suggest_float(  # noqa: D102
        self,
        name: str,
        low: float,
        high: float,
        *,
        step: float | None = None,
        log: bool = False,
    ) -> float: ...


@dataclass(frozen=True)
class Dimension:
    """One parameter with `values` or a range; `integer` if its field is an integer."""

    path: str
    parameter: Parameter
    integer: bool = False

    def suggest(self, trial: Suggests) -> Scalar:
        """Let a trial choose a value."""
        parameter = self.parameter
        if parameter.values is not None:
            return cast(Scalar, trial.suggest_categorical(self.path, parameter.values))
        low, high = self.range
        if self.integer:
            return trial.suggest_int(
                self.path,
                int(low),
                int(high),
                step=int(parameter.step or 1),
                log=parameter.log,
            )
        return trial.suggest_float(
            self.path,
            float(low),
            float(high),
            step=parameter.step,
            log=parameter.log,
        )

    @property
    def range(self) -> tuple[Number, Number]:
        """(low, high), both included."""
        low = self.parameter.low
        high = self.parameter.high
        assert low is not None
        assert high is not None
        return low, high

    def edges(self) -> list[Scalar]:
        """Return the values, or both ends of the range."""
        if self.parameter.values is not None:
            return list(self.parameter.values)
        return list(self.range)

    @property
    def step(self) -> Number | None:
        """Step of a range; None: it has infinitely many values."""
        if self.parameter.step is None and self.integer and not self.parameter.log:
            return 1
        return self.parameter.step

    @property
    def size(self) -> int | None:
        """Number of values; None for a range without steps."""
        if self.parameter.values is not None:
            return len(self.parameter.values)
        if self.step is None:
            return None
        low, high = self.range
        return round((high - low) / self.step) + 1

    def value(self, position: int) -> Scalar:
        """Return the value at a position of a list, or of a range with steps."""
        if self.parameter.values is not None:
            return self.parameter.values[position]
        assert self.step is not None
        return self.range[0] + position * self.step

    def matching(self, value: Any) -> Scalar | None:
        """Return `value` as this dimension writes it (25 for 25.0); None if it is outside."""
        if self.parameter.values is not None:
            for own in self.parameter.values:
                if _equal(own, value):
                    return own
            return None
        low, high = self.range
        if isinstance(value, bool) or not isinstance(value, Number) or not low <= value <= high:
            return None
        if self.step is None:
            return value
        own = self.value(round((value - low) / self.step))
        return own if _equal(own, value) else None


def _equal(a: Scalar, b: Any) -> bool:
    """Return whether two values are the same, floats up to rounding."""
    # bool is a subclass of int in Python; without this check 1 would equal `true`.
    if isinstance(a, bool) != isinstance(b, bool):
        return False
    if isinstance(a, float) and isinstance(b, float):
        larger = max(abs(a), abs(b))
        return abs(a - b) <= 1e-9 * larger
    return bool(a == b)


@dataclass(frozen=True)
class Space:
    """The dimensions of one search, in the order of the file, above the configurations of its arms.

    Attributes:
        arms: arm → overrides by dotted path, the later over the earlier. It has several entries
            only if the search chooses among arms.
        dimensions: the parameters; `arm` is one of them if there are several arms.
        study_dir: folder in which own code and weights are looked up.
    """

    arms: Mapping[str, tuple[dict[str, Any], ...]]
    dimensions: tuple[Dimension, ...]
    study_dir: Path

    def config(self, point: Point) -> TrialConfig:
        """Return the configuration at a point; its seed is the default.

        Raises:
            ValidationError: `TrialConfig` rejects it.
        """
        layers = self.arms[self._arm(point)]
        below = resolve(self.study_dir, *layers)
        changes = {}
        for path, value in point.items():
            if path == ARM:
                continue
            # `X.name` resets X to its defaults; skip it if the name does not change.
            if path.endswith(".name") and field(below, path) == value:
                continue
            changes[path] = value
        return resolve(self.study_dir, *layers, changes)

    def _arm(self, point: Point) -> str:
        """Return the name of a point's arm: the only one, if the space has no dimension `arm`."""
        only = next(iter(self.arms))
        return cast(str, point.get(ARM, only))

    def walk(self, choose: Choose) -> Point:
        """Choose a point dimension by dimension; skip those whose condition does not hold."""
        point: Point = {}
        for dimension in self.dimensions:
            if self.active(dimension, point):
                point[dimension.path] = choose(dimension)
        return point

    def active(self, dimension: Dimension, point: Point) -> bool:
        """Return whether a dimension's condition holds, given the dimensions above it."""
        when = dimension.parameter.when
        if not when:
            return True
        config = self.config(point)
        for path, allowed in when.items():
            value = self._arm(point) if path == ARM else field(config, path)
            if value not in allowed_values(allowed):
                return False
        return True

    def start(self, arm: str) -> Point:
        """Return the arm's own setting as a point.

        Raises:
            KeyError: the space lacks a value of the arm; the error holds its path.
        """
        config = resolve(self.study_dir, *self.arms[arm])

        def own_value(dimension: Dimension) -> Scalar:
            own = arm if dimension.path == ARM else field(config, dimension.path)
            value = dimension.matching(own)
            if value is None:
                raise KeyError(dimension.path)
            return value

        return self.walk(own_value)

    @property
    def starts(self) -> list[Point]:
        """Each arm's own setting, the baseline's first; they precede all proposals."""
        names = sorted(self.arms, key=lambda name: name != BASELINE)
        return [self.start(name) for name in names]

    def grid(self) -> Iterator[Point]:
        """Yield every point of a space whose dimensions all have finitely many values."""
        yield from self._points({}, self.dimensions)

    def _points(self, point: Point, dimensions: tuple[Dimension, ...]) -> Iterator[Point]:
        """Yield the point with every value of these dimensions."""
        if not dimensions:
            yield point
            return
        first, *rest = dimensions
        if not self.active(first, point):
            yield from self._points(point, tuple(rest))
            return
        assert first.size is not None, f"{first.path} is endless"
        for position in range(first.size):
            yield from self._points({**point, first.path: first.value(position)}, tuple(rest))

    def count(self, most: int) -> int | None:
        """Return the number of points; `most + 1` if there are more; None: infinitely many."""
        sizes = [dimension.size for dimension in self.dimensions]
        known = [size for size in sizes if size is not None]
        if len(known) < len(sizes):
            return None
        if any(dimension.parameter.when for dimension in self.dimensions):
            return sum(1 for _ in islice(self.grid(), most + 1))
        return min(math.prod(known), most + 1)

    def corners(self) -> Iterator[Point]:
        """Yield the edges of each pair of dimensions, with what their conditions require.

        They suffice to find combinations that `TrialConfig` rejects.
        """
        for first, second in combinations_with_replacement(self.dimensions, 2):
            for edges in product(first.edges(), second.edges()):
                forced = dict(zip((first.path, second.path), edges, strict=True))
                for dimension in (first, second):
                    for path, allowed in dimension.parameter.when.items():
                        forced.setdefault(path, allowed_values(allowed)[0])
                yield forced

    def corner(self, forced: Point) -> Point:
        """Return the point with these values, and the first edge of every other dimension."""

        def forced_or_first(dimension: Dimension) -> Scalar:
            first = dimension.edges()[0]
            return cast(Scalar, forced.get(dimension.path, first))

        return self.walk(forced_or_first)

    def described(self) -> list[dict[str, Any]]:
        """Return the dimensions as plain data."""
        described = []
        for dimension in self.dimensions:
            content: dict[str, Any] = {"path": dimension.path, "integer": dimension.integer}
            content.update(dimension.parameter.model_dump(exclude_defaults=True))
            described.append(content)
        return described


def field(config: TrialConfig, path: str) -> Any:
    """Return the value at a dotted path; None if the configuration has no such field."""
    content: Any = config
    for key in path.split("."):
        content = getattr(content, key, None)
    return content


def allowed_values(allowed: Scalar | list[Scalar]) -> list[Scalar]:
    """Return what a condition allows, as a list."""
    if isinstance(allowed, list):
        return allowed
    return [allowed]


def typed(dimension: Dimension, value: Any) -> Dimension:
    """Return the dimension with `integer` set from the value of its field."""
    integer = isinstance(value, int) and not isinstance(value, bool)
    return dataclasses.replace(dimension, integer=integer)
