"""`plan --cost`: hours and bytes of what is missing, from timed steps of each distinct configuration."""

import shutil
from pathlib import Path

from rich.console import Console

from orchestrator.expand import PlannedTrial
from orchestrator.monitor import duration
from orchestrator.store import Store
from orchestrator.study import Study
from trainable.cost import Cost, estimate, space
from trainable.errors import TrialError
from trainable.machine import Machine


def show_cost(study: Study, missing: list[PlannedTrial], store: Store, machine: Machine, console: Console) -> None:
    """Print time and space for the missing trials, and compare with the free space."""
    costs: dict[tuple[str | None, str], Cost] = {}
    seconds, kept = 0.0, 0
    for trial in missing:
        place = (trial.record.setting, trial.record.arm)
        if place not in costs:
            costs[place] = estimate(trial.config, machine)
        seconds, kept = seconds + costs[place].seconds, kept + costs[place].kept
    slots = study.file.run.max_concurrent_trials or 1
    running = slots * max((cost.while_running for cost in costs.values()), default=0)
    for (setting, arm), cost in costs.items():
        name = f"{setting}/{arm}" if setting else arm
        console.print(f"  {name}: {duration(cost.seconds)} a trial, {size(cost.kept)} kept", markup=False)
    console.print(
        f"cost of {len(missing)} missing trials: {duration(seconds)} of training on one slot, "
        f"{size(kept)} kept and {size(running)} while running",
        markup=False,
    )
    free = free_bytes(store.root)
    if kept + running > free:
        console.print(f"warning: only {size(free)} are free at {store.root}", markup=False)


def lacking_space(study: Study, missing: list[PlannedTrial], store: Store, machine: Machine) -> str | None:
    """A sentence if the missing trials' results will not fit on the disk."""
    per_kind: dict[str, tuple[int, int]] = {}
    kept = 0
    for trial in missing:
        c = trial.config
        kind = f"{c.data!r} {c.model!r} {c.method.networks} {c.train.epochs}"
        if kind not in per_kind:
            try:
                per_kind[kind] = space(c, machine)
            except TrialError:
                per_kind[kind] = (0, 0)  # wrong data: the trial itself will say so
        kept += per_kind[kind][0]
    running = (study.file.run.max_concurrent_trials or 1) * max(running for _, running in per_kind.values())
    free = free_bytes(store.root)
    if kept + running <= free:
        return None
    return f"{len(missing)} trials need about {size(kept + running)}, and {size(free)} are free at {store.root}"


def free_bytes(path: Path) -> int:
    """Free bytes where `path` is, or will be."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def size(number: float) -> str:
    """`1.4 GB`, in powers of 1000."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"
