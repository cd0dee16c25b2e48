"""The commands: parse, call, print, exit code.

Exit codes: 0 all trials done, 1 some failed or unfinished, 2 the study, the data or the command line is wrong,
3 refused (locked, stale, no space), 130 and 143 interrupted.
"""

import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer
from rich.console import Console

from orchestrator import families, lock, run, store, study
from orchestrator.run import FAILED, REFUSED, WRONG, Ended, Options
from orchestrator.search_plan import SearchPlan
from orchestrator.store import Store, TrialRecord
from trainable.machine import Machine
from trainable.strict_yaml import ConfigError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Which parts of DivideMix earn their cost on your data? Ablations and searches on Ray, from one YAML file.",
)
console = Console(highlight=False, soft_wrap=True)

StudyPath = Annotated[Path, typer.Argument(metavar="STUDY", help="The study file.")]
RunDir = Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A study's results, for instance results/ablation.")]
Results = Annotated[Path, typer.Option(help="Parent of the results folders.")]
Sets = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key, e.g. base.train.epochs=3.")
]
DataDir = Annotated[Path, typer.Option("--data", help="Folder of named data sets (CIFAR-10).")]
StudyDir = Annotated[Path, typer.Option(help="Folder of the study file, for relative data paths.")]
OwnCode = Annotated[bool, typer.Option("--own-code", help="Run own methods and models that the results contain.")]
Stale = Annotated[Literal["refuse", "archive"], typer.Option(help="What to do with trials that the study has changed.")]
SameCode = Annotated[
    bool, typer.Option("--same-code", help="Trials that another version of the code made are stale too.")
]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Try failed trials again.")]
Several = Annotated[str, typer.Option(metavar="A,B", help="Only these, separated by commas.")]


def main() -> None:
    """Run a command; mistakes become sentences and exit codes."""
    # Typer would turn a KeyboardInterrupt into code 1.
    before = signal.signal(signal.SIGINT, lambda number, frame: _complain("interrupted", 128 + number))
    try:
        app()
    except Ended as error:
        _complain(str(error), error.code)
    except (ConfigError, store.NoStudy) as error:
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


@app.command("run")
def run_command(
    study_path: StudyPath,
    results: Results = Path("results"),
    sets: Sets = None,
    data: DataDir = Path("data"),
    arms: Several = "",
    seeds: Several = "",
    settings: Several = "",
    stale: Stale = "refuse",
    same_code: SameCode = False,
    retry_failed: RetryFailed = False,
    dashboard: Annotated[bool, typer.Option(help="Start Ray's dashboard.")] = True,
    dashboard_host: Annotated[
        str, typer.Option(help="Where the dashboard listens; by default it cannot be reached from other machines.")
    ] = "127.0.0.1",
    address: Annotated[
        str | None, typer.Option(metavar="auto|HOST:PORT", help="Use this Ray cluster; --results must be shared by it.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but failures.")] = False,
    events: Annotated[bool, typer.Option("--json", help="Print one JSON object an event, for scripts.")] = False,
    profile: Annotated[
        str, typer.Option(metavar="ARM", help="Only profile one epoch of an arm: time by phase, and a trace.")
    ] = "",
) -> None:
    """Run what is missing of a study, then compare its arms; of a search, its best configurations."""
    planned = study.load(study_path, sets)
    place, shown = Store(results / planned.name), Console(highlight=False, soft_wrap=True, quiet=quiet or events)
    options = Options(
        stale,
        same_code,
        retry_failed,
        dashboard_host if dashboard else None,
        address,
        events,
        frozenset(_parts(arms)),
        frozenset(_number(part) for part in _parts(seeds)),
        frozenset(_parts(settings)),
    )
    machine = run.study_machine(study_path.parent, data, planned)
    if profile:
        from orchestrator.profile import profile_arm

        profile_arm(planned, place, machine, profile, shown)
        return
    if planned.search is not None:
        from orchestrator.run_search import run_search as run_it
    else:
        run_it = run.run_study
    with _end_told(place) if events else nullcontext():
        raise typer.Exit(run_it(planned, place, machine, options, shown))


