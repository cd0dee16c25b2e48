"""Networks: sizes, the authors' deviations from the usual PreAct ResNet, initialisation."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from trainable.config.models import PreactResNet18, SmallCnn
from trainable.errors import DataError
from trainable.models.build import build

BOTH = pytest.mark.parametrize(
    "model", [SmallCnn(width=4), PreactResNet18()], ids=["small_cnn", "preact_resnet18"]
)


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def images(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# --- size ---


@pytest.mark.parametrize(("classes", "count"), [(10, 11_171_274), (100, 11_217_444)])
def test_preact_resnet18_has_the_authors_number_of_parameters(classes, count):
    assert parameters(build(PreactResNet18(), (3, 32, 32), classes, 0)) == count


def test_small_cnn_has_36010_parameters_for_the_digits():
    assert parameters(build(SmallCnn(width=32), (1, 8, 8), 10, 0)) == 36_010


def test_small_cnn_doubles_its_width_with_every_halving_up_to_four_times():
    # 32 → 16 → 8 → 4 → 2 pixels; 8, 16, 32 and again 32 channels.
    convolutions = 9 * (3 * 8 + 8 * 16 + 16 * 32 + 32 * 32) + 2 * (8 + 16 + 32 + 32)
    linear = (4 * 32 + 1) * 16 + (16 + 1) * 10
    assert (
        parameters(build(SmallCnn(width=8), (3, 32, 32), 10, 0)) == convolutions + linear == 17_602
    )


@BOTH
def test_convolutions_have_no_bias(model):
    convolutions = [m for m in build(model, (1, 9, 9), 3, 0).modules() if isinstance(m, nn.Conv2d)]
    assert convolutions
    assert all(m.bias is None for m in convolutions)


# --- the authors' PreAct ResNet, stated plainly ---


class PlainBlock(nn.Module):
    """`PreActBlock` of the authors' `PreResNet.py`, with switches for what the usual one does instead."""

    def __init__(self, inner: int, outer: int, stride: int):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv1 = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outer)
        self.conv2 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
        self.down = (
            nn.Conv2d(inner, outer, 1, stride, bias=False)
            if stride != 1 or inner != outer
            else None
        )

    def forward(self, x: torch.Tensor, usual_shortcut: bool) -> torch.Tensor:
        active = torch.relu(self.bn1(x))
        if self.down is not None:
            shortcut = self.down(active)
        else:
            shortcut = x if usual_shortcut else active
        return self.conv2(torch.relu(self.bn2(self.conv1(active)))) + shortcut


class PlainResNet(nn.Module):
    def __init__(self, classes: int):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64)
        plan = [(64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1)]
        plan += [(128, 256, 2), (256, 256, 1), (256, 512, 2), (512, 512, 1)]
        self.blocks = nn.ModuleList(PlainBlock(*sizes) for sizes in plan)
        self.linear = nn.Linear(512, classes)

    def forward(
        self,
        x: torch.Tensor,
        usual_shortcut: bool = False,
        bare_stem: bool = False,
        final_relu: bool = False,
    ) -> torch.Tensor:
        x = self.conv(x) if bare_stem else torch.relu(self.bn(self.conv(x)))
        for block in self.blocks:
            x = block(x, usual_shortcut)
        x = torch.relu(x) if final_relu else x
        return self.linear(F.avg_pool2d(x, 4).flatten(1))


@pytest.fixture(scope="module")
def pair() -> tuple[nn.Module, PlainResNet]:
    """Our network and the plain one with the same weights, none of them at a trivial value."""
    ours, plain = build(PreactResNet18(), (3, 32, 32), 10, 0), PlainResNet(10)
    generator = torch.Generator().manual_seed(1)
    state = ours.state_dict()
    for tensor in state.values():  # BatchNorm starts as the identity, which would hide its position
        if tensor.ndim == 1:
            tensor.uniform_(0.5, 1.5, generator=generator)
    assert [t.shape for t in state.values()] == [t.shape for t in plain.state_dict().values()]
    plain.load_state_dict(dict(zip(plain.state_dict(), state.values(), strict=True)))
    return ours, plain


