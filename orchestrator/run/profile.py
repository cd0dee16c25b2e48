"""`run --profile ARM`: the time of one epoch by phase, and a trace of it."""

import os
from dataclasses import replace
from typing import Any

from rich.console import Console
from rich.table import Table

from orchestrator.display.arm_table import grid
from orchestrator.exit_codes import WRONG, Ended
from orchestrator.results.store import Store
from orchestrator.scheduling.requirements import absent
from orchestrator.study.load import Study
from trainable.config.runtime import Machine
from trainable.storage import names


def profile_arm(study: Study, store: Store, machine: Machine, arm: str, console: Console) -> None:
    """Profile one epoch of an arm's first trial, without Ray and outside of the study's trials.

    Raises:
        Ended: there is no such arm, or its data is missing or wrong, or it diverged.
    """
    os.environ.setdefault("OMP_NUM_THREADS", str(machine.threads))
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler's own messages
    from trainable.errors import TrialError
    from trainable.trial.profile import profile_epoch

    first = {trial.record.arm: trial for trial in reversed(study.trials)}
    if arm not in first:
        raise Ended(
            f"--profile: the study has no arm {arm}; it has {', '.join(reversed(first))}", WRONG
        )
    trial = first[arm]
    lacking = absent([trial], machine)
    if lacking:
        raise Ended("\n".join(lacking), WRONG)
    trace = store.root / names.PROFILE / f"{arm}.json.gz"
    machine = replace(machine, source_dir=store.source_dir(trial.record))
    try:
        row = profile_epoch(trial.config, machine, trace)
    except TrialError as error:
        raise Ended(f"{trial.record.name}: {error}", WRONG) from None
    console.print(
        f"epoch {row['epoch']} ({row['phase']}) of {trial.record.name}, under the profiler:"
    )
    console.print(_phases(row))
    console.print(f"trace: {trace} (open it at ui.perfetto.dev, which keeps it on this machine)")


def _phases(row: dict[str, Any]) -> Table:
    """Seconds of each phase of an epoch, and its share of the whole."""
    total = row[names.EPOCH_SECONDS]
    seconds = {}
    for name, value in row.items():
        if name.startswith("time/") and name != names.EPOCH_SECONDS:
            seconds[name.removeprefix("time/").removesuffix("_s")] = value
    rest = total - sum(seconds.values())
    table = grid("seconds", "share")
    for phase, value in {**seconds, "rest": rest, "epoch": total}.items():
        table.add_row(phase, f"{value:.3f}", f"{value / total:.0%}")
    table.columns[0].header = "phase"
    return table
