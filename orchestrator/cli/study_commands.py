"""The commands that train a study's trials: run, shard."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.exit_code import EXPECTED, code_of, sentence_of
from orchestrator.cli.on_end import on_end as run_at_end
from orchestrator.cli.options import (
    DataDir,
    Results,
    RetryFailed,
    SameCode,
    Seeds,
    Sets,
    Several,
    Stale,
    StudyPath,
    Track,
    console,
)
from orchestrator.cli.selection import selected
from orchestrator.exit_codes import WRONG, Ended
from orchestrator.plain_console import plain_console
from orchestrator.results.store import Store
from orchestrator.run import run_study
from orchestrator.scheduling.trial_selection import Options
from orchestrator.study.load import load_study
from orchestrator.trackers.repeat import tracked
from orchestrator.trackers.target import parse_target

app = typer.Typer()


@app.command("run")
def run_command(
    study_path: StudyPath,
    results: Results = Path("results"),
    sets: Sets = None,
    data: DataDir = Path("data"),
    arms: Several = "",
    seeds: Seeds = "",
    settings: Several = "",
    stale: Stale = "refuse",
    same_code: SameCode = False,
    retry_failed: RetryFailed = False,
    dashboard: Annotated[bool, typer.Option(help="Start Ray's dashboard.")] = True,
    dashboard_host: Annotated[
        str,
        typer.Option(
            help="Host that the dashboard listens on; by default only this machine can reach it."
        ),
    ] = "127.0.0.1",
    ray: Annotated[
        bool, typer.Option(help="Train on Ray; --no-ray: in processes of this machine.")
    ] = True,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="auto|HOST:PORT",
            help="Use this Ray cluster; every node must see the --results folder.",
        ),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print nothing but failures.")
    ] = False,
    events: Annotated[
        bool, typer.Option("--json", help="Print one JSON object an event, for scripts.")
    ] = False,
    try_: Annotated[
        bool,
        typer.Option(
            "--try",
            help="Only try: baseline and one arm, 3 epochs, without Ray, in a temporary folder.",
        ),
    ] = False,
    track: Track = None,
    profile: Annotated[
        str,
        typer.Option(
            metavar="ARM", help="Only profile one epoch of an arm: time by phase, and a trace."
        ),
    ] = "",
    on_end: Annotated[
        str,
        typer.Option(
            metavar="CMD",
            help="Run this shell command at the end, with DIVIDEMIX_EXIT_CODE and "
            "DIVIDEMIX_RUN_DIR.",
        ),
    ] = "",
) -> None:
    """Run what is missing, then compare a study's arms, or a search's best configurations."""
    if address and not ray:
        raise Ended("--address names a Ray cluster, and --no-ray uses none: leave one out", WRONG)
    if try_ and (address or events or profile or track or on_end):
        raise Ended(
            "--try is a short run in processes of this machine: leave out --address, --json, "
            "--profile, --track and --on-end",
            WRONG,
        )
    if profile and on_end:
        raise Ended("--profile trains one epoch: leave out --on-end", WRONG)
    target = parse_target(track, "--track") if track else None
    planned = load_study(study_path, sets)
    place = Store(results / planned.name)
    shown = plain_console(quiet=quiet or events)
    options = Options(
        stale=stale,
        same_code=same_code,
        retry_failed=retry_failed,
        dashboard=dashboard_host if dashboard else None,
        ray=ray,
        address=address,
        events=events,
        **selected(planned, arms, seeds, settings),
    )
    machine = run_study.study_machine(study_path.parent, data, planned)
    if profile:
        from orchestrator.run.profile import profile_arm

        profile_arm(planned, place, machine, profile, shown)
        return
    if try_:
        from orchestrator.run.try_study import try_study

        raise typer.Exit(try_study(planned, place, machine, options, shown))
    if planned.search is not None:
        from orchestrator.run.run_search import run_search as run_it
    elif planned.sequential:
        from orchestrator.run.run_sequential import run_sequential as run_it
    else:
        run_it = run_study.run_study
    say = partial(shown.print)
    reported = _end_reported(place) if events else nullcontext()
    with run_at_end(on_end, place.root), reported, tracked(target, place.root, say):
        raise typer.Exit(run_it(planned, place, machine, options, shown))


@contextmanager
def _end_reported(place: Store) -> Iterator[None]:
    """Print how a run has ended as the last event."""
    from orchestrator.display.live import tell

    try:
        yield
    except EXPECTED as error:
        tell("end", code=code_of(error), message=sentence_of(error))
        raise
    except typer.Exit as end:
        plan = place.read_plan()
        counts = Counter(place.states(plan.records, plan.max_failures).values())
        tell("end", code=end.exit_code, results=str(place.root), trials=dict(counts))
        raise


@app.command()
def shard(
    study_path: StudyPath,
    index: Annotated[int, typer.Option(help="The share of this task, counted from 0.")],
    of: Annotated[int, typer.Option(help="Number of shares.")],
    results: Results = Path("results"),
    sets: Sets = None,
    data: DataDir = Path("data"),
    arms: Several = "",
    seeds: Seeds = "",
    settings: Several = "",
    stale: Stale = "refuse",
    same_code: SameCode = False,
    retry_failed: RetryFailed = False,
    track: Track = None,
) -> None:
    """Run one share of what is missing without Ray, for the job arrays of batch systems."""
    from orchestrator.run.run_shard import run_shard

    target = parse_target(track, "--track") if track else None
    planned = load_study(study_path, sets)
    chosen = selected(planned, arms, seeds, settings)
    options = Options(stale=stale, same_code=same_code, retry_failed=retry_failed, **chosen)
    machine = run_study.study_machine(study_path.parent, data, planned)
    place = Store(results / planned.name)
    with tracked(target, place.root, console.print):
        raise typer.Exit(run_shard(planned, index, of, place, machine, options, console))
