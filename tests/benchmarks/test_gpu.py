"""The GPU benchmark: everything runs on the CPU with tiny settings, and a missing device is said in a sentence."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from benchmarks import gpu
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.trial.trial import Trial


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        f"{name}_images": rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)
        for name, n in SIZES.items()
    }
    labels = {f"{name}_labels": np.arange(n) % 10 for name, n in SIZES.items()}
    np.savez(tmp_path / "tiny.npz", **arrays, **labels)
    return tmp_path / "tiny.npz"


SIZES = {"train": 128, "test": 32}


def test_every_figure_is_measured_on_the_cpu(data, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    options = [
        "--data",
        str(data),
        "--images",
        "128",
        "--epochs",
        "4",
        "--reference-images",
        "128",
        "--device",
        "cpu",
    ]
    monkeypatch.setattr(
        sys, "argv", ["gpu.py", *options, "--network", "lenet", "--precision", "fp32", "--packed"]
    )
    gpu.main()
    printed = capsys.readouterr().out
    for part in (
        "TFLOP/s",
        "warm-up:",
        "DivideMix:",
        "% of the rate",
        "300 epochs at this speed",
        "plain program",
    ):
        assert part in printed


@pytest.mark.slow
def test_packed_trials_are_processes_of_their_own(data):
    options = [
        "--data",
        str(data),
        "--images",
        "128",
        "--epochs",
        "4",
        "--reference-images",
        "128",
        "--device",
        "cpu",
    ]
    command = [
        sys.executable,
        gpu.__file__,
        *options,
        "--network",
        "lenet",
        "--precision",
        "fp32",
        "--packed",
        "2",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "2 trials at once, without MPS: " in done.stdout


def test_a_missing_device_is_a_sentence(data, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--data", str(data)])
    with pytest.raises(SystemExit, match="2"):
        gpu.main()
    assert "there is no CUDA device" in capsys.readouterr().err


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_an_epoch_waits_for_the_gpu_only_where_it_reports(precision, monkeypatch):
    config = TrialConfig.model_validate(
        {
            "noise": {"name": "symmetric", "rate": 0.4},
            "train": {"epochs": 4, "precision": precision},
            "method": {"name": "dividemix", "warmup_epochs": 2},
        }
    )
    trial = Trial(config, Machine(device="cuda"))
    next(trial)
    step = trial.method.learners[0].step
    monkeypatch.setattr(trial.method.learners[0], "step", lambda loss: (step(loss), watch("error")))
    watch = torch.cuda.set_sync_debug_mode
    finite = trial.method.finite
    monkeypatch.setattr(
        trial.method, "finite", lambda *given: (watch("default"), finite(*given))[1]
    )
    rows = list(trial)
    assert [row["epoch"] for row in rows] == [2, 3, 4]