@pytest.mark.parametrize("training", [False, True])
@torch.no_grad()
def test_preact_resnet18_computes_what_the_authors_network_does(pair, training):
    ours, plain = (network.train(training) for network in pair)
    x = images(2, 3, 32, 32)
    torch.testing.assert_close(ours(x), plain(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("usual", ["usual_shortcut", "bare_stem", "final_relu"])
@torch.no_grad()
def test_the_usual_preact_network_would_compute_something_else(pair, usual):
    ours, plain = (network.eval() for network in pair)
    x = images(2, 3, 32, 32)
    assert (ours(x) - plain(x, **{usual: True})).abs().max() > 0.01


# --- initialisation ---


@BOTH
def test_a_seed_decides_the_weights(model):
    first, again, other = (build(model, (3, 16, 16), 10, seed).state_dict() for seed in (5, 5, 6))
    assert all(torch.equal(first[name], again[name]) for name in first)
    drawn = [name for name in first if first[name].ndim > 1]
    assert drawn
    assert not any(torch.equal(first[name], other[name]) for name in drawn)


def test_building_leaves_torchs_global_generator_untouched_and_does_not_depend_on_it():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        before = torch.get_rng_state()
        first = build(SmallCnn(width=4), (1, 9, 9), 10, 5).state_dict()
        assert torch.equal(torch.get_rng_state(), before)
        torch.manual_seed(2)
        again = build(SmallCnn(width=4), (1, 9, 9), 10, 5).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_building_does_not_seed_the_generators_of_cuda_devices(monkeypatch):
    # A fork without devices does not restore them afterwards.
    seeded = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    build(SmallCnn(), (1, 8, 8), 10, 5)
    assert seeded == []


# --- shapes ---


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("side", [9, 15, 32])
@BOTH
@torch.no_grad()
def test_images_of_9_to_32_pixels_give_one_row_of_logits_each(model, side, training):
    network = build(model, (1, side, side), 7, 0).train(training)
    logits = network(images(2, 1, side, side))
    assert logits.shape == (2, 7)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize(("height", "width"), [(8, 20), (20, 8), (13, 29), (64, 64), (8, 64)])
@torch.no_grad()
def test_small_cnn_takes_images_that_are_not_square_and_up_to_64_pixels(height, width):
    network = build(SmallCnn(width=4), (3, height, width), 5, 0)
    assert network(images(2, 3, height, width)).shape == (2, 5)


@pytest.mark.parametrize("side", [8, 28])
@BOTH
@torch.no_grad()
def test_a_single_image_can_be_trained_on_or_its_size_is_refused(model, side):
    # The last batch of an epoch may hold one image; BatchNorm refuses it on a 1×1 map.
    try:
        network = build(model, (1, side, side), 5, 0).train()
    except DataError:
        assert side == 8
        return
    assert torch.isfinite(network(images(1, 1, side, side))).all()


@pytest.mark.parametrize("shape", [(1, 7, 7), (3, 7, 32), (3, 32, 7), (1, 1, 1)])
@BOTH
def test_images_that_are_too_small_are_refused_with_their_size(model, shape):
    with pytest.raises(
        DataError,
        match=rf"^{model.name} .*(8×8|9×9).* {shape[1]}×{shape[2]}$",
    ):
        build(model, shape, 10, 0)


@pytest.mark.parametrize("shape", [(3, 65, 65), (3, 65, 8), (3, 32, 224)])
def test_images_that_are_too_large_for_small_cnn_are_refused_with_their_size(shape):
    with pytest.raises(DataError, match=rf"^small_cnn .*64×64.* {shape[1]}×{shape[2]}$"):
        build(SmallCnn(), shape, 10, 0)


@torch.no_grad()
def test_an_image_does_not_depend_on_its_neighbours_in_eval_mode():
    network = build(SmallCnn(width=4), (1, 8, 8), 10, 0).eval()
    batch = images(4, 1, 8, 8)
    alone = torch.cat([network(image[None]) for image in batch])
    torch.testing.assert_close(network(batch), alone, rtol=1e-5, atol=1e-6)
