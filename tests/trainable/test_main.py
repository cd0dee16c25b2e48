"""`python -m trainable`: exit codes, and a sentence for what is wrong."""

import errno
from pathlib import Path

import pytest

from trainable.__main__ import main
from trainable.storage.trial_folder import TrialFolder

CONFIG = """
model: {name: small_cnn, width: 4}
train: {epochs: 2, batch_size: 256}
method: {name: cross_entropy}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "trial.yaml"
    file.write_text(CONFIG)
    return file


def run(config: Path, *options: str) -> int:
    return main([str(config), "--out", str(config.parent / "out"), "--device", "cpu", *options])


def test_a_trial_runs_to_its_end_once(config, capsys):
    assert run(config) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"done: {config.parent / 'out'}"
    assert run(config) == 0
    assert capsys.readouterr().out.splitlines() == [f"done: {config.parent / 'out'}"]


def test_a_full_disk_is_not_called_done(config, capsys, monkeypatch):
    def full(folder: TrialFolder, state: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(folder.path / "checkpoint.pt"))

    monkeypatch.setattr(TrialFolder, "save_checkpoint", full)
    assert run(config) == 3
    output = capsys.readouterr()
    assert "done" not in output.out
    assert (
        output.err
        == f"stopped: {config.parent / 'out' / 'checkpoint.pt'}: No space left on device\n"
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--device", "gpu"], "invalid choice: 'gpu'"),
        (["--out", __file__], f"--out: {__file__} is a file"),
        (["--out", f"{__file__}/x"], f"--out: {__file__} is a file"),
        (["--noise-file", __file__], f"--noise-file: {__file__} is a file"),
        (["--threads", "0"], "--threads: 0 is not right"),
    ],
)
def test_a_wrong_option_is_a_sentence_and_code_2(config, capsys, options, words):
    with pytest.raises(SystemExit) as end:
        run(config, *options)
    assert end.value.code == 2
    assert words in capsys.readouterr().err


def test_a_gpu_that_is_not_there_is_a_sentence_and_code_2(config, capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert run(config, "--device", "cuda") == 2
    assert "--device cuda" in capsys.readouterr().err
