"""Golden values: the authors' own functions on small inputs (`vectors.json`, described in docs/golden-values.md)."""

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from trainable.config.data import PairNoise, SymmetricNoise
from trainable.config.dividemix import DivideMix as DivideMixConfig
from trainable.config.methods import CrossEntropy as CrossEntropyConfig
from trainable.config.methods import Jocor as JocorConfig
from trainable.config.optimization import Train
from trainable.config.trial import TrialConfig
from trainable.engine.predictions import NetworkPredictions
from trainable.methods import dividemix
from trainable.methods.base import Method
from trainable.methods.jocor import joint_losses
from trainable.noisy_labels.forget_rate import forget_rate, smallest
from trainable.noisy_labels.gaussian_mixture import fit_mixture, normalise
from trainable.noisy_labels.losses import labeled_loss, negative_entropy, prior_loss, unlabeled_loss
from trainable.noisy_labels.ramp_up import ramp_up
from trainable.noisy_labels.sample_selection import split
from trainable.noisy_labels.targets import mix
from trainable.random_streams import Streams

CLOSE = {"rtol": 1e-5, "atol": 1e-6}


def close(found: Any, expected: Any) -> None:
    torch.testing.assert_close(
        torch.as_tensor(found, dtype=torch.float64),
        torch.as_tensor(expected, dtype=torch.float64),
        **CLOSE,
    )


# --- ramp, losses ---


def test_linear_rampup(vectors):
    golden = vectors["linear_rampup"]
    assert golden["rows"]
    for epoch, warm_up, expected in golden["rows"]:
        close(golden["lambda_u"] * ramp_up(epoch, warm_up, golden["rampup_length"]), expected)


def test_semi_loss(vectors):
    golden = vectors["semi_loss"]
    x, targets_x, u, targets_u = (
        torch.tensor(golden[name]) for name in ("logits_x", "targets_x", "logits_u", "targets_u")
    )
    assert golden["rows"]
    for epoch, warm_up, loss_x, loss_u, lambda_u in golden["rows"]:
        close(labeled_loss(x, targets_x), loss_x)
        close(unlabeled_loss(u, targets_u), loss_u)
        close(golden["lambda_u"] * ramp_up(epoch, warm_up, 16), lambda_u)


def test_neg_entropy(vectors):
    golden = vectors["neg_entropy"]
    close(negative_entropy(torch.tensor(golden["logits"])), golden["value"])
    values = [
        (negative_entropy(torch.tensor([logits])), expected)
        for logits, expected in golden["per_case"]
    ]
    assert None in [expected for _, expected in values]  # NaN in the authors' function; ours is 0
    for value, expected in values:
        close(value, 0.0 if expected is None else expected)


def test_penalty_lreg(vectors):
    assert vectors["penalty_Lreg"]["cases"]
    for case in vectors["penalty_Lreg"]["cases"]:
        close(prior_loss(torch.tensor(case["logits"])), case["penalty"])


# --- warm-up and test, through the method itself ---


class RowsAsLogits:
    """Samples whose images are logits."""

    device = torch.device("cpu")

    def __init__(self, logits: list[list[float]], labels: list[int]):
        self.logits, self.given = torch.tensor(logits), torch.tensor(labels)

    def __len__(self) -> int:
        return len(self.given)

    def draws(self, rng):
        return rng

    def views(self, index, count, rng):
        return [self.logits[index]] * count

    def ahead(self, batches):
        return batches


class IdentityLearner:
    def __init__(self):
        self.steps = []

    def __call__(self, images):
        return images

    def step(self, loss):
        self.steps.append(loss)


@pytest.mark.parametrize("mode", ["sym", "asym"])
def test_warmup_loss(vectors, mode):
    [golden] = [case for case in vectors["warmup_loss"] if case["noise_mode"] == mode]
    # Pair noise is class-dependent; `auto` then adds the penalty.
    noise = {"sym": SymmetricNoise(rate=0.5), "asym": PairNoise(rate=0.4)}[mode]
    learner = IdentityLearner()
    train = RowsAsLogits(golden["logits"], golden["labels"])
    data = SimpleNamespace(
        train=train, classes=4, epoch_rows=lambda rng, size: None, chosen=lambda rows: train
    )
    config = TrialConfig(noise=noise, method=DivideMixConfig(networks=1, warmup_epochs=1))
    method = dividemix.DivideMix(config, data, [learner], Streams(0))
    row = method.train_epoch()
    [loss] = learner.steps
    close(loss, golden["total_loss"])
    # The row shows the cross-entropy without the penalty.
    close(row["loss/labeled"], F.cross_entropy(data.train.logits, data.train.given))


