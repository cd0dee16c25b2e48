"""`plan --cost`: time and disk space of the missing trials, from timed steps of each arm."""

import os
from dataclasses import dataclass, replace

from rich.console import Console

from analysis.report.cells import arm_name
from orchestrator.display.time_left import duration
from orchestrator.execution.resources import CannotRun, this_machine
from orchestrator.exit_codes import WRONG, Ended
from orchestrator.local_backend.execute import slots_here
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
        seconds: training of all trials on one slot, s, as the machine is loaded now.
        low, high: the same without other programs, and if all steps were slow ones.
        longest: seconds of the longest trial.
        kept: bytes on disk of all completed trials.
    """

    of_arms: dict[tuple[str | None, str], Cost]
    unknown: dict[str, str | None]
    seconds: float
    low: float
    high: float
    longest: float
    kept: int

    def on(self, slots: int) -> str:
        """Write how long all trials take on some slots, `35 min to 1 h 10 min`.

        Trials that run at once are taken to be as fast as one alone.
        """
        # No number of slots makes the longest trial shorter.
        slowdown = self.high / self.seconds if self.seconds else 1.0
        speedup = self.low / self.seconds if self.seconds else 1.0
        low = max(self.low / slots, self.longest * speedup)
        return between(low, max(self.high / slots, self.longest * slowdown))


def between(low: float, high: float) -> str:
    """Write a range of durations, or one duration if both ends are written alike."""
    ends = dict.fromkeys([duration(low), duration(high)])
    return " to ".join(ends)


def slots_of(study: Study) -> int:
    """Return how many trials of a study this machine trains at once; 1 if it cannot train any."""
    try:
        return max(1, slots_here(study))
    except CannotRun:
        return 1


def load() -> str | None:
    """Say that other programs use this machine; None: they do not, or it is unknown."""
    if not hasattr(os, "getloadavg"):
        return None
    waiting = os.getloadavg()[0]
    cpus = this_machine().cpu
    if waiting < BUSY * cpus:
        return None
    return (
        f"this machine is busy: a load of {waiting:.1f} on {cpus:g} CPUs. The lower time is that "
        "of an idle machine"
    )


BUSY = 0.5
"""Load a CPU above which other programs are mentioned."""


def measure(missing: list[PlannedTrial], store: Store, machine: Machine) -> Costs:
    """Time a few steps of each arm of the missing trials.

    Raises:
        Ended: a trial cannot be trained on these data; the message names it and the reason.
    """
    costs: dict[tuple[str | None, str], Cost] = {}
    unknown: dict[str, str | None] = {}
    seconds = low = high = longest = 0.0
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
        cost = costs[place]
        seconds += cost.seconds
        low += cost.low
        high += cost.high
        longest = max(longest, cost.seconds)
        kept += cost.kept
    return Costs(costs, unknown, seconds, low, high, longest, kept)


def show_cost(
    study: Study, missing: list[PlannedTrial], store: Store, machine: Machine, console: Console
) -> None:
    """Print time and space for the missing trials, and compare with the free space.

    Raises:
        Ended: a trial cannot be trained on these data; the message names it and the reason.
    """
    loaded = load()  # before this process adds to it
    costs = measure(missing, store, machine)
    _show_unknown(costs.unknown, console)
    _show_arms(costs.of_arms, console)
    slots = slots_of(study)
    while_running = [cost.while_running for cost in costs.of_arms.values()]
    running = slots * max(while_running, default=0)
    console.print(
        f"cost of {len(missing)} missing trials: {costs.on(slots)} on {_counted(slots)}, "
        f"{between(costs.low, costs.high)} of training in all, "
        f"{size(costs.kept)} kept and {size(running)} while running"
    )
    if loaded:
        console.print(f"note: {loaded}")
    free = free_bytes(store.root)
    if costs.kept + running > free:
        console.print(f"warning: only {size(free)} are free at {store.root}")


def _counted(slots: int) -> str:
    """Write the slots of this machine."""
    return "the slot of this machine" if slots == 1 else f"the {slots} slots of this machine"


def _show_unknown(unknown: dict[str, str | None], console: Console) -> None:
    """Print the arms that cannot be timed yet, and the trial that each depends on."""
    for arm, waits_for in unknown.items():
        console.print(f"  {arm}: unknown until {waits_for} is done; not included below")


def _show_arms(costs: dict[tuple[str | None, str], Cost], console: Console) -> None:
    for (setting, arm), cost in costs.items():
        name = arm_name(setting, arm)
        console.print(f"  {name}: {between(cost.low, cost.high)} a trial, {size(cost.kept)} kept")
