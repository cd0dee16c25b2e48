"""TensorBoard events of one trial: rows as scalars, configuration, and images of divisions."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_SCALAR, Summary, SummaryMetadata
from tensorboard.plugins.hparams import summary_v2 as hparams
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams as torch_hparams

from trainable.config.test_set import UNCHECKED, TestLabels
from trainable.data.dataset import Dataset
from trainable.tensorboard import images as drawn
from trainable.tensorboard.confusion import confusion, cut

CAPTION_LETTERS = 14
"""Number of letters after which a class's name is cut below an image."""


class Events:
    """Writer of events to a trial's folder.

    TensorBoard hides events of later epochs that an earlier process wrote.

    Args:
        path: the trial's folder.
        finished: number of epochs after which the trial resumes.
        config: the trial's configuration as plain data, for the text page.
        place: `setting`, `arm` and `seed` in a study, for the table of hyper-parameters; {}: no
            study.
        test_labels: whether the labels of the test set are trusted; else the tags of its accuracies
            are described as agreement with unchecked labels.
    """

    def __init__(
        self,
        path: Path,
        finished: int,
        config: dict[str, Any],
        place: dict[str, Any],
        test_labels: TestLabels = "trusted",
    ):
        self._described = test_labels == "trusted"
        purge_step = finished + 1 if finished else 0
        self._writer = SummaryWriter(str(path), purge_step=purge_step)
        self._file = self._writer._get_file_writer()  # type: ignore[no-untyped-call]
        self._flushed = 0.0
        method = config["method"]
        # Other mixtures have another scale than the plot of losses.
        gaussian = method.get("mixture", "gmm") == "gmm"
        self._drawable = gaussian and method.get("normalise_losses", True)
        if not finished:
            shown = json.dumps(config, indent=1)
            self._writer.add_text("configuration", f"```json\n{shown}\n```", 0)
            if place:
                name = "/".join(str(part) for part in place.values() if part != "")
                self._file.add_summary(hparams.hparams_pb(place, trial_id=name))

    def add(self, row: dict[str, Any]) -> None:
        """Add every number of a row at its epoch.

        Events are flushed at most once a second.
        """
        # One event for the whole row: thirty calls of `add_scalar` take ten times as long.
        values = []
        for name, value in row.items():
            if isinstance(value, int | float) and name != "epoch":
                values.append(
                    Summary.Value(tag=name, simple_value=value, metadata=self._about(name))
                )
        self._described = True
        self._file.add_summary(Summary(value=values), row["epoch"])
        if time.monotonic() - self._flushed > 1:
            self._writer.flush()
            self._flushed = time.monotonic()

    def _about(self, tag: str) -> SummaryMetadata | None:
        """Return the description of a tag, which TensorBoard takes from its first value."""
        if self._described or not tag.startswith("test/"):
            return None
        return SummaryMetadata(
            summary_description=UNCHECKED,
            data_class=DATA_CLASS_SCALAR,
            plugin_data=SummaryMetadata.PluginData(plugin_name="scalars"),
        )

    def division(
        self, step: int, record: dict[str, np.ndarray], data: Dataset, mixture: dict[str, Any]
    ) -> None:
        """Add histograms, curves and images of a division of the training samples.

        Args:
            step: epoch of the events.
            record: `loss` and `clean_probability`, (networks, n), and `ensemble_class`, (n,).
            data: the trial's data set.
            mixture: a row with `mixture/*`; {}: unknown.
        """
        train = data.train
        given = train.given.cpu().numpy()
        true = train.true.cpu().numpy()
        clean = None if (true < 0).any() else given == true
        for k, losses in enumerate(record["loss"]):
            self._network(step, k, losses, record["clean_probability"][k], clean, mixture)
        guess = record["ensemble_class"].astype(np.int64)
        mean_probability = record["clean_probability"].mean(0)
        worst = np.argsort(mean_probability, kind="stable")[: drawn.SHEET]
        if len(data.shape) != 3:  # embeddings, which cannot be drawn
            return
        images = train.plain(torch.from_numpy(worst).to(train.device))
        named = data.class_names or tuple(map(str, range(data.classes)))
        captions = [_caption(named[given[i]], named[guess[i]]) for i in worst]
        # TensorBoard sorts tags, and shows these after all others.
        self._picture("wrong_labels/candidates", drawn.sheet(images, captions), step)
        rows, title = (given, "Given label") if clean is None else (true, "True class")
        matrix = confusion(rows, guess, named, title)
        self._picture("wrong_labels/suggested_class_confusion", matrix, step)

    def _network(
        self,
        step: int,
        network: int,
        losses: np.ndarray,
        probability: np.ndarray,
        clean: np.ndarray | None,
        mixture: dict[str, Any],
    ) -> None:
        """Add one network's losses (n,) and clean probabilities (n,).

        `clean` (n,) is whether each given label is right; None: unknown.
        """
        writer = self._writer
        writer.add_histogram(f"wrong_labels/clean_probability_net{network}", probability, step)
        if clean is None:
            parts = {"all": np.ones(len(losses), bool)}
        else:
            parts = {"clean": clean, "noisy": ~clean}
        for name, part in parts.items():
            if part.any():
                writer.add_histogram(f"wrong_labels/loss_{name}_net{network}", losses[part], step)
        fitted = mixture if self._drawable else {}
        picture = drawn.losses_and_mixture(losses, clean, fitted, network)
        self._picture(f"wrong_labels/losses_net{network}", picture, step)
        if clean is not None and clean.any() and not clean.all():
            writer.add_pr_curve(
                f"wrong_labels/precision_recall_net{network}", clean, probability, step
            )

    def _picture(self, name: str, image: np.ndarray, step: int) -> None:
        self._writer.add_image(name, image, step, dataformats="HWC")

    def close(self, summary: dict[str, Any] | None = None) -> None:
        """Close the file.

        Args:
            summary: that of a completed trial, which the table of hyper-parameters then shows as
                successful; its failures are added.
        """
        if summary is not None:
            epoch = summary.get("epochs", 0)
            lost = len(summary.get("lost_classes", []))
            self._writer.add_scalar("failures/lost_classes", lost, epoch)
            self._writer.add_scalar("failures/collapsed", summary.get("collapsed", False), epoch)
            summaries = torch_hparams({}, {})  # type: ignore[no-untyped-call]
            self._file.add_summary(summaries[2])
        self._writer.close()


def _caption(given: str, suggested: str) -> str:
    """Return two lines: the given label, and the suggested class."""
    return "\n".join((cut(given, CAPTION_LETTERS), f"> {cut(suggested, CAPTION_LETTERS)}"))
