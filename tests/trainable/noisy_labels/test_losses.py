"""Loss terms against numbers worked out by hand (docs/golden-values.md)."""

import math

import pytest
import torch
import torch.nn.functional as F

from trainable.noisy_labels.losses import labeled_loss, negative_entropy, prior_loss, unlabeled_loss


def logits_of(*rows: list[float]) -> torch.Tensor:
    """Logits whose softmax are the given probabilities."""
    return torch.tensor(rows).log()


def random_logits(rows: int, classes: int, seed: int = 0) -> torch.Tensor:
    return 3 * torch.randn(rows, classes, generator=torch.Generator().manual_seed(seed))


# --- labeled ---


def test_soft_cross_entropy_of_one_hot_targets_is_the_negative_log_likelihood():
    logits, labels = random_logits(20, 5), torch.arange(20) % 5
    loss = labeled_loss(logits, F.one_hot(labels, 5).float())
    torch.testing.assert_close(loss, F.cross_entropy(logits, labels))


# --- unlabeled ---


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_the_unlabeled_loss_is_bounded_by_two_over_the_number_of_classes(classes):
    targets = F.one_hot(torch.zeros(4, dtype=torch.int64), classes).float()
    wrong = torch.zeros(4, classes)
    wrong[:, 1] = 100.0  # all the mass on another class: the bound is reached
    assert unlabeled_loss(wrong, targets).item() == pytest.approx(2 / classes, rel=1e-6)
    assert unlabeled_loss(random_logits(4, classes), targets).item() < 2 / classes


def test_the_papers_unlabeled_loss_sums_over_classes():
    logits, target = logits_of([0.5, 0.3, 0.2]), torch.tensor([[1.0, 0.0, 0.0]])
    assert unlabeled_loss(logits, target, "sum").item() == pytest.approx(0.38, abs=1e-6)
    logits, targets = random_logits(9, 7), random_logits(9, 7, seed=1).softmax(1)
    torch.testing.assert_close(
        unlabeled_loss(logits, targets, "sum"), 7 * unlabeled_loss(logits, targets)
    )


# --- prior ---


def test_the_prior_loss_looks_at_the_mean_of_the_batch_only():
    # Confident but balanced rows cost nothing, unbalanced ones do.
    balanced, unbalanced = 50 * torch.eye(4), 50 * torch.eye(4)[[0, 0, 1, 2]]
    assert prior_loss(balanced).item() == pytest.approx(0, abs=1e-6)
    assert prior_loss(unbalanced).item() > 1
    two = prior_loss(logits_of([0.7, 0.1, 0.1, 0.1], [0.1, 0.5, 0.3, 0.1])).item()
    assert two == pytest.approx(prior_loss(logits_of([0.4, 0.3, 0.2, 0.1])).item(), abs=1e-6)


def test_the_prior_loss_is_zero_only_for_a_uniform_mean():
    assert prior_loss(torch.zeros(3, 6)).item() == pytest.approx(0, abs=1e-7)
    losses = [prior_loss(random_logits(4, 6, seed)).item() for seed in range(50)]
    assert min(losses) > 1e-3


def test_the_prior_loss_grows_as_a_class_vanishes_and_stays_finite():
    losses = [
        prior_loss(torch.tensor([[gap, 0.0]])).item() for gap in (1.0, 5.0, 10.0, 15.0, 200.0)
    ]
    assert losses == sorted(losses)
    # The documented floor: ½·ln(½/1) + ½·ln(½/1e-8).
    assert losses[-1] == pytest.approx(0.5 * math.log(0.5) + 0.5 * math.log(0.5e8), rel=1e-5)


# --- negative entropy ---


def test_negative_entropy_of_a_certain_prediction_is_zero_with_a_finite_gradient():
    logits = torch.tensor(
        [[200.0, 0.0]], requires_grad=True
    )  # p·log p is 0·(−inf) if computed directly
    loss = negative_entropy(logits)
    loss.backward()
    assert loss.item() == 0
    assert torch.isfinite(logits.grad).all()


# --- a prior of one's own ---


def test_a_prior_is_compared_with_the_mean_prediction():
    logits = logits_of([0.6, 0.2, 0.2], [0.4, 0.4, 0.2])  # their mean is 0.5, 0.3, 0.2
    assert prior_loss(logits, torch.tensor([0.5, 0.3, 0.2])).item() == pytest.approx(0, abs=1e-6)
    expected = 0.7 * math.log(0.7 / 0.5) + 0.2 * math.log(0.2 / 0.3) + 0.1 * math.log(0.1 / 0.2)
    assert prior_loss(logits, torch.tensor([0.7, 0.2, 0.1])).item() == pytest.approx(
        expected, rel=1e-5
    )


def test_a_uniform_prior_written_out_is_the_default():
    logits = random_logits(30, 4)
    torch.testing.assert_close(prior_loss(logits, torch.full((4,), 0.25)), prior_loss(logits))
