"""What `audit` was asked for, and which options go together."""

from dataclasses import dataclass
from pathlib import Path

from orchestrator.audit.tools import Tool
from orchestrator.exit_codes import WRONG, Ended

TOOLS = ", ".join(Tool)
TOGETHER = (["--review", "--certificate"], ["--export", "--import"])
"""Actions that may be asked for at once."""


@dataclass(frozen=True)
class AuditOptions:
    """The options of `audit` but those that say which trials it reads, see its help."""

    seed: int | None
    apply: Path | None
    retrain: Path | None
    cross_fit: int | None
    decisions: Path | None
    of_tests: bool
    sample: int | None
    review: bool
    certificate: bool
    export: tuple[str, Path] | None
    import_: tuple[str, Path] | None
    as_json: bool

    @property
    def actions(self) -> list[str]:
        """The options that each ask for something to be done after the audit."""
        asked = {
            "--review": self.review,
            "--certificate": self.certificate,
            "--apply": self.apply is not None,
            "--cross-fit": self.cross_fit is not None,
            "--export": self.export is not None,
            "--import": self.import_ is not None,
        }
        return [option for option, given in asked.items() if given]

    def check(self) -> None:
        """Raise Ended if options do not go together, or files exist that will be written."""
        self._check_files()
        self._check_tools()
        actions = self.actions
        if len(actions) > 1 and actions not in TOGETHER:
            raise Ended(f"{' and '.join(actions)} are different actions: call each alone", WRONG)
        if self.retrain is not None and self.apply is None:
            raise Ended("--retrain needs corrected labels: name them with --apply OUT.csv", WRONG)
        if self.sample is not None and not self.of_tests:
            raise Ended("--sample is for --split test", WRONG)
        of_training = self.decisions or self.seed is not None or actions not in ([], ["--review"])
        if self.of_tests and of_training:
            raise Ended(
                "--split test goes with --setting, --sample, --review and --port only", WRONG
            )
        if self.as_json and (self.of_tests or actions):
            raise Ended("--json prints an audit alone: leave out the other actions", WRONG)

    def _check_files(self) -> None:
        """Raise Ended if a file to be read is absent, or one to be written is there."""
        if self.apply is not None and self.apply.exists():
            raise Ended(f"{self.apply} exists already; name another with --apply", WRONG)
        if self.export is not None and self.export[1].exists():
            raise Ended(f"{self.export[1]} exists already; name another with --export", WRONG)
        if self.decisions is not None and not self.decisions.is_file():
            raise Ended(f"--decisions: {self.decisions} does not exist", WRONG)

    def _check_tools(self) -> None:
        """Raise Ended if a tool to exchange with is unknown."""
        for option, exchanged in (("--export", self.export), ("--import", self.import_)):
            if exchanged is not None and exchanged[0] not in list(Tool):
                raise Ended(f"{option} {exchanged[0]}: it is one of {TOOLS}", WRONG)
