"""The commands: parse, call, print, exit code.

Exit codes: 0 all trials done, 1 some failed or unfinished, 2 the study, the data or the command line is wrong,
3 refused (locked, stale), 130 and 143 interrupted.
"""

import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer
from rich.console import Console

from orchestrator import families, lock, store, study
from orchestrator.expand import PlannedTrial
from orchestrator.store import STATES, Store, TrialRecord
from trainable.data.locate import missing
from trainable.machine import Machine
from trainable.strict_yaml import ConfigError

DONE, FAILED, WRONG, REFUSED = 0, 1, 2, 3

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Which parts of DivideMix earn their cost on your data? Paired ablations on Ray, from one YAML file.",
)
console = Console(highlight=False, soft_wrap=True)

StudyPath = Annotated[Path, typer.Argument(metavar="STUDY", help="The study file.")]
RunDir = Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A study's results, for instance results/ablation.")]
Results = Annotated[Path, typer.Option(help="Parent of the results folders.")]
Sets = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key, e.g. base.train.epochs=3.")
]
DataDir = Annotated[Path, typer.Option("--data", help="Folder of named data sets (CIFAR-10).")]


def main() -> None:
    """Run a command; mistakes become sentences and exit codes."""
    # Typer would turn a KeyboardInterrupt into code 1.
    before = signal.signal(signal.SIGINT, lambda number, frame: _complain("interrupted", 128 + number))
    try:
        app()
    except ConfigError as error:
        _complain(str(error), WRONG)
    except store.NoStudy as error:
        _complain(str(error), WRONG)
    except lock.Locked as error:
        _complain(str(error), REFUSED)
    except OSError as error:
        _complain(f"{error.filename or ''}: {error.strerror or error}".lstrip(": "), REFUSED)
    finally:
        signal.signal(signal.SIGINT, before)


def _complain(message: str, code: int) -> NoReturn:
    Console(stderr=True, highlight=False, soft_wrap=True).print(message, markup=False)
    sys.exit(code)


@app.command()
def run(
    study_path: StudyPath,
    results: Results = Path("results"),
    sets: Sets = None,
    data: DataDir = Path("data"),
    stale: Annotated[
        Literal["refuse", "archive"], typer.Option(help="What to do with trials that the study has changed.")
    ] = "refuse",
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try failed trials again.")] = False,
    dashboard: Annotated[bool, typer.Option(help="Start Ray's dashboard.")] = True,
) -> None:
    """Run what is missing of a study, then compare its arms."""
    plan = study.load(study_path, sets)
    machine = _machine(plan, data)
    place = Store(results / plan.name)
    records = [trial.record for trial in plan.trials]
    failures = plan.file.run.max_failures
    with place.lock():
        for old, new in place.adopt(records):
            console.print(f"moved {old} to {new}: the same trial under its new name", markup=False)
        _settle_stale(place, records, failures, stale)
        if retry_failed:
            place.forget_failures(records)
        states = place.states(records, failures)
        todo = [trial for trial in plan.trials if states[trial.record] not in ("done", "failed")]
        if absent := _absent(todo, machine):
            _complain("\n".join(absent), WRONG)
        place.write_plan(plan.name, plan.text, failures, records)
        if todo:
            received = _execute(plan, place, todo, machine, dashboard)
        else:
            console.print(f"Nothing to do: all {len(records)} trials of {place.root} have ended.", markup=False)
            received = None
        states = place.states(records, failures)
    _show_end(place, records, states)
    if received is not None:
        raise typer.Exit(128 + received)
    raise typer.Exit(DONE if all(state == "done" for state in states.values()) else FAILED)


def _execute(
    plan: study.Study, place: Store, todo: list[PlannedTrial], machine: Machine, dashboard: bool
) -> int | None:
    """Start Ray, run the trials; the number of the signal that stopped it, if one did."""
    from orchestrator import provenance
    from orchestrator.local_ray import local_ray, token_place
    from orchestrator.monitor import View

    provenance.record(place.root)
    records = [trial.record for trial in plan.trials]
    console.print(f"{plan.name}: {len(todo)} of {len(records)} trials to run, results in {place.root}", markup=False)
    for warning in plan.warnings:
        console.print(f"note: {warning}", markup=False)
    with local_ray(dashboard) as address:
        from orchestrator.execute import CannotRun, execute

        if address:
            console.print(f"Ray dashboard: {address} (it asks for the token in {token_place()})", markup=False)
        console.print(f"TensorBoard:   tensorboard --logdir {place.runs}", markup=False)
        try:
            view = View(console, place, records, [trial.record for trial in todo])
            return execute(plan, place, todo, machine, view)
        except CannotRun as error:
            _complain(str(error), WRONG)
    return None


