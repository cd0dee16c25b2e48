"""All methods train on embeddings; division by embedding uses the features of the data."""

from pathlib import Path

import numpy as np
import pytest
import torch

from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.methods.registry import METHODS
from trainable.noisy_labels.neighbors import label_support
from trainable.trial.trial import Trial

EPOCHS = 3


def write_features(folder: Path, n: int = 300, width: int = 12) -> np.ndarray:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, n)
    means = 4 * rng.normal(size=(3, width))
    features = (means[labels] + rng.normal(size=(n, width))).astype(np.float16)
    np.savez(folder / "f.npz", features=features, labels=labels)
    return features


def trial(folder: Path, method: dict, model: dict | None = None, **data) -> Trial:
    config = TrialConfig.model_validate(
        {
            "data": {"name": "embeddings", "path": "f.npz", **data},
            "noise": {"name": "symmetric", "rate": 0.4},
            "model": model or {"name": "mlp", "width": 16},
            "train": {"epochs": EPOCHS, "batch_size": 16, "lr": 0.05},
            "method": method,
        }
    )
    return Trial(config, Machine(study_dir=folder, device="cpu"))


METHOD_FIELDS = {
    "dividemix": {"warmup_epochs": 1},
    "mixmatch": {"warmup_epochs": 1},
    "ssr_plus": {"neighbors": 10},
}


@pytest.mark.parametrize("name", sorted(METHODS.keys() - {"retrain"}))
def test_every_method_learns_from_embeddings(tmp_path, name):
    write_features(tmp_path)
    rows = list(trial(tmp_path, {"name": name, **METHOD_FIELDS.get(name, {})}))
    assert len(rows) == EPOCHS
    assert rows[-1]["test/accuracy"] > 60  # chance: 33


@pytest.mark.parametrize(
    "model",
    [
        {"name": "linear"},
        {"name": "mlp", "width": 16, "norm": "layer", "depth": 1},
        {"name": "mlp", "width": 16, "norm": "none", "dropout": 0.2},
    ],
)
def test_every_network_learns_from_embeddings(tmp_path, model):
    write_features(tmp_path)
    rows = list(trial(tmp_path, {"name": "dividemix", "warmup_epochs": 1}, model))
    assert rows[-1]["test/accuracy"] > 60


def test_augdesc_uses_the_strong_views(tmp_path):
    write_features(tmp_path)
    method = {"name": "dividemix", "warmup_epochs": 1, "augment": "augdesc"}
    weak, strong = (trial(tmp_path, method, strong_views=factor) for factor in (1.0, 3.0))
    rows = [list(each)[-1]["loss/labeled"] for each in (weak, strong)]
    assert rows[0] != rows[1]


@pytest.mark.parametrize(
    "fields", [{"feature_dropout": 0.5}, {"feature_jitter": 0.5}, {"feature_mixing": 0.3}]
)
def test_each_view_field_changes_what_is_learned(tmp_path, fields):
    write_features(tmp_path)
    method = {"name": "cross_entropy", "networks": 1}
    without, with_it = (
        trial(tmp_path, method, **{"feature_dropout": 0.0, **more}) for more in ({}, fields)
    )
    for each in (without, with_it):
        next(each)
    weights = [
        next(iter(each.method.learners[0].network.state_dict().values()))
        for each in (without, with_it)
    ]
    assert not torch.equal(*weights)


def test_division_by_embedding_is_the_support_in_the_features_of_the_data(tmp_path):
    features = write_features(tmp_path)
    method = {
        "name": "dividemix",
        "warmup_epochs": 1,
        "division": "embedding",
        "neighbors": 20,
    }
    run = trial(tmp_path, method, normalise="none")
    next(run)
    next(run)
    train = run.data.train
    raw = torch.from_numpy(features[train.source_index].astype(np.float32))
    expected = label_support(raw, train.given, 3, 20)
    for found in run.method.division[1]["clean_probability"]:
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)


def test_a_resumed_trial_equals_an_uninterrupted_one(tmp_path):
    write_features(tmp_path)
    method = {"name": "dividemix", "warmup_epochs": 1}
    fields = {"feature_jitter": 0.1, "feature_mixing": 0.1}
    whole = trial(tmp_path, method, **fields)
    rows = list(whole)
    first = trial(tmp_path, method, **fields)
    next(first)
    next(first)
    second = trial(tmp_path, method, **fields)
    second.restore(first.state(), first.rows)
    list(second)
    for one, two in zip(whole.method.learners, second.method.learners, strict=True):
        for name, tensor in one.network.state_dict().items():
            assert torch.equal(tensor, two.network.state_dict()[name]), name
    assert rows[-1]["test/accuracy"] == second.rows[-1]["test/accuracy"]
