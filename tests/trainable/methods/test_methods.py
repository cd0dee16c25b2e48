"""What holds for every method that DivideMix is compared with: it trains, resumes, and each of its fields bites."""

import functools
import io
from typing import get_args

import pytest
import torch

from tests.trainable.methods.tiny import all_same, all_weights, make, without_time
from trainable.config import methods as sections
from trainable.config.trial import TrialConfig
from trainable.methods.base import Method
from trainable.methods.registry import METHODS

FORGETTING = {"forget_rate": [0.5, "known"], "gradual_epochs": [6]}
FIELDS = {
    sections.MixUp: {"networks": [2], "alpha": [0.3]},
    sections.CoTeaching: FORGETTING,
    sections.CoTeachingPlus: {**FORGETTING, "init_epochs": [2]},
    sections.Jocor: {
        **FORGETTING,
        "networks": [2],
        "contrast": ["cross_entropy"],
        "co_lambda": [0.5],
    },
    sections.Elr: {"networks": [2], "beta": [0.2], "lambda_elr": [7]},
    sections.ElrPlus: {
        "beta": [0.2],
        "lambda_elr": [7],
        "rampup_steps": [100],
        "alpha": [0.3],
        "ema_decay": [0.3],
        "ema_rampup_steps": [0],
        "label_times_target": [True],
    },
    sections.SsrPlus: {
        "theta_s": [0.5],
        "theta_r": [0.4],
        "neighbors": [5],
        "alpha": [0.3],
        "lambda_fc": [0],
    },
    sections.MixMatch: {
        "warmup_epochs": [2],
        "p_threshold": [0.8],
        "n_aug": [1],
        "temperature": [1],
        "alpha": [0.3],
        "lambda_u": [0],
        "rampup_epochs": [0],
        "prior_penalty": [0],
    },
}
START = {
    "co_teaching_plus": {"init_epochs": 1, "gradual_epochs": 2},
    "mixmatch": {"warmup_epochs": 1},
    "ssr_plus": {"neighbors": 20},
}
START |= {"jocor": {"networks": 3, "gradual_epochs": 2}, "co_teaching": {"gradual_epochs": 2}}
NAMES = [section.model_fields["name"].default for section in FIELDS]
CASES = [
    (section.model_fields["name"].default, field, value)
    for section, fields in FIELDS.items()
    for field, values in fields.items()
    for value in values
]


def start(name: str, **fields) -> Method:
    return make(name, n=60, batch_size=8, lr=0.05, epochs=4, **{**START.get(name, {}), **fields})


def saved(method: Method) -> dict:
    buffer = io.BytesIO()
    torch.save(method.state_dict(), buffer)
    return torch.load(io.BytesIO(buffer.getvalue()), weights_only=True)


def test_every_method_and_every_field_has_a_case_here():
    known = get_args(TrialConfig.model_fields["method"].annotation)
    assert {section.model_fields["name"].default for section in known} == METHODS.keys()
    assert METHODS.keys() == {"dividemix", "cross_entropy", "retrain", *NAMES}, (
        "those three have tests of their own"
    )
    for section, fields in FIELDS.items():
        assert fields.keys() == section.model_fields.keys() - {"name"}


@pytest.mark.parametrize("name", NAMES)
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(name):
    whole = start(name)
    rows = list(whole)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert all(row["loss/labeled"] > 0 for row in rows)
    first = start(name)
    before = [next(first), next(first)]
    second = start(name)
    torch.manual_seed(99)  # a new process has other global generators
    second.load_state_dict(saved(first))
    assert without_time(before + list(second)) == without_time(rows)
    assert all_same(all_weights(second), all_weights(whole))
    assert second.records.keys() == whole.records.keys()
    assert {2, 4} <= whole.records.keys() or name == "mixmatch"


def weights_after_three_epochs(name: str, **fields) -> list[dict[str, torch.Tensor]]:
    method = start(name, **fields)
    for _ in range(3):
        next(method)
    return all_weights(method)


baseline = functools.cache(weights_after_three_epochs)


@pytest.mark.parametrize(("name", "field", "value"), CASES)
def test_every_field_bites(name, field, value):
    assert not all_same(baseline(name), weights_after_three_epochs(name, **{field: value}))


@pytest.mark.parametrize("name", ["co_teaching", "elr_plus"])
def test_adam_trains_networks_together_and_in_turn_and_resumes(name):
    adam = {"schedule": {"optimizer": "adam"}}
    whole, first, second = (start(name, **adam) for _ in range(3))
    rows, before = list(whole), [next(first)]
    second.load_state_dict(saved(first))
    assert without_time(before + list(second)) == without_time(rows)
    assert not all_same(all_weights(whole), all_weights(start(name)))
