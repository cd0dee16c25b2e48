"""The command `judge`: what a study says of an arm, as an exit code."""

import json
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from analysis.results.study_plan import BASELINE, SequentialDesign
from orchestrator.cli.options import RunDir, console
from orchestrator.exit_codes import DONE, EQUIVALENT, INCONCLUSIVE, WORSE, WRONG, Ended
from trainable.storage.names import STUDY

app = typer.Typer()

CODES = {
    "better": DONE,
    "better by failures": DONE,
    "worse": WORSE,
    "worse by failures": WORSE,
    "equivalent": EQUIVALENT,
}
"""Verdict → exit code of `judge`; others are inconclusive."""


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
        console.print(found["text"])
        for line in found["why"]:
            console.print(f"note: {line}")
        if go_on:
            console.print(f"to go on: {go_on}")
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
