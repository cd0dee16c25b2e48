"""The command `audit`: which labels are wrong, the page to correct them with, corrected labels."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from orchestrator.audit.tools import Tool
from orchestrator.cli.audit_options import TOOLS, AuditOptions
from orchestrator.cli.options import DataDir, RunDir, StudyDir, console
from orchestrator.exit_codes import WRONG, Ended
from trainable.config.runtime import Machine

app = typer.Typer()


@app.command()
def audit(
    run_dir: RunDir,
    setting: Annotated[
        str | None, typer.Option(help="The setting, if the study has several.")
    ] = None,
    arm: Annotated[str, typer.Option(help="The arm whose trials assess the labels.")] = "baseline",
    seed: Annotated[int | None, typer.Option(help="Use only the trial with this seed.")] = None,
    apply: Annotated[
        Path | None,
        typer.Option(
            metavar="OUT",
            help="Write corrected labels: OUT.csv for `noise: {name: file}`, OUT.npz, or a folder "
            "of links to the images.",
        ),
    ] = None,
    retrain: Annotated[
        Path | None,
        typer.Option(
            metavar="STUDY",
            help="With --apply OUT.csv: write a study that compares training on the corrected and "
            "on the given labels.",
        ),
    ] = None,
    cross_fit: Annotated[
        int | None,
        typer.Option(
            min=2,
            max=100,
            metavar="K",
            help="Write a study of K folds, in which networks judge labels that they were not "
            "trained on.",
        ),
    ] = None,
    min_confidence: Annotated[
        float,
        typer.Option(
            min=0, max=1, metavar="P", help="With --apply: least confidence of a suggestion."
        ),
    ] = 0.5,
    decisions: Annotated[
        Path | None,
        typer.Option(
            help="With --apply: reviewers' decisions, if not RUN_DIR/audit/decisions.csv."
        ),
    ] = None,
    split: Annotated[
        Literal["train", "test"],
        typer.Option(
            help="Whose labels: test checks random test images, for a report on unchecked labels."
        ),
    ] = "train",
    sample: Annotated[
        int | None,
        typer.Option(metavar="N", help="With --split test: number of test images; 200 at first."),
    ] = None,
    review: Annotated[
        bool, typer.Option("--review", help="Open a page on this machine to correct labels with.")
    ] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="With --review: the page's port; 0: a free one.")
    ] = 0,
    certificate: Annotated[
        bool, typer.Option("--certificate", help="Bound the wrong labels that are left.")
    ] = False,
    export: Annotated[
        tuple[str, Path] | None,
        typer.Option(metavar="KIND FILE", help=f"Write the audit for another tool: {TOOLS}."),
    ] = None,
    import_: Annotated[
        tuple[str, Path] | None,
        typer.Option("--import", metavar="KIND FILE", help="Read decisions made in such a tool."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what was found as one JSON object.")
    ] = False,
    data: DataDir = Path("data"),
    study_dir: StudyDir = Path(),
) -> None:
    """List the training labels that are probably wrong, and what they should be."""
    from analysis.audit.audit import NoAudit
    from analysis.audit.decisions import BadDecisions
    from analysis.results.selected_trials import NoTrial
    from analysis.results.study_plan import NoStudy
    from orchestrator.audit.apply import apply_corrections
    from orchestrator.audit.check_test_labels import check_test_labels
    from orchestrator.audit.cross_fit import write_cross_fit
    from orchestrator.audit.exchange import exchange
    from orchestrator.audit.retrain import Retraining
    from orchestrator.audit.review import decisions_file, open_review, serve
    from orchestrator.audit.write import as_data, write_audit
    from trainable.errors import DataError

    of_tests = split == "test"
    AuditOptions(
        seed=seed,
        apply=apply,
        retrain=retrain,
        cross_fit=cross_fit,
        decisions=decisions,
        of_tests=of_tests,
        sample=sample,
        review=review,
        certificate=certificate,
        export=export,
        import_=import_,
        as_json=as_json,
    ).check()
    machine = Machine(study_dir=study_dir.resolve(), data_dir=data.resolve())
    try:
        if of_tests:
            page = port if review else None
            check_test_labels(run_dir, setting, sample, machine, page, console)
        elif export is not None or import_ is not None:
            out = export and (Tool(export[0]), export[1])
            into = import_ and (Tool(import_[0]), import_[1])
            exchange(run_dir, setting, arm, seed, machine, out, into, console)
        elif cross_fit is not None:
            write_cross_fit(run_dir, setting, arm, seed, cross_fit, machine, console)
        elif review:
            serve(open_review(run_dir, setting, arm, seed, machine), port, console)
        elif certificate:
            console.print(open_review(run_dir, setting, arm, seed, machine).sentence())
        elif as_json:
            found, _ = write_audit(run_dir, setting, arm, seed, machine, Console(quiet=True))
            print(json.dumps(as_data(run_dir, found), indent=1))
        else:
            found, names = write_audit(run_dir, setting, arm, seed, machine, console)
            if apply is not None:
                study = retrain and Retraining(run_dir, apply, retrain, machine)
                if study:
                    study.check(found[0])
                file = decisions or decisions_file(run_dir)
                new = apply_corrections(found, names, file, apply, min_confidence, console)
                if study:
                    study.write(found[0], names, new, console)
    except DataError as error:
        raise Ended(
            f"{error} (--study-dir: the study file's folder; --data: the data sets')", WRONG
        ) from None
    except (BadDecisions, NoAudit, NoStudy, NoTrial) as error:
        raise Ended(str(error), WRONG) from None