@contextmanager
def _end_told(place: Store) -> Iterator[None]:
    """Print how a run has ended as the last event."""
    from orchestrator.view import tell

    try:
        yield
    except Ended as error:
        tell("end", code=error.code, message=str(error))
        raise
    except typer.Exit as end:
        _, failures, records = place.read_plan()
        counts = Counter(place.states(records, failures).values())
        tell("end", code=end.exit_code, results=str(place.root), trials=dict(counts))
        raise


@app.command()
def shard(
    study_path: StudyPath,
    index: Annotated[int, typer.Option(help="Which share, from 0.")],
    of: Annotated[int, typer.Option(help="How many shares there are.")],
    results: Results = Path("results"),
    sets: Sets = None,
    data: DataDir = Path("data"),
    stale: Stale = "refuse",
    same_code: SameCode = False,
    retry_failed: RetryFailed = False,
) -> None:
    """Run one share of what is missing without Ray, beside others: for the job arrays of batch systems."""
    from orchestrator.shard import run_shard

    planned = study.load(study_path, sets)
    options = Options(stale, same_code, retry_failed)
    machine = run.study_machine(study_path.parent, data, planned)
    raise typer.Exit(run_shard(planned, index, of, Store(results / planned.name), machine, options, console))


def _parts(text: str) -> list[str]:
    """`a,b` as a list; a name that holds commas itself (`a=1,b=2`) can be given alone."""
    return [part for part in text.split(",") if part]


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 19:
        raise Ended(f"--seeds: {text} is not a number", WRONG)
    return int(text)


@app.command()
def plan(
    study_path: StudyPath,
    results: Results = Path("results"),
    sets: Sets = None,
    data: DataDir = Path("data"),
    cost: Annotated[bool, typer.Option("--cost", help="Time a few steps of each arm: hours and bytes.")] = False,
) -> None:
    """Show what a run would do; starts nothing."""
    planned = study.load(study_path, sets)
    place = Store(results / planned.name)
    if planned.search is not None:
        _plan_search(planned, planned.search, place, data, cost)
        return
    records = [trial.record for trial in planned.trials]
    states = place.states(records, planned.file.run.max_failures)
    machine = run.study_machine(study_path.parent, data, planned)
    _show_states(place, records, states)
    epochs = sum(record.epochs for record, state in states.items() if state in ("todo", "stale"))
    console.print(f"to train: {epochs} epochs and what is left of partial trials", markup=False)
    for line in [*families.order(records), *families.describe(records)]:
        console.print(line, markup=False)
    absent = run.absent_data(planned.trials, machine)
    for warning in [*planned.warnings, *absent]:
        console.print(f"warning: {warning}", markup=False)
    if cost:
        if absent:
            raise Ended("the cost cannot be measured without the data", WRONG)
        from orchestrator.cost import show_cost

        missing = [trial for trial in planned.trials if states[trial.record] not in ("done", "failed")]
        show_cost(planned, missing, place, machine, console)


def _plan_search(planned: study.Study, search: SearchPlan, place: Store, data: Path, cost: bool) -> None:
    from orchestrator import plan_search

    for line in plan_search.lines(search, place):
        console.print(line, markup=False)
    machine = run.study_machine(planned.path.parent, data, planned)
    missing = list(search.expected(plan_search.missing(search, place)))
    absent = run.absent_data(missing, machine)
    for warning in [*planned.warnings, *absent]:
        console.print(f"warning: {warning}", markup=False)
    if cost:
        if absent:
            raise Ended("the cost cannot be measured without the data", WRONG)
        from orchestrator.cost import show_cost

        console.print("at most, without stopping, at the baseline's and the arms' own cost:", markup=False)
        show_cost(planned, missing, place, machine, console)


