"""What the further switches mean (docs/method.md): identities, counts, and who guides whom."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from tests.trainable.methods.tiny import (
    CPU,
    all_same,
    all_weights,
    divisions,
    make,
    same,
    train_on,
    weights,
)
from trainable.config.dividemix import DivideMix as DivideMixConfig
from trainable.engine.learner import Learner
from trainable.engine.predictions import predict_all
from trainable.errors import DataError
from trainable.methods import dividemix, dividemix_step
from trainable.methods.dividemix_division import agree, clean_mixture
from trainable.noisy_labels.beta_mixture import fit_beta_mixture
from trainable.noisy_labels.gaussian_mixture import fit_mixture, fit_plane, monotone, normalise
from trainable.noisy_labels.neighbors import label_support


def ends(*runs: dict, sizes=(60, 70), **common) -> list[list[dict[str, torch.Tensor]]]:
    """Weights after an epoch of DivideMix's training on one division, with each run's switches."""
    found = []
    for switches in runs:
        method = make(**{**common, **switches})
        train_on(method, divisions(method, *sizes), epoch=2)
        found.append(all_weights(method))
    return found


def close(a: list[dict[str, torch.Tensor]], b: list[dict[str, torch.Tensor]]) -> bool:
    return all(
        torch.allclose(x[name], y[name], rtol=1e-4, atol=1e-5)
        for x, y in zip(a, b, strict=True)
        for name in x
    )


# --- division ---


def judged(monkeypatch=None, **switches):
    """A method after its warm-up epoch, and its first network's division."""
    method = make(**switches)
    next(method)
    return method, method.divide_samples()[0]


def test_the_bmm_is_fitted_to_the_normalised_losses():
    _, division = judged(mixture="bmm")
    expected = fit_beta_mixture(normalise(division.losses))
    assert np.array_equal(division.mixture.clean_probability, expected.clean_probability)
    assert division.mixture.means == expected.means


def test_a_monotone_posterior_is_the_mended_one():
    _, plain = judged()
    _, division = judged(monotone_posterior=True)
    expected = monotone(plain.mixture.clean_probability, normalise(plain.losses))
    assert np.array_equal(division.mixture.clean_probability, expected)
    assert (np.diff(expected[np.argsort(plain.losses)]) <= 0).all()


def test_losses_that_are_not_normalised_go_into_the_mixture_as_they_are():
    _, division = judged(normalise_losses=False)
    expected = fit_mixture(division.losses)
    assert np.array_equal(division.mixture.clean_probability, expected.clean_probability)
    assert division.mixture.means[1] > 1  # nats


def test_a_division_by_embedding_is_the_neighbours_support_in_features_of_plain_images():
    method, division = judged(division="embedding", neighbors=10)
    train = method.data.train
    features = predict_all(method.learners, train, method.combined, True).networks[0].features
    expected = label_support(features, train.given, 3, 10).numpy()
    assert np.array_equal(division.mixture.clean_probability, expected)
    assert np.array_equal(division.labeled, expected > 0.5)
    row = next(method)
    assert not any(name.startswith("mixture/") for name in row)  # none was fitted
    assert {"division/auc_net0", "division/auc_loss_net0"} <= row.keys()


def test_ssrs_rule_is_a_threshold_just_below_one():
    _, division = judged(division="embedding", neighbors=10, p_threshold=0.9999)
    support = division.mixture.clean_probability
    assert np.array_equal(division.labeled, support == 1)
    assert 0 < division.labeled.sum() < len(support)


def test_a_division_by_both_is_a_mixture_in_the_plane():
    method, division = judged(division="both", neighbors=10)
    train = method.data.train
    features = predict_all(method.learners, train, method.combined, True).networks[0].features
    support = label_support(features, train.given, 3, 10).double().numpy()
    plane = np.stack([normalise(division.losses), 1 - support], 1)
    expected = fit_plane(plane, method.streams.number("mixture", 1, 0))
    assert np.allclose(division.mixture.clean_probability, expected.clean_probability)
    row = next(method)
    assert {"mixture/mean_clean_net0", "division/auc_loss_net0"} <= row.keys()
    assert "division/auc_loss_net0" not in next(judged()[0])  # it is `division/auc` there


