"""Which trials noisy validation labels tell apart: by hand, on disk, and in a simulation."""

import io
import json
from pathlib import Path

import numpy as np
import pytest

from analysis.report.search_ranks import sentence, sentence_of
from analysis.stats.selection_noise import Scored, paired_error, ranks, read_ranks
from tests.orchestrator.folders import SUMMARY
from trainable.storage.trial_folder import TrialFolder

CLASSES = 10


def scored(name: str, *agrees: np.ndarray, **known) -> Scored:
    score = 100 * float(np.mean([each.mean() for each in agrees]))
    return Scored(name, score, list(agrees), classes=CLASSES, **known)


def agreeing(images: int, *wrong: int) -> np.ndarray:
    found = np.ones(images, bool)
    found[list(wrong)] = False
    return found


# --- by hand ---


def test_the_error_is_that_of_the_images_on_which_one_agrees_and_the_other_does_not():
    first = scored("a", agreeing(100, 0, 1))
    second = scored("b", agreeing(100, 1, 2, 3, 4))
    # Images 0, 2, 3, 4 differ, and one is added: (0.05 − 0.02²) / 100.
    assert paired_error(first, second) == pytest.approx(100 * (0.0496 / 100) ** 0.5)


def test_seeds_are_averaged():
    one = paired_error(scored("a", agreeing(100)), scored("b", agreeing(100, *range(9))))
    two = paired_error(
        scored("a", agreeing(100), agreeing(100)),
        scored("b", agreeing(100, *range(9)), agreeing(100, *range(9))),
    )
    assert two == pytest.approx(one / 2**0.5)


def test_trials_within_two_errors_of_the_best_are_named():
    best = scored("best", agreeing(400), wrong=0.4, counted=True)
    near = scored("near", agreeing(400, 0, 1, 2))
    far = scored("far", agreeing(400, *range(40)))
    found = ranks([far, near, best])
    assert found is not None
    assert found.best.trial == "best"
    assert [rank.trial for rank in found.not_told_apart] == ["near"]
    assert found.factor == pytest.approx(1 - 0.4 - 0.4 / 9)
    text = sentence(found, "s")
    assert (
        "400 validation labels do not tell the best trial, best (100.00), apart from near" in text
    )
    assert "far" not in text
    assert "points of accuracy, if 40 % of the labels are wrong at random" in text
    assert "division" not in text


def test_without_a_rival_all_are_told_apart_and_one_trial_has_no_rank():
    found = ranks([scored("best", agreeing(400)), scored("far", agreeing(400, *range(40)))])
    assert found is not None
    assert "tell the best trial, best (100.00), apart from all others" in sentence(found, "s")
    assert "accuracy" not in sentence(found, "s"), "nobody knows how many labels are wrong"
    assert ranks([scored("best", agreeing(400))]) is None


# --- a simulation ---


def noisy(rng: np.random.Generator, true: np.ndarray, rate: float) -> np.ndarray:
    other = (true + rng.integers(1, CLASSES, len(true))) % CLASSES
    return np.where(rng.random(len(true)) < rate, other, true)


def predicted(rng: np.random.Generator, true: np.ndarray, accuracy: float) -> np.ndarray:
    """Predictions that share half of their errors with those of all others."""
    hard = np.arange(len(true)) * 37 % 100 < 50 * (1 - accuracy)
    own = rng.random(len(true)) < (1 - accuracy) / (1 + accuracy)
    other = (true + rng.integers(1, CLASSES, len(true))) % CLASSES
    return np.where(hard | own, other, true)


def test_random_noise_shrinks_differences_and_equal_trials_are_rarely_told_apart():
    rng = np.random.default_rng(0)
    true = np.arange(400) % CLASSES
    rate = 0.4
    factor = 1 - rate - rate / (CLASSES - 1)
    differences = []
    told = []
    for _ in range(600):
        given = noisy(rng, true, rate)
        good, equal = (scored(name, predicted(rng, true, 0.8) == given) for name in "ab")
        poor = scored("c", predicted(rng, true, 0.7) == given)
        differences.append(good.score - poor.score)
        found = ranks([good, equal])
        assert found is not None
        told.append(not found.not_told_apart)
    accuracies = [
        float(np.mean([(predicted(rng, true, accuracy) == true).mean() for _ in range(300)]))
        for accuracy in (0.8, 0.7)
    ]
    expected = 100 * factor * (accuracies[0] - accuracies[1])
    assert np.mean(differences) == pytest.approx(expected, abs=0.5), "attenuated, sign kept"
    assert 0.02 < np.mean(told) < 0.08, "two standard errors: about 5 %"