@app.command()
def init(
    source: Annotated[Path, typer.Argument(metavar="DIR|FILE.npz", help="Images: train/CLASS/*.jpg …, or arrays.")],
    out: Annotated[Path | None, typer.Option(help="The study file to write; default: named after the data.")] = None,
) -> None:
    """Look at your own data, say what was found, and write a study for it."""
    from orchestrator.init import describe, study_text
    from trainable.data.survey import survey
    from trainable.errors import DataError

    file = out or Path(f"{source.resolve().stem}.yaml")
    if file.exists():
        raise Ended(f"{file} exists already; name another with --out", WRONG)
    try:
        found = survey(source)
    except DataError as error:
        raise Ended(str(error), WRONG) from None
    for line in describe(found):
        console.print(line, markup=False)
    file.write_text(study_text(found, source, file), encoding="utf-8")
    console.print(f"wrote {file}; next: python -m orchestrator plan {file}", markup=False)


@app.command()
def status(
    run_dir: RunDir,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again every two seconds, until Ctrl-C.")] = False,
) -> None:
    """Show the state of every arm, from the files alone."""
    place = Store(run_dir)
    while True:
        _, failures, records = place.read_plan()
        if watch:
            console.clear()
        if place.root.joinpath("search.journal").is_file():
            from orchestrator.search_view import show_status

            show_status(place, console)
            console.print("confirmation:", markup=False)
        _show_status(place, records, place.states(records, failures))
        if not watch:
            return
        time.sleep(2)


def _show_status(place: Store, records: list[TrialRecord], states: dict[TrialRecord, store.State]) -> None:
    from orchestrator import monitor

    _show_states(place, records, states)
    if left := monitor.time_left(place, states):
        console.print(left, markup=False)
    for failure in monitor.failures(place, states):
        console.print(f"failed: {failure['name']}: {failure['kind']}: {failure['message']}", markup=False)
    for line in monitor.blocked(states):
        console.print(line, markup=False)
    for line in monitor.mixed_fingerprints(place, records, states):
        console.print(f"note: {line}", markup=False)
    for holder in place.runners():
        console.print(f"being run by process {holder['pid']} on {holder['host']}", markup=False)


@app.command()
def report(run_dirs: Annotated[list[Path], typer.Argument(metavar="RUN_DIR…", help="Results of studies.")]) -> None:
    """Compare the arms of each study: a page, tables and figures below RUN_DIR/report."""
    from analysis.report import write
    from orchestrator.comparison import show

    for run_dir in run_dirs:
        Store(run_dir).read_plan()
    for run_dir in run_dirs:
        show(run_dir, console)
        files = write(run_dir)
        if run_dir.joinpath("search.journal").is_file():
            from orchestrator.search_view import show_optimism

            show_optimism(Store(run_dir), console)
        for path in files:
            console.print(str(path), markup=False)


@app.command()
def bundle(run_dir: RunDir, out: Annotated[Path, typer.Argument(metavar="OUT.zip", help="The file to write.")]) -> None:
    """Put what the report and verify need of a study into one file; `python -m analysis unpack` takes it out again."""
    from analysis.bundle import pack

    Store(run_dir).read_plan()
    console.print(f"{pack(run_dir, out)} files of {run_dir} in {out}", markup=False)


@app.command()
def audit(
    run_dir: RunDir,
    setting: Annotated[str | None, typer.Option(help="Which one, where the study has several.")] = None,
    arm: Annotated[str, typer.Option(help="Whose trials judge the labels.")] = "baseline",
    seed: Annotated[int | None, typer.Option(help="Only this trial's opinion.")] = None,
    apply: Annotated[
        Path | None, typer.Option(metavar="OUT.csv", help="Write corrected labels, for `noise: {name: file}`.")
    ] = None,
    min_confidence: Annotated[
        float, typer.Option(min=0, max=1, metavar="P", help="With --apply: how surely a suggestion must be right.")
    ] = 0.5,
    data: DataDir = Path("data"),
    study_dir: Annotated[Path, typer.Option(help="Folder of the study file, for relative data paths.")] = Path(),
) -> None:
    """List the training labels that are probably wrong, and what they should be."""
    from analysis.audit import NoAudit
    from analysis.results import NoResults
    from orchestrator.audit import apply_corrections, write_audit
    from trainable.errors import DataError

    if apply is not None and apply.exists():
        raise Ended(f"{apply} exists already; name another with --apply", WRONG)
    machine = Machine(study_dir=study_dir.resolve(), data_dir=data.resolve())
    try:
        found, names = write_audit(run_dir, setting, arm, seed, machine, console)
        if apply is not None:
            apply_corrections(found, names, apply, min_confidence, console)
    except DataError as error:
        raise Ended(f"{error} (--study-dir: the study file's folder; --data: the data sets')", WRONG) from None
    except (NoAudit, NoResults) as error:
        raise Ended(str(error), WRONG) from None


