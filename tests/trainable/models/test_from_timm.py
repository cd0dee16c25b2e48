"""timm's networks by name; without the package, how to get it."""

from importlib.util import find_spec

import pytest

from trainable.config.trial import TrialConfig
from trainable.errors import DataError
from trainable.models.build import build

THERE = pytest.mark.skipif(find_spec("timm") is None, reason="needs the package timm")


def model(name: str):
    return TrialConfig.model_validate({"model": {"name": name}}).model


def test_without_the_package_a_trial_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr("trainable.config.models.find_spec", lambda name: None)
    with pytest.raises(DataError) as error:
        build(model("timm:resnet10t"), (3, 32, 32), 10, 0)
    assert str(error.value).startswith("model.name: `timm:resnet10t` ")
    assert "pip install 'dividemix-orchestrator[timm]'" in str(error.value)


@THERE
def test_the_network_of_the_webvision_script_has_one_logit_a_class():
    import torch

    with torch.device("meta"):
        from trainable.models.from_timm import timm_network

        network = timm_network(model("timm:inception_resnet_v2"), (3, 299, 299), 50)
    assert sum(p.numel() for p in network.parameters()) == 54_383_314


@THERE
@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "timm:inception_resnet",
            r"`inception_resnet`.*did you mean `timm:inception_resnet_v2`\?",
        ),
        (
            "timm:vit_tiny_patch16_224",
            "^timm:vit_tiny_patch16_224 .*32×32 .*: AssertionError",
        ),
    ],
)
def test_a_network_that_is_not_there_or_does_not_fit_is_named(name, message):
    with pytest.raises(DataError, match=message):
        build(model(name), (1, 32, 32), 10, 0)
