"""Arms as a study file writes them: overrides by dotted path, with the line of each."""

import itertools
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from analysis.results.study_plan import BASELINE
from orchestrator.study.planned_trial import LONGEST_NAME, NAME
from trainable.config.strict_yaml import Document
from trainable.config.trial import TrialConfig

Setting = str | None
Keys = tuple[str, ...]
Overrides = dict[str, Any]

MOST_ARMS = 10_000
"""Largest number of arms of a product."""

_ABSENT = object()


@dataclass(frozen=True)
class Layer:
    """Overrides by dotted path, the line of each, and the section that they are written in."""

    where: str
    values: Overrides = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Arm:
    """A variant of the baseline: its overrides, and the family of comparisons it belongs to."""

    name: str
    family: str | None
    layer: Layer


BASELINE_ARM = Arm(BASELINE, None, Layer(""))


def read_layer(document: Document, where: Keys) -> Layer:
    """Flatten the overrides at `where`; nested mappings and dotted paths mean the same.

    A field that is set twice is reported to the document, and so is the seed.
    """
    layer = Layer(".".join(where))
    content: Any = document.data
    for key in where:
        if not isinstance(content, dict):
            return layer
        content = content.get(key)
    if isinstance(content, dict):
        _flatten(document, content, where, len(where), layer)
    return layer


def read_settings(document: Document) -> dict[Setting, Layer]:
    """Return setting → its overrides; None is the only setting of a study without settings."""
    layers: dict[Setting, Layer] = {}
    for name in _keys(document, "settings"):
        layers[name] = read_layer(document, ("settings", name))
    if not layers:
        layers[None] = Layer("")
    return layers


def read_arms(document: Document) -> Iterator[Arm]:
    """Yield the arms of the section `arms`; mistakes are reported to the document."""
    for name in _keys(document, "arms"):
        where = ("arms", name)
        if name == BASELINE:
            document.report(
                where,
                "`baseline` is the name of the arm that `base` describes; choose another name",
            )
            continue
        layer = read_layer(document, where)
        if document.data["arms"][name] == {}:
            document.report(
                where, "changes nothing; set at least one field that differs from the baseline"
            )
        yield Arm(name, "arms", layer)


def read_factors(document: Document, baselines: list[TrialConfig]) -> Iterator[Arm]:
    """Yield an arm for each point of the factors' design; mistakes are reported to the document.

    Args:
        document: the study file.
        baselines: the baseline's configuration in each setting. A point whose values equal those
            of all of them is the baseline, and no arm.
    """
    factors = _factor_values(document)
    short = _short_names(list(factors))
    taken = set(_keys(document, "arms"))
    for point in _points(document, factors):
        if _is_baseline(point, baselines):
            continue
        name = _point_name(point, short)
        first = next(iter(point))
        where = ("factors", first, "values")
        if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
            document.report(where, f"gives the arm the name `{name}`, which cannot be a folder")
        elif name in taken:
            document.report(where, f"gives a second arm the name `{name}`")
        taken.add(name)
        lines = {}
        for path in point:
            lines[path] = document.lines.get(("factors", path), 0)
        family = first if len(point) == 1 else "product"
        yield Arm(name, family, Layer("factors", point, lines))


# --- sections and layers ---


def _keys(document: Document, section: str) -> list[str]:
    content = document.data.get(section)
    if isinstance(content, dict):
        return list(content)
    return []


def _flatten(document: Document, mapping: Overrides, path: Keys, depth: int, layer: Layer) -> None:
    """Add a mapping, which is at `path` of the file, to a layer, which begins at `depth`."""
    for key, value in mapping.items():
        here = (*path, key)
        dotted = ".".join(here[depth:])
        if isinstance(value, dict) and value:
            _flatten(document, value, here, depth, layer)
        elif dotted in layer.values:
            document.report(here, f"`{dotted}` is set twice in {layer.where}; keep one of them")
        elif dotted == "seed":
            document.report(here, "seed is not a field of an arm; use the study's key `seeds`")
        else:
            layer.values[dotted] = value
            layer.lines[dotted] = document.lines.get(here, 0)


# --- factors ---


def _factor_values(document: Document) -> dict[str, list[Any]]:
    """Return path → the values of its factor."""
    factors = {}
    for path in _keys(document, "factors"):
        if path == "seed":
            document.report(
                ("factors", path), "seed is not a field of an arm; use the study's key `seeds`"
            )
            continue
        content = document.data["factors"][path]
        if not isinstance(content, dict):
            continue
        values = content.get("values")
        if isinstance(values, list):
            factors[path] = values
    return factors


def _points(document: Document, factors: dict[str, list[Any]]) -> Iterator[Overrides]:
    """Yield the points of the study's design: path → value."""
    if document.data.get("design") != "product":
        for path, values in factors.items():
            for value in values:
                yield {path: value}
        return
    points = math.prod(map(len, factors.values()))
    if points > MOST_ARMS:
        document.report(
            ("design",),
            f"the product of the factors has {points:,} arms; at most {MOST_ARMS:,} are planned",
        )
    elif factors:
        for combination in itertools.product(*factors.values()):
            yield dict(zip(factors, combination, strict=True))


def _is_baseline(point: Overrides, baselines: list[TrialConfig]) -> bool:
    """Return whether the baseline has these values in every setting."""
    for config in baselines:
        for path, value in point.items():
            if not _same(_value_at(config, path), value):
                return False
    return bool(baselines)


def _same(current: Any, value: Any) -> bool:
    """Return whether two values and their kinds are equal.

    bool is a subclass of int in Python; without this check 1 would equal `true`.
    """
    if isinstance(current, bool) != isinstance(value, bool):
        return False
    return bool(current == value)


def _value_at(config: TrialConfig, path: str) -> Any:
    """Return the value at a dotted path, or `_ABSENT`."""
    content: Any = config.model_dump()
    for key in path.split("."):
        if not isinstance(content, dict):
            return _ABSENT
        content = content.get(key, _ABSENT)
    return content


def _short_names(paths: list[str]) -> dict[str, str]:
    """Return path → its last word, or the whole path where two of them end in the same word."""
    words = [path.split(".")[-1] for path in paths]
    short = {}
    for path, word in zip(paths, words, strict=True):
        if words.count(word) == 1:
            short[path] = word
        else:
            short[path] = path
    return short


def _point_name(point: Overrides, short: dict[str, str]) -> str:
    """Return the name of a point's arm, such as `lr=0.1,epochs=3`."""
    parts = []
    for path, value in point.items():
        parts.append(f"{short[path]}={_shown(value)}")
    return ",".join(parts)


def _shown(value: Any) -> str:
    """Write a factor's value as part of a name: 75, 0.3, true, peer, 70+150."""
    if isinstance(value, list):
        return "+".join(_shown(item) for item in value)
    if isinstance(value, str):
        return value
    return json.dumps(value)
