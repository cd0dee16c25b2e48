"""Which witness orders the labels, and what is refused, on tables made by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.audit import sentences, tables
from analysis.audit.audit import audit
from analysis.audit.witnesses import (
    PlainTraining,
    division_failed,
    doubtful_classes,
    judge,
)
from tests.analysis.material import sample_table

CLASSES = 3


def with_margins(table, seed=0, spread=0.1):
    """The table with margins: about 1 where the given label is true, else about −1."""
    rng = np.random.default_rng(seed)
    train = table["split"] == 0
    right = table["given"][train] == table["true"][train]
    shape = (len(table["epochs"]), 2, train.sum())
    margin = np.where(right, 1.0, -1.0) + rng.normal(0, spread, shape)
    return {**table, "label_margin": margin.astype(np.float16)}


def poor(table, right=0.3):
    """The table of networks that are right about a share of the images only."""
    true = table["ensemble_class"]
    rng = np.random.default_rng(3)
    predicted = np.where(rng.random(true.shape) < right, true, (true + 1) % CLASSES)
    return {**table, "ensemble_class": predicted}


def held_out(table, *agreeing):
    """The table with validation predictions: how many agree with the given labels, per record."""
    given = table["given"][table["split"] == 1]
    agrees = np.arange(len(given)) < np.array(agreeing)[:, None]
    predicted = np.where(agrees, given, (given + 1) % CLASSES)
    sure = np.full(predicted.shape, 0.9, np.float16)
    return {**table, "validation_class": predicted, "validation_probability": sure}


def test_able_networks_are_ordered_by_their_division_and_counted():
    ranked, judgement = judge([with_margins(sample_table(300, 30))], CLASSES, "baseline")
    assert judgement.witnesses == ("division",)
    assert judgement.counts
    assert judgement.suggests
    assert judgement.accuracy > 0.95
    least, most = judgement.share_wrong
    assert least <= 0.33 <= most
    assert ranked["confidence"].notna().all()


def test_poor_networks_are_ordered_by_margins_and_count_nothing():
    table = with_margins(poor(sample_table(300, 30)))
    ranked, judgement = judge([table], CLASSES, "baseline")
    assert judgement.witnesses == ("margins", "baseline")
    assert not judgement.counts
    assert not judgement.suggests
    assert (ranked["suggested"] == ranked["given"]).all()
    assert ranked["confidence"].isna().all()
    assert ranked["wrong"].is_monotonic_decreasing
    wrong = (ranked["given"] != ranked["true"]).to_numpy()
    assert wrong[: wrong.sum()].all(), "margins tell them apart"


def test_margins_of_plain_training_with_the_same_labels_are_added():
    # The own margins know half of the errors, those of plain training the others.
    table = poor(sample_table(300, 30))
    own = with_margins(table)
    plain = with_margins(table, 1)
    hidden = np.arange(300) % 2 == 0
    own["label_margin"][..., hidden] = 0
    plain["label_margin"][..., ~hidden] = 0
    _, alone = judge([own], CLASSES, "baseline")
    ranked, judgement = judge([own], CLASSES, "baseline", PlainTraining("plain", [plain]))
    assert judgement.witnesses == ("margins", "baseline", "plain")
    wrong = (ranked["given"] != ranked["true"]).to_numpy()
    assert wrong[: wrong.sum()].all()
    assert alone.witnesses == ("margins", "baseline")


def test_a_division_that_destroys_the_networks_is_not_used():
    good = with_margins(sample_table(300, 100))
    fallen = held_out(good, 60, 40)
    assert division_failed([fallen])
    assert not division_failed([held_out(good, 60, 57)]), "within two standard errors"
    assert not division_failed([good]), "no validation predictions"
    plain = PlainTraining("plain", [with_margins(sample_table(300, 100), 1)])
    _, judgement = judge([fallen], CLASSES, "baseline", plain)
    assert judgement.failed
    assert not judgement.counts
    assert not judgement.suggests
    assert judgement.witnesses == ("margins", "plain")


def test_networks_that_plain_training_outdoes_count_nothing():
    good = held_out(with_margins(sample_table(300, 100)), 60, 60)
    better = held_out(with_margins(sample_table(300, 100), 1), 60, 90)
    _, judgement = judge([good], CLASSES, "baseline", PlainTraining("plain", [better]))
    assert judgement.outdone
    assert not judgement.counts
    _, judgement = judge([better], CLASSES, "baseline", PlainTraining("plain", [good]))
    assert judgement.counts


def test_memorised_labels_are_no_sign_of_able_networks():
    table = with_margins(sample_table(300, 100))
    table["ensemble_class"] = np.tile(table["given"][:300], (2, 1))
    _, judgement = judge([held_out(table, 40, 40)], CLASSES, "baseline")
    assert judgement.networks.agreement == pytest.approx(0.4)
    assert not judgement.counts


def test_methods_without_a_division_are_ordered_by_their_margins():
    table = with_margins(sample_table(300, 30))
    del table["clean_probability"]
    table["label_probability"] = np.full((2, 2, 300), 0.5, np.float16)
    ranked, judgement = judge([table], CLASSES, "cross_entropy")
    assert judgement.witnesses == ("margins", "cross_entropy")
    assert np.isnan(judgement.accuracy)
    assert not judgement.suggests
    wrong = (ranked["given"] != ranked["true"]).to_numpy()
    assert wrong[: wrong.sum()].all()


def test_samples_that_were_never_seen_are_in_the_middle():
    table = with_margins(poor(sample_table(300, 30)))
    table["label_margin"][:, :, 7] = np.nan
    ranked, _ = judge([table], CLASSES, "baseline")
    place = ranked.index[ranked["index"] == 7][0]
    assert 60 < place < 140, "99 of 300 labels are wrong"


def test_nothing_is_said_of_a_class_that_was_taken_for_another(study):
    table = with_margins(sample_table(300, 30))
    given = table["given"][:300]
    swapped = table["ensemble_class"].copy()
    swapped[:, given == 1] = 2
    table["ensemble_class"] = swapped
    assert doubtful_classes([sample_table(300, 30)], CLASSES) == ()
    assert doubtful_classes([table], CLASSES) == (1,)
    study.arm("baseline", 90.0, samples=table)
    ranked, judgement = judge([table], CLASSES, "baseline")
    assert judgement.doubtful_samples == 100
    doubtful = ranked["given"] == 1
    assert (ranked["suggested"] == ranked["given"])[doubtful].all()
    assert ranked["confidence"][doubtful].isna().all()
    (found,) = audit(study.write())
    (sentence,) = sentences.doubts(found, ["a", "b", "c"])
    assert sentence.startswith("Look at the samples with these labels first: b.")


def test_the_classes_table_counts_nothing_of_a_doubtful_class(study):
    (found,) = audit(study.arm("baseline", 90.0, samples=sample_table(300, 30)).write())
    doubtful = replace(found, judgement=replace(found.judgement, doubtful=(1,)))
    classes = tables.tables(doubtful, ["a", "b", "c"])["classes"]
    assert classes["expected"].isna().tolist() == [False, True, False]


def test_an_audit_says_what_its_networks_are_worth(study):
    good = with_margins(sample_table(300, 30))
    study.arm("baseline", 90.0, samples=with_margins(poor(sample_table(300, 30))))
    study.arm("plain", 90.0, samples=good)
    root = study.write()
    (found,) = audit(root)
    assert found.judgement.witnesses == ("margins", "baseline")
    first, second = sentences.claims(found)
    assert "93 % are needed" in first
    assert first.endswith("how probably each is, cannot be said.")
    assert second == "No other labels are suggested."
    assert tables.tables(found, ["a", "b", "c"]) == {}
    figures = tables.figures([found])
    assert figures[["expected", "least", "most", "suggestion_right"]].isna().all(axis=None)
    assert figures["auc"].notna().all()


def test_an_audit_says_why_the_number_of_its_division_is_not_trusted(study):
    table = with_margins(sample_table(300, 30))
    # A third of the labels is wrong, and the networks have memorised the sure ones of these.
    train = slice(0, 300)
    wrong = table["given"][train] != table["true"][train]
    kept = wrong & (np.arange(300) % 5 < 2)
    table["ensemble_class"][:, kept] = table["given"][train][kept]
    table["ensemble_probability"][:, wrong & ~kept] = 0.4
    study.arm("baseline", 90.0, samples=table)
    (found,) = audit(study.write())
    assert found.judgement.networks.by_division >= 0.93
    assert not found.judgement.counts
    first = sentences.claims(found)[0]
    called = round(100 * found.judgement.networks.called_wrong)
    assert f"% are needed. The division calls {called} % of the labels wrong, but" in first
    assert "they disagree with 0 % of the labels only." in first


def test_an_arm_of_plain_cross_entropy_is_found_by_its_method(study, monkeypatch):
    study.arm("baseline", 90.0, samples=with_margins(poor(sample_table(300, 30))))
    study.arm("plain", 90.0, samples=with_margins(sample_table(300, 30), 1))
    shifted = with_margins(sample_table(300, 30), 1)
    shifted["given"] = (shifted["given"] + 1) % CLASSES
    study.arm("other_labels", 90.0, samples=shifted)
    root = study.write()
    methods = {"plain": "cross_entropy", "other_labels": "dividemix"}
    monkeypatch.setattr(
        "analysis.results.read.Results.config",
        lambda self, trial: {"method": {"name": methods.get(trial["arm"], "dividemix")}},
    )
    (found,) = audit(root)
    assert found.judgement.witnesses == ("margins", "baseline", "plain")
    methods.update(plain="dividemix", other_labels="cross_entropy")
    (found,) = audit(root)
    assert found.judgement.witnesses == ("margins", "baseline"), "other given labels"


def test_votes_of_neighbours_are_added_to_margins_where_networks_are_poor():
    table = poor(sample_table(300, 30))
    train = table["split"] == 0
    wrong = table["given"][train] != table["true"][train]
    votes = pd.Series(np.where(wrong, -1.0, 1.0), table["source_index"][train])
    nothing = with_margins(table)
    nothing["label_margin"][:] = 0
    ranked, judgement = judge([nothing], CLASSES, "baseline", votes=lambda: votes)
    assert judgement.neighbors
    assert judgement.witnesses == ("margins", "baseline")
    errors = (ranked["given"] != ranked["true"]).to_numpy()
    assert errors[: errors.sum()].all()
    assert sentences.order(judgement) == (
        "The labels are ordered by their margins over all epochs of `baseline`, and by the votes of "
        "each sample's nearest neighbours in feature space. An arm with `method.name: "
        "cross_entropy` would be a second witness."
    )
    _, alone = judge([table], CLASSES, "baseline", votes=lambda: votes)
    assert sentences.order(alone) == (
        "The labels are ordered by the votes of each sample's nearest neighbours in feature space."
    )


def test_of_able_networks_neighbours_are_not_asked():
    table = with_margins(sample_table(300, 30))

    def votes() -> pd.Series:
        raise AssertionError("the division orders")

    ranked, judgement = judge([table], CLASSES, "baseline", votes=votes)
    assert not judgement.neighbors
    assert ranked.equals(judge([table], CLASSES, "baseline")[0])
