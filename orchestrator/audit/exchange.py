"""Write an audit for another tool, and take over the decisions that were made in one."""

from pathlib import Path

from rich.console import Console

from analysis.audit.decisions import add
from orchestrator.audit.export import export
from orchestrator.audit.import_decisions import read_decisions
from orchestrator.audit.review import decisions_file, only_audit
from orchestrator.audit.tools import Tool
from trainable.config.runtime import Machine


def exchange(
    root: Path,
    setting: str | None,
    arm: str,
    seed: int | None,
    machine: Machine,
    out: tuple[Tool, Path] | None,
    into: tuple[Tool, Path] | None,
    console: Console,
) -> None:
    """Write an audit for another tool, or append the decisions made in one.

    Args:
        root, setting, arm, seed: what is audited.
        machine: where its data are.
        out, into: tool and file to write, and to read.
        console: where it is said what was done.

    Raises:
        BadDecisions: the file to read has faults; none of its decisions is used.
        DataError, NoStudy, NoTrial, NoAudit: there is nothing to audit; the message has the reason.
    """
    audited, data = only_audit(root, setting, arm, seed, machine)
    if out is not None:
        for path in export(out[0], audited, data, out[1]):
            console.print(str(path))
    if into is not None:
        labels = data.labels(audited.given.index)
        given = {
            data.image(row): labels.classes[number] for row, number in data.given(audited).items()
        }
        found = read_decisions(into[0], into[1], given, labels.data)
        file = decisions_file(root)
        count = add(file, found, labels, into[1])
        console.print(f"{file}: {count} new of {len(found)} decisions")
