"""A profiled epoch: one of the method's own, with its phases in a trace that can be read."""

import gzip
import json

import pytest

from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.trial.profile import profile_epoch

PHASES = {
    "dividemix": {"divide", "train", "eval"},
    "co_teaching_plus": {"eval"},
    "cross_entropy": {"eval"},
}


METHODS = {
    "dividemix": {"name": "dividemix", "warmup_epochs": 2, "warmup_steps": 500},
    "co_teaching_plus": {"name": "co_teaching_plus", "init_epochs": 5},
    "cross_entropy": {"name": "cross_entropy"},
}
PHASE = {"dividemix": "dividemix", "co_teaching_plus": "co_teaching_plus"}
"""Phase of the profiled epoch, if it is not that of plain training."""


@pytest.mark.parametrize("method", PHASES)
def test_the_third_epoch_is_profiled_after_a_warm_up_of_one(tmp_path, method):
    config = TrialConfig.model_validate(
        {
            "data": {"name": "digits"},
            "noise": {"name": "symmetric", "rate": 0.4},
            "model": {"name": "small_cnn", "width": 4},
            "train": {"epochs": 2, "batch_size": 256},
            "method": METHODS[method],
        }
    )
    trace = tmp_path / "profile" / "arm.json.gz"
    row = profile_epoch(config, Machine(device="cpu"), trace)
    assert row["epoch"] == 3, "an epoch more than the trial has, if it has only two"
    assert row["phase"] == PHASE.get(method, "warmup")
    with gzip.open(trace, "rt") as file:
        names = {event.get("name") for event in json.load(file)["traceEvents"]}
    assert names >= PHASES[method] | {"aten::convolution"}