def test_in_the_plane_the_supported_labels_are_the_clean_ones():
    rng = np.random.default_rng(0)
    losses = rng.normal(
        np.repeat([0.5, 0.45], 200), 0.02
    )  # which says nothing, or a little of the contrary
    support = rng.normal(np.repeat([0.9, 0.1], 200), 0.02)
    mixture = clean_mixture(DivideMixConfig(division="both"), losses, support, seed=0)
    assert mixture.clean_probability[:200].min() > 0.99
    assert mixture.clean_probability[200:].max() < 0.01


def test_features_cost_no_work_beyond_the_judgement():
    work = []
    for division in ("loss", "embedding", "both"):
        method, _ = judged(division=division, neighbors=10)
        work.append(method.forwards)
    assert len(set(work)) == 1


def test_balanced_classes_have_equally_many_labeled_samples():
    method, plain = judged(noise={"name": "symmetric", "rate": 0.6})
    _, division = judged(noise={"name": "symmetric", "rate": 0.6}, class_balanced=True)
    given = method.data.train.given.numpy()
    counts = [np.bincount(given[v.labeled], minlength=3) for v in (plain, division)]
    assert len(set(counts[0])) > 1
    assert counts[1].tolist() == [int(plain.labeled.sum()) // 3] * 3
    for c in range(3):  # the likeliest of each
        of_class = given == c
        assert (
            division.weight[of_class & division.labeled].min()
            >= division.weight[of_class & ~division.labeled].max()
        )
    assert torch.equal(plain.weight, division.weight)


@pytest.mark.parametrize("agreement", ["published", "intended", "strict"])
def test_agreement_restricts_both_divisions_and_leaves_the_weights(agreement):
    method = make(agreement=agreement, seed=4)
    next(method)
    found = method.divide_samples()
    before = [(v.labeled.copy(), v.weight.clone()) for v in found]
    row = agree(method.method, found, method.data.train.given)
    predicted = [v.classes.numpy() for v in found]
    for k, (v, (labeled, weight)) in enumerate(zip(found, before, strict=True)):
        for i in range(120):
            wanted = predicted[0][i] == predicted[1][i]
            if agreement == "published":
                wanted &= v.mixture.clean_probability[i] > 0
            else:
                wanted &= labeled[i]
            if agreement == "strict":
                wanted &= predicted[0][i] == method.data.train.given[i].item()
            assert v.labeled[i] == wanted
        assert 0 < v.labeled.sum() < 120
        assert torch.equal(v.weight, weight)
        assert row[f"division/agreed_fraction_net{k}"] == v.labeled.mean()


def test_where_the_networks_agree_on_nothing_the_division_stays_and_the_row_says_so():
    method = make(agreement="intended")
    next(method)
    found = method.divide_samples()
    found[1].classes = (found[0].classes + 1) % 3
    before = [v.labeled.copy() for v in found]
    row = agree(method.method, found, method.data.train.given)
    assert [v.labeled.tolist() for v in found] == [labeled.tolist() for labeled in before]
    assert row == {"division/agreed_fraction_net0": 0.0, "division/agreed_fraction_net1": 0.0}


# --- targets and step ---


def test_guesses_in_one_forward_change_nothing_in_eval_mode_and_only_batch_norm_in_train_mode():
    assert close(*ends({}, {"guess_batched": True}, guess_mode="eval"))
    assert not close(*ends({}, {"guess_batched": True}, guess_mode="train"))


@pytest.mark.parametrize(
    ("switches", "updates"),
    [
        ({}, 2),
        ({"n_aug": 4}, 2),
        ({"co_refine": False}, 2),
        ({"co_guess": "peer", "co_refine": False}, 1),
    ],
    ids=str,
)
def test_with_guesses_in_one_forward_batch_norm_is_updated_by_them_once(switches, updates):
    method = make(batch_size=64, guess_batched=True, **switches)
    train_on(method, divisions(method, 60, 60))
    for learner in method.learners:
        assert learner.network.state_dict()["1.num_batches_tracked"] == updates


def test_synchronous_peers_are_the_networks_of_the_epochs_start(monkeypatch):
    method = make(peer_update="synchronous")
    start, guides, guess = all_weights(method), [], dividemix.guessed_targets

    def spied(m, own, guide, views):
        guides.append(weights(guide))
        return guess(m, own, guide, views)

    monkeypatch.setattr(dividemix, "guessed_targets", spied)
    train_on(method, divisions(method, 60, 60))
    assert len(guides) == 8
    assert all(same(guide, start[1]) for guide in guides[:4])
    assert all(same(guide, start[0]) for guide in guides[4:])
    assert not same(weights(method.learners[0]), start[0])


def test_synchronous_training_does_not_depend_on_which_network_comes_first():
    # Each is trained on the same start, so leaving one out changes nothing for the other.
    both, alone = make(peer_update="synchronous"), make()
    found = divisions(both, 60, 60)
    train_on(both, found)
    alone.learners[0].step = lambda loss: (
        None
    )  # the second one's guide stays, but for its BatchNorm statistics
    alone.learners[0].network.train = lambda mode=True: nn.Module.train(
        alone.learners[0].network, False
    )
    train_on(alone, found)
    assert same(weights(both.learners[1]), weights(alone.learners[1]))


def test_the_papers_unlabeled_loss_is_classes_times_the_codes():
    paper, code = {"unlabeled_loss": "sum", "lambda_u": 10.0}, {"lambda_u": 30.0}
    assert close(*ends(paper, code))
    assert not close(*ends(paper, {"lambda_u": 10.0}))


def test_a_uniform_prior_written_out_trains_as_the_default_in_any_unit():
    assert close(*ends({}, {"prior": [7.0, 7.0, 7.0]}))
    assert close(*ends({"prior": [1.0, 2.0, 3.0]}, {"prior": [10.0, 20.0, 30.0]}))
    assert not close(*ends({}, {"prior": [1.0, 2.0, 3.0]}))


def test_a_prior_of_the_wrong_length_is_a_data_error():
    with pytest.raises(DataError, match=r"^method\.prior has 2 .*\b3 classes"):
        make(prior=[1.0, 2.0])


def test_hard_labels_are_sharpening_to_the_end():
    assert close(*ends({"hard_labels": "both"}, {"temperature": 1e-4}))


def test_sharpening_one_side_is_a_temperature_of_its_own(monkeypatch):
    seen: dict[str, float] = {}
    for sharpen in ("both", "refine", "guess"):
        with monkeypatch.context() as patch:
            for name in ("co_guess", "co_refine"):
                original = getattr(dividemix_step, name)

                def spied(*args, key=f"{sharpen} {name}", original=original):
                    seen[key] = args[-1]
                    return original(*args)

                patch.setattr(dividemix_step, name, spied)
            ends({"sharpen": sharpen})
    expected = {"both": (0.5, 0.5), "refine": (1, 0.5), "guess": (0.5, 1)}
    assert {k: (seen[f"{k} co_guess"], seen[f"{k} co_refine"]) for k in expected} == expected


def plain(method) -> None:
    """Networks without BatchNorm, so that rows of a batch meet in the losses only."""
    for k in range(len(method.learners)):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(k)
            network = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 3))
        method.learners[k] = Learner(network, method.config.train, CPU)


