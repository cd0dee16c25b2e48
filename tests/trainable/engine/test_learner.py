"""One network with its optimiser: schedule, modes, work, state."""

import io

import numpy as np
import pytest
import torch
from torch import nn

from trainable.config.data import ImageData
from trainable.config.models import PreactResNet18, SmallCnn
from trainable.config.optimization import Train
from trainable.data import samples as module
from trainable.data.samples import Samples
from trainable.engine.learner import Learner
from trainable.models.build import build

CPU = torch.device("cpu")


def small(train: Train | None = None, seed: int = 0) -> Learner:
    return Learner(build(SmallCnn(width=4), (1, 8, 8), 3, seed), train or Train(), CPU)


def pixels(n: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, 1, 8, 8, generator=torch.Generator().manual_seed(seed))


def samples(n: int) -> Samples:
    images = torch.randint(
        0, 256, (n, 8, 8, 1), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )
    labels = torch.arange(n) % 3
    return Samples(
        images, labels, labels, np.arange(n), torch.tensor([0.5]), torch.tensor([0.3]), ImageData()
    )


def descend(learner: Learner, steps: int, first: int = 0) -> None:
    for step in range(first, first + steps):
        logits = learner(pixels(6, seed=step))
        learner.step(nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 0, 1, 2])))


def snapshot(learner: Learner) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in learner.network.state_dict().items()}


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


# --- schedule and step ---


@pytest.mark.parametrize(("finished", "lr"), [(0, 0.02), (149, 0.02), (150, 0.002), (299, 0.002)])
def test_the_learning_rate_drops_tenfold_after_150_epochs(finished, lr):
    learner = small(Train(lr=0.02, lr_milestones=[150], lr_gamma=0.1))
    assert learner.start_epoch(finished) == pytest.approx(lr)
    assert [group["lr"] for group in learner.optimizer.param_groups] == [pytest.approx(lr)]


@pytest.mark.parametrize(("finished", "lr"), [(1, 0.8), (2, 0.4), (3, 0.4), (4, 0.2), (9, 0.2)])
def test_every_milestone_multiplies_the_learning_rate_whatever_epoch_comes_first(finished, lr):
    # Each case starts at `finished`, as a resumed trial does.
    assert small(Train(lr=0.8, lr_milestones=[4, 2], lr_gamma=0.5)).start_epoch(
        finished
    ) == pytest.approx(lr)


@pytest.mark.parametrize(
    ("finished", "share"), [(0, 1), (100, 0.75), (150, 0.5), (200, 0.25), (299, 2.7415e-5)]
)
def test_the_cosine_falls_from_the_whole_learning_rate_towards_nothing(finished, share):
    learner = small(Train(epochs=300, lr=0.02, lr_schedule="cosine", lr_milestones=[1]))
    assert learner.start_epoch(finished) == pytest.approx(0.02 * share, rel=1e-4)
    assert learner.optimizer.param_groups[0]["lr"] > 0


def test_no_milestones_keep_the_learning_rate():
    assert small(Train(lr=0.3, lr_milestones=[])).start_epoch(1000) == 0.3


def test_an_epoch_starts_in_train_mode():
    learner = small()
    learner.network.eval()
    learner.start_epoch(0)
    assert learner.network.training


def test_steps_are_sgd_with_momentum_and_weight_decay_on_every_parameter():
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 3), nn.BatchNorm1d(3))
    learner = Learner(network, Train(lr=0.1, momentum=0.9, weight_decay=0.01), CPU)
    learner.start_epoch(0)
    weights = [p.detach().clone() for p in network.parameters()]
    velocity = [torch.zeros_like(p) for p in weights]
    for step in range(3):
        loss = learner(pixels(5, seed=step)).square().sum()
        gradients = torch.autograd.grad(loss, list(network.parameters()), retain_graph=True)
        learner.step(loss)
        for k, gradient in enumerate(gradients):
            velocity[k] = 0.9 * velocity[k] + gradient + 0.01 * weights[k]
            weights[k] = weights[k] - 0.1 * velocity[k]
        for expected, parameter in zip(weights, network.parameters(), strict=True):
            torch.testing.assert_close(parameter.detach(), expected, rtol=1e-4, atol=1e-5)


# --- modes ---


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("inside", ["train", "eval"])
def test_mode_holds_for_its_block_and_is_then_restored(before, inside):
    learner = small()
    learner.network.train(before)
    with learner.mode(inside):
        assert all(m.training == (inside == "train") for m in learner.network.modules())
    assert all(m.training == before for m in learner.network.modules())


