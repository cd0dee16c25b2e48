"""`method.recipe`: its values are those of the fields left out, and ids depend on the values alone."""

import pytest
from pydantic import ValidationError

from trainable.config.dividemix import DivideMix
from trainable.config.optimization import Train
from trainable.config.recipes import RECIPES
from trainable.config.trial import TrialConfig, stored_config, trial_id

ROBUST = {"name": "dividemix", "recipe": "robust"}


def config(method, train=None) -> TrialConfig:
    return TrialConfig.model_validate({"method": method, "train": train or {}})


def test_every_value_of_a_recipe_is_one_of_its_section_and_no_default():
    for values in RECIPES.values():
        for section, model in (("method", DivideMix()), ("train", Train())):
            for field, value in values.get(section, {}).items():
                assert value != getattr(model, field), f"{section}.{field} is the default"
        assert set(values) <= {"method", "train"}
        method = {"name": "dividemix", **values.get("method", {})}
        TrialConfig.model_validate({"train": values.get("train", {}), "method": method})


def test_a_recipe_fills_in_what_is_left_out_and_a_field_that_is_set_wins():
    filled = config({**ROBUST, "guard": False}, {"weight_decay": 0.002})
    assert filled.method.guard is False
    assert filled.train.weight_decay == 0.002
    expected = RECIPES["robust"]
    assert filled.method.warmup_steps == expected["method"]["warmup_steps"]
    assert filled.train.lr_schedule == expected["train"]["lr_schedule"]


def test_the_default_is_what_was_published():
    assert config({"name": "dividemix"}) == config({"name": "dividemix", "recipe": "published"})
    assert trial_id(TrialConfig()) == trial_id(config({"name": "dividemix"}))


def test_the_id_is_that_of_the_values():
    values = RECIPES["robust"]
    written = config({"name": "dividemix", **values["method"]}, values["train"])
    assert trial_id(config(ROBUST)) == trial_id(written)
    assert trial_id(config(ROBUST)) != trial_id(TrialConfig())


def test_a_stored_configuration_keeps_its_values_whatever_the_recipe_is_today(monkeypatch):
    stored = config(ROBUST).model_dump()
    monkeypatch.setitem(RECIPES, "robust", {"train": {"lr": 0.5}})
    assert stored_config(stored).train.lr == 0.02


def test_an_unknown_recipe_is_a_mistake():
    with pytest.raises(ValidationError, match="recipe"):
        config({"name": "dividemix", "recipe": "best"})
    with pytest.raises(ValidationError, match="recipe"):
        config({"name": "cross_entropy", "recipe": "robust"})