def test_forwarding_labeled_rows_only_equals_all_where_the_others_have_no_loss():
    alone = {"lambda_u": 0.0, "prior_penalty": 0.0}
    runs = []
    for rows in ("all", "labeled"):
        method = make(
            forward_rows=rows, **alone
        )  # mixup stays: unlabeled images are partners in both
        plain(method)
        train_on(method, divisions(method, 60, 70))
        runs.append(all_weights(method))
    assert close(*runs)


def test_without_unlabeled_rows_lambda_u_has_no_effect_and_the_row_no_unlabeled_loss():
    runs = ends({"lambda_u": 0.0}, {"lambda_u": 75.0}, forward_rows="labeled")
    assert all_same(*runs)
    method = make(forward_rows="labeled")
    row = train_on(method, divisions(method, 60, 70))
    assert "loss/unlabeled" not in row
    assert row["loss/prior"] >= 0
    assert "guess/accuracy" in row


def test_partners_of_ones_own_set_keep_unlabeled_images_out_of_labeled_rows():
    ends_ = []
    for disturbed in (False, True):
        method = make(mixup_partner="same_set", forward_rows="labeled", guess_mode="eval")
        plain(method)
        found = divisions(method, 60, 60)
        found[1].labeled = found[0].labeled
        if disturbed:
            unlabeled = torch.from_numpy(~found[0].labeled)
            method.data.train.images[unlabeled] = 255 - method.data.train.images[unlabeled]
        train_on(method, found)
        ends_.append(all_weights(method))
    assert all_same(*ends_)