class OneBatch:
    """Stands in for images whose logits are known."""

    def __init__(self, labels: torch.Tensor):
        self.given = self.true = labels
        self.device = labels.device

    def __len__(self) -> int:
        return len(self.given)

    def in_batches(self):
        yield slice(None), torch.empty(0)


class SaidLearner:
    """Says the given logits of a whole set."""

    def __init__(self, logits: torch.Tensor):
        self.said = logits

    def mode(self, name):
        return nullcontext()

    def predict(self, images, tested):
        return self.said


def test_test_ensemble(vectors):
    golden = vectors["test_ensemble"]
    assert (
        golden["predicted_sum_of_logits"] != golden["predicted_mean_softmax"]
    )  # the case tells the two apart
    logits = [torch.tensor(golden[name]) for name in ("logits1", "logits2")]
    labels = torch.tensor(golden["labels"])
    learners = [SaidLearner(each) for each in logits]
    images = OneBatch(labels)
    data = SimpleNamespace(train=images, test=images, more_tests={}, validation=None, classes=3)
    config = TrialConfig(method=CrossEntropyConfig())
    method = Method(config, data, learners, Streams(0))
    assert method.evaluate()["test/accuracy"] == pytest.approx(golden["official_accuracy_percent"])
    ensemble = method.predict_all(images).ensemble_class
    assert ensemble.tolist() == golden["predicted_sum_of_logits"]


# --- targets and losses of one iteration ---


class CannedLearner:
    """Answers given views with given logits."""

    def __init__(self, answers: list[tuple[torch.Tensor, torch.Tensor]]):
        self.answers = answers

    def mode(self, name):
        return nullcontext()

    def probabilities(self, images):
        found, rest = [], images
        while len(rest):  # the peer's views come in one batch
            view, logits = next((v, a) for v, a in self.answers if torch.equal(v, rest[: len(v)]))
            found, rest = [*found, logits], rest[len(view) :]
        return torch.cat(found).softmax(1)

    def probabilities_of_views(self, views):
        return [self.probabilities(view) for view in views]


@pytest.mark.parametrize("number", [0, 1])
def test_ssl_targets_and_losses(vectors, number):
    assert len(vectors["ssl_targets_and_losses"]["cases"]) == 2
    golden = vectors["ssl_targets_and_losses"]["cases"][number]
    x1, x2, u1, u2 = views = [
        torch.tensor(golden[f"net1_logits_{view}"]) for view in ("x1", "x2", "u1", "u2")
    ]
    own = CannedLearner([(view, view) for view in views])  # net 1 is the identity
    peer = CannedLearner(
        [(u1, torch.tensor(golden["net2_logits_u1"])), (u2, torch.tensor(golden["net2_logits_u2"]))]
    )
    method = DivideMixConfig(temperature=golden["T"], lambda_u=golden["lambda_u"])

    own_u, own_x = dividemix.own_predictions(method, own, [u1, u2], [x1, x2])
    targets_u = dividemix.guessed_targets(method, own_u, peer, [u1, u2])
    one_hot = F.one_hot(torch.tensor(golden["labels"]), x1.shape[1]).float()
    targets_x = dividemix.refined_targets(method, own_x, one_hot, torch.tensor(golden["w"]))
    close(targets_u, golden["targets_u"])
    close(targets_x, golden["targets_x"])

    partner = torch.tensor(golden["perm"])
    inputs = mix(torch.cat(views), golden["lam"], partner)
    targets = mix(torch.cat([targets_x, targets_x, targets_u, targets_u]), golden["lam"], partner)
    close(inputs, golden["mixed_logits"])
    close(targets, golden["mixed_targets"])

    loss_x, loss_u, penalty = dividemix.losses(
        method, inputs, targets, labeled_rows=2 * len(x1), prior=None
    )
    epoch = golden["epoch"] + golden["batch_index"] / golden["num_iter"]
    lambda_u = method.lambda_u * ramp_up(epoch, golden["warm_up"], method.rampup_epochs)
    close(loss_x, golden["Lx"])
    close(loss_u, golden["Lu"])
    close(penalty, golden["penalty"])
    close(lambda_u, golden["lambda_u_t"])
    close(loss_x + lambda_u * loss_u + method.prior_penalty * penalty, golden["loss"])


