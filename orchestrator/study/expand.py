"""Expansion of a study into trials: base < setting < arm, crossed with paired seeds.

Every combination is validated against `TrialConfig`, and each mistake is reported where its value was written.
"""

import itertools
import json
from collections.abc import Iterator
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


@dataclass
class _Layer:
    """Overrides by dotted path, each with its line, and where they stand."""

    where: str
    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)


@dataclass
class _Arm:
    """A layer above base and setting, and its place in the comparison."""

    name: str
    family: str | None
    layer: _Layer


class Expansion:
    """Arms × settings resolved against `TrialConfig`; reports what cannot be resolved."""

    def __init__(self, document: Document, study_dir: Path):
        self.study_dir = study_dir
        self.raw, self.lines, self.report = document.data, document.lines, document.report
        self.warnings: list[str] = []
        self.configs: dict[tuple[str | None, str], TrialConfig] = {}
        self.base = base = self._layer(("base",))
        settings: list[tuple[str | None, _Layer]] = [
            (name, self._layer(("settings", name))) for name in self._keys("settings")
        ]
        settings = settings or [(None, _Layer(""))]
        for setting, layer in settings:
            self._resolve(setting, BASELINE, [base, layer])
        self.arms = [_Arm(BASELINE, None, _Layer("")), *self._named(), *self._factors()]
        self.settings = [setting for setting, _ in settings]
        for setting, layer in settings:
            for arm in self.arms[1:]:
                self._resolve(setting, arm.name, [base, layer, arm.layer])
        self._check_sources(
            [
                (setting, arm, [base, layer, arm.layer])
                for setting, layer in settings
                for arm in self.arms
            ]
        )
        self._drop_copies()

    def _keys(self, section: str) -> list[str]:
        content = self.raw.get(section)
        return list(content) if isinstance(content, dict) else []

    def _layer(self, where: tuple[str, ...]) -> _Layer:
        """Flatten the overrides at `where`; nested mappings and dotted paths mean the same."""
        content: Any = self.raw
        for key in where:
            content = content.get(key) if isinstance(content, dict) else None
        layer = _Layer(".".join(where))

        def walk(mapping: dict[str, Any], path: tuple[str, ...]) -> None:
            for key, value in mapping.items():
                here = (*path, key)
                dotted = ".".join(here[len(where) :])
                if isinstance(value, dict) and value:
                    walk(value, here)
                elif dotted in layer.values:
                    self.report(here, f"`{dotted}` is set twice in {layer.where}")
                elif dotted == "seed":
                    self.report(here, "seeds are the study's: use the key `seeds`")
                else:
                    layer.values[dotted], layer.lines[dotted] = value, self.lines.get(here, 0)

        if isinstance(content, dict):
            walk(content, where)
        return layer

    def _named(self) -> Iterator[_Arm]:
        for name in self._keys("arms"):
            if name == BASELINE:
                self.report(
                    ("arms", name), "`baseline` is the arm of `base` itself; choose another name"
                )
                continue
            layer = self._layer(("arms", name))
            if self.raw["arms"][name] == {}:
                self.report(("arms", name), "changes nothing; write what differs from the baseline")
            yield _Arm(name, "arms", layer)

    def _factors(self) -> Iterator[_Arm]:
        """Arms of the factors; a value that equals the baseline's is the baseline."""
        factors: dict[str, list[Any]] = {}
        for path in self._keys("factors"):
            content = self.raw["factors"][path]
            values = content.get("values") if isinstance(content, dict) else None
            if path == "seed":
                self.report(("factors", path), "seeds are the study's: use the key `seeds`")
            elif isinstance(values, list):
                factors[path] = values
        last = {path: path.rsplit(".", 1)[-1] for path in factors}
        short = {
            path: word if list(last.values()).count(word) == 1 else path
            for path, word in last.items()
        }
        taken = set(self._keys("arms"))
        if self.raw.get("design") == "product":
            points = [
                dict(zip(factors, values, strict=True))
                for values in itertools.product(*factors.values())
            ]
        else:
            points = [{path: value} for path, values in factors.items() for value in values]
        for point in points if factors else []:
            if all(self._is_baseline(path, value) for path, value in point.items()):
                continue
            name = ",".join(f"{short[path]}={_shown(value)}" for path, value in point.items())
            where = ("factors", next(iter(point)), "values")
            if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
                self.report(where, f"gives the arm the name `{name}`, which cannot be a folder")
            elif name in taken:
                self.report(where, f"gives a second arm the name `{name}`")
            taken.add(name)
            lines = {path: self.lines.get(("factors", path), 0) for path in point}
            family = next(iter(point)) if len(point) == 1 else "product"
            yield _Arm(name, family, _Layer("factors", dict(point), lines))

    def _is_baseline(self, path: str, value: Any) -> bool:
        """Whether the baseline has this value in every setting."""

        def current(config: TrialConfig) -> Any:
            content: Any = config.model_dump()
            for key in path.split("."):
                content = content.get(key, _Layer) if isinstance(content, dict) else _Layer
            return content

        baselines = [config for (_, arm), config in self.configs.items() if arm == BASELINE]
        # bool is an int to Python: without the types, 1 would be `true`.
        return bool(baselines) and all(
            current(c) == value and isinstance(current(c), bool) == isinstance(value, bool)
            for c in baselines
        )

    def _resolve(self, setting: str | None, arm: str, layers: list[_Layer]) -> None:
        """Validate base < setting < arm and report each mistake where the offending value was written."""
        try:
            self.configs[setting, arm] = resolve(
                self.study_dir, *(layer.values for layer in layers)
            )
        except ValidationError as error:
            for path, message in explain(error, TrialConfig):
                self._blame(path, message, layers)

    def _blame(self, path: tuple[str, ...], message: str, layers: list[_Layer]) -> None:
        """Point at the topmost layer that set the field, or a part of it, or its section's name."""
        dotted = ".".join(path)
        for match in (
            lambda key: (
                key == dotted or key.startswith(dotted + ".") or dotted.startswith(key + ".")
            ),
            lambda key: key == f"{path[0]}.name",
        ):
            for layer in reversed(layers):
                for key in filter(match, layer.values):
                    self.report((layer.where, dotted), message, layer.lines[key])
                    return
        self.report((layers[0].where,), f"{dotted}: {message}")

    def _check_sources(self, places: list[tuple[str | None, _Arm, list[_Layer]]]) -> None:
        """Report arms that use themselves or an arm that is not there; forget what cannot be followed to its end."""
        names, lost = [arm.name for arm in self.arms], []
        for setting, arm, layers in places:
            chain = [arm.name]  # the arm, the one that it uses, the one that that one uses, …
            while (
                (config := self.configs.get((setting, chain[-1])))
                and config.from_arm
                and chain.count(chain[-1]) == 1
            ):
                chain.append(config.from_arm)
            if config and not config.from_arm:
                continue
            lost.append((setting, arm.name))
            if chain.count(arm.name) == 2:
                self._blame(
                    ("from_arm",), f"`{arm.name}` would use itself: {' → '.join(chain)}", layers
                )
            elif chain[1:] and chain[1] not in names:
                self._blame(
                    ("from_arm",),
                    f"the study has no arm `{chain[1]}`{suggestion(chain[1], names)}",
                    layers,
                )
        for place in lost:
            self.configs.pop(place, None)

    def _planned(self, setting: str | None, arm: str, seed: int) -> TrialConfig:
        """The configuration of one trial; `from_arm` is the id of the trial that it uses."""
        config = self.configs[setting, arm]
        source = config.from_arm and trial_id(self._planned(setting, config.from_arm, seed))
        return config.model_copy(update={"seed": seed, "from_arm": source})

    def _drop_copies(self) -> None:
        """Arms that compute the same: an error if they do so in every setting, else run once."""
        lines = {arm.name: arm.layer for arm in self.arms}
        for (first, second), same in self._copies().items():
            if len(same) == len(self.settings) and lines[second].values:
                layer = lines[second]
                line = min(layer.lines.values(), default=None)
                message = f"computes the same as `{first}` in every setting; remove one of them"
                where = (
                    layer.where
                    if layer.where != "factors"
                    else f"factors.{next(iter(layer.values))} ({second})"
                )
                self.report((where,), message, line)
            for setting in same:
                self.configs.pop((setting, second), None)
                for place, config in self.configs.items():
                    if place[0] == setting and config.from_arm == second:
                        self.configs[place] = config.model_copy(update={"from_arm": first})
                at = f" in setting {setting}" if setting else ""
                self.warnings.append(
                    f"{second} is the same as {first}{at} and is not run there a second time"
                )
        ids: dict[str, str | None] = {}
        for setting in self.settings:
            if (setting, BASELINE) in self.configs:
                twin = ids.setdefault(trial_id(self._planned(setting, BASELINE, 0)), setting)
                if twin != setting:
                    message = f"has the same baseline as setting `{twin}`; remove one of them"
                    self.report(("settings", str(setting)), message)

    def _copies(self) -> dict[tuple[str, str], list[str | None]]:
        """(arm, later arm) → settings in which both have one configuration."""
        found: dict[tuple[str, str], list[str | None]] = {}
        for setting in self.settings:
            first: dict[str, str] = {}
            for arm in self.arms:
                if (setting, arm.name) in self.configs:
                    earlier = first.setdefault(
                        trial_id(self._planned(setting, arm.name, 0)), arm.name
                    )
                    if earlier != arm.name:
                        found.setdefault((earlier, arm.name), []).append(setting)
        return found

    def layers(self) -> dict[str, tuple[dict[str, Any], ...]]:
        """Arm → its overrides by dotted path, the later over the earlier; of a study without settings."""
        return {arm.name: (self.base.values, arm.layer.values) for arm in self.arms}

    def trials(self, seeds: list[int]) -> Iterator[PlannedTrial]:
        """Every trial, seed by seed: a study that is stopped early has whole pairs."""
        for seed in seeds:
            for setting in self.settings:
                baseline = self.configs[setting, BASELINE]
                for arm in self.arms:
                    config = self.configs.get((setting, arm.name))
                    if config is None:
                        continue
                    paired = (config.data, config.noise) == (baseline.data, baseline.noise)
                    partner = BASELINE if paired and arm.family else None
                    source = config.from_arm and trial_name(setting, config.from_arm, seed)
                    config, epochs = self._planned(setting, arm.name, seed), config.train.epochs
                    record = TrialRecord(
                        trial_id(config),
                        setting,
                        arm.name,
                        seed,
                        arm.family,
                        partner,
                        epochs,
                        source,
                    )
                    yield PlannedTrial(record, config)
        used = {(setting, config.from_arm) for (setting, _), config in self.configs.items()}
        never = [
            f"{setting + '/' if setting else ''}{arm}"
            for (setting, arm), config in self.configs.items()
            if config.method.shortest_warmup >= config.train.epochs and (setting, arm) not in used
        ]
        if never:
            shown = ", ".join(never[:4]) + (f" and {len(never) - 4} more" if len(never) > 4 else "")
            self.warnings.append(f"never leave warm-up (it is as long as train.epochs): {shown}")


def _shown(value: Any) -> str:
    """A factor's value as part of a name: 75, 0.3, true, peer, 70+150."""
    if isinstance(value, list):
        return "+".join(_shown(item) for item in value)
    return value if isinstance(value, str) else json.dumps(value)
