"""A profiled epoch: one of the method's own, with its phases in a trace that can be read."""

import gzip
import json

import pytest

from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.trial.profile import profile_epoch

PHASES = {"dividemix": {"divide", "train", "eval"}, "cross_entropy": {"eval"}}


@pytest.mark.parametrize("method", PHASES)
def test_the_third_epoch_is_profiled_after_a_warm_up_of_one(tmp_path, method):
    config = TrialConfig.model_validate(
        {
            "data": {"name": "digits"},
            "noise": {"name": "symmetric", "rate": 0.4},
            "model": {"name": "small_cnn", "width": 4},
            "train": {"epochs": 2, "batch_size": 256},
            "method": {"name": method} | ({"warmup_epochs": 2} if method == "dividemix" else {}),
        }
    )
    trace = tmp_path / "profile" / "arm.json.gz"
    row = profile_epoch(config, Machine(device="cpu"), trace)
    assert row["epoch"] == 3, "an epoch more than the trial has, if it has only two"
    assert row["phase"] == ("dividemix" if method == "dividemix" else "warmup")
    with gzip.open(trace, "rt") as file:
        names = {event.get("name") for event in json.load(file)["traceEvents"]}
    assert names >= PHASES[method] | {"aten::convolution"}
