"""`plan --cost`: time and disk space of the missing trials, from timed steps of each arm."""

from dataclasses import dataclass, replace

from rich.console import Console

from analysis.report.cells import arm_name
from orchestrator.display.status import duration
from orchestrator.exit_codes import WRONG, Ended
from orchestrator.results.store import Store
from orchestrator.scheduling.disk_space import free_bytes, size
from orchestrator.study.load import Study
from orchestrator.study.planned_trial import PlannedTrial
from trainable.config.runtime import Machine
from trainable.errors import DataError
from trainable.storage.trial_folder import TrialFolder
from trainable.trial.cost import Cost, estimate


@dataclass(frozen=True)
class Costs:
    """Cost of missing trials.

    Attributes:
        of_arms: (setting, arm) → cost of one trial.
        unknown: arm → the trial that must be done before it can be timed; not in the sums.
        seconds: training of all trials on one slot, s.
        kept: bytes on disk of all completed trials.
    """

    of_arms: dict[tuple[str | None, str], Cost]
    unknown: dict[str, str | None]
    seconds: float
    kept: int


def measure(missing: list[PlannedTrial], store: Store, machine: Machine) -> Costs:
    """Time a few steps of each arm of the missing trials.

    Raises:
        Ended: a trial cannot be trained on these data; the message names it and the reason.
    """
    costs: dict[tuple[str | None, str], Cost] = {}
    unknown: dict[str, str | None] = {}
    seconds = 0.0
    kept = 0
    for trial in missing:
        record = trial.record
        place = (record.setting, record.arm)
        if place not in costs:
            source = store.source_dir(record)
            if source and TrialFolder(source).summary is None:
                unknown.setdefault(record.arm, record.source)
                continue
            try:
                costs[place] = estimate(trial.config, replace(machine, source_dir=source))
            except DataError as error:
                raise Ended(f"{record.name}: {error}", WRONG) from None
        seconds += costs[place].seconds
        kept += costs[place].kept
    return Costs(costs, unknown, seconds, kept)


def show_cost(
    study: Study, missing: list[PlannedTrial], store: Store, machine: Machine, console: Console
) -> None:
    """Print time and space for the missing trials, and compare with the free space.

    Raises:
        Ended: a trial cannot be trained on these data; the message names it and the reason.
    """
    costs = measure(missing, store, machine)
    _show_unknown(costs.unknown, console)
    _show_arms(costs.of_arms, console)
    slots = study.file.run.max_concurrent_trials or 1
    while_running = [cost.while_running for cost in costs.of_arms.values()]
    running = slots * max(while_running, default=0)
    console.print(
        f"cost of {len(missing)} missing trials: "
        f"{duration(costs.seconds)} of training on one slot, "
        f"{size(costs.kept)} kept and {size(running)} while running",
        markup=False,
    )
    free = free_bytes(store.root)
    if costs.kept + running > free:
        console.print(f"warning: only {size(free)} are free at {store.root}", markup=False)


def _show_unknown(unknown: dict[str, str | None], console: Console) -> None:
    """Print the arms that cannot be timed yet, and the trial that each depends on."""
    for arm, waits_for in unknown.items():
        console.print(
            f"  {arm}: unknown until {waits_for} is done; not included below", markup=False
        )


def _show_arms(costs: dict[tuple[str | None, str], Cost], console: Console) -> None:
    for (setting, arm), cost in costs.items():
        name = arm_name(setting, arm)
        console.print(
            f"  {name}: {duration(cost.seconds)} a trial, {size(cost.kept)} kept", markup=False
        )