# --- division ---


@pytest.mark.parametrize("name", ["bimodal", "overlap", "overfitted", "outlier"])
def test_gmm_posterior(vectors, name):
    cases = {case["name"]: case for case in vectors["gmm_posterior"]["cases"]}
    assert set(cases) == {"bimodal", "overlap", "overfitted", "outlier"}
    golden = cases[name]
    losses = np.array(cases["bimodal" if name == "outlier" else name]["losses"], np.float32)
    if name == "outlier":
        losses[0] = 50.0
    mixture = fit_mixture(normalise(losses))
    tolerance = max(1e-4, golden["max_abs_difference_over_30_seeds"])  # the file's note
    assert np.allclose(mixture.clean_probability, golden["posterior_clean"], rtol=0, atol=tolerance)
    labeled, threshold = split(mixture.clean_probability, 0.5)
    assert labeled.sum() == golden["n_selected_tau_0_5"]
    assert threshold == 0.5
    assert mixture.means == pytest.approx((golden["clean_mean"], golden["noisy_mean"]), abs=1e-4)
    variances = tuple(sd**2 for sd in mixture.sds)
    assert variances == pytest.approx((golden["var_clean"], golden["var_noisy"]), abs=1e-5)
    assert mixture.weights[0] == pytest.approx(golden["weight_clean"], abs=1e-4)


class ScriptedDivideMix(dividemix.DivideMix):
    """DivideMix whose network has the given losses, one vector a division."""

    script: list[list[float]]

    def predictions(self, epoch):
        losses = torch.tensor(self.script[epoch])
        nothing = torch.zeros(len(losses))
        return [(None, NetworkPredictions(losses, margin=nothing, classes=nothing), None)]


def test_loss_history_r09(vectors):
    golden = vectors["loss_history_r09"]
    config = TrialConfig(
        train=Train(epochs=10), method=DivideMixConfig(networks=1, warmup_epochs=0, loss_history=5)
    )
    train = OneBatch(torch.zeros(len(golden["losses"][0]), dtype=torch.int64))
    data = SimpleNamespace(
        train=train, epoch_rows=lambda rng, size: None, chosen=lambda rows: train
    )
    method = ScriptedDivideMix(config, data, [None], Streams(0))
    method.script = golden["losses"]
    verdicts = []
    for _ in golden["losses"]:
        verdicts += method.divide_samples()
        method.epoch += 1
    close(np.mean(method.history[0], axis=0), golden["gmm_input_call6"])
    assert len(method.history[0]) == 5
    assert golden["calls"] == [0, 3, 6]
    for call, expected in zip(golden["calls"], golden["posterior_clean_calls"], strict=True):
        assert np.allclose(verdicts[call].mixture.clean_probability, expected, rtol=0, atol=1e-4)


# --- JoCoR ---


@pytest.mark.parametrize("number", range(4))
def test_jocor_loss(vectors, number):
    golden = vectors["jocor_loss"]
    case, given = golden["cases"][number], torch.tensor(golden["labels"])
    logits = [torch.tensor(golden[name], requires_grad=True) for name in ("logits1", "logits2")]
    labels, contrast = joint_losses(JocorConfig(), logits, given)
    close(contrast.detach(), np.add(golden["kl_term_12"], golden["kl_term_21"]))
    losses = (1 - case["co_lambda"]) * labels + case["co_lambda"] * contrast
    close(losses.detach(), case["per_sample_loss"])
    kept = smallest(losses.detach(), case["forget_rate"])
    assert kept.tolist() == case["selected"]
    loss = losses[kept].mean()
    close(loss.detach(), case["loss"])
    loss.backward()
    for name, each in zip(("grad_logits1", "grad_logits2"), logits, strict=True):
        if name in case:
            close(each.grad, case[name])


@pytest.mark.parametrize("number", range(3))
def test_jocor_schedule(vectors, number):
    golden = vectors["jocor_schedule"][number]
    final = golden["noise_rate"] / (2 if golden["noise_type"] == "asymmetric" else 1)
    rates = [forget_rate(final, finished, 10) for finished in range(11)]
    close(rates, golden["forget_rate_epochs_0_to_11"][1:])  # their loop starts at epoch 1