def test_mode_is_restored_after_an_error():
    learner = small()
    with pytest.raises(RuntimeError), learner.mode("eval"):
        raise RuntimeError
    assert learner.network.training


def test_modes_can_be_nested():
    learner = small()
    with learner.mode("eval"):
        with learner.mode("train"):
            assert learner.network.training
        assert not learner.network.training
    assert learner.network.training


# --- predictions ---


@pytest.mark.parametrize("training", [True, False])
def test_logits_leave_the_mode_and_every_buffer_unchanged(training):
    learner = small()
    descend(learner, 3)  # BatchNorm has something to lose
    learner.network.train(training)
    before = snapshot(learner)
    logits = learner.logits(samples(20))
    assert learner.network.training == training
    assert equal(snapshot(learner), before)
    assert not logits.requires_grad


def test_logits_are_those_of_the_plain_images_in_eval_mode_whatever_the_batch(monkeypatch):
    learner, data = small(), samples(11)
    descend(learner, 3)
    whole = learner.logits(data)
    with torch.no_grad(), learner.mode("eval"):
        torch.testing.assert_close(whole, learner.network(data.plain(slice(None))))
    monkeypatch.setitem(module.MOST_PIXELS, "cpu", 4 * 8 * 8)  # 4 + 4 + 3
    torch.testing.assert_close(learner.logits(data), whole, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("model", [SmallCnn(width=4), PreactResNet18()])
def test_features_are_what_the_last_linear_layer_sees_and_cost_no_second_pass(model):
    side = 8 if model.name == "small_cnn" else 16
    images = torch.randint(
        0, 256, (6, side, side, 1), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )
    labels = torch.arange(6) % 3
    data = Samples(
        images, labels, labels, np.arange(6), torch.tensor([0.5]), torch.tensor([0.3]), ImageData()
    )
    learner = Learner(build(model, (1, side, side), 3, 0), Train(), CPU)
    with learner.keeping_features() as kept:
        logits = learner.logits(data)
    assert learner.forwards == 6
    [features] = kept
    assert torch.equal(logits, learner.logits(data))
    head = learner.network[-1] if model.name == "small_cnn" else learner.network.linear
    assert features.shape == (6, head.in_features)
    with torch.no_grad():
        torch.testing.assert_close(head(features), logits)
    assert not head._forward_pre_hooks


def test_a_frozen_copy_predicts_as_before_while_the_original_trains_and_counts_its_own_work():
    learner, batch = small(), pixels(5)
    descend(learner, 2)
    work, twin = learner.forwards, learner.frozen()
    with learner.mode("eval"), twin.mode("eval"):
        before = learner.probabilities(batch)
        learner.forwards = work
        learner.network.train()
        descend(learner, 2, first=2)
        assert torch.equal(twin.probabilities(batch), before)
        learner.network.eval()
        assert not torch.equal(learner.probabilities(batch), before)
    assert twin.forwards == 5


def test_probabilities_are_the_softmax_without_gradient_in_the_present_mode():
    learner, batch = small(), pixels(5)
    descend(learner, 3)
    with torch.no_grad(), learner.mode("eval"):
        expected = learner.network(batch).softmax(1)
        assert torch.equal(learner.probabilities(batch), expected)
        assert not learner.probabilities(batch).requires_grad
    before = snapshot(learner)
    in_train_mode = learner.probabilities(batch)
    assert not torch.allclose(in_train_mode, expected, atol=1e-4)
    assert not equal(
        snapshot(learner), before
    )  # the running statistics move, as in the authors' guessing passes


def test_work_counts_a_backward_pass_as_two_forwards():
    learner = small()
    counts = [learner.forwards]
    for act in (
        lambda: learner(pixels(7)),
        lambda: learner.probabilities(pixels(5)),
        lambda: learner.logits(samples(11)),
    ):
        act()
        counts.append(learner.forwards)
    assert np.diff(counts).tolist() == [3 * 7, 5, 11]


# --- state ---


def test_a_restored_learner_resumes_bit_identically():
    original = small(Train(lr=0.05, lr_milestones=[1]))
    original.start_epoch(0)
    descend(original, 4)
    buffer = io.BytesIO()
    torch.save(original.state_dict(), buffer)
    original.start_epoch(1)
    descend(original, 4, first=4)

    restored = small(Train(lr=0.05, lr_milestones=[1]), seed=9)
    buffer.seek(0)
    restored.load_state_dict(torch.load(buffer, weights_only=True))
    restored.start_epoch(1)
    descend(restored, 4, first=4)

    assert equal(snapshot(restored), snapshot(original))
    assert restored.forwards == original.forwards == 8 * 6 * 3
    momentum = [each.optimizer.averages for each in (original, restored)]
    assert momentum[0]
    assert all(torch.equal(a, b) for a, b in zip(*momentum, strict=True))


# --- one-cycle, average, precision, compilation ---


@pytest.mark.parametrize(
    ("finished", "share"), [(0, 1 / 6), (1, 1 / 2), (2, 5 / 6), (3, 13 / 14), (9, 1 / 14)]
)
def test_one_cycle_rises_over_the_first_30_percent_of_the_epochs_and_falls_over_the_others(
    finished, share
):
    learner = small(Train(epochs=10, lr=0.2, lr_schedule="one_cycle"))
    assert learner.start_epoch(finished) == pytest.approx(0.2 * share)


def test_without_an_average_the_weights_themselves_are_tested():
    learner, data = small(), samples(5)
    assert learner.tested is learner.network
    learner.network.eval()
    images = data.plain(slice(None))
    assert torch.equal(learner.predict(images, tested=True), learner.predict(images))
    assert "averaged" not in learner.state_dict()


def test_the_average_follows_weights_and_running_statistics_and_moves_nothing_else():
    plain, learner = small(), small(Train(ema_decay=0.75))
    expected = snapshot(learner)
    for step in range(3):
        descend(plain, 1, first=step)
        descend(learner, 1, first=step)
        for name, value in snapshot(plain).items():
            if value.is_floating_point():
                expected[name] = 0.75 * expected[name] + 0.25 * value
    assert equal(snapshot(learner), snapshot(plain))
    averaged = learner.tested.state_dict()
    for name in (name for name, value in expected.items() if value.is_floating_point()):
        torch.testing.assert_close(averaged[name], expected[name])
    work = learner.forwards
    images = samples(5).plain(slice(None))
    with learner.mode("eval"), torch.no_grad():
        assert not torch.allclose(learner.predict(images, tested=True), learner.predict(images))
    assert learner.forwards == work + 2 * 5


def test_the_average_is_part_of_the_state():
    original, restored = small(Train(ema_decay=0.5)), small(Train(ema_decay=0.5), seed=9)
    descend(original, 2)
    restored.load_state_dict(original.state_dict())
    assert equal(dict(restored.tested.state_dict()), dict(original.tested.state_dict()))


def test_bf16_rounds_the_passes_and_keeps_weights_losses_and_predictions_in_fp32():
    plain, learner, batch = small(), small(Train(precision="bf16")), pixels(5)
    logits = learner(batch)
    assert (
        logits.dtype
        == learner.probabilities(batch).dtype
        == learner.logits(samples(5)).dtype
        == torch.float32
    )
    torch.testing.assert_close(logits, plain(batch), rtol=0.05, atol=0.05)
    assert not torch.equal(logits, plain(batch))
    descend(learner, 1)
    assert all(value.dtype != torch.bfloat16 for value in snapshot(learner).values())


class Whole(nn.Module):
    """Not a sequence, as most networks: torch's wrapper has no truth value then."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(3, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.last(images.mean((2, 3)))


def test_networks_of_any_form_run_compiled():
    learner, graphs = Learner(Whole(), Train(batch_size=4), CPU), []
    learner._compiled = torch.compile(
        learner.network, backend=lambda graph, inputs: graphs.append(1) or graph.forward
    )
    images = torch.ones(4, 3, 5, 5)
    torch.testing.assert_close(learner(images), learner.network(images))
    assert graphs == [1]
    assert learner.compiled


def test_whole_batches_are_compiled_and_short_ones_are_not(monkeypatch):
    seen = []

    def compiled(network, **options):
        return lambda images: seen.append(len(images)) or network(images)

    monkeypatch.setattr(torch, "compile", compiled)
    cpu, learner = small(), small(Train(batch_size=4))
    assert (
        Learner(cpu.network, Train(), CPU, compiled=True)._compiled is None
    )  # it does not pay there
    assert not cpu.compiled
    learner._compiled = compiled(learner.network)
    for size in (4, 8, 3):
        assert len(learner(pixels(size))) == size
    assert seen == [4, 8]
    with learner.frozen().mode("eval"):
        learner.frozen().probabilities(pixels(4))
    assert seen == [4, 8]
