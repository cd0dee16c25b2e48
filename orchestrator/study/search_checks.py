"""Checks of a search's study file that involve several keys.

Each mistake is reported where it is written, before any trial starts.
"""

import dataclasses
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from pydantic import ValidationError

from analysis.results.study_plan import BASELINE
from orchestrator.study.expand import Expansion
from orchestrator.study.search_definition import (
    FIXED,
    LARGEST_GRID,
    TUNED,
    ArmSearch,
    SearchPlan,
)
from orchestrator.study.search_schema import ARM, Asha, Median, NoScheduler, SearchFile
from orchestrator.study.search_space import Dimension, Point, Space, allowed_values, field, typed
from trainable.config.messages import explain
from trainable.config.strict_yaml import Document
from trainable.config.trial import TrialConfig
from trainable.storage.names import VALIDATION_ACCURACY

PROBLEM = ("noise", "data.name", "data.path", "data.validation_fraction", "data.fold")
"""Fields that define the learning problem; scores under different values are incomparable."""

FEWEST_TRIALS = 10
"""Trials that tpe and gp propose at random before they use results."""


def plan(
    document: Document,
    file: SearchFile,
    expansion: Expansion,
) -> tuple[SearchPlan, list[str]]:
    """Return the definition of a search study and warnings; report mistakes to the document."""
    arms = {name: config for (_, name), config in expansion.configs.items()}
    _check_keys(document, file, arms)
    warnings: list[str] = []
    if ARM in file.space and document.problems:
        # Arms that do not exist have no points to check.
        return SearchPlan(file, (), arms), warnings
    searches = _searches(document, file, expansion, warnings)
    searched: set[str] = set()
    for search in searches:
        searched.update(dimension.path for dimension in search.space.dimensions)
    for path in file.space:
        if path not in searched:
            message = "is never searched, as its `when` holds for no arm or every arm sets it"
            document.report(("space", path), message)
    planned = SearchPlan(file, tuple(searches), arms)
    if not document.problems:
        _check_sampler(document, planned)
        warnings += [*_doubts(file, arms), *_small_spaces(planned)]
    return planned, warnings


def _searches(
    document: Document,
    file: SearchFile,
    expansion: Expansion,
    warnings: list[str],
) -> list[ArmSearch]:
    """Return the study's only search, or that of each arm of a re-tuned ablation."""
    layers = expansion.layers()
    dimensions = tuple(Dimension(path, parameter) for path, parameter in file.space.items())
    if not file.retunes:
        space = Space(layers, dimensions, expansion.study_dir)
        return [ArmSearch(None, _checked(document, space))]
    searches = []
    for arm in layers:
        whole = Space({arm: layers[arm]}, dimensions, expansion.study_dir)
        space = _without_what_the_arm_decides(whole, expansion, arm, warnings)
        searches.append(ArmSearch(arm, _checked(document, space)))
    return searches


# --- keys of the file ---


def _check_keys(document: Document, file: SearchFile, arms: dict[str, TrialConfig]) -> None:
    """Check requirements between keys of the file."""
    _check_metrics(document, file)
    if not isinstance(file.scheduler, NoScheduler):
        _check_scheduler(document, file, file.scheduler.grace_period, arms)
    both = sorted(set(file.seeds) & set(file.confirm.seeds))
    if both:
        message = f"seeds {both} are also seeds of the search; confirmation needs fresh seeds"
        document.report(("confirm",), message)
    if file.retunes:
        _check_retuning(document, file)
    elif ARM in file.space:
        _check_arms(document, file)
    for name, config in arms.items():
        if config.from_arm is not None:
            section = ("arms", name) if name in file.arms else ("base",)
            message = (
                "is for ablations only: trials of a search cannot depend on each other; remove it"
            )
            document.report((*section, "from_arm"), message)
    for path in file.space:
        if path == "seed":
            document.report(("space", path), "seed cannot be searched; use the study's key `seeds`")
        elif path.startswith(PROBLEM):
            message = (
                "defines the learning problem; scores of different problems cannot be compared"
            )
            document.report(("space", path), message)
    data = arms[BASELINE].data
    if data.validation_fraction == 0 and data.folds is None and data.name != "npz":
        document.report(
            ("base",),
            "data.validation_fraction is 0. "
            "A search ranks by noisy validation accuracy; set it, for instance to 0.2",
        )


def _check_metrics(document: Document, file: SearchFile) -> None:
    names = [metric.name for metric in file.metric]
    if VALIDATION_ACCURACY not in names:
        message = "needs val/accuracy: the work alone does not rank configurations"
        document.report(("metric",), message)
    if len(set(names)) < len(names):
        message = "lists one metric twice; use val/accuracy and work/forwards"
        document.report(("metric",), message)
    if file.two_metrics != (file.sampler.name == "nsga2"):
        message = "`nsga2` needs two metrics, and two metrics need `nsga2`"
        document.report(("sampler",), message)


