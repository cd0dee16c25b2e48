"""Small data sets and finished trials that audits are tried on."""

from pathlib import Path

import numpy as np
from PIL import Image

from orchestrator.results.store import Store
from orchestrator.study.load import load_study
from tests.trainable.trees import picture, save
from trainable.config.runtime import Machine
from trainable.trial.session import Session

STUDY = """
name: mine
seeds: [0, 1]
base:
  data: DATA
  noise: NOISE
  model: {name: small_cnn, width: 4}
  train: {epochs: 3, batch_size: 16, lr: 0.05}
  method: {name: dividemix, warmup_epochs: 2}
"""
FOLDER = "{name: image_folder, path: images, validation_fraction: 0.1, crop_padding: 0}"
ARRAYS = "{name: npz, path: images.npz, validation_fraction: 0.1, crop_padding: 0}"


def coloured(label: int, k: int) -> np.ndarray:
    """An image (8, 8, 3) of a class that is easy to tell: two of three channels are dark."""
    pixels = np.asarray(picture(100 * label + k, 8, 8)) // 4
    pixels[..., label] += 180
    return pixels


def write_folder(per_class: int = 30) -> None:
    """Three classes in folders; the first two files of each lie in the next class's folder."""
    names = ("crow", "=owl()", "1")
    for label in range(3):
        for k in range(per_class):
            folder = names[(label + 1) % 3 if k < 2 else label]
            save(
                Path("images/train") / folder / f"{label}-{k:02}.png",
                Image.fromarray(coloured(label, k)),
            )
        save(Path("images/test") / names[label] / "0.png", Image.fromarray(coloured(label, 1000)))


def write_npz(per_class: int = 30) -> None:
    images = np.stack([coloured(label, k) for label in range(3) for k in range(per_class)])
    tests = np.stack([coloured(label, 1000) for label in range(3)])
    labels = np.repeat(np.arange(3), per_class)
    noisy = np.where(np.arange(len(labels)) % per_class < 2, (labels + 1) % 3, labels)
    np.savez(
        "images.npz",
        train_images=images,
        train_labels=labels,
        train_noisy_labels=noisy,
        test_images=tests,
        test_labels=np.arange(3),
    )


def finished(data: str, noise: str = "{name: none}") -> Path:
    """The results of a study whose trials have run, without Ray."""
    Path("mine.yaml").write_text(STUDY.replace("DATA", data).replace("NOISE", noise))
    return trained(Path("mine.yaml"))


def trained(file: Path) -> Path:
    """The results of a study file whose trials have run, without Ray."""
    planned = load_study(file)
    place = Store(Path("results") / planned.name)
    machine = Machine(study_dir=file.parent)
    place.write_plan(planned.text, planned.plan)
    for trial in planned.trials:
        session = Session(trial.config, place.folder(trial.record).path, machine)
        while not session.finished:
            session.advance()
        session.close()
    return place.root
