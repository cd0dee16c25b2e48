"""The commands that take results: status, report, judge, bundle, tensorboard, …."""

import json
import shlex
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any

import typer

from analysis.results.study_plan import BASELINE, SequentialDesign
from orchestrator.cli.options import DataDir, OwnCode, RunDir, StudyDir, console
from orchestrator.exit_codes import (
    DONE,
    EQUIVALENT,
    FAILED,
    INCONCLUSIVE,
    REFUSED,
    WORSE,
    WRONG,
    Ended,
)
from orchestrator.results.store import Store
from trainable.config.runtime import Machine
from trainable.storage.names import JOURNAL, STUDY

app = typer.Typer()


@app.command()
def status(
    run_dir: RunDir,
    watch: Annotated[
        bool, typer.Option("--watch", help="Refresh every two seconds, until q or Ctrl-C.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the state as JSON.")] = False,
) -> None:
    """Show the state of every arm, from the files alone."""
    from orchestrator.display import status_page
    from orchestrator.display.watch import watch as refresh

    place = Store(run_dir)
    place.read_plan()
    if as_json and watch:
        raise Ended("--json prints the state once: leave out --watch", WRONG)
    if as_json:
        print(json.dumps(status_page.as_data(place), indent=1))
    elif watch:
        refresh(partial(status_page.show, place), console, every=2)
    else:
        status_page.show(place, console)


@app.command()
def report(
    run_dirs: Annotated[list[Path], typer.Argument(metavar="RUN_DIR…", help="Results of studies.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object; the pages are written, too.")
    ] = False,
) -> None:
    """Compare the arms of each study: a page, tables and figures below RUN_DIR/report."""
    from analysis.report.write import write
    from analysis.results.read import read_results
    from orchestrator.display.comparison_table import show

    for run_dir in run_dirs:
        Store(run_dir).read_plan()
    if as_json:
        from orchestrator.display.report_data import as_data

        every = [read_results(run_dir) for run_dir in run_dirs]
        print(json.dumps({"studies": [as_data(each, write(each)) for each in every]}, indent=1))
        return
    for run_dir in run_dirs:
        results = read_results(run_dir)
        show(results, console)
        files = write(results)
        if run_dir.joinpath(JOURNAL).is_file():
            from orchestrator.display.search_live import show_optimism, show_ranks

            show_optimism(Store(run_dir), console)
            show_ranks(Store(run_dir), console)
        for path in files:
            console.print(str(path), markup=False)


@app.command()
def judge(
    run_dir: RunDir,
    arm: Annotated[str, typer.Option(help="The arm to judge against the baseline.")],
    setting: Annotated[str, typer.Option(help="The setting, if the study has several.")] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the answer as one JSON object.")
    ] = False,
) -> None:
    """Tell a script what a study says of an arm, by the exit code.

    0 better, 10 worse, 11 equivalent, 12 inconclusive or withheld, because the test labels are
    unchecked. Nothing is tested anew: the verdict is that
    of a recorded look, or of a fixed list of seeds whose trials have all ended.
    """
    from analysis.report.gate import NoQuestion, answer
    from analysis.results.read import read_results

    results = read_results(run_dir)
    try:
        found = answer(results, arm, setting)
    except NoQuestion as error:
        raise Ended(f"--arm {arm}: {error}", WRONG) from None
    code = CODES.get(found["verdict"], INCONCLUSIVE)
    go_on = None
    if code == INCONCLUSIVE:
        go_on = _to_go_on(run_dir, arm, results.design, found)
    if as_json:
        print(json.dumps({**found, "code": code, "continue": go_on}))
    else:
        console.print(found["text"], markup=False)
        for line in found["why"]:
            console.print(f"note: {line}", markup=False)
        if go_on:
            console.print(f"to go on: {go_on}", markup=False)
    raise typer.Exit(code)


def _to_go_on(
    run_dir: Path, arm: str, design: SequentialDesign | None, found: dict[str, Any]
) -> str:
    """Return the command that may decide a question: more checked labels, or more seeds."""
    from analysis.results.measure import WITHHELD

    if found["verdict"] == WITHHELD:
        folder = shlex.quote(str(run_dir))
        return f"python -m orchestrator audit {folder} --split test --review"
    study = shlex.quote(str(run_dir / STUDY))
    results = shlex.quote(str(run_dir.parent))
    arms = shlex.quote(f"{BASELINE},{arm}")
    command = f"python -m orchestrator run {study} --results {results} --arms {arms}"
    if design is not None and found["seeds"] >= design.at_most:
        command += f" --set seeds.at_most={2 * design.at_most}"
    return command


CODES = {
    "better": DONE,
    "better by failures": DONE,
    "worse": WORSE,
    "worse by failures": WORSE,
    "equivalent": EQUIVALENT,
}
"""Verdict → exit code of `judge`; others are inconclusive."""