def _check_scheduler(
    document: Document,
    file: SearchFile,
    grace_period: int,
    arms: dict[str, TrialConfig],
) -> None:
    """Check the requirements of a scheduler that stops trials early."""
    if len(file.seeds) > 1:
        document.report(("scheduler",), "a search on several seeds needs `scheduler: none`")
    if file.two_metrics:
        document.report(("scheduler",), "a search with two metrics needs `scheduler: none`")
    if "train.epochs" in file.space:
        document.report(
            ("space",),
            "train.epochs cannot be searched with a scheduler: it compares trials at equal epochs",
        )
    shortest = min(config.train.epochs for config in arms.values())
    if grace_period >= shortest:
        document.report(
            ("scheduler",),
            f"grace_period ({grace_period}) should be less than train.epochs ({shortest})",
        )


def _check_retuning(document: Document, file: SearchFile) -> None:
    """Check the requirements of a re-tuned ablation."""
    if file.two_metrics:
        message = "a re-tuned ablation (`arms` without `arm` in the space) needs one metric"
        document.report(("metric",), message)
    if file.confirm.top_k not in (None, 1):
        message = "a re-tuned ablation confirms each arm's winner; remove `top_k`"
        document.report(("confirm",), message)
    for name in (FIXED, TUNED):
        if name in file.arms:
            message = "is a reserved name of the results; choose another one"
            document.report(("arms", name), message)


def _check_arms(document: Document, file: SearchFile) -> None:
    """Check `arm` as a parameter of the space."""
    known = [BASELINE, *file.arms]
    parameter = file.space[ARM]
    where = ("space", ARM)
    if parameter.values is None or set(parameter.values) != set(known):
        document.report(where, f"needs all arms of the study: `values: [{', '.join(known)}]`")
    if parameter.when or next(iter(file.space)) != ARM:
        document.report(
            where, "should be first and have no `when`: the other parameters depend on the arm"
        )


# --- dimensions of a space ---


def _without_what_the_arm_decides(
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


def _checked(document: Document, space: Space) -> Space:
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


# --- sampler and budget ---


def _check_sampler(document: Document, planned: SearchPlan) -> None:
    """Check that the sampler can search the spaces."""
    name = planned.file.sampler.name
    if name == "grid":
        _check_grid(document, planned)
    if name == "cmaes":
        _check_cmaes(document, planned)


def _check_grid(document: Document, planned: SearchPlan) -> None:
    for search in planned.searches:
        for dimension in search.space.dimensions:
            if dimension.size is None:
                document.report(
                    ("space", dimension.path),
                    "has infinitely many values; a grid needs `values` or `step`",
                )
        points = search.space.count(LARGEST_GRID)
        if points is not None and points > LARGEST_GRID:
            document.report(
                ("sampler",),
                f"a grid has at most {LARGEST_GRID:,} points, and this space has more; "
                "use `name: random`, or larger steps",
            )


def _check_cmaes(document: Document, planned: SearchPlan) -> None:
    for search in planned.searches:
        for dimension in search.space.dimensions:
            parameter = dimension.parameter
            if parameter.values is not None or parameter.when:
                message = "`cmaes` searches ranges without conditions only; use tpe"
                document.report(("space", dimension.path), message)
    if any(len(search.space.dimensions) < 2 for search in planned.searches):
        document.report(("space",), "`cmaes` needs at least two dimensions; use tpe")
    if find_spec("cmaes") is None:
        document.report(
            ("sampler",),
            "`cmaes` needs another package: pip install 'dividemix-orchestrator[cmaes]'",
        )


def _small_spaces(planned: SearchPlan) -> Iterator[str]:
    """Yield warnings about searches of more trials than their space has points."""
    trials = planned.file.sampler.n_trials
    if trials is None or planned.file.sampler.name == "grid":
        return
    for search in planned.searches:
        points = search.space.count(trials)
        if points is not None and points < trials:
            name = search.arm or planned.file.name
            yield (
                f"sampler.n_trials ({trials}): search {name} has {points} different points; "
                "proposals that repeat one are not trained again"
            )


def _doubts(file: SearchFile, arms: dict[str, TrialConfig]) -> Iterator[str]:
    """Yield warnings about values that are valid but probably unintended."""
    if isinstance(file.scheduler, Asha | Median):
        grace_period = file.scheduler.grace_period
        warmup = arms[BASELINE].method.shortest_warmup
        if grace_period <= warmup:
            yield (
                f"scheduler.grace_period ({grace_period}) is within warm-up ({warmup} epochs): "
                "trials are stopped before the method begins"
            )
    sampler = file.sampler
    if sampler.name not in ("tpe", "gp") or sampler.n_trials is None:
        return
    if sampler.n_trials <= FEWEST_TRIALS:
        yield (
            f"sampler.n_trials ({sampler.n_trials}): this is a random search, because "
            f"{sampler.name} proposes at random until {FEWEST_TRIALS} trials have ended"
        )
