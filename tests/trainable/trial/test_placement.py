"""Placement of tensors, on a pretended GPU: every method trains, stops and resumes, with the CPU's rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.trainable.methods.tiny import blobs, without_time
from tests.trainable.pretended import GPU, WAITS, OnGpu, pretended
from tests.trainable.trees import write_tree
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.storage.trial_folder import TrialFolder
from trainable.trial.session import Session

NPZ = {"name": "npz", "path": "blobs.npz", "crop_padding": 1, "flip": True}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with small data."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    parts = {
        name: blobs(n, 3, k)
        for k, (name, n) in enumerate({"train": 60, "val": 15, "test": 15}.items())
    }
    arrays = {f"{name}_images": part.images for name, part in parts.items()}
    np.savez(
        tmp_path / "blobs.npz",
        **arrays,
        **{f"{name}_labels": part.labels for name, part in parts.items()},
    )
    return tmp_path


def rows(
    folder: Path,
    device: str,
    method: dict[str, Any],
    data: dict[str, Any],
    train: dict[str, Any],
    from_arm: str | None = None,
    **how: Any,
):
    """Rows of a trial that is stopped after its second epoch and resumed."""
    config = TrialConfig.model_validate(
        {
            "data": data,
            "noise": {"name": "symmetric", "rate": 0.4},
            "model": {"name": "small_cnn", "width": 4},
            "train": {"epochs": 3, "batch_size": 16, **train},
            "method": method,
            "from_arm": from_arm,
        }
    )
    machine = Machine(study_dir=folder, device=device, pictures_every=1, **how)
    session = Session(config, folder / device, machine)
    assert (session.advance(), session.advance()) != (None, None), session.folder.failure
    session.close()
    session = Session(config, folder / device, machine)
    session.advance()
    session.close()
    assert session.folder.summary
    return without_time(session.folder.rows())


DIVIDEMIX: dict[str, Any] = {"name": "dividemix", "warmup_epochs": 1}
METHODS = [
    *(
        {"name": name}
        for name in ("cross_entropy", "mixup", "co_teaching", "co_teaching_plus", "elr", "elr_plus")
    ),
    {"name": "jocor", "networks": 3},
    {"name": "mixmatch", "warmup_epochs": 1},
    {"name": "ssr_plus", "neighbors": 20},
    DIVIDEMIX,
    {**DIVIDEMIX, "warmup_epochs": "auto", "mixture": "bmm", "loss_history": 2},
    {**DIVIDEMIX, "division": "both", "neighbors": 5, "agreement": "intended"},
    {
        **DIVIDEMIX,
        "peer_update": "synchronous",
        "guess_batched": True,
        "co_guess": "peer",
        "class_balanced": True,
    },
    {
        **DIVIDEMIX,
        "prior": [1, 2, 3],
        "hard_labels": "both",
        "mixup_partner": "same_set",
        "head_only_epochs": 1,
    },
]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: "-".join(map(str, method.values())))
def test_every_method_trains_and_resumes_with_all_of_its_tensors_on_the_gpu(method, folder):
    expected = rows(folder, "cpu", method, NPZ, {})
    with pretended():
        assert rows(folder, "cuda:0", method, NPZ, {}) == expected


@pytest.mark.parametrize(
    ("data", "how"),
    [
        ({"crop_padding": 2, "flip": True}, {}),
        ({"crop_padding": 2, "flip": True}, {"resident": False}),
        ({"size": 12, "crop": 10, "resized_crop": True}, {"resident": False}),
    ],
    ids=["resident", "streamed", "resized"],
)
def test_photographs_come_to_the_gpu(data, how, folder):
    write_tree(folder / "t", train=12)
    data = {"name": "image_folder", "path": "t", **data}
    expected = rows(folder, "cpu", DIVIDEMIX, data, {"batch_size": 8}, **how)
    with pretended():
        assert rows(folder, "cuda:0", DIVIDEMIX, data, {"batch_size": 8}, **how) == expected


@pytest.mark.parametrize(
    "method", [{"name": "retrain"}, {**DIVIDEMIX, "init": "from_arm"}], ids=["samples", "weights"]
)
def test_what_uses_another_trial_brings_it_to_the_gpu(method, folder):
    rows(folder, "cpu", DIVIDEMIX, NPZ, {})
    source = (folder / "cpu").rename(folder / "source")
    used = {"from_arm": TrialFolder(source).trial["id"], "source_dir": source}
    expected = rows(folder, "cpu", method, NPZ, {}, **used)
    with pretended():
        assert rows(folder, "cuda:0", method, NPZ, {}, **used) == expected


def test_the_averaged_network_is_on_the_gpu_too(folder):
    train = {"ema_decay": 0.9, "lr_schedule": "one_cycle"}
    expected = rows(folder, "cpu", DIVIDEMIX, NPZ, train)
    with pretended():
        assert rows(folder, "cuda:0", DIVIDEMIX, NPZ, train) == expected


def test_the_pretended_gpu_refuses_what_a_gpu_refuses():
    with pretended():
        here, there = torch.arange(3.0), torch.ones(3, device=GPU)
        assert isinstance(there, OnGpu)
        assert (there + 2 * here.to(GPU)).cpu().tolist() == [1, 3, 5]
        assert there[torch.tensor([0, 2])].device == GPU
        for wrong in (
            lambda: here + there,
            lambda: torch.cat([here, there]),
            lambda: here[torch.tensor([0, 2]).to(GPU)],
            lambda: torch.nn.Linear(3, 2)(there),
        ):
            with pytest.raises(RuntimeError, match="same device"):
                wrong()
        with pytest.raises(RuntimeError, match="numpy"):
            there.numpy()


def test_a_tensor_that_was_left_on_the_cpu_is_found(folder, monkeypatch):
    monkeypatch.setattr(
        "trainable.methods.dividemix_step.mix",
        lambda rows, weight, partner: rows[partner] * torch.ones(1),
    )
    with pretended(), pytest.raises(RuntimeError, match="same device"):
        rows(folder, "cuda:0", DIVIDEMIX, NPZ, {})


@pytest.mark.parametrize(
    "switches",
    [{}, {"co_guess": "peer"}, {"peer_update": "synchronous"}, {"hard_labels": "both"}],
    ids=str,
)
def test_the_processor_never_waits_for_the_gpu_while_networks_train(switches, folder, monkeypatch):
    """Between division and evaluation; then it reads all sums at once."""
    waits: dict[str, list[int]] = {}

    def counted(method: Any, name: str) -> None:
        plain = getattr(method, name)

        def call(*args: Any, **named: Any) -> Any:
            before = len(WAITS)
            result = plain(*args, **named)
            waits.setdefault(name, []).append(len(WAITS) - before)
            return result

        monkeypatch.setattr(method, name, call)

    with pretended():
        config = TrialConfig.model_validate(
            {
                "data": NPZ,
                "noise": {"name": "symmetric", "rate": 0.4},
                "model": {"name": "small_cnn", "width": 4},
                "train": {"epochs": 3, "batch_size": 8},
                "method": {**DIVIDEMIX, **switches},
            }
        )
        session = Session(config, folder / "t", Machine(study_dir=folder, device="cuda:0"))
        assert session.trial is not None
        for name in ("divide_samples", "train_network", "train_on", "evaluate", "one_pass"):
            counted(session.trial.method, name)
        while not session.finished:
            session.advance()
        session.close()
    assert set(waits["train_network"]) == {0}
    assert set(waits["one_pass"]) == {0}
    assert set(waits["train_on"]) == {1}
    assert set(waits["evaluate"]) == {2}  # test and validation
    assert max(waits["divide_samples"]) <= 12
