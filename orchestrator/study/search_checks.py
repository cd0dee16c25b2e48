"""Checks of a search's study file that involve several keys.

Each mistake is reported where it is written, before any trial starts.
"""

from collections.abc import Iterator
from importlib.util import find_spec

from analysis.results.study_plan import BASELINE
from orchestrator.study.expansion import Expansion
from orchestrator.study.search_definition import (
    FIXED,
    LARGEST_GRID,
    TUNED,
    ArmSearch,
    SearchPlan,
)
from orchestrator.study.search_schema import ARM, Asha, Median, NoScheduler, SearchFile
from orchestrator.study.search_space import Dimension, Space
from orchestrator.study.space_checks import checked, without_what_the_arm_decides
from trainable.config.strict_yaml import Document
from trainable.config.trial import TrialConfig
from trainable.storage.names import VALIDATION_ACCURACY

PROBLEM = (
    "noise",
    "data.name",
    "data.path",
    "data.labels",
    "data.classes",
    "data.imbalance",
    "data.validation_fraction",
    "data.clean_validation",
    "data.fold",
)
"""Fields that define the learning problem; scores under different values are incomparable."""

FEWEST_TRIALS = 10
"""Trials that tpe, gp and nsga2 propose at random before they use results."""


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
        return [ArmSearch(None, checked(document, space))]
    searches = []
    for arm in layers:
        whole = Space({arm: layers[arm]}, dimensions, expansion.study_dir)
        space = without_what_the_arm_decides(whole, expansion, arm, warnings)
        searches.append(ArmSearch(arm, checked(document, space)))
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
    if sampler.name not in ("tpe", "gp", "nsga2") or sampler.n_trials is None:
        return
    if sampler.n_trials <= FEWEST_TRIALS:
        yield (
            f"sampler.n_trials ({sampler.n_trials}): this is a random search, because "
            f"{sampler.name} proposes at random until {FEWEST_TRIALS} trials have ended"
        )
