"""TensorBoard events of one trial: its rows as scalars, its configuration, and what its divisions
look like."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import summary_v2 as hparams
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams as torch_hparams

from trainable.data.dataset import Dataset
from trainable.tensorboard import images as drawn


class Events:
    """Writes below a trial's folder. Whatever an earlier process wrote of later epochs, TensorBoard
    then hides.

    Args:
        path: the trial's folder.
        finished: epochs that the trial goes on after.
        config: the trial's configuration as plain data, for the text page.
        place: `setting`, `arm` and `seed` in a study, for the table of hyper-parameters; {} outside
            of one.
    """

    def __init__(self, path: Path, finished: int, config: dict[str, Any], place: dict[str, Any]):
        self._writer = SummaryWriter(str(path), purge_step=finished + 1 if finished else 0)
        self._file = self._writer._get_file_writer()
        self._flushed = 0.0
        method = config["method"]
        # Other mixtures are on another scale than the picture of the losses.
        self._drawable = method.get("mixture", "gmm") == "gmm" and method.get(
            "normalise_losses", True
        )
        if not finished:
            self._writer.add_text(
                "configuration", f"```json\n{json.dumps(config, indent=1)}\n```", 0
            )
            if place:
                name = "/".join(str(part) for part in place.values() if part != "")
                self._file.add_summary(hparams.hparams_pb(place, trial_id=name))

    def add(self, row: dict[str, Any]) -> None:
        """Add every number of a row at its epoch, and show it within a second or with the next
        row."""
        numbers = {n: v for n, v in row.items() if isinstance(v, int | float) and n != "epoch"}
        # One event for the whole row: thirty calls of `add_scalar` take ten times as long.
        values = [Summary.Value(tag=name, simple_value=value) for name, value in numbers.items()]
        self._file.add_summary(Summary(value=values), row["epoch"])
        if time.monotonic() - self._flushed > 1:
            self._writer.flush()
            self._flushed = time.monotonic()

    def division(
        self, step: int, record: dict[str, np.ndarray], data: Dataset, mixture: dict[str, Any]
    ) -> None:
        """Add what a division saw and thought of the training samples.

        `record` has `loss` and `clean_probability` (networks, n) and `ensemble_class` (n,);
        `mixture` has the row's `mixture/*`, where they are known.
        """
        writer, train = self._writer, data.train
        mixture = mixture if self._drawable else {}
        given, true = train.given.cpu().numpy(), train.true.cpu().numpy()
        clean = None if (true < 0).any() else given == true
        parts = (
            {"all": np.ones(len(given), bool)}
            if clean is None
            else {"clean": clean, "noisy": ~clean}
        )
        for k, (losses, probability) in enumerate(
            zip(record["loss"], record["clean_probability"], strict=True)
        ):
            writer.add_histogram(f"division/clean_probability_net{k}", probability, step)
            for name, part in parts.items():
                if part.any():
                    writer.add_histogram(f"division/loss_{name}_net{k}", losses[part], step)
            self._picture(
                f"division/losses_net{k}", drawn.losses_and_mixture(losses, clean, mixture, k), step
            )
            if clean is not None and clean.any() and not clean.all():
                writer.add_pr_curve(f"division/clean_net{k}", clean, probability, step)
        guess = record["ensemble_class"].astype(np.int64)
        self._picture(
            "confusion/given_and_guess", drawn.confusion(given, guess, data.classes), step
        )
        if clean is not None:
            self._picture(
                "confusion/true_and_guess", drawn.confusion(true, guess, data.classes), step
            )
        worst = np.argsort(record["clean_probability"].mean(0), kind="stable")[: drawn.SHEET]
        images = train.plain(torch.from_numpy(worst).to(train.device))
        captions = [f"{given[i]} > {guess[i]}" for i in worst]
        self._picture("most_surely_mislabeled", drawn.sheet(images, captions), step)

    def _picture(self, name: str, image: np.ndarray, step: int) -> None:
        self._writer.add_image(name, image, step, dataformats="HWC")

    def close(self, done: bool = False) -> None:
        """Close the file; a `done` trial is shown as successful in the table of
        hyper-parameters."""
        if done:
            self._file.add_summary(torch_hparams({}, {})[2])
        self._writer.close()
