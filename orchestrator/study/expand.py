"""Expansion of a study into trials: base < setting < arm, crossed with paired seeds.

Every combination is validated against `TrialConfig`. Each mistake is reported where its value was
written.
"""

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from analysis.results.study_folder import TrialRecord, trial_name
from orchestrator.study.overrides import resolve
from orchestrator.study.planned_trial import BASELINE, LONGEST_NAME, NAME, PlannedTrial
from trainable.config.messages import explain, suggestion
from trainable.config.strict_yaml import Document
from trainable.config.trial import TrialConfig, trial_id

Setting = str | None
Keys = tuple[str, ...]
Overrides = dict[str, Any]

_ABSENT = object()
_NAMES_SHOWN = 4


@dataclass
class _Layer:
    """Overrides by dotted path, each with its line, and the section that they were written in."""

    where: str
    values: Overrides = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)


@dataclass
class _Arm:
    """A layer above base and setting, and its place in the comparison."""

    name: str
    family: str | None
    layer: _Layer


@dataclass
class _Place:
    """One arm in one setting, with its layers, the later over the earlier."""

    setting: Setting
    arm: _Arm
    layers: list[_Layer]


class Expansion:
    """Arms × settings resolved against `TrialConfig`; reports what cannot be resolved."""

    def __init__(self, document: Document, study_dir: Path):
        self.study_dir = study_dir
        self.raw = document.data
        self.lines = document.lines
        self.report = document.report
        self.warnings: list[str] = []
        self.configs: dict[tuple[Setting, str], TrialConfig] = {}
        self.base = self._layer(("base",))
        setting_layers = self._setting_layers()
        self.settings = list(setting_layers)
        # A factor's value that equals the baseline's is no arm, so the baseline is resolved first.
        for setting, layer in setting_layers.items():
            self._resolve(setting, BASELINE, [self.base, layer])
        self.arms = [_Arm(BASELINE, None, _Layer(""))]
        self.arms += self._named()
        self.arms += self._factors()
        places = []
        for setting, layer in setting_layers.items():
            for arm in self.arms:
                layers = [self.base, layer, arm.layer]
                places.append(_Place(setting, arm, layers))
        for place in places:
            if place.arm.name != BASELINE:
                self._resolve(place.setting, place.arm.name, place.layers)
        self._check_sources(places)
        self._drop_copies()
        self._check_settings()

    def layers(self) -> dict[str, tuple[Overrides, ...]]:
        """Return arm → its overrides by dotted path, the later over the earlier.

        For a study without settings.
        """
        layers: dict[str, tuple[Overrides, ...]] = {}
        for arm in self.arms:
            layers[arm.name] = (self.base.values, arm.layer.values)
        return layers

    def trials(self, seeds: list[int]) -> Iterator[PlannedTrial]:
        """Yield every trial, seed by seed: a study that is stopped early has whole pairs."""
        for seed in seeds:
            for setting in self.settings:
                for arm in self.arms:
                    if (setting, arm.name) in self.configs:
                        yield self._trial(setting, arm, seed)
        self._warn_of_warmup()

    # --- layers and arms, as they are written ---

    def _keys(self, section: str) -> list[str]:
        content = self.raw.get(section)
        if isinstance(content, dict):
            return list(content)
        return []

    def _setting_layers(self) -> dict[Setting, _Layer]:
        """Return setting → its overrides; None is the only setting of a study without any."""
        layers: dict[Setting, _Layer] = {}
        for name in self._keys("settings"):
            layers[name] = self._layer(("settings", name))
        if not layers:
            layers[None] = _Layer("")
        return layers

    def _layer(self, where: Keys) -> _Layer:
        """Flatten the overrides at `where`; nested mappings and dotted paths mean the same."""
        layer = _Layer(".".join(where))
        content: Any = self.raw
        for key in where:
            if not isinstance(content, dict):
                return layer
            content = content.get(key)
        if isinstance(content, dict):
            self._flatten(content, where, len(where), layer)
        return layer

    def _flatten(self, mapping: Overrides, path: Keys, depth: int, layer: _Layer) -> None:
        """Add a mapping, which is at `path` of the file, to a layer, which begins at `depth`."""
        for key, value in mapping.items():
            here = (*path, key)
            dotted = ".".join(here[depth:])
            if isinstance(value, dict) and value:
                self._flatten(value, here, depth, layer)
            elif dotted in layer.values:
                self.report(here, f"`{dotted}` is set twice in {layer.where}")
            elif dotted == "seed":
                self.report(here, "seeds are the study's: use the key `seeds`")
            else:
                layer.values[dotted] = value
                layer.lines[dotted] = self.lines.get(here, 0)

    def _named(self) -> Iterator[_Arm]:
        """Yield the arms of `arms`."""
        for name in self._keys("arms"):
            where = ("arms", name)
            if name == BASELINE:
                self.report(where, "`baseline` is the arm of `base` itself; choose another name")
                continue
            layer = self._layer(where)
            if self.raw["arms"][name] == {}:
                self.report(where, "changes nothing; write what differs from the baseline")
            yield _Arm(name, "arms", layer)

    def _factors(self) -> Iterator[_Arm]:
        """Yield the arms of the factors; a value that equals the baseline's is the baseline."""
        factors = self._factor_values()
        short = _short_names(list(factors))
        taken = set(self._keys("arms"))
        for point in self._points(factors):
            if self._is_baseline(point):
                continue
            name = _arm_name(point, short)
            first = next(iter(point))
            where = ("factors", first, "values")
            if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
                self.report(where, f"gives the arm the name `{name}`, which cannot be a folder")
            elif name in taken:
                self.report(where, f"gives a second arm the name `{name}`")
            taken.add(name)
            lines = {}
            for path in point:
                lines[path] = self.lines.get(("factors", path), 0)
            family = first if len(point) == 1 else "product"
            yield _Arm(name, family, _Layer("factors", point, lines))

    def _factor_values(self) -> dict[str, list[Any]]:
        """Return path → the values of its factor."""
        factors = {}
        for path in self._keys("factors"):
            if path == "seed":
                self.report(("factors", path), "seeds are the study's: use the key `seeds`")
                continue
            content = self.raw["factors"][path]
            if not isinstance(content, dict):
                continue
            values = content.get("values")
            if isinstance(values, list):
                factors[path] = values
        return factors

    def _points(self, factors: dict[str, list[Any]]) -> Iterator[Overrides]:
        """Yield the points of the study's design: path → value."""
        if self.raw.get("design") != "product":
            for path, values in factors.items():
                for value in values:
                    yield {path: value}
        elif factors:
            for combination in itertools.product(*factors.values()):
                yield dict(zip(factors, combination, strict=True))

    def _is_baseline(self, point: Overrides) -> bool:
        """Return whether the baseline has these values in every setting."""
        resolved = False
        for (_, arm), config in self.configs.items():
            if arm != BASELINE:
                continue
            resolved = True
            for path, value in point.items():
                if not _same(_value_at(config, path), value):
                    return False
        return resolved

    # --- configurations ---

    def _resolve(self, setting: Setting, arm: str, layers: list[_Layer]) -> None:
        """Validate base < setting < arm; report each mistake where its value was written."""
        overrides = [layer.values for layer in layers]
        try:
            self.configs[setting, arm] = resolve(self.study_dir, *overrides)
        except ValidationError as error:
            for path, message in explain(error, TrialConfig):
                self._blame(path, message, layers)

    def _blame(self, path: Keys, message: str, layers: list[_Layer]) -> None:
        """Point at the topmost layer that set the field, or a part of it, or its section's name."""
        dotted = ".".join(path)

        def overlaps(key: str) -> bool:
            inside = key.startswith(dotted + ".")
            around = dotted.startswith(key + ".")
            return key == dotted or inside or around

        def names_section(key: str) -> bool:
            return key == f"{path[0]}.name"

        for matches in (overlaps, names_section):
            found = _topmost(layers, matches)
            if found is not None:
                layer, key = found
                self.report((layer.where, dotted), message, layer.lines[key])
                return
        lowest = layers[0]
        self.report((lowest.where,), f"{dotted}: {message}")

    def _check_sources(self, places: list[_Place]) -> None:
        """Report arms that use themselves or an arm that does not exist.

        Arms whose chain of used arms has no end are then left out.
        """
        names = [arm.name for arm in self.arms]
        lost = []
        for place in places:
            chain, ends = self._follow(place.setting, place.arm.name)
            if ends:
                continue
            lost.append(place)
            if chain.count(place.arm.name) == 2:
                way = " → ".join(chain)
                message = f"`{place.arm.name}` would use itself: {way}"
                self._blame(("from_arm",), message, place.layers)
            elif len(chain) > 1 and chain[1] not in names:
                hint = suggestion(chain[1], names)
                message = f"the study has no arm `{chain[1]}`{hint}"
                self._blame(("from_arm",), message, place.layers)
        for place in lost:
            self.configs.pop((place.setting, place.arm.name), None)

    def _follow(self, setting: Setting, arm: str) -> tuple[list[str], bool]:
        """Return the arm, the one that it uses, and so on; and whether the last one uses none."""
        chain = [arm]
        while True:
            config = self.configs.get((setting, chain[-1]))
            if config is None:
                return chain, False
            if not config.from_arm:
                return chain, True
            if chain.count(chain[-1]) > 1:
                return chain, False
            chain.append(config.from_arm)

    # --- arms and settings that compute the same ---

    def _drop_copies(self) -> None:
        """Drop arms that compute what an earlier one does.

        It is an error if they do so in every setting; else the earlier one is run for both.
        """
        layers = {arm.name: arm.layer for arm in self.arms}
        for (first, second), same in self._copies().items():
            layer = layers[second]
            if len(same) == len(self.settings) and layer.values:
                self._report_copy(first, second, layer)
            for setting in same:
                self._merge(setting, first, second)

    def _copies(self) -> dict[tuple[str, str], list[Setting]]:
        """Return (arm, later arm) → settings in which both have one configuration."""
        found: dict[tuple[str, str], list[Setting]] = {}
        for setting in self.settings:
            first: dict[str, str] = {}
            for arm in self.arms:
                if (setting, arm.name) not in self.configs:
                    continue
                identity = trial_id(self._planned(setting, arm.name, 0))
                earlier = first.setdefault(identity, arm.name)
                if earlier != arm.name:
                    found.setdefault((earlier, arm.name), []).append(setting)
        return found

    def _report_copy(self, first: str, second: str, layer: _Layer) -> None:
        """Report an arm, with its layer, that computes the same as another one everywhere."""
        where = layer.where
        if where == "factors":
            factor = next(iter(layer.values))
            where = f"factors.{factor} ({second})"
        line = min(layer.lines.values(), default=None)
        message = f"computes the same as `{first}` in every setting; remove one of them"
        self.report((where,), message, line)

    def _merge(self, setting: Setting, first: str, second: str) -> None:
        """Run `first` in place of `second` in one setting."""
        self.configs.pop((setting, second), None)
        for place, config in self.configs.items():
            if place[0] == setting and config.from_arm == second:
                self.configs[place] = config.model_copy(update={"from_arm": first})
        at = f" in setting {setting}" if setting else ""
        self.warnings.append(
            f"{second} is the same as {first}{at} and is not run there a second time"
        )

    def _check_settings(self) -> None:
        """Report settings with the baseline of an earlier one."""
        first: dict[str, Setting] = {}
        for setting in self.settings:
            if (setting, BASELINE) not in self.configs:
                continue
            identity = trial_id(self._planned(setting, BASELINE, 0))
            twin = first.setdefault(identity, setting)
            if twin != setting:
                message = f"has the same baseline as setting `{twin}`; remove one of them"
                self.report(("settings", str(setting)), message)

    # --- trials ---

    def _planned(self, setting: Setting, arm: str, seed: int) -> TrialConfig:
        """Return the configuration of one trial; `from_arm` is the id of the trial that it uses."""
        config = self.configs[setting, arm]
        source = config.from_arm
        if source:
            source = trial_id(self._planned(setting, source, seed))
        return config.model_copy(update={"seed": seed, "from_arm": source})

    def _trial(self, setting: Setting, arm: _Arm, seed: int) -> PlannedTrial:
        """Return one trial, with its place in the comparison."""
        baseline = self.configs[setting, BASELINE]
        written = self.configs[setting, arm.name]
        same_problem = written.data == baseline.data and written.noise == baseline.noise
        partner = None
        if arm.family and same_problem:
            partner = BASELINE
        source = written.from_arm
        if source:
            source = trial_name(setting, source, seed)
        config = self._planned(setting, arm.name, seed)
        record = TrialRecord(
            id=trial_id(config),
            setting=setting,
            arm=arm.name,
            seed=seed,
            family=arm.family,
            baseline=partner,
            epochs=config.train.epochs,
            source=source,
        )
        return PlannedTrial(record, config)

    def _warn_of_warmup(self) -> None:
        """Warn of arms that train no longer than their warm-up, unless another arm uses them."""
        used = set()
        for (setting, _), config in self.configs.items():
            used.add((setting, config.from_arm))
        never = []
        for (setting, arm), config in self.configs.items():
            warmup = config.method.shortest_warmup
            if warmup < config.train.epochs or (setting, arm) in used:
                continue
            name = f"{setting}/{arm}" if setting else arm
            never.append(name)
        if never:
            shown = ", ".join(never[:_NAMES_SHOWN])
            if len(never) > _NAMES_SHOWN:
                shown += f" and {len(never) - _NAMES_SHOWN} more"
            self.warnings.append(f"never leave warm-up (it is as long as train.epochs): {shown}")


