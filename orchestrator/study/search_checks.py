"""All checks of a search's study file; every mistake is reported where it was written, before anything starts."""

import dataclasses
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from pydantic import ValidationError

from orchestrator.study.expand import Expansion
from orchestrator.study.planned_trial import BASELINE
from orchestrator.study.search_plan import FIXED, TUNED, ArmSearch, SearchPlan
from orchestrator.study.search_schema import ARM, Asha, Median, NoScheduler, SearchFile
from orchestrator.study.search_space import Dimension, Point, Space, allowed_values, field, typed
from trainable.config.messages import explain
from trainable.config.strict_yaml import Document
from trainable.config.trial import TrialConfig
from trainable.storage.names import VALIDATION_ACCURACY

PROBLEM = ("noise", "data.name", "data.path", "data.validation_fraction")
"""Fields that say what is asked."""


def plan(
    document: Document, file: SearchFile, expansion: Expansion
) -> tuple[SearchPlan, list[str]]:
    """The plan of a search, and what deserves a warning; mistakes are reported to the document."""
    layers = expansion.layers()
    arms = {name: config for (_, name), config in expansion.configs.items()}
    _check_keys(document, file, arms)
    warnings: list[str] = []
    searches = []
    if ARM in file.space and document.problems:
        return SearchPlan(
            file, (), arms
        ), warnings  # arms that do not exist have no points to check
    for names in [[name] for name in layers] if file.retunes else [list(layers)]:
        dimensions = tuple(Dimension(p, file.space[p]) for p in file.space)
        space = Space({name: layers[name] for name in names}, dimensions, expansion.study_dir)
        if file.retunes:
            space = _without_what_the_arm_decides(space, expansion, names[0], warnings)
        searches.append(ArmSearch(names[0] if file.retunes else None, _checked(document, space)))
    for path in {*file.space} - {d.path for search in searches for d in search.space.dimensions}:
        document.report(
            ("space", path), "is never searched: its `when` holds for no arm, or every arm sets it"
        )
    planned = SearchPlan(file, tuple(searches), arms)
    if not document.problems:
        _check_sampler(document, planned)
        warnings += _doubts(file, arms)
    return planned, warnings


def _check_keys(document: Document, file: SearchFile, arms: dict[str, TrialConfig]) -> None:
    """What keys of the file ask of each other."""

    def wrong(where: str, message: str) -> None:
        document.report(tuple(where.split(".")), message)

    names = [metric.name for metric in file.metric]
    if VALIDATION_ACCURACY not in names:
        wrong("metric", "needs val/accuracy: nothing else says how good a configuration is")
    if len(set(names)) < len(names):
        wrong("metric", "the two metrics should differ: val/accuracy and work/forwards")
    if file.two_metrics != (file.sampler.name == "nsga2"):
        wrong("sampler", "`nsga2` is for two metrics, and two metrics need `nsga2`")
    if not isinstance(file.scheduler, NoScheduler):
        for more, what in (
            (len(file.seeds) > 1, "several seeds"),
            (file.two_metrics, "two metrics"),
        ):
            if more:
                wrong("scheduler", f"{what} need `scheduler: none`")
        if "train.epochs" in file.space:
            wrong(
                "space",
                "train.epochs cannot be searched with a scheduler: it compares trials at equal epochs",
            )
        shortest = min(config.train.epochs for config in arms.values())
        if file.scheduler.grace_period >= shortest:
            wrong(
                "scheduler",
                f"grace_period ({file.scheduler.grace_period}) should be less than train.epochs ({shortest})",
            )
    if both := sorted({*file.seeds} & {*file.confirm.seeds}):
        wrong("confirm", f"seeds {both} are those of the search: confirmation needs fresh ones")
    if file.retunes:
        if file.two_metrics:
            wrong(
                "metric", "a re-tuned ablation (`arms` without `arm` in the space) needs one metric"
            )
        if file.confirm.top_k not in (None, 1):
            wrong(
                "confirm",
                "of a re-tuned ablation each arm's winner is confirmed: leave `top_k` out",
            )
        for name in {FIXED, TUNED} & {*file.arms}:
            document.report(
                ("arms", name), "is the name of a column of the result; choose another one"
            )
    elif ARM in file.space:
        _check_arms(document, file)
    for name, config in arms.items():
        if config.from_arm is not None:
            where = ("arms", name) if name in file.arms else ("base",)
            document.report(
                (*where, "from_arm"),
                "is for ablations: the trials of a search do not use each other",
            )
    for path in file.space:
        if path == "seed":
            document.report(("space", path), "seeds are the study's: use the key `seeds`")
        elif path.startswith(PROBLEM):
            document.report(
                ("space", path),
                "is part of the question: scores under different answers cannot be compared",
            )
    data = arms[BASELINE].data
    if data.validation_fraction == 0 and data.name != "npz":
        wrong(
            "base",
            "data.validation_fraction is 0: a search decides on noisy validation accuracy, 0.2 ranks well",
        )


def _check_arms(document: Document, file: SearchFile) -> None:
    """`arm` as a parameter of the space."""
    known, parameter = [BASELINE, *file.arms], file.space[ARM]
    if parameter.values is None or set(parameter.values) != set(known):
        document.report(
            ("space", ARM), f"needs all the study's arms: `values: [{', '.join(known)}]`"
        )
    if parameter.when or next(iter(file.space)) != ARM:
        document.report(
            ("space", ARM),
            "stands first, and without `when`: the other parameters are chosen for the arm",
        )


