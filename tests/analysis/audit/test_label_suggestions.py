"""The order of probably wrong labels, and the probabilities, against values worked by hand."""

import numpy as np
import pytest

from analysis.audit.label_suggestions import expected, given_labels, judged, rank, same_labels
from analysis.audit.transition_matrix import transition
from tests.analysis.material import sample_table


def opinions(clean, own, chosen, probability, given, source=None, true=None):
    """A table of one trial with one network: rows of each argument are recorded divisions, columns samples."""
    clean, own = np.atleast_2d(clean).astype(float), np.atleast_2d(own).astype(float)
    n = len(given)
    return {
        "source_index": np.arange(n) if source is None else np.array(source),
        "split": np.zeros(n, np.int8),
        "given": np.array(given),
        "true": np.full(n, -1) if true is None else np.array(true),
        "epochs": np.arange(1, len(clean) + 1),
        "clean_probability": clean[:, None],
        "loss": -np.log(own)[:, None],
        "ensemble_class": np.atleast_2d(chosen),
        "ensemble_probability": np.atleast_2d(probability).astype(float),
    }


def by_index(ranked):
    return ranked.set_index("index").sort_index()


def test_wrong_is_the_division_s_doubt_times_the_ensemble_s_odds():
    table = opinions([0.1, 0.9], [0.2, 0.7], [2, 0], [0.6, 0.7], given=[0, 0])
    found = by_index(rank([table], 4))
    assert found["suggested"].tolist() == [2, 0]
    # nobody prefers another class to the second one: each has a third of what the given one leaves
    assert found["wrong"].tolist() == pytest.approx([0.9 * 0.6 / 0.8, 0.1 * 0.1 / 0.8])
    assert found["confidence"].tolist() == pytest.approx(
        [0.9 * 0.6 / 0.8 * 0.6 / 0.8, 1 - 0.1 * 0.1 / 0.8]
    )


def test_the_first_of_several_divisions_is_left_out_and_the_others_are_averaged():
    table = opinions(
        [[0.9], [0.2], [0.4]],
        [[0.9], [0.3], [0.1]],
        [[0], [1], [2]],
        [[0.9], [0.5], [0.8]],
        given=[0],
    )
    found = rank([table], 3).iloc[0]
    assert found["suggested"] == 2
    assert found["wrong"] == pytest.approx(0.7 * 0.4 / (0.4 + 0.2))


def test_trials_are_averaged_over_those_that_trained_on_the_sample():
    first = opinions([0.2, 0.8], [0.2, 0.8], [1, 0], [0.8, 0.8], given=[0, 0], source=[5, 7])
    second = opinions([0.4], [0.4], [1], [0.4], given=[0], source=[5])
    found = by_index(rank([first, second], 4))
    assert found["trials"].to_dict() == {5: 2, 7: 1}
    assert found.loc[5, "wrong"] == pytest.approx(0.7 * 0.6 / (0.6 + 0.3))


def test_equally_sure_labels_come_in_the_order_of_their_class_s_probability():
    table = opinions([1.0, 1.0, 1.0], [0.9, 0.2, 0.5], [1, 1, 1], [0.1, 0.1, 0.1], given=[0, 0, 0])
    assert rank([table], 2)["index"].tolist() == [1, 2, 0]


def test_wrong_labels_of_a_realistic_table_come_first():
    table = sample_table(300, 30, 5)
    ranked = rank([table], 5)
    wrong = ranked["given"] != ranked["true"]
    assert wrong[: wrong.sum()].mean() > 0.95
    assert ranked["wrong"].between(0, 1).all()
    other = ranked[ranked["suggested"] != ranked["given"]]
    assert (other["confidence"] <= other["wrong"] + 1e-9).all()
    assert len(ranked) == 300, "held-out samples are not judged"


def test_held_out_samples_count_as_given_labels_unless_they_are_another_split():
    table = sample_table(6, 2)
    assert given_labels(table).index.tolist() == list(range(8))
    own = {**table, "source_index": np.array([0, 1, 2, 3, 4, 5, 0, 1])}
    assert given_labels(own).index.tolist() == list(range(6))


def test_tables_are_grouped_by_their_given_labels_whoever_is_held_out():
    table = sample_table(6, 2)
    order = np.array([7, 1, 2, 3, 4, 5, 0, 6])
    moved = {**table, **{name: table[name][order] for name in ("source_index", "given", "true")}}
    other = {**table, "given": (table["given"] + 1) % 3}
    assert same_labels([table, other, moved]) == [[0, 2], [1]]


@pytest.mark.parametrize("name", ["clean_probability", "ensemble_class"])
def test_a_table_without_a_division_or_an_ensemble_is_not_judged(name):
    table = sample_table()
    assert judged(table)
    assert not judged({key: array for key, array in table.items() if key != name})


def test_a_table_of_parts_is_not_judged():
    table = sample_table()
    table["clean_probability"][0, 0, 0] = np.nan
    assert not judged(table)


def test_expected_counts_are_sums_by_given_class():
    table = opinions(
        [0.0, 0.0, 1.0], [0.2, 0.0001, 0.5], [1, 1, 0], [0.6, 1.0, 0.5], given=[0, 0, 1]
    )
    counts = expected(rank([table], 4), 4)
    assert counts["samples"].tolist() == [2, 1, 0, 0]
    assert counts["expected"].tolist() == pytest.approx([0.75 + 1, 0, 0, 0], abs=1e-3)
    assert counts["share"].tolist() == pytest.approx([0.875, 0, 0, 0], abs=1e-3)


def test_the_transition_matrix_is_the_true_one_where_all_is_sure():
    given, true = np.array([0, 0, 1, 1, 2, 0]), np.array([0, 1, 1, 2, 2, 0])
    own = np.where(given == true, 1.0, 1e-9)
    table = opinions((given == true).astype(float), own, true, np.ones(6), given)
    assert transition(rank([table], 3), 3) == pytest.approx(
        np.array([[1, 0, 0], [0.5, 0.5, 0], [0, 0.5, 0.5]]), abs=1e-6
    )


def test_what_is_left_of_a_doubt_is_spread_over_the_other_classes():
    table = opinions([0.0], [0.2], [1], [0.6], given=[0])
    ranked = rank([table], 4)
    wrong, right = 0.75, 0.75 * 0.75
    joint = np.array([1 - wrong, right, (wrong - right) / 2, (wrong - right) / 2])
    assert transition(ranked, 4)[:, 0] == pytest.approx(np.where(joint > 0, 1, 0))
    assert joint.sum() == pytest.approx(1)
