"""The folder that TensorBoard reads: averages of arms, links to trials, and the layout.

TensorBoard selects no run at all if there are more than 40, so a larger study is shown by its
averages and as many trials as fit. Nothing is written to the folders of studies.
"""

from collections.abc import Sequence
from pathlib import Path

from analysis.results.varied_fields import Value
from orchestrator.display.tensorboard.averages import Arm
from orchestrator.display.tensorboard.layout import write_layout
from orchestrator.display.tensorboard.study_view import StudyView

SELECTED = 40
"""Largest number of runs that TensorBoard selects at first."""


class Logdir:
    """TensorBoard's folder of one or several studies, which `update` renews.

    Runs are called `Mean/arm` and `arm/seed=n`, with the study's name in front where several are
    opened, and the setting where there is one.

    Args:
        folder: an empty folder.
        run_dirs: the studies' folders.
        everything: whether to show all runs, however many there are.

    Raises:
        NoStudy: a folder contains no study results.
    """

    def __init__(self, folder: Path, run_dirs: Sequence[Path], everything: bool = False):
        self.folder = folder
        labels = [""]
        if len(run_dirs) > 1:
            labels = distinct([run_dir.absolute().name for run_dir in run_dirs])
        self._studies = [
            StudyView(run_dir.resolve(), folder / label)
            for label, run_dir in zip(labels, run_dirs, strict=True)
        ]
        self._everything = everything
        self._number = 0
        self._rows: list[dict[str, Value]] = []

    def update(self) -> str:
        """Link what is new, renew averages of completed trials; say in a sentence what is shown."""
        self._number += 1
        arms_left_out, trials_left_out = self._choose()
        rows = [row for study in self._studies for row in study.update(self._number)]
        if rows != self._rows or self._number == 1:
            self._rows = rows
            write_layout(self.folder, self._number, rows)
        arms = sum(len(study.arms) for study in self._studies)
        text = f"the averages of {arms} arms, and {self._trials()}"
        left_out = arms_left_out
        if any(study.linked for study in self._studies):
            left_out += trials_left_out
        if left_out:
            text += (
                f". {left_out} more are left out, because TensorBoard selects none of more than "
                f"{SELECTED} runs; --all shows them"
            )
        return text

    def _trials(self) -> str:
        """Write how many trials are shown."""
        linked = sum(study.linked for study in self._studies)
        if linked == 0 and any(study.trials for study in self._studies):
            return "no trials (none has event files yet, or it is a bundle, which has none)"
        return "1 trial" if linked == 1 else f"{linked} trials"

    def _choose(self) -> tuple[int, int]:
        """Choose the runs to show: averages, then trials by seed; return how many are left out.

        Runs that are shown already are kept, because TensorBoard has selected them. New ones get
        the room that is left.
        """
        arms: list[tuple[StudyView, Arm]] = []
        seeds: list[list[tuple[StudyView, str]]] = []
        for study in self._studies:
            found = study.found()
            arms += [(study, arm) for arm in found.arms]
            for rank, names in enumerate(found.seeds):
                while len(seeds) <= rank:
                    seeds.append([])
                seeds[rank] += [(study, name) for name in names]
            seeds += [[(study, name)] for name in found.others]
        shown = sum(len(study.arms) + len(study.trials) for study in self._studies)
        room = SELECTED - 1 - shown  # the layout is a run too
        arms_left_out = 0
        trials_left_out = 0
        for place, (study, arm) in enumerate(arms):
            if arm in study.arms:
                continue
            if self._everything or room > 0:
                study.arms[arm] = place
                room -= 1
            else:
                arms_left_out += 1
        full = False
        for together in seeds:
            new = [(study, name) for study, name in together if name not in study.trials]
            # The trials of a seed are compared with each other: all of them, or none.
            full = full or len(new) > room
            if self._everything or not full:
                for study, name in new:
                    study.trials[name] = None
                room -= len(new)
            else:
                trials_left_out += len(new)
        return arms_left_out, trials_left_out


def distinct(labels: Sequence[str]) -> list[str]:
    """Return the labels; number repeated ones."""
    found = []
    for k, label in enumerate(labels):
        earlier = labels[:k].count(label)
        found.append(f"{label}-{earlier + 1}" if earlier else label)
    return found
