"""Three families train on few and tiny images and resume bit for bit; every network takes a batch of one image."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch

from tests.trainable.methods.tiny import without_time
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.models.build import build
from trainable.models.head import head
from trainable.trial.trial import Trial

TIMM = pytest.mark.skipif(find_spec("timm") is None, reason="needs the package timm")
FAMILIES = [({"name": "small_cnn", "width": 4}, 8), ({"name": "preact_resnet18"}, 9)]
FAMILIES += [({"name": "mobilenet_v2"}, 8)]
SMALLEST = [
    *FAMILIES,
    ({"name": "lenet"}, 16),
    ({"name": "cnn6"}, 8),
    ({"name": "preact_resnet34"}, 9),
    ({"name": "mobilenet_v2", "stem": "imagenet"}, 32),
    ({"name": "resnet18"}, 8),
    ({"name": "resnet34"}, 8),
    ({"name": "resnet50"}, 8),
    ({"name": "resnet50", "stem": "imagenet"}, 96),
    ({"name": "convnext_tiny"}, 16),
    ({"name": "vit_b_16"}, 8),
    ({"name": "swin_t"}, 8),
]
SPLITS = (("train", 9), ("test", 3))


def named(value) -> str:
    return "-".join(map(str, value.values())) if isinstance(value, dict) else str(value)


def make(folder, model, side, method) -> Trial:
    """A trial on nine training images: with batches of 4, warm-up takes 8 and then 1."""
    rng = np.random.default_rng(0)
    arrays = {
        f"{split}_images": rng.integers(0, 256, (n, side, side, 3), np.uint8) for split, n in SPLITS
    }
    arrays |= {f"{split}_labels": np.arange(n) % 3 for split, n in SPLITS}
    np.savez(folder / "tiny.npz", **arrays)
    config = TrialConfig.model_validate(
        {
            "data": {
                "name": "npz",
                "path": "tiny.npz",
                "crop_padding": 1,
                "validation_fraction": 0,
            },
            "model": model,
            "train": {"epochs": 2, "batch_size": 4, "lr": 0.01},
            "method": {"networks": 1, **method},
        }
    )
    return Trial(config, Machine(study_dir=folder, device="cpu"))


EMBEDDING = {
    "name": "dividemix",
    "warmup_epochs": 1,
    "division": "embedding",
    "neighbors": 3,
    "p_threshold": 0.1,
}


@pytest.mark.parametrize(("model", "side"), FAMILIES, ids=named)
def test_two_epochs_and_a_resumed_second_one_agree_bit_for_bit(tmp_path, model, side):
    whole = make(tmp_path, model, side, EMBEDDING)
    first = next(whole)
    state = whole.state()
    rows = [first, next(whole)]
    assert [row["phase"] for row in rows] == ["warmup", "dividemix"]
    assert all(np.isfinite(row["loss/labeled"]) for row in rows)

    resumed = make(tmp_path, model, side, EMBEDDING)
    torch.manual_seed(99)  # a new process has other global generators
    resumed.restore(state, [first])
    assert without_time([first, *resumed]) == without_time(rows)
    assert resumed.weights() == whole.weights()


@pytest.mark.parametrize(
    ("model", "side"),
    [*SMALLEST, pytest.param({"name": "timm:resnet10t"}, 16, marks=TIMM)],
    ids=named,
)
def test_every_network_takes_a_batch_of_one_image_and_has_features(model, side):
    fields = TrialConfig.model_validate({"model": model}).model
    with torch.device("meta"):  # shapes without numbers: quick
        network = build(fields, (3, side, side), 3, 0)
        assert network.training
        seen = []
        head(network).register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
        assert network(torch.zeros(1, 3, side, side)).shape == (1, 3)
    assert [len(features) for features in seen] == [1]


@pytest.mark.slow
def test_dropout_draws_from_the_trials_seed_and_leaves_the_global_generator_alone(tmp_path):
    before = torch.get_rng_state()
    rows = []
    for _ in range(2):
        trial = make(tmp_path, {"name": "mobilenet_v2"}, 8, {"name": "cross_entropy"})
        assert any(
            isinstance(module, torch.nn.Dropout)
            for module in trial.method.learners[0].network.modules()
        )
        rows.append(without_time(list(trial)))
    assert rows[0] == rows[1]
    assert torch.equal(torch.get_rng_state(), before)
