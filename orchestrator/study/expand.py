"""Resolve every arm of a study in every setting: base < setting < arm.

Every combination is validated against `TrialConfig`. Each mistake is reported where its value was
written.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from analysis.results.study_plan import BASELINE
from orchestrator.study.arms import (
    BASELINE_ARM,
    Arm,
    Keys,
    Layer,
    Setting,
    read_arms,
    read_factors,
    read_layer,
    read_settings,
)
from orchestrator.study.expansion import Configs, Expansion, of_seed
from trainable.config.custom_code import Own
from trainable.config.messages import explain, suggestion
from trainable.config.overrides import resolve
from trainable.config.strict_yaml import Document, Problem
from trainable.config.trial import TrialConfig, trial_id


@dataclass(frozen=True)
class _Place:
    """One arm in one setting, with its layers, the later over the earlier."""

    setting: Setting
    arm: Arm
    layers: tuple[Layer, ...]


def expand(document: Document, study_dir: Path) -> Expansion:
    """Resolve every arm of a study in every setting.

    Args:
        document: the study file. It is only read: mistakes are in the result.
        study_dir: folder in which own code and weights are looked up.
    """
    document = replace(document, problems=[])
    base = read_layer(document, ("base",))
    settings = read_settings(document)

    # Baselines are resolved first: a factor's value that equals the baseline's adds no arm.
    baselines = _resolved(document, study_dir, _places(base, settings, [BASELINE_ARM]))
    others = [*read_arms(document), *read_factors(document, list(baselines.values()))]
    places = _places(base, settings, others)
    written = baselines | _resolved(document, study_dir, places)

    arms = [BASELINE_ARM, *others]
    places = _places(base, settings, arms)
    complete = _without_broken_chains(document, places, written)
    configs, warnings = _without_copies(document, list(settings), arms, complete)
    _check_settings(document, list(settings), configs)
    return Expansion(
        study_dir=study_dir,
        base=base,
        settings=tuple(settings),
        arms=tuple(arms),
        configs=configs,
        warnings=tuple(warnings),
        problems=tuple(document.problems),
        useless=_useless(document, places, configs),
    )


# --- configurations ---


def _places(base: Layer, settings: dict[Setting, Layer], arms: list[Arm]) -> list[_Place]:
    """Return each arm in each setting."""
    places = []
    for setting, layer in settings.items():
        for arm in arms:
            places.append(_Place(setting, arm, (base, layer, arm.layer)))
    return places


def _resolved(document: Document, study_dir: Path, places: Iterable[_Place]) -> Configs:
    """Validate base < setting < arm; report each mistake where its value was written."""
    configs: Configs = {}
    for place in places:
        overrides = [layer.values for layer in place.layers]
        try:
            configs[place.setting, place.arm.name] = resolve(study_dir, *overrides)
        except ValidationError as error:
            for path, message in explain(error, TrialConfig):
                _blame(document, path, message, place.layers)
    return configs


def _blame(document: Document, path: Keys, message: str, layers: tuple[Layer, ...]) -> None:
    """Report a mistake at the topmost layer that sets the field, a part of it, or its section."""
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
            document.report((layer.where, dotted), message, layer.lines[key])
            return
    lowest = layers[0]
    document.report((lowest.where,), f"{dotted}: {message}")


def _topmost(layers: tuple[Layer, ...], matches: Callable[[str], bool]) -> tuple[Layer, str] | None:
    """Return the topmost layer with a matching key, and the key."""
    for layer in reversed(layers):
        for key in layer.values:
            if matches(key):
                return layer, key
    return None


# --- arms that use other arms ---


def _without_broken_chains(document: Document, places: list[_Place], configs: Configs) -> Configs:
    """Remove arms whose chain of dependencies (`from_arm`) does not end at an arm without one.

    Arms that depend on themselves, or on an arm that does not exist, are reported.
    """
    names = list(dict.fromkeys(place.arm.name for place in places))
    kept = dict(configs)
    for place in places:
        chain, ends = _follow(configs, place.setting, place.arm.name)
        if ends:
            continue
        kept.pop((place.setting, place.arm.name), None)
        if chain.count(place.arm.name) == 2:
            way = " → ".join(chain)
            message = f"`{place.arm.name}` depends on itself: {way}"
            _blame(document, ("from_arm",), message, place.layers)
        elif len(chain) > 1 and chain[1] not in names:
            hint = suggestion(chain[1], names)
            message = f"the study has no arm `{chain[1]}`{hint}"
            _blame(document, ("from_arm",), message, place.layers)
    return kept


def _follow(configs: Configs, setting: Setting, arm: str) -> tuple[list[str], bool]:
    """Return an arm's chain of dependencies, and whether its last arm depends on no other."""
    chain = [arm]
    seen: set[str] = set()
    while True:
        config = configs.get((setting, chain[-1]))
        if config is None:
            return chain, False
        if not config.from_arm:
            return chain, True
        if chain[-1] in seen:
            return chain, False
        seen.add(chain[-1])
        chain.append(config.from_arm)