@app.command(context_settings={"ignore_unknown_options": True})
def tensorboard(
    arguments: Annotated[list[str], typer.Argument(metavar="RUN_DIR… [OPTIONS]", help="Results of studies.")],
) -> None:
    """Open TensorBoard over studies; options after the folders, such as --port 6007, are TensorBoard's own."""
    from orchestrator.tensorboard import open_tensorboard

    run_dirs = [Path(text) for text in takewhile(lambda text: not text.startswith("-"), arguments)]
    if not run_dirs:
        raise Ended("tensorboard: which study? Name its results folder first, then TensorBoard's options", WRONG)
    for run_dir in run_dirs:
        Store(run_dir).read_plan()
    open_tensorboard(run_dirs, arguments[len(run_dirs) :])


@app.command()
def reproduce(
    trial_dir: Annotated[Path, typer.Argument(metavar="TRIAL_DIR", help="A finished trial: RUN_DIR/runs/…/seed=n.")],
    data: DataDir = Path("data"),
    study_dir: StudyDir = Path(),
    own_code: OwnCode = False,
) -> None:
    """Run a finished trial again in a fresh folder and say whether its rows are identical."""
    from orchestrator.reproduce import NotATrial, reproduce

    try:
        found = reproduce(trial_dir, Machine(study_dir=study_dir.resolve(), data_dir=data.resolve()), own_code)
    except NotATrial as error:
        raise Ended(str(error), WRONG) from None
    if found.fingerprint:
        console.print(f"other than then: {', '.join(found.fingerprint)} (see fingerprint in trial.json)", markup=False)
    console.print(str(found), markup=False)
    if not found.identical:
        raise typer.Exit(FAILED)


@app.command()
def verify(
    run_dir: RunDir,
    fraction: Annotated[float, typer.Option(min=0, max=1, help="Of the finished trials; at least one is run.")] = 0.1,
    data: DataDir = Path("data"),
    study_dir: StudyDir = Path(),
    own_code: OwnCode = False,
) -> None:
    """Run random finished trials again and say whether code and data still give the rows that are on disk."""
    from orchestrator import verify
    from orchestrator.reproduce import NotATrial, Reproduction

    place = Store(run_dir)
    try:
        records, finished = verify.drawn(place, fraction)
    except NotATrial as error:
        raise Ended(str(error), WRONG) from None
    console.print(f"{len(records)} of {finished} finished trials are run again", markup=False)
    machine = Machine(study_dir=study_dir.resolve(), data_dir=data.resolve())
    held = 0
    for record, found in verify.verify(place, records, machine, own_code):
        others = found.fingerprint if isinstance(found, Reproduction) else []
        note = f" (other than then: {', '.join(others)})" if others else ""
        console.print(f"{record.name}: {found}{note}", markup=False)
        held += verify.holds(found)
    console.print(f"{held} of {len(records)} gave the same rows from the same data", markup=False)
    if held < len(records):
        raise typer.Exit(FAILED)


def _show_states(place: Store, records: list[TrialRecord], states: dict[TrialRecord, store.State]) -> None:
    from orchestrator.monitor import status_table

    console.print(status_table(place, records, states))
    console.print(f"{place.root}: {len(records)} trials: {run.counted(states)}", markup=False)