@app.command()
def bundle(
    run_dir: RunDir,
    out: Annotated[Path, typer.Argument(metavar="OUT.tar.xz", help="The file to write.")],
    samples: Annotated[
        bool,
        typer.Option(help="Include the tables of samples, which `audit` needs; most of the size."),
    ] = True,
) -> None:
    """Pack everything that reports need into one file, without weights.

    `python -m analysis unpack` unpacks it.
    """
    from analysis.results.bundle import pack

    Store(run_dir).read_plan()
    console.print(f"{pack(run_dir, out, samples)} files of {run_dir} in {out}", markup=False)


@app.command()
def export(
    run_dir: RunDir,
    to: Annotated[str, typer.Option(metavar="TRACKER", help="mlflow:URI or wandb-offline:DIR.")],
) -> None:
    """Copy results to an experiment tracker: a run an arm, and below it a run a seed.

    Repeat it at any time: it adds what is new and doubles nothing.
    """
    from orchestrator.trackers.export import export
    from orchestrator.trackers.outcome import TrackerDown
    from orchestrator.trackers.target import parse_target

    target = parse_target(to, "--to")
    Store(run_dir).read_plan()
    try:
        console.print(export(run_dir, target), markup=False)
    except TrackerDown as error:
        raise Ended(str(error), REFUSED) from None


@app.command(context_settings={"ignore_unknown_options": True})
def tensorboard(
    arguments: Annotated[
        list[str], typer.Argument(metavar="RUN_DIR… [OPTIONS]", help="Results of studies.")
    ],
    everything: Annotated[
        bool,
        typer.Option(
            "--all", help="Show all trials; TensorBoard selects none of more than 40 runs."
        ),
    ] = False,
) -> None:
    """Open TensorBoard over studies: the average of each arm, and trials.

    Options after the folders, such as --port 6007, are TensorBoard's own.
    """
    from orchestrator.display.tensorboard.server import serve

    run_dirs = [Path(text) for text in takewhile(lambda text: not text.startswith("-"), arguments)]
    if not run_dirs:
        raise Ended(
            "tensorboard: which study? Name its results folder first, then TensorBoard's options",
            WRONG,
        )
    for run_dir in run_dirs:
        Store(run_dir).read_plan()
    try:
        code = serve(run_dirs, arguments[len(run_dirs) :], everything)
    except ValueError as error:
        raise Ended(f"tensorboard: {error}", WRONG) from None
    raise typer.Exit(code)


@app.command()
def reproduce(
    trial_dir: Annotated[
        Path, typer.Argument(metavar="TRIAL_DIR", help="A finished trial: RUN_DIR/runs/…/seed=n.")
    ],
    data: DataDir = Path("data"),
    study_dir: StudyDir = Path(),
    own_code: OwnCode = False,
) -> None:
    """Run a finished trial again in a new folder, and compare its rows bit for bit."""
    from orchestrator.results.reproduce import NotATrial, reproduce

    machine = Machine(study_dir=study_dir.resolve(), data_dir=data.resolve())
    try:
        found = reproduce(trial_dir, machine, own_code)
    except NotATrial as error:
        raise Ended(str(error), WRONG) from None
    if found.fingerprint:
        console.print(
            f"differs from the original run: {', '.join(found.fingerprint)} "
            "(fingerprint in trial.json)",
            markup=False,
        )
    console.print(str(found), markup=False)
    if not found.identical:
        raise typer.Exit(FAILED)


@app.command()
def verify(
    run_dir: RunDir,
    fraction: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of the finished trials to run; at least one trial."),
    ] = 0.1,
    data: DataDir = Path("data"),
    study_dir: StudyDir = Path(),
    own_code: OwnCode = False,
) -> None:
    """Run random finished trials again, and compare their rows with those on disk."""
    from orchestrator.display import status
    from orchestrator.results import verify
    from orchestrator.results.reproduce import NotATrial, Reproduction

    place = Store(run_dir)
    plan = place.read_plan()
    snapshot = place.planned(plan.records, indexed=False)
    damaged = status.damaged(snapshot.states(plan.records, plan.max_failures), snapshot.files)
    for line in damaged:
        console.print(line, markup=False)
    try:
        records, finished = verify.drawn(place, fraction)
    except NotATrial as error:
        raise Ended(str(error), WRONG) from None
    console.print(f"{len(records)} of {finished} finished trials are run again", markup=False)
    machine = Machine(study_dir=study_dir.resolve(), data_dir=data.resolve())
    held = 0
    again = 0
    for record, found in verify.verify(place, records, machine, own_code):
        note = ""
        if isinstance(found, Reproduction):
            again += 1
            if found.fingerprint:
                note = f" (differs from the original run: {', '.join(found.fingerprint)})"
        if verify.holds(found):
            held += 1
        console.print(f"{record.name}: {found}{note}", markup=False)
    rest = ""
    if again < len(records):
        rest = f"; {len(records) - again} could not be run again"
    console.print(f"{held} of {again} gave the same rows from the same data{rest}", markup=False)
    if held < len(records) or damaged:
        raise typer.Exit(FAILED)
