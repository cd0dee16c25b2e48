"""A search space over the fields of `TrialConfig`: dimensions, conditions, points.

A point maps dotted paths to values, and `arm` to an arm's name. Optuna is not imported: its trials come as an argument.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations_with_replacement, product
from pathlib import Path
from typing import Any, Protocol

from orchestrator.study.overrides import resolve
from orchestrator.study.planned_trial import BASELINE
from orchestrator.study.search_schema import ARM, Number, Parameter, Scalar
from trainable.config.trial import TrialConfig

Point = dict[str, Any]
Choose = Callable[["Dimension"], Scalar]


class Suggests(Protocol):
    """An Optuna trial, as far as a space needs it."""

    def suggest_categorical(self, name: str, choices: Any) -> Any: ...  # noqa: D102
    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int: ...  # noqa: D102
    def suggest_float(  # noqa: D102
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float: ...


@dataclass(frozen=True)
class Dimension:
    """One parameter: `values`, or a range; `integer` where its field is one."""

    path: str
    parameter: Parameter
    integer: bool = False

    def suggest(self, trial: Suggests) -> Scalar:
        """Let a trial choose a value."""
        p = self.parameter
        if p.values is not None:
            return trial.suggest_categorical(self.path, p.values)
        low, high = self.range
        if self.integer:
            return trial.suggest_int(
                self.path, int(low), int(high), step=int(p.step or 1), log=p.log
            )
        return trial.suggest_float(self.path, float(low), float(high), step=p.step, log=p.log)

    @property
    def range(self) -> tuple[Number, Number]:
        """(low, high), both included."""
        low, high = self.parameter.low, self.parameter.high
        assert low is not None
        assert high is not None
        return low, high

    def edges(self) -> list[Scalar]:
        """The values, or both ends of the range."""
        return list(self.parameter.values if self.parameter.values is not None else self.range)

    def grid(self) -> list[Scalar] | None:
        """Every value; None for a range without steps."""
        p, step = (
            self.parameter,
            self.parameter.step or (1 if self.integer and not self.parameter.log else None),
        )
        if p.values is not None or step is None:
            return p.values
        low, high = self.range
        return [low + k * step for k in range(round((high - low) / step) + 1)]

    def matching(self, value: Any) -> Scalar | None:
        """`value` as this dimension writes it (25 for 25.0), or None if it is not one of its values."""
        grid = self.grid()
        if grid is not None:  # bool is an int to Python: without the types, 1 would be `true`
            same = (
                v
                for v in grid
                if isinstance(v, bool) == isinstance(value, bool) and _equal(v, value)
            )
            return next(same, None)
        low, high = self.range
        return value if isinstance(value, Number) and low <= value <= high else None


def _equal(a: Scalar, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return abs(a - b) <= 1e-9 * max(abs(a), abs(b))
    return bool(a == b)


@dataclass(frozen=True)
class Space:
    """The dimensions of one search, in the order of the file, above the configurations of its arms.

    Attributes:
        arms: arm → overrides by dotted path, the later over the earlier. A search that chooses among arms has several,
            else there is one.
        dimensions: `arm` among them if there are several arms.
        study_dir: where own code and weights are looked up.
    """

    arms: Mapping[str, tuple[dict[str, Any], ...]]
    dimensions: tuple[Dimension, ...]
    study_dir: Path

    def config(self, point: Point) -> TrialConfig:
        """The configuration at a point; its seed is the default. Raises pydantic's ValidationError."""
        layers = self.arms[point.get(ARM, next(iter(self.arms)))]
        below = resolve(self.study_dir, *layers)
        # `X.name` would start X from its defaults; the arm's own name changes nothing.
        changes = {
            path: value
            for path, value in point.items()
            if path != ARM and not (path.endswith(".name") and field(below, path) == value)
        }
        return resolve(self.study_dir, *layers, changes)

    def walk(self, choose: Choose) -> Point:
        """A point, dimension by dimension; those whose condition does not hold are left out."""
        point: Point = {}
        for dimension in self.dimensions:
            if self.active(dimension, point):
                point[dimension.path] = choose(dimension)
        return point

    def active(self, dimension: Dimension, point: Point) -> bool:
        """Whether a dimension's condition holds, given the dimensions above it."""
        when = dimension.parameter.when
        if not when:
            return True
        config = self.config(point)
        return all(
            (point.get(ARM, next(iter(self.arms))) if path == ARM else field(config, path))
            in allowed_values(allowed)
            for path, allowed in when.items()
        )

    def start(self, arm: str) -> Point:
        """The arm's own setting as a point. Raises KeyError with the path whose value the space does not have."""
        own = resolve(self.study_dir, *self.arms[arm])

        def mine(dimension: Dimension) -> Scalar:
            value = dimension.matching(arm if dimension.path == ARM else field(own, dimension.path))
            if value is None:
                raise KeyError(dimension.path)
            return value

        return self.walk(mine)

    @property
    def starts(self) -> list[Point]:
        """Each arm's own setting, the baseline's first: what a search tries before anything is proposed."""
        names = sorted(self.arms, key=lambda name: name != BASELINE)
        return [self.start(name) for name in names]

    def grid(self) -> Iterator[Point]:
        """Every point of a space without endless dimensions."""
        points: list[Point] = [{}]
        for dimension in self.dimensions:
            values = dimension.grid()
            assert values is not None, f"{dimension.path} is endless"
            points = [
                {**point, **extra}
                for point in points
                for extra in (
                    [{dimension.path: v} for v in values] if self.active(dimension, point) else [{}]
                )
            ]
        yield from points

    def corners(self) -> Iterator[Point]:
        """Edges of each pair of dimensions, with what their conditions ask for: enough to find what cannot be."""
        for first, second in combinations_with_replacement(self.dimensions, 2):
            for edges in product(first.edges(), second.edges()):
                forced = dict(zip((first.path, second.path), edges, strict=True))
                for dimension in (first, second):
                    for path, allowed in dimension.parameter.when.items():
                        forced.setdefault(path, allowed_values(allowed)[0])
                yield forced

    def corner(self, forced: Point) -> Point:
        """The point with these values, and the first edge of every other dimension."""
        return self.walk(lambda dimension: forced.get(dimension.path, dimension.edges()[0]))

    def described(self) -> list[dict[str, Any]]:
        """The dimensions as plain data."""
        return [
            {"path": d.path, "integer": d.integer, **d.parameter.model_dump(exclude_defaults=True)}
            for d in self.dimensions
        ]


def field(config: TrialConfig, path: str) -> Any:
    """The value at a dotted path; None where the configuration has no such field."""
    content: Any = config
    for key in path.split("."):
        content = getattr(content, key, None)
    return content


def allowed_values(allowed: Scalar | list[Scalar]) -> list[Scalar]:
    """What a condition allows, as a list."""
    return allowed if isinstance(allowed, list) else [allowed]


def typed(dimension: Dimension, value: Any) -> Dimension:
    """The dimension with its kind, as the value of its field shows it."""
    return dataclasses.replace(
        dimension, integer=isinstance(value, int) and not isinstance(value, bool)
    )