# --- arms and settings that compute the same ---


def _without_copies(
    document: Document, settings: list[Setting], arms: list[Arm], configs: Configs
) -> tuple[Configs, list[str]]:
    """Remove arms that compute the same as an earlier arm.

    It is an error if they do so in every setting. Otherwise the earlier arm is run for both.

    Returns:
        The remaining configurations, and a warning for each one that is removed.
    """
    layers = {arm.name: arm.layer for arm in arms}
    warnings = []
    for (first, second), same in _copies(settings, arms, configs).items():
        layer = layers[second]
        if len(same) == len(settings) and layer.values:
            _report_copy(document, first, second, layer)
        for setting in same:
            configs = _merged(configs, setting, first, second)
            at = f" in setting {setting}" if setting else ""
            warnings.append(f"{second} computes the same as {first}{at} and is not run there again")
    return configs, warnings


def _copies(
    settings: list[Setting], arms: list[Arm], configs: Configs
) -> dict[tuple[str, str], list[Setting]]:
    """Return (arm, later arm) → settings in which both have one configuration."""
    found: dict[tuple[str, str], list[Setting]] = {}
    planned = of_seed(configs, 0)
    for setting in settings:
        first: dict[str, str] = {}
        for arm in arms:
            if (setting, arm.name) not in configs:
                continue
            identity = trial_id(planned[setting, arm.name])
            earlier = first.setdefault(identity, arm.name)
            if earlier != arm.name:
                found.setdefault((earlier, arm.name), []).append(setting)
    return found


def _report_copy(document: Document, first: str, second: str, layer: Layer) -> None:
    """Report an arm that computes the same as another one in every setting."""
    where = layer.where
    if where == "factors":
        factor = next(iter(layer.values))
        where = f"factors.{factor} ({second})"
    line = min(layer.lines.values(), default=None)
    message = f"computes the same as `{first}` in every setting; remove one of them"
    document.report((where,), message, line)


def _merged(configs: Configs, setting: Setting, first: str, second: str) -> Configs:
    """Return the configurations with `first` in place of `second` in one setting."""
    merged: Configs = {}
    for place, config in configs.items():
        if place == (setting, second):
            continue
        if place[0] == setting and config.from_arm == second:
            config = config.model_copy(update={"from_arm": first})
        merged[place] = config
    return merged


def _check_settings(document: Document, settings: list[Setting], configs: Configs) -> None:
    """Report settings whose baseline computes the same as that of an earlier setting."""
    first: dict[str, Setting] = {}
    planned = of_seed(configs, 0)
    for setting in settings:
        if (setting, BASELINE) not in configs:
            continue
        identity = trial_id(planned[setting, BASELINE])
        twin = first.setdefault(identity, setting)
        if twin != setting:
            message = f"has the same baseline as setting `{twin}`; remove one of them"
            document.report(("settings", str(setting)), message)


# --- arms that cannot do what they are for ---


def _useless(
    document: Document, places: list[_Place], configs: Configs
) -> dict[tuple[Setting, str], list[Problem]]:
    """Return arms that end within their warm-up, and arms that use one without a division."""
    used = {(setting, config.from_arm) for (setting, _), config in configs.items()}
    found = {}
    for place in places:
        key = (place.setting, place.arm.name)
        if key not in configs:
            continue
        config = configs[key]
        source = configs.get((place.setting, config.from_arm or ""))
        of_place = replace(document, problems=[])
        if config.method.shortest_warmup >= config.train.epochs and key not in used:
            message = (
                f"`{place.arm.name}` never leaves its warm-up of {config.method.shortest_warmup} "
                f"epochs, because train.epochs is {config.train.epochs}"
            )
            _blame(of_place, ("method", config.method.warmup_field), message, place.layers)
        if source and config.method.needs_divided_source and not _may_divide(source):
            message = (
                f"`{config.from_arm}` does not divide the samples (its method is "
                f"{source.method.name}), so there are no clean probabilities to use. Name an arm "
                "of DivideMix"
            )
            _blame(of_place, ("from_arm",), message, place.layers)
        if of_place.problems:
            found[key] = of_place.problems
    return found


def _may_divide(config: TrialConfig) -> bool:
    """Return whether a trial may have clean probabilities; of an own method nothing is known."""
    return isinstance(config.method, Own) or config.method.divides
