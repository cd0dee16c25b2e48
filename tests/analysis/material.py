"""What the tests' results folders are made of: sample tables, realistic rows, and whole studies of any size."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from trainable.storage.checksums import file_checksum, read_signed, signed
from trainable.storage.last_epochs import last_epochs

Table = dict[str, np.ndarray]

NETWORK_METRICS = [
    *(
        f"division/{name}"
        for name in (
            "auc",
            "precision",
            "residual_noise",
            "recall",
            "labeled_fraction",
            "threshold",
        )
    ),
    *(f"mixture/{name}_{side}" for name in ("mean", "sd", "weight") for side in ("clean", "noisy")),
]
METRICS = [
    *(
        "loss/labeled",
        "loss/unlabeled",
        "loss/prior",
        "schedule/lr",
        "schedule/lambda_u",
        "guess/accuracy",
    ),
    *(
        "train/agreement",
        "train/accuracy_given",
        "train/accuracy_true",
        "test/accuracy_net0",
        "test/accuracy_net1",
    ),
    *(
        "val/accuracy",
        "work/forwards",
        "time/divide_s",
        "time/train_s",
        "time/eval_s",
        "time/epoch_s",
    ),
    *(f"{name}_net{k}" for name in NETWORK_METRICS for k in (0, 1)),
]
"""With epoch, phase and test/accuracy 44 entries a row."""

FINGERPRINT = {
    "code": "0123456789abcdef",
    "versions": {"torch": "2.11.0", "numpy": "2.3.0", "scipy": "1.16.0", "scikit-learn": "1.7.0"},
    "device": "cpu x86_64",
    "threads": 1,
    "precision": "float32",
}


def sample_table(
    train: int = 60,
    validation: int = 12,
    classes: int = 3,
    epochs: tuple[int, ...] = (2, 3),
    known: bool = True,
) -> Table:
    """A trial's samples.npz as `Trial.samples` lays it out: every third label is wrong, and wrong ones cost more.

    `known`: the true labels are; else they are −1.
    """
    rng = np.random.default_rng(0)
    n = train + validation
    true = np.arange(n) % classes
    wrong = np.arange(n) // classes % 3 == 2
    given = np.where(wrong, (true + 1) % classes, true)
    shape = (len(epochs), 2, train)
    clean = np.where(wrong[:train], rng.uniform(0, 0.1, shape), rng.uniform(0.9, 1, shape))
    return {
        "source_index": np.arange(n),
        "split": np.repeat(np.array([0, 1], np.int8), (train, validation)),
        "given": given,
        "true": true if known else np.full(n, -1),
        "epochs": np.array(epochs, np.int64),
        "loss": (3 - 2 * clean + rng.normal(0, 0.05, shape)).astype(np.float16),
        "clean_probability": clean.astype(np.float16),
        "ensemble_class": np.tile(true[:train], (len(epochs), 1)).astype(np.int16),
        "ensemble_probability": np.full((len(epochs), train), 0.9, np.float16),
    }


def npz(table: Table) -> bytes:
    """The file's content."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **table)
    return buffer.getvalue()


def metrics(rng: np.random.Generator) -> dict[str, float]:
    """One row's metrics behind epoch, phase and test accuracy, as a DivideMix epoch has them."""
    return dict(zip(METRICS, rng.random(len(METRICS)).tolist(), strict=True))


def write_study(
    root: Path,
    arms: dict[str, str],
    seeds: int,
    epochs: int,
    settings: tuple[str, ...] = ("",),
    samples: int = 5000,
) -> int:
    """Write a finished study: settings × (the baseline and `arms`: name → family) × seeds; the number of trials.

    Files are written directly, without locks and flushes, so that thousands of trials take seconds. An arm of a factor
    is named `value=3`, its family `method.value`. All trials have the same sample table.
    """
    rng = np.random.default_rng(0)
    tails = [json.dumps(metrics(rng))[1:] for _ in range(97)]  # printing numbers is slow
    table = npz(sample_table(samples, samples // 10, 10, (10, epochs // 2, epochs)))
    factors = list(dict.fromkeys(family for family in arms.values() if "." in family))
    trials = []
    for setting in settings:
        for arm, family in {"baseline": "", **arms}.items():
            for seed in range(seeds):
                name = "/".join(filter(None, [setting, arm, f"seed={seed}"]))
                trial = {
                    "id": f"{len(trials):016x}",
                    "setting": setting or None,
                    "arm": arm,
                    "seed": seed,
                }
                trial |= {"family": family or None, "baseline": "baseline" if family else None}
                trials.append({**trial, "epochs": epochs, "folder": f"runs/{name}"})
                end = 90 - 5 * settings.index(setting) - len(arm) % 4 + rng.normal()
                accuracy = end * (1 - np.exp(-np.arange(1, epochs + 1) / 5)) + rng.normal(
                    0, 0.3, epochs
                )
                path = root / "runs" / name
                path.mkdir(parents=True)
                (path / "samples.npz").write_bytes(table)
                _write_trial(path, trials[-1], factors, accuracy.tolist(), tails)
    plan = {
        "study": root.name,
        "max_failures": 2,
        "margin": 0.5,
        "factors": factors,
        "trials": trials,
    }
    (root / "trials.json").write_text(json.dumps(plan))
    (root / "study.yaml").write_text(f"name: {root.name}\n")
    return len(trials)


def _write_trial(
    path: Path, trial: dict[str, Any], factors: list[str], accuracy: list[float], tails: list[str]
) -> None:
    epochs, seed = len(accuracy), trial["seed"]
    (path / "metrics.jsonl").write_text(
        "".join(
            f'{{"epoch": {k + 1}, "phase": "dividemix", "test/accuracy": {value!r}, {tails[(k + seed) % len(tails)]}\n'
            for k, value in enumerate(accuracy)
        )
    )
    method = dict.fromkeys((path.rpartition(".")[2] for path in factors), 1.0)
    if "=" in trial["arm"]:
        name, _, value = trial["arm"].partition("=")
        method[name] = float(value)
    about = {"id": trial["id"], "config": {"method": method}, "fingerprint": FINGERPRINT}
    (path / "trial.json").write_text(json.dumps(about))
    last = accuracy[-last_epochs(epochs) :]
    summary = {
        **{"epochs": epochs, "test/accuracy": last[-1], "test/accuracy_best": max(accuracy)},
        **{
            "test/accuracy_last10": float(np.mean(last)),
            "test/accuracy_last10_sd": float(np.std(last, ddof=1)),
        },
        **{"test/accuracy_selected": last[-2], "data_hash": "data", "noise_hash": f"noise {seed}"},
        **{
            "time/epoch_s": 10.0 * epochs,
            "time/train_s": 9.0 * epochs,
            "work/forwards": 3e5 * epochs,
        },
    }
    (path / "summary.json").write_text(json.dumps(summary))


def signed_again(file: Path) -> None:
    """Give the summary of a trial the checksum that one of its files has now, as a forger would."""
    summary = file.parent / "summary.json"
    content = read_signed(summary)
    content["files"][file.name] = file_checksum(file)
    summary.write_text(json.dumps(signed(content)))
