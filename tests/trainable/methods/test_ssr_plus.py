"""SSR+ against its authors' code on identical batches, its labeled batches, and rows without a selection."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.trainable.methods.tiny import make
from trainable.config.methods import SsrPlus as SsrPlusConfig
from trainable.engine.learner import Learner, build_optimizer
from trainable.methods.ssr_plus import Selection, SsrPlus, select

GOLDEN = json.loads(Path(__file__).with_name("ssr_plus_golden.json").read_text())
"""What the authors' `train` and `evaluate` did in double precision; docs/golden-values.md."""
CLOSE = {"rtol": 1e-7, "atol": 1e-8}
LABELS = torch.tensor([(i * i + i // 4) % 3 for i in range(20)])


def wave(*shape: int, seed: float) -> torch.Tensor:
    """Numbers between −1 and 1 that need no generator."""
    numbers = np.sin(np.arange(1, np.prod(shape) + 1) * (seed + 0.37))
    return torch.from_numpy(numbers.reshape(shape))


@torch.no_grad()
def fill(module: nn.Module, seed: int) -> None:
    for number, parameter in enumerate(module.parameters()):
        scale = max(1, parameter[0].numel()) ** -0.5
        parameter.copy_(wave(*parameter.shape, seed=seed + number) * scale)
        if parameter.dim() == 1:
            parameter.add_(1.0)


def close(found: Any, expected: Any) -> None:
    pair = (torch.as_tensor(each, dtype=torch.float64) for each in (found, expected))
    torch.testing.assert_close(*pair, **CLOSE)


@pytest.fixture(scope="module")
def trained() -> tuple[SsrPlus, np.ndarray]:
    """The method after the two steps of the golden values, and the means of its losses."""
    tiny = make("ssr_plus", lr=0.02)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(12, 6), nn.BatchNorm1d(6), nn.ReLU())
    classifier = nn.Linear(6, 3)
    network = nn.Sequential(encoder, classifier).double()
    learner = Learner(network, tiny.config.train, torch.device("cpu"))
    method = SsrPlus(tiny.config, tiny.data, [learner], tiny.streams)
    projection, prediction = method.consistency.double()
    method.optimizer = build_optimizer(method.consistency, tiny.config.train)
    for seed, module in ((1, encoder), (11, classifier), (21, projection), (31, prediction)):
        fill(module, seed)
    partner = torch.tensor([(5 * i + 3) % 16 for i in range(16)])
    losses = []
    for number, weight in enumerate((0.7, 0.8)):
        labeled = 41 + 2 * number
        every = 51 + 2 * number
        index = torch.tensor([(3 * i + labeled) % 20 for i in range(8)])
        images = torch.cat([wave(8, 3, 2, 2, seed=labeled + half) for half in (0, 0.5)])
        labels = LABELS[index].repeat(2)
        classification = method.mixup_loss(images, labels, weight, partner)
        weak, strong = (wave(8, 3, 2, 2, seed=every + half) for half in (0, 0.5))
        consistency = method.consistency_loss(weak, strong)
        method.step(classification + consistency)
        losses.append([classification.item(), consistency.item()])
    return method, np.mean(losses, 0)  # the authors log the means


def test_two_steps_are_those_of_the_authors(trained):
    method, losses = trained
    close(losses, GOLDEN["losses"])
    encoder, classifier = method.learners[0].network
    for module, name in ((encoder, "encoder"), (classifier, "classifier")):
        state = module.state_dict()
        for key, values in GOLDEN[name].items():
            close(state[key].flatten(), values)
    for module, name in zip(method.consistency, ("projection", "prediction"), strict=True):
        norms = torch.stack([parameter.norm() for parameter in module.parameters()])
        close(norms, GOLDEN[f"{name}_norms"])


@pytest.mark.parametrize("expected", GOLDEN["selection"])
def test_the_selection_and_the_labels_are_those_of_the_authors(trained, expected):
    learner = trained[0].learners[0]
    images = wave(20, 3, 2, 2, seed=61)
    with learner.mode("eval"), torch.no_grad():
        features = learner.features(images)
        probabilities = learner.predict(images).softmax(1)
    thresholds = {name: expected[name] for name in ("theta_r", "theta_s")}
    found = select(features, probabilities, LABELS, SsrPlusConfig(neighbors=5, **thresholds))
    assert found.labeled.nonzero()[:, 0].tolist() == expected["clean"]
    assert found.labels.tolist() == expected["labels"]


def test_the_golden_selections_differ():
    chosen = [json.dumps([case["clean"], case["labels"]]) for case in GOLDEN["selection"]]
    assert len(set(chosen)) == len(chosen)
    assert any(case["labels"] != LABELS.tolist() for case in GOLDEN["selection"])


def test_labeled_batches_have_equally_many_of_each_class():
    method = make("ssr_plus")
    labels = torch.from_numpy(np.repeat([0, 1, 2], [30, 12, 5]))
    labeled = torch.arange(47) != 0
    batches = list(itertools.islice(method.labeled_batches(Selection(labels, labeled), 29), 3))
    # 29 of each of three classes: three whole batches in the first pass.
    seen = torch.cat(batches)
    assert torch.bincount(labels[seen]).tolist() == [29, 29, 29]
    counts = torch.bincount(seen, minlength=47)
    assert counts[0] == 0
    for label, often in ((0, {1}), (1, {2, 3}), (2, {5, 6})):
        assert set(counts[(labels == label) & labeled].tolist()) == often


def test_few_labeled_samples_fill_a_batch():
    method = make("ssr_plus")
    labeled = torch.arange(20) < 2
    batch = next(method.labeled_batches(Selection(LABELS, labeled), 8))
    assert len(batch) == 8
    assert set(batch.tolist()) == {0, 1}


def test_all_samples_are_labeled_if_none_is_selected():
    # On a circle, both neighbors of each sample have the other label.
    angle = torch.arange(6) * torch.pi / 3
    circle = torch.stack([angle.cos(), angle.sin()], 1)
    unsure = torch.full((6, 2), 0.5)
    given = torch.arange(6) % 2
    assert select(circle, unsure, given, SsrPlusConfig(neighbors=3)).labeled.all()
    # A vote for the rarer class 1 counts twice: two against two at samples 3 and 5.
    given[1] = 0
    found = select(circle, unsure, given, SsrPlusConfig(neighbors=3))
    assert found.labeled.tolist() == [True, True, True, True, False, True]


def test_a_row_has_the_selection_and_the_truth_about_it():
    pair = {"name": "pair", "rate": 0.2}
    method = make(
        "ssr_plus", n=240, neighbors=40, theta_r=0.5, epochs=6, lr=0.05, noise=pair, seed=1
    )
    *_, last = method
    assert 0 < last["division/labeled_fraction_net0"] < 1
    assert 0 < last["relabel/fraction"] < 1
    given = 100 * (1 - method.data.noise_rate)
    assert last["relabel/labeled_accuracy"] > given + 5
    assert 50 < last["relabel/accuracy"] <= 100
    assert -1 <= last["loss/consistency"] < 0
