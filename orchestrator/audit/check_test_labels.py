"""Check the labels of random test images: draw them, and open the page to decide about them.

The decisions are no corrections: test labels stay as they are. `report` estimates accuracies and
differences from them, see `analysis/report/answers.py`.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from analysis.audit.audit import Audited, NoAudit
from analysis.audit.drawn_test_images import (
    DECISIONS,
    DRAW,
    Draw,
    folder_of,
    order_of,
    read_checks,
    read_draw,
    write_draw,
)
from analysis.audit.networks_accuracy import NetworksAccuracy
from analysis.audit.review_order import ReviewOrder
from analysis.audit.witnesses import Judgement
from analysis.results.read import Results, read_results
from analysis.results.selected_trials import select
from analysis.results.study_plan import BASELINE
from orchestrator.audit.labels import Data, read_data
from orchestrator.audit.review import OpenReview, serve
from orchestrator.audit.review_server import ReviewDesk
from trainable.config.runtime import Machine

UNJUDGED = Judgement(NetworksAccuracy(), False, False, 0, ())
"""Of test images nothing is suspected, since a random sample of them is checked."""
SAMPLE = 200
"""Number of images that are drawn if the user names none."""


def check_test_labels(
    root: Path,
    setting: str | None,
    sample: int | None,
    machine: Machine,
    port: int | None,
    console: Console,
) -> None:
    """Draw test images, and open the page to check their labels.

    Args:
        root: the study's results.
        setting: name of the setting; it may be None if there is only one.
        sample: number of images; None: as drawn before, or `SAMPLE`.
        machine: where the data are.
        port: the page's port; None: no page.
        console: where to print.

    Raises:
        DataError: the data set is missing or invalid.
        NoStudy, NoTrial, NoAudit, BadDecisions: there is nothing to check; the message has
            the reason.
        Ended: the port is taken.
    """
    review = open_test_review(root, setting, sample, machine)
    if port is not None:
        serve(review, port, console)
    else:
        console.print(review.sentence())
        console.print("--review opens the page to check them with")


@dataclass(frozen=True)
class OpenTestReview(OpenReview):
    """The drawn test images and the file of decisions.

    Attributes:
        root: the study's results.
        draw: all test images in their random order.
    """

    root: Path
    draw: Draw

    def desk(self) -> ReviewDesk:
        """Return what answers the page."""
        return SampleDesk(self)

    def sentence(self) -> str:
        """Say how many images are checked. Raises BadDecisions."""
        arrays = self.data.arrays
        checks = read_checks(self.root, arrays.hash, arrays.test.labels)
        if checks is None:
            return f"0 of {self.draw.sample} drawn test images are checked"
        return checks.sentence()


class SampleDesk(ReviewDesk):
    """Answers to the page of a check of test labels: in random order, without any suspicion."""

    def __init__(self, review: OpenTestReview):
        super().__init__(review.audited, review.data, review.order, review.file)
        self._sample = review

    def start(self) -> dict[str, Any]:
        """Return what the page needs once."""
        title = f"{self._sample.root.name}, test images"
        return {**super().start(), "title": title, "random": True}

    def state(self) -> dict[str, Any]:
        """Return the progress."""
        return {**super().state(), "certificate": self._sample.sentence()}

    def plan(self) -> str:
        """Say nothing: a check of test labels certifies nothing."""
        return ""


def open_test_review(
    root: Path, setting: str | None, sample: int | None, machine: Machine
) -> OpenTestReview:
    """Draw the test images of a setting that are to be checked; a draw that is there is kept.

    Raises:
        DataError: the data set is missing or invalid.
        NoStudy, NoTrial, NoAudit, BadDecisions: there is nothing to check; the message has
            the reason.
    """
    trial = _trial(read_results(root), setting)
    audited = Audited(
        seeds=[trial["seed"]],
        trial=trial,
        given=pd.Series(dtype=np.int64),
        ranked=pd.DataFrame(),
        judgement=UNJUDGED,
        classes=0,
    )
    data = replace(read_data(root, audited, machine), split="test")
    if data.arrays.test_labels == "trusted":
        raise NoAudit(
            "--split test: the study trusts its test labels (data.test_labels), and its report "
            "uses no checks"
        )
    folder = folder_of(root, data.arrays.hash)
    draw = _drawn(folder / DRAW, data, sample)
    rows = np.array(draw.rows[: draw.sample])
    labels = np.array(draw.given[: draw.sample])
    order = ReviewOrder(
        rows=rows, wrong=np.zeros(len(rows)), suggested=labels, turn=np.arange(len(rows))
    )
    given = pd.Series(labels, rows)
    audited = replace(audited, given=given, classes=data.arrays.classes)
    return OpenTestReview(
        audited=audited,
        data=data,
        order=order,
        file=folder / DECISIONS,
        root=root,
        draw=draw,
    )


def _trial(results: Results, setting: str | None) -> dict[str, Any]:
    """Return the completed trial whose test images are checked. Raises NoTrial, NoAudit."""
    place = select(results.places, setting, BASELINE)[0].setting
    trial = results.first_done(place, BASELINE)
    if trial is None:
        raise NoAudit(f"no trial of the baseline of {results.root} is done, so it has no test yet")
    return trial


def _drawn(path: Path, data: Data, sample: int | None) -> Draw:
    """Return the draw of the test images, and write it if it is new or larger.

    Raises:
        NoAudit: the sample is larger than the test set, or smaller than before.
        BadDecisions: the file is damaged, or about other data.
    """
    labels = data.arrays.test.labels
    size = len(labels)
    before = read_draw(path) if path.exists() else None
    if before is not None and before.data != data.arrays.hash:
        raise NoAudit(
            f"{path} has the test images of other data. Move its folder away to check these"
        )
    if sample is None:
        sample = before.sample if before else min(SAMPLE, size)
    if not 0 < sample <= size:
        raise NoAudit(f"--sample {sample}: the test set has {size} images")
    if before is not None and sample < before.sample:
        raise NoAudit(
            f"--sample {sample}: {before.sample} images are drawn already, and a sample can only "
            "grow: a smaller one might be chosen for what it shows"
        )
    if before is not None and sample == before.sample:
        return before
    rows = order_of(data.arrays.hash, size)
    draw = Draw(
        data=data.arrays.hash,
        classes=list(data.labels(pd.Index([])).classes),
        rows=rows.tolist(),
        images=[data.image(row) for row in rows.tolist()],
        given=labels[rows].tolist(),
        sample=sample,
    )
    write_draw(draw, path)
    return draw
