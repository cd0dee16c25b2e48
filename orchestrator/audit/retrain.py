"""Write the study that trains on corrected labels and compares them with the given ones."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from analysis.audit.audit import Audited, NoAudit
from analysis.report.formats import write_csv
from orchestrator.audit.apply import label_table
from orchestrator.audit.labels import Corrected, Data
from orchestrator.audit.recipe import (
    audited_config,
    base_lines,
    check_new_file,
    commands,
    moved_path,
    place_of,
    resources,
    seeds_of,
)
from orchestrator.study.study_text import comment, flow, path_in, sections, study_name
from trainable.config.runtime import Machine

TEMPLATE = """\
{origin}
# Do networks become better with the corrected labels? Both arms have the audited recipe and the
# same images, seeds and test set; they differ in their labels alone.
{commands}
#
{about}
name: {name}
kind: ablation
seeds: {seeds} # paired; six or more can show a difference

base: # the arm named `baseline`: the labels that were given
{base}
arms:
  corrected: {{noise.path: {corrected}}}

analysis: {{primary: corrected}} # the report begins with this comparison

resources: {resources}
"""
PLAIN = "cross_entropy"
"""The method of plain training."""
TRUSTED = ["The labels of the test set are trusted: the difference is one of test accuracy."]
UNCHECKED = [
    "The labels of the test set are unchecked, and no correction was made to them: the",
    "difference is one of agreement with them. Where labels are wrong by a rule that can be",
    "learned, networks that learn the errors agree more, and corrected labels can look worse",
    "although they are better. Compare them on test images whose labels were checked.",
]


@dataclass(frozen=True)
class Retraining:
    """A study of two arms, the given and the corrected labels.

    Attributes:
        root: results of the audited study.
        labels: file of the corrected labels.
        file: the study to be written.
        machine: paths of the audited study.
    """

    root: Path
    labels: Path
    file: Path
    machine: Machine

    @property
    def given(self) -> Path:
        """File of the given labels, next to that of the corrected ones."""
        return self.labels.with_name(f"{self.labels.stem}_given.csv")

    def check(self, audited: Audited) -> None:
        """Raise NoAudit if the study could not be written; `audited` is the audit."""
        if self.labels.suffix != ".csv":
            raise NoAudit(
                f"--retrain: --apply {self.labels} makes another data set, and both arms need the "
                "same images and the same test set; name a .csv file with --apply"
            )
        check_new_file("--retrain", self.file)
        check_new_file("--retrain", self.given)
        audited_config(self.root, audited)

    def write(self, audited: Audited, data: Data, new: Corrected, console: Console) -> None:
        """Write the study and the given labels.

        Args:
            audited: the audit.
            data: its data set.
            new: the corrected labels.
            console: where it is said what was written.
        """
        if new.labels.equals(audited.given):
            console.print(
                f"no label was changed, so there is nothing to compare: {self.file} is not written"
            )
            return
        write_csv(label_table(audited.given, data), self.given)
        self.file.write_text(self._text(audited, data, new), encoding="utf-8")
        console.print(
            f"{self.file} compares {self.labels} with {self.given}, the given labels; "
            f"next: python -m orchestrator plan {shlex.quote(str(self.file))}"
        )

    def _text(self, audited: Audited, data: Data, new: Corrected) -> str:
        config = audited_config(self.root, audited)
        recipe = sections(config, lambda path: moved_path(path, self.file, self.machine))
        for field in ("folds", "fold"):
            recipe["data"].pop(field, None)
        recipe["noise"] = {"name": "file", "path": path_in(self.file, self.given)}
        place = place_of(self.root, audited)
        return TEMPLATE.format(
            origin=comment(f"Written by `audit --retrain` from the audit of {place}."),
            commands=commands(self.file) + self._of_plain_training(config.method.name),
            about="\n".join(map(comment, self._about(data, new))),
            name=flow(study_name(self.file.stem)),
            seeds=flow(seeds_of(self.root, audited)),
            base=base_lines(recipe),
            corrected=flow(path_in(self.file, self.labels)),
            resources=flow(dict(resources(self.root))),
        )

    def _of_plain_training(self, method: str) -> str:
        """Return comments with the command that asks the same of plain training."""
        if method == PLAIN:
            return ""
        name = study_name(f"{self.file.stem}_plain")
        run = f"python -m orchestrator run {shlex.quote(str(self.file))}"
        lines = [
            f"{method} may tolerate wrong labels and gain nothing. The same for plain training:",
            f"  {run} --set name={name} --set 'base.method={{name: {PLAIN}}}'",
        ]
        return "\n" + "\n".join(map(comment, lines))

    def _about(self, data: Data, new: Corrected) -> list[str]:
        """Return lines on what is compared, and what the comparison can tell."""
        changed = new.decided + new.suggested
        name = self.labels.name
        lines = [
            f"{name}: {changed} of {len(new.labels)} labels differ from the given ones",
            f"({new.decided} by decisions, {new.suggested} by suggestions; see {name}.json).",
        ]
        if new.unusable:
            count = len(new.unusable)
            lines.append(f"Unusable images: {count}; they keep their given labels in both arms.")
        if data.arrays.test_labels == "unchecked":
            return [*lines, *UNCHECKED]
        return [*lines, *TRUSTED]
