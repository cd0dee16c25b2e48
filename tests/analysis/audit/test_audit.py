"""Which trials an audit takes, what it refuses, and its tables."""

import numpy as np
import pytest

from analysis.audit import sentences, tables
from analysis.audit.audit import NoAudit, audit
from analysis.results.selected_trials import NoTrial
from tests.analysis.material import sample_table, signed_again


def shifted(known: bool = True):
    """The same samples with other given labels."""
    table = sample_table(known=known)
    return {**table, "given": (table["given"] + 1) % 3}


def test_trials_with_the_same_labels_are_one_ranking(study):
    root = study.arm("baseline", 90.0, 91.0, samples=sample_table()).write()
    found = audit(root)
    assert [each.seeds for each in found] == [[0, 1]]
    assert found[0].name == "seeds 0, 1"
    assert found[0].ranked["trials"].eq(2).all()
    assert (found[0].classes, len(found[0].given), found[0].unjudged) == (3, 72, 12)


def test_injected_noise_gives_a_ranking_a_seed(study):
    study.arm("baseline", 90.0, 91.0, samples=sample_table())
    root = study.write()
    path = study.path("baseline", 1) / "samples.npz"
    np.savez(path, **shifted())
    signed_again(path)
    assert [each.seeds for each in audit(root)] == [[0], [1]]
    assert [each.seeds for each in audit(root, seed=1)] == [[1]]
    figures = tables.figures(audit(root))
    assert figures["seeds"].tolist() == ["0", "1", "mean"]
    assert figures["wrong"].tolist()[2] == np.mean(figures["wrong"][:2])


def test_neighbours_are_looked_for_once_for_all_seeds(study):
    table = sample_table()
    wrong = {**table, "ensemble_class": (table["ensemble_class"] + 1) % 3}
    root = study.arm("baseline", 90.0, 91.0, samples=wrong).write()
    path = study.path("baseline", 1) / "samples.npz"
    np.savez(path, **{**wrong, "given": (wrong["given"] + 2) % 3})
    signed_again(path)
    features = np.random.default_rng(0).normal(size=(200, 4))
    asked = []

    def load(rows):
        asked.append(len(rows))
        return features[rows]

    together = audit(root, features_of=lambda trial: load)
    searched = len(asked)
    assert [each.judgement.neighbors for each in together] == [True, True]
    alone = [audit(root, seed=seed, features_of=lambda trial: load)[0] for seed in (0, 1)]
    assert len(asked) == 3 * searched
    assert all(one.ranked.equals(other.ranked) for one, other in zip(alone, together, strict=True))


def test_failed_trials_do_not_count(study):
    root = study.arm("baseline", 90.0, "failed", "missing", samples=sample_table()).write()
    assert [each.seeds for each in audit(root)] == [[0]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "--setting: mild, hard"),
        ({"setting": "soft"}, "--setting soft: the study has mild, hard"),
        ({"setting": "mild", "arm": "other"}, "--arm other: the study has baseline, plain"),
        ({"setting": "mild", "seed": 7}, "--seed 7: the study has 0"),
        ({"setting": "hard"}, "none of the 1 "),
        (
            {"setting": "mild", "arm": "plain"},
            "has neither the clean probability of all training samples nor their margins",
        ),
    ],
)
def test_what_cannot_be_audited_is_said(study, options, message):
    plain = {name: array for name, array in sample_table().items() if name != "clean_probability"}
    study.arm("baseline", 90.0, setting="mild", samples=sample_table())
    study.arm("plain", 90.0, setting="mild", samples=plain)
    root = study.arm("baseline", "failed", setting="hard").write()
    with pytest.raises((NoAudit, NoTrial)) as caught:
        audit(root, **options)
    assert message in str(caught.value)


def test_the_tables_of_an_audit(study):
    (found,) = audit(study.arm("baseline", 90.0, samples=sample_table(300, 30)).write())
    found_tables = tables.tables(found, ["a", "b", "c"])
    assert list(found_tables) == ["classes", "transition", "calibration", "suggestions"]
    assert found_tables["classes"]["given"].tolist() == ["a", "b", "c"]
    assert found_tables["classes"]["expected"].sum() == pytest.approx(
        found.ranked["wrong"].sum(), abs=0.2
    )
    assert found_tables["transition"].drop(columns="true").sum(axis=1).tolist() == pytest.approx(
        [1, 1, 1], abs=0.01
    )
    count, order, reached, shown, held_out, truth = sentences.sentences(found, 40, ["a", "b", "c"])
    assert reached == "The networks reached 90.0 % test accuracy (mean of the last epochs)."
    assert order == "The labels are ordered by DivideMix's division and the networks' predictions."
    assert count.startswith(f"About {found.ranked['wrong'].sum():.0f} of 300 labels are wrong")
    assert shown.startswith("The 40 ")
    assert held_out.startswith("30 samples ")
    assert truth.startswith("99 labels ")
    assert "AUC" in truth


def test_without_true_labels_nothing_is_measured_against_them(study):
    (found,) = audit(study.arm("baseline", 90.0, samples=sample_table(known=False)).write())
    assert list(tables.tables(found, ["a", "b", "c"])) == ["classes", "transition"]
    assert "auc" not in tables.figures([found])
    assert not any(
        "In truth" in sentence for sentence in sentences.sentences(found, 40, ["a", "b", "c"])
    )