def _settle_stale(place: Store, records: list[TrialRecord], failures: int, stale: str) -> None:
    """Refuse, or archive, trials whose folder holds what the study no longer computes."""
    old = [record for record, state in place.states(records, failures).items() if state == "stale"]
    if old and stale == "archive":
        console.print(f"{len(old)} stale trials moved to {place.archive(old)}", markup=False)
    elif old:
        names = "\n".join(f"  {record.name}" for record in old[:20]) + ("\n  …" if len(old) > 20 else "")
        _complain(
            f"{len(old)} trials in {place.runs} were run with other settings than the study has now:\n{names}\n"
            "Keep them aside and run anew with --stale archive, or choose another --results or another study name.",
            REFUSED,
        )


def _show_end(place: Store, records: list[TrialRecord], states: dict[TrialRecord, store.State]) -> None:
    """The comparison, what failed, and where everything lies."""
    from analysis.report import write
    from orchestrator.comparison import show
    from orchestrator.monitor import failures

    for failure in failures(place, states):
        console.print(f"failed: {failure['name']}: {failure['kind']}: {failure['message']}", markup=False)
    if "failed" in states.values():
        console.print("Failed trials are tried again with --retry-failed.", markup=False)
    if "done" in states.values():
        show(place.root, console)
        write(place.root)
        console.print(f"Report:      {place.root / 'report'}", markup=False)
    counts = Counter(states.values())
    shown = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    console.print(f"Results:     {place.root} ({shown})", markup=False)
    console.print(f"TensorBoard: tensorboard --logdir {place.runs}", markup=False)
    if uncounted := place.uncounted(records):
        names = ", ".join(uncounted[:5]) + (", …" if len(uncounted) > 5 else "")
        console.print(f"note: {len(uncounted)} trials on disk are not in the study: {names}", markup=False)


@app.command()
def plan(
    study_path: StudyPath, results: Results = Path("results"), sets: Sets = None, data: DataDir = Path("data")
) -> None:
    """Show what a run would do; starts nothing."""
    planned = study.load(study_path, sets)
    place = Store(results / planned.name)
    records = [trial.record for trial in planned.trials]
    states = place.states(records, planned.file.run.max_failures)
    _show_states(place, records, states)
    epochs = sum(record.epochs for record, state in states.items() if state in ("todo", "stale"))
    console.print(f"to train: {epochs} epochs and what is left of partial trials", markup=False)
    for line in families.describe(records):
        console.print(line, markup=False)
    for warning in [*planned.warnings, *_absent(planned.trials, _machine(planned, data))]:
        console.print(f"warning: {warning}", markup=False)


@app.command()
def status(run_dir: RunDir) -> None:
    """Show the state of every arm, from the files alone."""
    place = Store(run_dir)
    _, failures, records = place.read_plan()
    states = place.states(records, failures)
    _show_states(place, records, states)
    from orchestrator.monitor import failures as failed

    for failure in failed(place, states):
        console.print(f"failed: {failure['name']}: {failure['kind']}: {failure['message']}", markup=False)
    if place.lock().holder_alive() and (holder := place.lock().holder()):
        console.print(f"being run by process {holder['pid']} on {holder['host']}", markup=False)


@app.command()
def report(run_dir: RunDir) -> None:
    """Compare the arms of a study: tables and figures below RUN_DIR/report."""
    from analysis.report import write
    from orchestrator.comparison import show

    Store(run_dir).read_plan()
    show(run_dir, console)
    for path in write(run_dir):
        console.print(str(path), markup=False)


def _show_states(place: Store, records: list[TrialRecord], states: dict[TrialRecord, store.State]) -> None:
    from orchestrator.monitor import status_table

    console.print(status_table(place, records, states))
    counts = Counter(states.values())
    shown = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    console.print(f"{place.root}: {len(records)} trials: {shown}", markup=False)


def _machine(planned: study.Study, data: Path) -> Machine:
    threads = max(1, int(planned.file.resources.cpu))
    return Machine(study_dir=planned.path.resolve().parent, data_dir=data.resolve(), threads=threads)


def _absent(trials: list[PlannedTrial], machine: Machine) -> list[str]:
    """Sentences about data that is not there, one a data set."""
    return sorted(filter(None, (missing(data, machine) for data in {trial.config.data for trial in trials})))
