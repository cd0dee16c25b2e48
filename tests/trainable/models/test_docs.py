"""The table of docs/models.md: its parameters are those that the program counts."""

import re
from pathlib import Path
from typing import get_args

import pytest
import torch

from trainable.config.trial import TrialConfig
from trainable.models.build import build

PAGE = (Path(__file__).parents[3] / "docs" / "models.md").read_text(encoding="utf-8")
ROWS = re.findall(
    r"^\| `(\w+)`(?:,? \(?`(\w+): (\w+)`\)?)? \| ([\d,]+) \| (\d+)×\d+ \|", PAGE, re.MULTILINE
)


def test_every_known_model_is_in_the_table():
    members = get_args(TrialConfig.model_fields["model"].annotation)
    known = {
        name for member in members for name in get_args(member.model_fields["name"].annotation)
    }
    assert {name for name, *_ in ROWS} == known


@pytest.mark.parametrize(("name", "field", "value", "count", "side"), ROWS)
def test_the_table_has_the_parameters_that_are_counted(name, field, value, count, side):
    fields = {field: int(value) if value.isdecimal() else value} if field else {}
    model = TrialConfig.model_validate({"model": {"name": name, **fields}}).model
    with torch.device("meta"):  # shapes without numbers: quick
        network = build(model, (3, int(side), int(side)), 10, 0)
    assert f"{sum(p.numel() for p in network.parameters()):,}" == count
