"""The Beta mixture against its authors' code, and by hand (docs/golden-values.md)."""

import numpy as np
import pytest
from scipy.stats import beta

from trainable.noisy_labels.beta_mixture import fit_beta_mixture, moments
from trainable.noisy_labels.gaussian_mixture import normalise


def two_betas(n: int = 4000, seed: int = 0) -> np.ndarray:
    """Losses of n samples, the first half clean."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.beta(2, 8, n // 2), rng.beta(8, 3, n // 2)])


def test_moments_of_the_worked_case():
    # Values with mean 0.2 and variance 0.01.
    alpha, beta_ = moments(np.array([0.1, 0.3]), np.array([1.0, 1.0]))
    assert (alpha, beta_) == pytest.approx((3, 12))


def test_moments_weigh_the_samples():
    assert moments(np.array([0.1, 0.3, 0.9]), np.array([2.0, 2.0, 0.0])) == pytest.approx((3, 12))


def test_the_authors_code(vectors):
    golden = vectors["bmm_m_correction"]
    losses = np.array(
        next(c["losses"] for c in vectors["gmm_posterior"]["cases"] if c["name"] == "bimodal")
    )
    mixture = fit_beta_mixture(losses)
    np.testing.assert_allclose(
        1 - mixture.clean_probability, golden["posterior_noisy"], rtol=1e-3, atol=1e-5
    )
    alphas, betas = np.array(golden["alphas"]), np.array(golden["betas"])
    np.testing.assert_allclose(mixture.means, alphas / (alphas + betas), rtol=1e-4)
    np.testing.assert_allclose(mixture.weights, golden["weights"], rtol=1e-4)


def test_the_components_that_made_the_losses_are_found():
    losses = two_betas()
    mixture = fit_beta_mixture(losses)
    low, high = np.percentile(losses, [5, 95])
    means = np.array([0.2, 8 / 11])
    # Ten iterations on nine tenths of the losses do not arrive, but separate them.
    assert mixture.means == pytest.approx(tuple((means - low) / (high - low)), abs=0.12)
    assert mixture.weights == pytest.approx((0.5, 0.5), abs=0.05)
    clean = mixture.clean_probability > 0.5
    bayes = beta.pdf(losses, 2, 8) > beta.pdf(losses, 8, 3)
    assert (clean == bayes).mean() > 0.98


def test_the_clean_probability_stays_low_from_the_noisy_peak_to_the_largest_loss():
    rng = np.random.default_rng(0)
    losses = np.concatenate(
        [rng.random(1500), rng.beta(60, 30, 1500)]
    )  # a wide and a narrow component
    by_loss = fit_beta_mixture(losses).clean_probability[np.argsort(losses)]
    lowest = by_loss.argmin()
    assert losses[np.argsort(losses)[lowest]] < 0.8
    assert (by_loss[lowest:] == by_loss[lowest]).all()
    assert 0 <= by_loss.min() < 0.3 < 0.7 < by_loss.max() <= 1


def slow_fit(x: list[float]) -> list[tuple[float, float, float]]:
    """Ten rounds of EM in loops: (alpha, beta, weight) of both components."""
    parts = [(1.0, 2.0, 0.5), (2.0, 1.0, 0.5)]
    for _ in range(10):
        share = []
        for value in x:
            density = [max(w * beta.pdf(value, a, b), 1e-12) for a, b, w in parts]
            share.append([d / sum(density) for d in density])
        parts = []
        for k in (0, 1):
            total = sum(s[k] for s in share)
            mean = sum(s[k] * v for s, v in zip(share, x, strict=True)) / total
            variance = sum(s[k] * (v - mean) ** 2 for s, v in zip(share, x, strict=True)) / total
            alpha = mean * (mean * (1 - mean) / variance - 1)
            parts.append((alpha, alpha * (1 - mean) / mean, total / len(x)))
    return parts


def test_it_is_ten_rounds_of_em_on_the_inner_nine_tenths_of_the_losses():
    losses = two_betas(60)
    low, high = np.percentile(losses, 5), np.percentile(losses, 95)
    x = [(v - low - 1e-5) / (high - low - 1e-5 + 1e-6) for v in losses.tolist() if low <= v <= high]
    expected = slow_fit([min(max(v, 1e-3), 1 - 1e-3) for v in x])
    mixture = fit_beta_mixture(losses)
    assert mixture.means == pytest.approx([a / (a + b) for a, b, _ in expected], rel=1e-9)
    assert mixture.weights == pytest.approx([w for *_, w in expected], rel=1e-9)
    assert mixture.sds == pytest.approx([beta.std(a, b) for a, b, _ in expected], rel=1e-9)


def test_the_component_with_the_smaller_mean_is_the_clean_one_even_if_they_cross():
    losses = 1 - two_betas() ** 4  # most of the mass is at the right
    mixture = fit_beta_mixture(losses)
    assert mixture.means[0] < mixture.means[1]
    order = np.argsort(losses)
    assert (
        mixture.clean_probability[order[:100]].mean()
        > mixture.clean_probability[order[-100:]].mean()
    )


@pytest.mark.parametrize(
    "losses",
    [
        np.zeros(50),
        np.full(50, 2.3),
        np.r_[np.zeros(98), 1, 1],  # an overfitted network: both percentiles are 0
        np.r_[np.zeros(50), np.ones(50)],
        np.array([0.0, 1.0]),
        np.linspace(0, 1, 30, dtype=np.float32),
    ],
    ids=["zeros", "constant", "overfitted", "two values", "two samples", "float32"],
)
def test_degenerate_losses_give_finite_probabilities(losses):
    mixture = fit_beta_mixture(normalise(losses))
    assert mixture.clean_probability.shape == losses.shape
    assert (mixture.clean_probability >= 0).all()
    assert (mixture.clean_probability <= 1).all()
    assert np.isfinite([*mixture.means, *mixture.sds, *mixture.weights]).all()
    assert mixture.means[0] <= mixture.means[1]