def test_the_best_of_many_trials_is_mostly_among_those_that_are_named():
    rng = np.random.default_rng(1)
    true = np.arange(300) % CLASSES
    kept = 0
    for _ in range(200):
        given = noisy(rng, true, 0.4)
        trials = [scored(f"{k}", predicted(rng, true, 0.78) == given) for k in range(19)]
        trials.append(scored("truly", predicted(rng, true, 0.8) == given))
        found = ranks(trials)
        assert found is not None
        kept += "truly" in [found.best.trial, *(rank.trial for rank in found.not_told_apart)]
    assert kept / 200 > 0.85


def test_labels_that_networks_can_learn_prefer_the_trial_that_learns_them():
    """No number of labels helps: the worse trial is told apart as the better one."""
    rng = np.random.default_rng(2)
    true = np.arange(4000) % CLASSES
    misled = np.arange(4000) // CLASSES % 10 < 3
    given = np.where(misled, (true + 1) % CLASSES, true)
    right = scored("right", predicted(rng, true, 0.9) == given)
    learns = np.where(misled & (rng.random(4000) < 0.7), given, predicted(rng, true, 0.9))
    found = ranks([right, scored("learns", learns == given)])
    assert found is not None
    assert found.best.trial == "learns"
    assert found.not_told_apart == []


# --- on disk ---


@pytest.fixture
def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Write a trial of a search with its table of samples."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)

    def _trial(name: str, wrong: tuple[int, ...], seed: int = 0, **changes) -> None:
        folder = TrialFolder(tmp_path / "runs" / name / f"seed={seed}")
        folder.claim()
        data = {"clean_validation": changes.pop("clean", False)}
        folder.write_json("trial.json", {"id": f"{name}-{seed}", "config": {"data": data}})
        given = np.arange(200) % CLASSES
        classes = given.copy()
        classes[list(wrong)] = (classes[list(wrong)] + 1) % CLASSES
        folder.append_row({"epoch": 1, "val/accuracy": 100 * float((classes == given).mean())})
        split = np.repeat([0, 1], [100, 200]).astype(np.int8)
        buffer = io.BytesIO()
        np.savez(
            buffer,
            split=split,
            given=np.concatenate([given[:100], given]),
            validation_class=np.stack([np.zeros(200, int), classes]),
        )
        folder.write("samples.npz", buffer.getvalue())
        folder.finish({**SUMMARY, "noise_rate": None, **changes})
        folder.release()

    return _trial


def test_trials_are_read_from_their_folders(tmp_path, trial):
    trial("trial-0000", tuple(range(30)))
    estimate = {"division/labeled_fraction_net0": 0.7, "division/labeled_fraction_net1": 0.5}
    trial("trial-0001", (0, 1), **estimate)
    trial("trial-0002", (1, 2, 3))
    trial("trial-0002", (), seed=100)  # its confirmation
    found = read_ranks(tmp_path / "runs", [0])
    assert found is not None
    assert (found.best.trial, found.images, found.seeds) == ("trial-0001", 200, 1)
    assert [rank.trial for rank in found.not_told_apart] == ["trial-0002"]
    assert found.best.wrong == pytest.approx(0.4)
    text = sentence_of(tmp_path, "s", None, [0])
    assert "40 % of the labels are wrong at random, as the division estimates" in str(text)


def test_clean_validation_labels_are_not_said_to_be_wrong(tmp_path, trial):
    for name, wrong in (("trial-0000", (0,)), ("trial-0001", (1,))):
        trial(name, wrong, clean=True, noise_rate=0.4)
    assert "wrong at random" not in str(sentence_of(tmp_path, "s", None, [0]))


def test_unfinished_trials_and_those_without_predictions_are_left_out(tmp_path, trial):
    trial("trial-0000", (0,))
    trial("trial-0001", (1,))
    (tmp_path / "runs/trial-0001/seed=0/summary.json").unlink()
    assert read_ranks(tmp_path / "runs", [0]) is None
    trial("trial-0002", (2,))
    assert read_ranks(tmp_path / "runs", [0, 1]) is None, "seed 1 is missing"
    (tmp_path / "runs/trial-0002/seed=0/samples.npz").write_bytes(b"no")
    assert read_ranks(tmp_path / "runs", [0]) is None
    assert json.loads((tmp_path / "runs/trial-0000/seed=0/trial.json").read_text())