@pytest.mark.parametrize(
    ("switches", "per_image"),
    [
        ({"n_aug": 1}, 9),
        ({"n_aug": 4}, 36),
        ({"forward_rows": "labeled"}, 12),
        ({"forward_rows": "labeled", "networks": 1}, 10),
        ({"forward_rows": "labeled", "co_guess": False, "co_refine": False}, 8),
        ({"peer_update": "synchronous"}, 18),
        ({"guess_batched": True}, 18),
        ({"co_guess": "peer", "co_refine": False}, 14),
    ],
    ids=str,
)
def test_work_in_image_forwards_per_labeled_image(switches, per_image):
    method = make(n=64, **switches)
    networks = len(method.learners)
    train_on(method, divisions(method, 32, 32)[:networks])
    assert method.forwards == per_image * 32 * networks  # as many unlabeled images as labeled ones


# --- ensemble ---


def test_the_ensemble_sums_logits_or_probabilities(monkeypatch):
    logits = [
        torch.tensor([[4.0, 0.0, 0.0]]),
        torch.tensor([[0.0, 1.5, 0.0]]),
        torch.tensor([[0.0, 1.5, 0.0]]),
    ]
    # Summed logits: 4 against 3. Summed probabilities: 0.96 + 2 · 0.15 against 0.02 + 2 · 0.69.
    for rule, chosen in (("logits", 0), ("probabilities", 1)):
        method = make(ensemble=rule)
        assert method.combined(logits).argmax(1).item() == chosen


# --- degenerate epochs ---


@pytest.mark.parametrize(
    "switches",
    [
        {"mixture": "bmm"},
        {"division": "embedding", "neighbors": 5},
        {"division": "both", "neighbors": 5},
        {"class_balanced": True},
        {"agreement": "strict"},
        {"warmup_epochs": "auto", "epochs": 5},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "noise", [{"name": "none"}, {"name": "symmetric", "rate": 1.0, "include_true": False}], ids=str
)
def test_degenerate_labels_train_to_finite_rows_with_every_kind_of_division(switches, noise):
    method = make(noise=noise, **switches)
    rows = list(method)
    assert len(rows) == method.config.train.epochs
    for row in rows:
        assert all(math.isfinite(value) for value in row.values() if not isinstance(value, str)), (
            row
        )


def test_constant_losses_divide_nothing_whatever_the_mixture():
    for switches in ({"mixture": "bmm"}, {"monotone_posterior": True}, {"normalise_losses": False}):
        method = make(epochs=1, warmup_epochs=0, **switches)
        for learner in method.learners:
            nn.init.zeros_(learner.network[-1].weight)
            nn.init.zeros_(learner.network[-1].bias)
        assert next(method)["division/labeled_fraction_net0"] == 1


def test_every_default_is_the_authors_cifar_code():
    m = DivideMixConfig()
    assert (m.mixture, m.division, m.agreement, m.ensemble) == ("gmm", "loss", "none", "logits")
    assert (m.peer_update, m.guess_mode, m.forward_rows, m.unlabeled_loss) == (
        "sequential",
        "train",
        "all",
        "mean",
    )
    assert not any((m.p_inclusive, m.monotone_posterior, m.class_balanced, m.guess_batched))
