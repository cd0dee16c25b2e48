"""Every family trains on few and tiny images, with a last batch of one, and goes on bit for bit after a stop."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch

from tests.trainable.methods.tiny import without_time
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.trial.trial import Trial

DEAR = pytest.mark.nightly
TIMM = pytest.mark.skipif(find_spec("timm") is None, reason="needs the package timm")
MODELS = [
    ({"name": "lenet"}, 16, ()),
    ({"name": "cnn6"}, 8, ()),
    ({"name": "mobilenet_v2"}, 8, ()),
    ({"name": "mobilenet_v2", "stem": "imagenet"}, 32, DEAR),
    ({"name": "preact_resnet34"}, 9, DEAR),
    ({"name": "resnet18"}, 8, DEAR),
    ({"name": "resnet34"}, 8, DEAR),
    ({"name": "resnet50"}, 8, DEAR),
    ({"name": "resnet50", "stem": "imagenet"}, 96, DEAR),
    ({"name": "convnext_tiny"}, 16, DEAR),
    ({"name": "vit_b_16"}, 8, DEAR),
    ({"name": "swin_t"}, 8, DEAR),
    ({"name": "timm:resnet10t"}, 16, TIMM),
    ({"name": "timm:inception_resnet_v2"}, 75, (TIMM, DEAR)),
]
SPLITS = (("train", 9), ("test", 3))
EVERY = pytest.mark.parametrize(
    ("model", "side"),
    [
        pytest.param(model, side, marks=marks, id="-".join(model.values()))
        for model, side, marks in MODELS
    ],
)


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


@EVERY
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
