"""torchvision's networks: what the stem changes, and nothing else; batches of one image; sizes that do not fit."""

from typing import get_args

import pytest
import torch
import torchvision
from torch import nn

from trainable.config.models import Torchvision
from trainable.config.trial import TrialConfig
from trainable.errors import DataError
from trainable.models.build import build
from trainable.models.head import head, head_name

NAMES = get_args(Torchvision.model_fields["name"].annotation)


def shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


@pytest.mark.parametrize("name", NAMES)
def test_with_the_imagenet_stem_it_is_torchvisions_own(name):
    with torch.device("meta"):
        ours = build(Torchvision(name=name, stem="imagenet"), (3, 224, 224), 1000, 0)
        theirs = getattr(torchvision.models, name)()
    assert shapes(ours) == shapes(theirs)
    assert str(ours) == str(theirs)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_stem_keeps_maps_of_small_images_larger_and_leaves_the_rest_as_it_is(name):
    with torch.device("meta"):
        small, usual = (
            build(Torchvision(name=name, stem=stem), (3, 32, 32), 10, 0)
            for stem in ("cifar", "imagenet")
        )
    changed = {key for key, shape in shapes(small).items() if shapes(usual)[key] != shape}
    first = next(iter(small.state_dict())) if name != "vit_b_16" else "conv_proj.weight"
    allowed = {"encoder.pos_embedding"} if name == "vit_b_16" else set()
    if name == "swin_t":  # windows of another size
        allowed = {key for key in changed if "relative_position" in key}
    assert changed <= {first, *allowed}
    areas = {}
    for stem, network in (("cifar", small), ("imagenet", usual)):
        seen = []
        first_layer = next(m for m in network.modules() if isinstance(m, nn.Conv2d))
        first_layer.register_forward_hook(
            lambda module, inputs, output, seen=seen: seen.append(output.shape[-1])
        )
        network(torch.zeros(2, 3, 32, 32, device="meta"))
        areas[stem] = seen[0]
    assert areas["cifar"] >= 2 * areas["imagenet"]


def test_the_last_maps_of_the_small_mobilenet_are_four_pixels_wide():
    with torch.device("meta"):
        features = build(Torchvision(name="mobilenet_v2"), (3, 32, 32), 10, 0).features
        assert features(torch.zeros(2, 3, 32, 32, device="meta")).shape[-2:] == (4, 4)


def test_a_first_layer_for_grey_images_is_drawn_from_the_distribution_of_torchvisions():
    colour, grey = (
        build(Torchvision(name="resnet18", stem="imagenet"), (c, 32, 32), 10, 0).conv1
        for c in (3, 1)
    )
    assert grey.weight.shape == (64, 1, 7, 7)
    assert float((grey.weight.std() / colour.weight.std()).detach()) == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize(("name", "shape"), [("resnet18", (3, 8, 8)), ("mobilenet_v2", (1, 9, 9))])
def test_a_batch_of_one_image_is_normalised_by_running_statistics_and_moves_none(name, shape):
    network = build(Torchvision(name=name), shape, 10, 0).train()
    image = torch.randn(1, *shape, generator=torch.Generator().manual_seed(0))
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    with torch.random.fork_rng(devices=[]):
        loss = network(image).sum()
    loss.backward()
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())
    assert all(module.training for module in network.modules())
    network(image.repeat(2, 1, 1, 1))
    assert not all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())


@pytest.mark.parametrize(
    ("name", "stem", "shape", "message"),
    [
        (
            "convnext_tiny",
            "cifar",
            (3, 8, 8),
            "^convnext_tiny .*`stem: cifar` .*16×16.* 8×8",
        ),
        ("convnext_tiny", "imagenet", (3, 28, 28), "32×32 .* 28×28"),
        ("vit_b_16", "cifar", (3, 32, 30), r"square .*\b4 pixels.* 32×30"),
        ("vit_b_16", "imagenet", (3, 40, 40), r"\b16 pixels.* 40×40"),
    ],
)
def test_images_that_do_not_fit_are_refused_with_their_size(name, stem, shape, message):
    with pytest.raises(DataError, match=message):
        build(Torchvision(name=name, stem=stem), shape, 10, 0)


@pytest.mark.parametrize(
    "model", [{"name": name} for name in (*NAMES, "small_cnn", "lenet", "cnn6", "preact_resnet34")]
)
def test_the_head_is_the_layer_that_makes_the_logits(model):
    with torch.device("meta"):
        network = build(
            TrialConfig.model_validate({"model": model}).model, (3, 16, 16), 7, 0
        ).eval()
        out = []
        head(network).register_forward_hook(
            lambda module, inputs, output: out.append((inputs[0], output))
        )
        logits = network(torch.zeros(2, 3, 16, 16, device="meta"))
    assert out[0][1] is logits
    assert out[0][0].ndim == 2
    assert f"{head_name(network)}.weight" in network.state_dict()


def test_a_network_without_a_linear_layer_has_no_features():
    with pytest.raises(DataError, match="no linear layer"):
        head(nn.Conv2d(1, 1, 1))
