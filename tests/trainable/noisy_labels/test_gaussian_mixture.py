"""Losses to clean probabilities to a division: scikit-learn's fit and the analytic posterior by hand."""

import warnings

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from trainable.noisy_labels import gaussian_mixture
from trainable.noisy_labels.gaussian_mixture import fit_mixture, fit_plane, monotone, normalise
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
    mixture = fit_mixture(np.concatenate([at, losses]))
    assert mixture.clean_probability[0] == pytest.approx(0.5, abs=0.03)
    assert mixture.clean_probability[1] == pytest.approx(0.9998, abs=1e-4)
    assert mixture.means == pytest.approx((0.2, 0.8), abs=0.01)
    assert mixture.sds == pytest.approx((0.1, 0.1), abs=0.01)
    assert mixture.weights == pytest.approx((0.5, 0.5), abs=0.01)


def scikit_learns(losses: np.ndarray, **settings) -> tuple[GaussianMixture, int]:
    """scikit-learn's fit, begun from the best two clusters, and which component is the clean one."""
    rows = losses[:, None].astype(np.float64)
    clusters = KMeans(2, n_init=20, tol=0, random_state=0).fit_predict(rows)
    parts = [rows[clusters == k] for k in (0, 1)]
    variances = [part.var() + OFFICIAL["reg_covar"] for part in parts]
    model = GaussianMixture(
        **{**OFFICIAL, **settings},
        weights_init=[len(part) / len(rows) for part in parts],
        means_init=[part.mean(0) for part in parts],
        precisions_init=[[[1 / variance]] for variance in variances],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(rows)
    return model, int(model.means_[1, 0] < model.means_[0, 0])


def overlapping(n: int = 1500) -> np.ndarray:
    """Losses that take the fit seven iterations."""
    rng = np.random.default_rng(3)
    return np.concatenate([rng.normal(0.1, 0.01, n), rng.uniform(0, 1, n // 3)]).astype(np.float32)


@pytest.mark.parametrize(
    "losses",
    [*(two_groups(noisy=noisy) for noisy in (0.02, 0.1, 0.5, 0.9)), overlapping()],
    ids=["2 %", "10 %", "50 %", "90 %", "overlapping"],
)
def test_the_mixture_is_scikit_learns_in_double_precision(losses):
    losses = normalise(losses)
    model, clean = scikit_learns(losses)
    mixture = fit_mixture(losses)
    theirs = model.predict_proba(losses[:, None].astype(np.float64))[:, clean]
    assert np.allclose(mixture.clean_probability, theirs, rtol=0, atol=1e-9)
    assert mixture.means == pytest.approx((model.means_[clean, 0], model.means_[1 - clean, 0]))
    assert mixture.sds == pytest.approx(
        (model.covariances_[clean, 0, 0] ** 0.5, model.covariances_[1 - clean, 0, 0] ** 0.5)
    )
    assert mixture.weights == pytest.approx((model.weights_[clean], model.weights_[1 - clean]))
    # And the posterior is Bayes' rule on the reported components.
    density = [
        w * norm.pdf(losses, m, s)
        for w, m, s in zip(mixture.weights, mixture.means, mixture.sds, strict=True)
    ]
    assert np.allclose(
        mixture.clean_probability, density[0] / (density[0] + density[1]), rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize(("limit", "value"), [("ITERATIONS", 2), ("TOLERANCE", 0.1)])
def test_the_fit_ends_where_scikit_learns_ends(monkeypatch, limit, value):
    losses = normalise(overlapping())
    plain = fit_mixture(losses)
    monkeypatch.setattr(gaussian_mixture, limit, value)
    mixture = fit_mixture(losses)
    name = {"ITERATIONS": "max_iter", "TOLERANCE": "tol"}[limit]
    model, clean = scikit_learns(losses, **{name: value})
    assert mixture.means != pytest.approx(plain.means, rel=1e-4)
    assert mixture.means == pytest.approx((model.means_[clean, 0], model.means_[1 - clean, 0]))


def test_the_first_clusters_are_the_best_two():
    rng = np.random.default_rng(0)
    for _ in range(50):
        values = rng.gamma(1, 1, rng.integers(2, 30)).round(1)
        if np.ptp(values) == 0:
            continue

        def squares(limit: float, values=values) -> float:
            sides = (values[values <= limit], values[values > limit])
            return sum(((side - side.mean()) ** 2).sum() for side in sides)

        found = gaussian_mixture._two_clusters(values)
        assert found < values.max()
        assert squares(found) <= min(squares(v) for v in values if v < values.max()) + 1e-9


@pytest.mark.parametrize("noisy", [0.1, 0.9])
def test_the_clean_component_is_the_one_with_the_smaller_mean_not_the_larger_one(noisy):
    losses = normalise(two_groups(noisy=noisy))
    mixture = fit_mixture(losses)
    assert mixture.means[0] < mixture.means[1]
    clean = int((1 - noisy) * len(losses))
    assert mixture.clean_probability[:clean].mean() > 0.9
    assert mixture.clean_probability[clean:].mean() < 0.1
    assert mixture.weights[0] == pytest.approx(1 - noisy, abs=0.05)


@pytest.mark.parametrize(("scale", "shift"), [(10.0, 0.0), (0.01, 0.0), (1.0, 5.0), (3.0, -1.0)])
def test_scaling_and_shifting_all_losses_changes_no_posterior(scale, shift):
    losses = two_groups().astype(np.float64)
    before = fit_mixture(normalise(losses)).clean_probability
    after = fit_mixture(normalise(scale * losses + shift)).clean_probability
    assert np.allclose(after, before, rtol=0, atol=1e-9)


def test_permuting_the_samples_permutes_the_posteriors():
    losses = normalise(two_groups())
    order = np.random.default_rng(1).permutation(len(losses))
    before, after = fit_mixture(losses), fit_mixture(losses[order])
    assert np.allclose(after.clean_probability, before.clean_probability[order], rtol=0, atol=1e-5)


def test_no_component_is_narrower_than_the_regularisation_allows():
    losses = np.concatenate([np.full(990, 0.001), np.full(10, 1.0)])  # an overfitted network
    mixture = fit_mixture(losses)
    assert min(mixture.sds) >= np.sqrt(5e-4) * (1 - 1e-6)
    assert mixture.clean_probability[:990].min() > 0.999
    assert mixture.clean_probability[990:].max() < 0.001


def test_the_posterior_need_not_be_monotone_in_the_loss():
    # Next to a narrow clean component, the smallest losses belong to the wide noisy one.
    rng = np.random.default_rng(0)
    losses = normalise(np.concatenate([rng.normal(0.25, 0.02, 3000), rng.normal(0.65, 0.2, 3000)]))
    mixture = fit_mixture(losses)
    at_clean_mean = mixture.clean_probability[np.abs(losses - mixture.means[0]).argmin()]
    assert mixture.clean_probability[losses.argmin()] < 0.1 < 0.9 < at_clean_mean


@pytest.mark.parametrize("losses", [np.zeros(6, np.float32), np.full(4, 0.3), np.array([0.5])])
def test_constant_losses_make_every_sample_clean_without_a_warning(losses):
    mixture = fit_mixture(normalise(losses))
    assert np.array_equal(mixture.clean_probability, np.ones(len(losses)))
    labeled, _ = split(mixture.clean_probability, 0.5)
    assert labeled.all()


def test_losses_that_differ_by_one_rounding_step_give_a_finite_mixture_without_a_warning():
    # As a history of almost constant losses averages to.
    losses = np.full(50, 0.5, np.float32)
    losses[::2] = np.nextafter(np.float32(0.5), np.float32(1))
    mixture = fit_mixture(losses)
    assert np.isfinite(mixture.clean_probability).all()
    assert split(mixture.clean_probability, 0.5)[0].any()


@pytest.mark.parametrize("losses", [[0.0, 1.0], [0.0, 0.0, 1.0], [0.0, 0.5, 1.0]])
def test_two_or_three_samples_are_enough(losses):
    mixture = fit_mixture(np.array(losses))
    assert mixture.clean_probability[0] > 0.5 > mixture.clean_probability[-1]


# --- two kinds of evidence ---


def test_a_mixture_in_the_plane_uses_both_kinds_of_evidence():
    rng = np.random.default_rng(0)
    clean = np.arange(2000) < 1000
    # Each alone leaves the groups overlapping; together they are further apart.
    columns = [np.where(clean, 0.35, 0.65) + rng.normal(0, 0.12, 2000) for _ in range(2)]
    alone = fit_mixture(columns[0])
    both = fit_plane(np.stack(columns, 1), seed=0)
    right = [((mixture.clean_probability > 0.5) == clean).mean() for mixture in (alone, both)]
    assert right[1] > right[0] + 0.02
    assert both.means == pytest.approx((0.35, 0.65), abs=0.02)  # on the axis of losses


def test_the_clean_component_of_a_plane_is_the_one_nearer_to_the_origin():
    rng = np.random.default_rng(0)
    points = np.concatenate(
        [rng.normal((0.3, 0.1), 0.03, (500, 2)), rng.normal((0.25, 0.9), 0.03, (500, 2))]
    )
    mixture = fit_plane(points, seed=0)
    assert mixture.clean_probability[:500].min() > 0.99
    assert mixture.clean_probability[500:].max() < 0.01


class Recorded(GaussianMixture):
    """Keeps its settings, and may turn its components round."""

    settings: list[dict] = []
    turned = False

    def fit(self, rows):
        self.settings.append(self.get_params())
        super().fit(rows)
        if self.turned:
            for name in ("means_", "covariances_", "precisions_cholesky_", "weights_"):
                setattr(self, name, getattr(self, name)[::-1])
        return self


def plane() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(mean, 0.1, (300, 2)) for mean in (0.3, 0.6)])


def test_a_mixture_in_the_plane_has_the_official_settings_and_its_seed(monkeypatch):
    monkeypatch.setattr("sklearn.mixture.GaussianMixture", Recorded)
    monkeypatch.setattr(Recorded, "settings", [])
    fit_plane(plane(), seed=2**63 - 1)
    assert Recorded.settings == [GaussianMixture(**OFFICIAL, random_state=2**32 - 1).get_params()]


def test_the_order_of_scikit_learns_components_does_not_matter(monkeypatch):
    before = fit_plane(plane(), seed=0)
    monkeypatch.setattr("sklearn.mixture.GaussianMixture", Recorded)
    monkeypatch.setattr(Recorded, "turned", True)
    after = fit_plane(plane(), seed=0)
    assert np.array_equal(after.clean_probability, before.clean_probability)
    assert (after.means, after.sds, after.weights) == (before.means, before.sds, before.weights)


def test_a_plane_of_equal_points_makes_every_sample_clean():
    assert np.array_equal(fit_plane(np.full((5, 2), 0.3), seed=0).clean_probability, np.ones(5))


def test_a_fit_in_the_plane_that_does_not_converge_is_an_answer_without_a_warning(monkeypatch):
    monkeypatch.setattr(gaussian_mixture, "ITERATIONS", 1)
    monkeypatch.setattr(gaussian_mixture, "TOLERANCE", 0.0)
    assert np.isfinite(fit_plane(plane(), seed=0).clean_probability).all()


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
