"""Checks of a search's space against the arms: its fields exist, and its values are valid.

Each mistake is reported where it is written.
"""

import dataclasses
from typing import Any

from pydantic import ValidationError

from analysis.results.study_plan import BASELINE
from orchestrator.study.expansion import Expansion
from orchestrator.study.search_schema import ARM
from orchestrator.study.search_space import Dimension, Point, Space, allowed_values, field, typed
from trainable.config.messages import explain
from trainable.config.strict_yaml import Document
from trainable.config.trial import TrialConfig


def without_what_the_arm_decides(
    space: Space,
    expansion: Expansion,
    arm: str,
    warnings: list[str],
) -> Space:
    """Return the space of one arm without fields that it sets itself or does not have."""
    own = space.arms[arm][-1]
    config = expansion.configs[None, arm]
    sections = {_section(path) for path in own if path.endswith(".name")}
    kept: list[Dimension] = []
    for dimension in space.dimensions:
        path = dimension.path
        absent = _section(path) in sections and field(config, path) is None
        if path in own:
            warnings.append(f"{arm}: {path} is not searched: the arm sets it")
        elif absent or _never_holds(dimension, kept, config):
            warnings.append(f"{arm}: {path} is not searched: the arm does not use it")
        else:
            kept.append(dimension)
    return dataclasses.replace(space, dimensions=tuple(kept))


def _section(path: str) -> str:
    """Return the first key of a dotted path."""
    return path.partition(".")[0]


def _never_holds(dimension: Dimension, above: list[Dimension], config: TrialConfig) -> bool:
    """Return whether a dimension's condition fails for a field that is not searched above it."""
    searched = [other.path for other in above]
    for path, allowed in dimension.parameter.when.items():
        if path not in searched and field(config, path) not in allowed_values(allowed):
            return True
    return False


def checked(document: Document, space: Space) -> Space:
    """Return the space with the types of its fields.

    Values at its edges that `TrialConfig` rejects are reported.
    """
    _check_order(document, space)
    seen, conditions = _values_at_corners(document, space)
    if document.problems:
        return space
    for dimension in space.dimensions:
        _check_dimension(document, dimension, seen, conditions)
    dimensions = [typed(dimension, seen.get(dimension.path)) for dimension in space.dimensions]
    typed_space = dataclasses.replace(space, dimensions=tuple(dimensions))
    if not document.problems:
        _check_starts(document, typed_space)
    return typed_space


def _check_order(document: Document, space: Space) -> None:
    """Check that every condition is on a dimension above the one that has it."""
    searched = {dimension.path for dimension in space.dimensions}
    above: set[str] = set()
    for dimension in space.dimensions:
        for path in dimension.parameter.when:
            if path in searched and path not in above:
                where = ("space", dimension.path, "when", path)
                document.report(where, "should be listed above the parameter that depends on it")
        above.add(dimension.path)


def _values_at_corners(document: Document, space: Space) -> tuple[dict[str, Any], set[str]]:
    """Resolve every corner of the space; report values that `TrialConfig` rejects.

    Returns:
        Path → the value of its field, for paths that are searched in a corner; and the paths of
        conditions that name a field of some corner, or `arm`.
    """
    named: set[str] = set()
    for dimension in space.dimensions:
        named.update(dimension.parameter.when)
    seen: dict[str, Any] = {}
    conditions = set()
    for forced in space.corners():
        try:
            point = space.corner(forced)
            config = space.config(point)
        except ValidationError as error:
            for where, message in explain(error, TrialConfig):
                _blame(document, ".".join(where), message, forced)
            continue
        for path in point:
            seen.setdefault(path, field(config, path))
        for path in named:
            if path == ARM or field(config, path) is not None:
                conditions.add(path)
    return seen, conditions


def _blame(document: Document, path: str, message: str, forced: Point) -> None:
    """Report a mistake at the dimension of the wrong field, else at the first dimension varied."""
    if path in forced:
        document.report(("space", path), message)
    else:
        first = next(iter(forced))
        document.report(("space", first), f"{path}: {message}")


def _check_dimension(
    document: Document,
    dimension: Dimension,
    seen: dict[str, Any],
    conditions: set[str],
) -> None:
    """Check a dimension's conditions, and its range against the kind of its field."""
    path = dimension.path
    where = ("space", path)
    parameter = dimension.parameter
    for other in parameter.when:
        if other not in conditions:
            document.report(
                (*where, "when", other),
                "is neither a field of any arm nor `arm`; check its spelling",
            )
    if path not in seen:
        document.report(
            where, "is never searched, because its `when` never holds; remove one of them"
        )
        return
    if path == ARM or parameter.values is not None:
        return
    value = seen[path]
    numbers = (parameter.low, parameter.high, parameter.step)
    if isinstance(value, bool) or not isinstance(value, int | float):
        document.report(where, "is not a number; list its `values`")
    elif isinstance(value, int) and any(isinstance(number, float) for number in numbers):
        document.report(where, "is an integer; `low`, `high` and `step` should be integers too")


def _check_starts(document: Document, space: Space) -> None:
    """Check that every arm's own setting is a point of the space; a search tries it first."""
    several = len(space.arms) > 1
    for arm, layers in space.arms.items():
        try:
            start = space.start(arm)
        except KeyError as error:
            path = error.args[0]
            own: Point = {ARM: arm} if several else {}
            value = field(space.config(own), path)
            document.report(
                ("space", path),
                f"does not have {value}, the value of `{arm}`, "
                "which is tried first; add the value, or a condition `when`",
            )
            continue
        if not several or arm == BASELINE:
            continue
        both = sorted(path for path in start if path in layers[-1])
        if both:
            document.report(
                ("space", both[0]),
                f"is also set by the arm `{arm}`; exclude that arm with `when: {{arm: [...]}}`",
            )
