"""Losses to clean probabilities to a division: scikit-learn and the analytic posterior by hand."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from trainable.noisy_labels import gaussian_mixture
from trainable.noisy_labels.gaussian_mixture import fit_mixture, monotone, normalise
from trainable.noisy_labels.sample_selection import split

OFFICIAL = {"n_components": 2, "max_iter": 10, "tol": 1e-2, "reg_covar": 5e-4}


def two_groups(n: int = 2000, noisy: float = 0.5, seed: int = 0) -> np.ndarray:
    """Losses of n samples, the clean ones first, as training gives them: positive, float32."""
    rng = np.random.default_rng(seed)
    moved = int(noisy * n)
    return np.concatenate([rng.gamma(2, 0.2, n - moved), rng.normal(3, 0.6, moved)]).astype(
        np.float32
    )


# --- normalise ---


def test_normalised_losses_span_zero_to_one_in_the_same_order():
    losses = two_groups()
    scaled = normalise(losses)
    assert (scaled.min(), scaled.max()) == (0, 1)
    assert np.array_equal(np.argsort(scaled, kind="stable"), np.argsort(losses, kind="stable"))
    assert np.allclose(scaled, (losses - losses.min()) / (losses.max() - losses.min()))


@pytest.mark.parametrize("value", [0.0, 2.5])
def test_constant_losses_are_normalised_to_zero(value):
    assert np.array_equal(normalise(np.full(5, value, np.float32)), np.zeros(5, np.float32))


# --- mixture ---


def test_the_posterior_of_two_equal_gaussians_is_the_analytic_one():
    rng = np.random.default_rng(0)
    losses = np.concatenate([rng.normal(0.2, 0.1, 25_000), rng.normal(0.8, 0.1, 25_000)])
    at = np.array([0.5, 0.35])
    densities = norm.pdf(at, 0.2, 0.1), norm.pdf(at, 0.8, 0.1)
    assert densities[0] / sum(densities) == pytest.approx([0.5, 0.99988], abs=5e-6)
    mixture = fit_mixture(np.concatenate([at, losses]), seed=0)
    assert mixture.clean_probability[0] == pytest.approx(0.5, abs=0.03)
    assert mixture.clean_probability[1] == pytest.approx(0.9998, abs=1e-4)
    assert mixture.means == pytest.approx((0.2, 0.8), abs=0.01)
    assert mixture.sds == pytest.approx((0.1, 0.1), abs=0.01)
    assert mixture.weights == pytest.approx((0.5, 0.5), abs=0.01)


@pytest.mark.parametrize("noisy", [0.1, 0.5, 0.9])
def test_the_mixture_is_scikit_learns_with_the_official_settings(noisy):
    losses = normalise(two_groups(noisy=noisy))
    model = GaussianMixture(**OFFICIAL, random_state=7).fit(losses[:, None])
    clean = int(model.means_[1, 0] < model.means_[0, 0])
    mixture = fit_mixture(losses, seed=7)
    assert np.array_equal(mixture.clean_probability, model.predict_proba(losses[:, None])[:, clean])
    assert mixture.means == pytest.approx((model.means_[clean, 0], model.means_[1 - clean, 0]))
    assert mixture.weights == pytest.approx((model.weights_[clean], model.weights_[1 - clean]))
    # And the posterior is Bayes' rule on the reported components.
    density = [
        w * norm.pdf(losses, m, s)
        for w, m, s in zip(mixture.weights, mixture.means, mixture.sds, strict=True)
    ]
    assert np.allclose(
        mixture.clean_probability, density[0] / (density[0] + density[1]), rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("noisy", [0.1, 0.9])
def test_the_clean_component_is_the_one_with_the_smaller_mean_not_the_larger_one(noisy):
    losses = normalise(two_groups(noisy=noisy))
    mixture = fit_mixture(losses, seed=0)
    assert mixture.means[0] < mixture.means[1]
    clean = int((1 - noisy) * len(losses))
    assert mixture.clean_probability[:clean].mean() > 0.9
    assert mixture.clean_probability[clean:].mean() < 0.1
    assert mixture.weights[0] == pytest.approx(1 - noisy, abs=0.05)


def test_the_order_of_scikit_learns_components_does_not_matter(monkeypatch):
    class Reversed(GaussianMixture):
        def fit(self, rows):
            super().fit(rows)
            for name in ("means_", "covariances_", "precisions_cholesky_", "weights_"):
                setattr(self, name, getattr(self, name)[::-1])
            return self

    losses = normalise(two_groups(noisy=0.3))
    before = fit_mixture(losses, seed=0)
    monkeypatch.setattr(gaussian_mixture, "GaussianMixture", Reversed)
    after = fit_mixture(losses, seed=0)
    assert np.array_equal(after.clean_probability, before.clean_probability)
    assert (after.means, after.sds, after.weights) == (before.means, before.sds, before.weights)


@pytest.mark.parametrize(("scale", "shift"), [(10.0, 0.0), (0.01, 0.0), (1.0, 5.0), (3.0, -1.0)])
def test_scaling_and_shifting_all_losses_changes_no_posterior(scale, shift):
    losses = two_groups().astype(np.float64)
    before = fit_mixture(normalise(losses), seed=0).clean_probability
    after = fit_mixture(normalise(scale * losses + shift), seed=0).clean_probability
    assert np.allclose(after, before, rtol=0, atol=1e-9)


def test_permuting_the_samples_permutes_the_posteriors():
    losses = normalise(two_groups())
    order = np.random.default_rng(1).permutation(len(losses))
    before, after = fit_mixture(losses, seed=0), fit_mixture(losses[order], seed=0)
    assert np.allclose(after.clean_probability, before.clean_probability[order], rtol=0, atol=1e-5)


def test_the_same_seed_gives_the_same_posteriors_and_numpys_global_generator_is_not_used():
    losses = normalise(two_groups())
    before = np.random.get_state()[1].copy()  # noqa: NPY002 (the point is that it is left alone)
    first, second = fit_mixture(losses, seed=2**63 - 1), fit_mixture(losses, seed=2**63 - 1)
    assert np.array_equal(first.clean_probability, second.clean_probability)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_no_component_is_narrower_than_the_regularisation_allows():
    losses = np.concatenate([np.full(990, 0.001), np.full(10, 1.0)])  # an overfitted network
    mixture = fit_mixture(losses, seed=0)
    assert min(mixture.sds) >= np.sqrt(5e-4) * (1 - 1e-6)
    assert mixture.clean_probability[:990].min() > 0.999
    assert mixture.clean_probability[990:].max() < 0.001


def test_the_mixture_has_the_official_settings(monkeypatch):
    # The limits are not reached on ordinary losses, so the result alone would not show them.
    made = []

    class Recorded(GaussianMixture):
        def fit(self, rows):
            made.append(self.get_params())
            return super().fit(rows)

    monkeypatch.setattr(gaussian_mixture, "GaussianMixture", Recorded)
    fit_mixture(normalise(two_groups()), seed=5)
    assert made == [GaussianMixture(**OFFICIAL, random_state=5).get_params()]


def test_a_mixture_that_stops_at_its_limit_of_iterations_is_an_answer_without_a_warning(
    monkeypatch,
):
    class Hasty(GaussianMixture):
        def fit(self, rows):
            self.set_params(max_iter=1, tol=0)
            return super().fit(rows)

    losses = normalise(two_groups(noisy=0.3))
    with pytest.warns(ConvergenceWarning):  # what would reach the user otherwise
        GaussianMixture(**OFFICIAL | {"max_iter": 1, "tol": 0}, random_state=0).fit(losses[:, None])
    monkeypatch.setattr(gaussian_mixture, "GaussianMixture", Hasty)
    assert np.isfinite(fit_mixture(losses, seed=0).clean_probability).all()


def test_the_posterior_need_not_be_monotone_in_the_loss():
    # Next to a narrow clean component, the smallest losses belong to the wide noisy one.
    rng = np.random.default_rng(0)
    losses = normalise(np.concatenate([rng.normal(0.25, 0.02, 3000), rng.normal(0.65, 0.2, 3000)]))
    mixture = fit_mixture(losses, seed=0)
    at_clean_mean = mixture.clean_probability[np.abs(losses - mixture.means[0]).argmin()]
    assert mixture.clean_probability[losses.argmin()] < 0.1 < 0.9 < at_clean_mean


@pytest.mark.parametrize("losses", [np.zeros(6, np.float32), np.full(4, 0.3), np.array([0.5])])
def test_constant_losses_make_every_sample_clean_without_a_warning(losses):
    mixture = fit_mixture(normalise(losses), seed=0)
    assert np.array_equal(mixture.clean_probability, np.ones(len(losses)))
    labeled, _ = split(mixture.clean_probability, 0.5)
    assert labeled.all()


def test_losses_that_differ_by_one_rounding_step_give_a_finite_mixture_without_a_warning():
    # As a history of almost constant losses averages to.
    losses = np.full(50, 0.5, np.float32)
    losses[::2] = np.nextafter(np.float32(0.5), np.float32(1))
    mixture = fit_mixture(losses, seed=0)
    assert np.isfinite(mixture.clean_probability).all()
    assert split(mixture.clean_probability, 0.5)[0].any()


@pytest.mark.parametrize("losses", [[0.0, 1.0], [0.0, 0.0, 1.0], [0.0, 0.5, 1.0]])
def test_two_or_three_samples_are_enough(losses):
    mixture = fit_mixture(np.array(losses), seed=0)
    assert mixture.clean_probability[0] > 0.5 > mixture.clean_probability[-1]


# --- two kinds of evidence ---


def test_a_mixture_in_the_plane_uses_both_kinds_of_evidence():
    rng = np.random.default_rng(0)
    clean = np.arange(2000) < 1000
    # Each alone leaves the groups overlapping; together they are further apart.
    columns = [np.where(clean, 0.35, 0.65) + rng.normal(0, 0.12, 2000) for _ in range(2)]
    alone = fit_mixture(columns[0], seed=0)
    both = fit_mixture(np.stack(columns, 1), seed=0)
    right = [((mixture.clean_probability > 0.5) == clean).mean() for mixture in (alone, both)]
    assert right[1] > right[0] + 0.02
    assert both.means == pytest.approx((0.35, 0.65), abs=0.02)  # on the axis of losses


def test_the_clean_component_of_a_plane_is_the_one_nearer_to_the_origin():
    rng = np.random.default_rng(0)
    points = np.concatenate(
        [rng.normal((0.3, 0.1), 0.03, (500, 2)), rng.normal((0.25, 0.9), 0.03, (500, 2))]
    )
    mixture = fit_mixture(points, seed=0)
    assert mixture.clean_probability[:500].min() > 0.99
    assert mixture.clean_probability[500:].max() < 0.01


# --- a posterior that falls with the loss ---


def test_the_worked_posterior_is_mended():
    # Next to a narrow clean component, the smallest losses would belong to the wide noisy one.
    losses = np.linspace(0, 1, 1001)
    density = norm.pdf(losses, 0.15, 0.0224), norm.pdf(losses, 0.6, 0.2)
    posterior = density[0] / (density[0] + density[1])
    assert posterior[0] == pytest.approx(1.5e-7, rel=0.05)
    mended = monotone(posterior, losses)
    peak = posterior.argmax()
    assert (mended[: peak + 1] == posterior[peak]).all()
    assert (np.diff(mended) <= 0).all()
    assert (mended[peak:] <= posterior[peak:]).all()


def test_a_wide_clean_tail_does_not_win_again_at_the_largest_losses():
    losses = np.linspace(0, 1, 1001)
    density = norm.pdf(losses, 0.35, 0.15), norm.pdf(losses, 0.6, 0.02)
    posterior = density[0] / (density[0] + density[1])
    assert posterior[-1] == pytest.approx(1)
    mended = monotone(posterior, losses)
    assert mended[-1] == posterior[(losses > 0.5) & (losses < 0.7)].min() < 0.1


def test_a_falling_posterior_stays_as_it_is_in_any_order():
    rng = np.random.default_rng(0)
    losses = rng.random(50)
    posterior = 1 - losses
    assert np.array_equal(monotone(posterior, losses), posterior)


# --- many losses ---


def test_groups_of_neighbours_keep_the_mean_and_the_posterior_of_every_sample(monkeypatch):
    losses = normalise(two_groups(20_000))
    plain = fit_mixture(losses, 0)
    monkeypatch.setattr(gaussian_mixture, "GROUPS", 3000)
    groups = gaussian_mixture.condensed(losses[:, None])
    assert groups.shape == (3000, 1)
    assert (np.diff(groups[:, 0]) >= 0).all()
    assert groups.mean() == pytest.approx(losses.mean(), rel=1e-2)
    monkeypatch.setattr(gaussian_mixture, "LARGE", 20_000)
    condensed = fit_mixture(losses, 0)
    assert condensed.clean_probability.shape == losses.shape
    assert np.abs(condensed.clean_probability - plain.clean_probability).max() < 0.02


def test_todays_data_sets_are_fitted_as_they_are(monkeypatch):
    monkeypatch.setattr(gaussian_mixture, "condensed", None)
    fit_mixture(normalise(two_groups(60_000)), 0)