def _without_what_the_arm_decides(
    space: Space, expansion: Expansion, arm: str, warnings: list[str]
) -> Space:
    """The space of one arm: what it sets itself, and what does not exist under it, is not searched."""
    own = space.arms[arm][-1]
    config = expansion.configs[None, arm]
    kept: list[Dimension] = []
    sections = {path.partition(".")[0] for path in own if path.endswith(".name")}
    for dimension in space.dimensions:
        path, when = dimension.path, dimension.parameter.when
        gone = path.partition(".")[0] in sections and field(config, path) is None
        never = any(
            other not in {d.path for d in kept}
            and field(config, other) not in allowed_values(allowed)
            for other, allowed in when.items()
        )
        if path in own or gone or never:
            warnings.append(
                f"{arm}: {path} is not searched: the arm {'sets it' if path in own else 'does without it'}"
            )
        else:
            kept.append(dimension)
    return dataclasses.replace(space, dimensions=tuple(kept))


def _checked(document: Document, space: Space) -> Space:
    """The space with the kinds of its fields; what `TrialConfig` refuses at its edges is reported."""
    above: set[str] = set()
    for dimension in space.dimensions:
        for path in dimension.parameter.when:
            if path in {d.path for d in space.dimensions} and path not in above:
                document.report(
                    ("space", dimension.path, "when", path), "should stand above what depends on it"
                )
        above.add(dimension.path)
    seen: dict[str, Any] = {}
    conditions: set[str] = set()
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
        named = {other for dimension in space.dimensions for other in dimension.parameter.when}
        conditions |= {other for other in named if other == ARM or field(config, other) is not None}
    if document.problems:
        return space
    for dimension in space.dimensions:
        _check_dimension(document, dimension, seen, conditions)
    typed_space = dataclasses.replace(
        space, dimensions=tuple(typed(d, seen.get(d.path)) for d in space.dimensions)
    )
    if not document.problems:
        _check_starts(document, typed_space)
    return typed_space


def _blame(document: Document, path: str, message: str, forced: Point) -> None:
    """Point at the dimension that a wrong field belongs to, else at the first of those that were tried."""
    at = path if path in forced else next(iter(forced))
    document.report(("space", at), message if at == path else f"{path}: {message}")


def _check_dimension(
    document: Document, dimension: Dimension, seen: dict[str, Any], conditions: set[str]
) -> None:
    path, p = dimension.path, dimension.parameter
    for other in p.when:
        if other not in conditions:
            document.report(
                ("space", path, "when", other), "is neither a field of any arm nor `arm`"
            )
    if path not in seen:
        document.report(("space", path), "is never searched: its `when` never holds")
    elif path != ARM and p.values is None:
        value = seen[path]
        if isinstance(value, bool) or not isinstance(value, int | float):
            document.report(("space", path), "is no number: list its `values`")
        elif isinstance(value, int) and any(isinstance(v, float) for v in (p.low, p.high, p.step)):
            document.report(
                ("space", path), "is a whole number: `low`, `high` and `step` should be too"
            )


def _check_starts(document: Document, space: Space) -> None:
    """Every arm's own setting must be a point: it is tried first."""
    for arm, layers in space.arms.items():
        try:
            start = space.start(arm)
        except KeyError as error:
            path = error.args[0]
            value = field(space.config({ARM: arm} if len(space.arms) > 1 else {}), path)
            document.report(
                ("space", path),
                f"does not have {value}, the value of `{arm}`, which is tried first: add it, or `when`",
            )
            continue
        if both := sorted(
            {*start} & {*layers[-1]} if len(space.arms) > 1 and arm != BASELINE else ()
        ):
            document.report(
                ("space", both[0]),
                f"is also set by the arm `{arm}`: leave that arm out with `when: {{arm: [...]}}`",
            )


def _check_sampler(document: Document, planned: SearchPlan) -> None:
    name = planned.file.sampler.name
    dimensions = [(s, d) for s in planned.searches for d in s.space.dimensions]
    if name == "grid":
        for path in {d.path for _, d in dimensions if d.grid() is None}:
            document.report(("space", path), "a grid needs `values` or `step`")
    if name == "cmaes":
        for path in {
            d.path for _, d in dimensions if d.parameter.values is not None or d.parameter.when
        }:
            document.report(
                ("space", path), "`cmaes` searches ranges without conditions only: use tpe"
            )
        if any(len(search.space.dimensions) < 2 for search in planned.searches):
            document.report(("space",), "`cmaes` needs at least two dimensions: use tpe")
        if find_spec("cmaes") is None:
            document.report(
                ("sampler",), "`cmaes` needs a package: pip install 'dividemix-orchestrator[cmaes]'"
            )


def _doubts(file: SearchFile, arms: dict[str, TrialConfig]) -> Iterator[str]:
    """What is allowed and seldom meant."""
    if isinstance(file.scheduler, Asha | Median):
        warmup = arms[BASELINE].method.shortest_warmup
        if file.scheduler.grace_period <= warmup:
            yield (
                f"scheduler.grace_period ({file.scheduler.grace_period}) is within warm-up ({warmup} epochs): "
                "trials are stopped before the method begins"
            )
    n = file.sampler.n_trials
    if n is not None and file.sampler.name in ("tpe", "gp") and n <= 10:
        yield f"sampler.n_trials ({n}): {file.sampler.name} proposes at random until 10 trials have ended"