def _arm_name(point: Overrides, short: dict[str, str]) -> str:
    """Return the name of a factors' arm, such as `lr=0.1,epochs=3`."""
    parts = []
    for path, value in point.items():
        parts.append(f"{short[path]}={_shown(value)}")
    return ",".join(parts)


def _same(current: Any, value: Any) -> bool:
    """Return whether two values and their kinds are equal.

    bool is an int to Python: without the types, 1 would be `true`.
    """
    if isinstance(current, bool) != isinstance(value, bool):
        return False
    return bool(current == value)


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


def _value_at(config: TrialConfig, path: str) -> Any:
    """Return the value at a dotted path, or `_ABSENT`."""
    content: Any = config.model_dump()
    for key in path.split("."):
        if not isinstance(content, dict):
            return _ABSENT
        content = content.get(key, _ABSENT)
    return content


def _topmost(layers: list[_Layer], matches: Callable[[str], bool]) -> tuple[_Layer, str] | None:
    """Return the topmost layer with a matching key, and the key."""
    for layer in reversed(layers):
        for key in layer.values:
            if matches(key):
                return layer, key
    return None


def _shown(value: Any) -> str:
    """Write a factor's value as part of a name: 75, 0.3, true, peer, 70+150."""
    if isinstance(value, list):
        return "+".join(_shown(item) for item in value)
    if isinstance(value, str):
        return value
    return json.dumps(value)
