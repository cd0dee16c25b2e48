"""Judgements of held-out samples, joined over folds, against values worked by hand."""

import numpy as np
import pytest

from analysis.audit import sentences
from analysis.audit.audit import audit
from analysis.audit.out_of_sample import COLUMNS, out_of_sample
from analysis.results.selected_trials import NoTrial
from tests.analysis.material import sample_table


def fold(train: list[int], held: list[int], given: list[int], epochs: list[list]) -> dict:
    """A table of one network: of each recorded epoch, (class, its probability, loss) of the held-out samples."""
    return {
        "source_index": np.array(train + held),
        "split": np.repeat(np.array([0, 1], np.int8), (len(train), len(held))),
        "given": np.array([0] * len(train) + given),
        "epochs": np.arange(1, len(epochs) + 1),
        "validation_class": np.array([[each[0] for each in epoch] for epoch in epochs], np.int16),
        "validation_probability": np.array(
            [[each[1] for each in epoch] for epoch in epochs], np.float16
        ),
        "validation_loss": np.array(
            [[[each[2] for each in epoch]] for epoch in epochs], np.float16
        ),
        "test_source_index": np.array([0]),
        "test_label": np.array([2]),
        "test_class": np.full((len(epochs), 1), 1, np.int16),
        "test_probability": np.full((len(epochs), 1), 0.5, np.float16),
        "test_loss": np.full((len(epochs), 1, 1), 2, np.float16),
    }


def test_folds_are_joined_and_the_first_epoch_is_left_out():
    first = fold([7], [5], [0], [[(9, 1.0, 0.0)], [(1, 0.75, 2.0)]])
    second = fold([5], [7], [2], [[(9, 1.0, 0.0)], [(2, 0.5, 0.25)]])
    found = out_of_sample([second, first])
    assert found.columns.tolist() == COLUMNS
    assert found["index"].tolist() == [5, 7]
    assert found["given"].tolist() == [0, 2]
    assert found["class"].tolist() == [1, 2]
    assert found["probability"].tolist() == [0.75, 0.5]
    assert found["loss"].tolist() == [2.0, 0.25]
    assert found["own"].tolist() == pytest.approx([np.exp(-2), np.exp(-0.25)])
    assert found["judgements"].tolist() == [1, 1]


def test_several_judgements_of_a_sample_vote_with_their_probabilities():
    epochs = [[(0, 0.0, 0.0)], [(3, 0.5, 1.0)], [(1, 0.25, 2.0)], [(1, 0.375, 3.0)]]
    (found,) = out_of_sample([fold([7], [5], [0], epochs)]).to_dict("records")
    assert (found["class"], found["judgements"]) == (1, 3)
    assert found["probability"] == pytest.approx((0.25 + 0.375) / 3)
    assert found["loss"] == pytest.approx(2)
    assert found["own"] == pytest.approx(np.exp([-1, -2, -3]).mean())


def test_test_samples_are_judged_by_all_trials():
    table = fold([7], [5], [0], [[(1, 0.5, 1.0)]])
    (found,) = out_of_sample([table, table], "test").to_dict("records")
    assert (found["index"], found["given"], found["class"], found["judgements"]) == (0, 2, 1, 2)


def test_a_validation_set_of_another_split_and_earlier_tables_judge_nothing():
    own = fold([5, 7], [5], [0], [[(1, 0.5, 1.0)]])
    assert out_of_sample([own]).empty
    assert out_of_sample([sample_table()]).columns.tolist() == COLUMNS


def folds_of_a_study(study, of_fold: dict[str, dict]):
    """Two settings, the folds of 12 samples, with tables of a trial each."""
    for number, (setting, data) in enumerate(of_fold.items()):
        table = sample_table(8, 4)
        order = np.roll(np.arange(12), 4 * number)
        for name in ("source_index", "given", "true"):
            table[name] = table[name][order]
        table["validation_class"] = np.full((2, 4), 1, np.int16)
        table["validation_probability"] = np.full((2, 4), 0.5, np.float16)
        table["validation_loss"] = np.full((2, 2, 4), 1, np.float16)
        study.arm("baseline", 90.0, setting=setting, samples=table, config={"data": data})
    return study.write()


def test_settings_that_are_folds_are_audited_together(study):
    data = {"name": "digits", "folds": 3}
    root = folds_of_a_study(study, {"a": {**data, "fold": 0}, "b": {**data, "fold": 1}})
    (found,) = audit(root)
    assert found.trial["setting"] == ""
    assert len(found.ranked) == 12
    assert found.held_out["index"].tolist() == [4, 5, 6, 7, 8, 9, 10, 11]
    said = sentences.sentences(found, 12, ["a", "b", "c"])
    agreeing = 100 * (found.given[4:] == 1).mean()
    assert any(
        f"for {agreeing:.1f} % of 8 samples. 4 samples are in folds" in each for each in said
    )
    (alone,) = audit(root, setting="b")
    assert len(alone.held_out) == 4


@pytest.mark.parametrize(
    "of_fold",
    [
        {"a": {"name": "digits"}, "b": {"name": "digits"}},
        {"a": {"folds": 2, "fold": 0}, "b": {"folds": 2, "fold": 1, "flip": True}},
        {"a": {"folds": 2, "fold": 0}, "b": {"folds": 3, "fold": 1}},
    ],
)
def test_settings_that_differ_otherwise_are_not_joined(study, of_fold):
    root = folds_of_a_study(study, of_fold)
    with pytest.raises(NoTrial, match="choose one with --setting: a, b"):
        audit(root)
    (alone,) = audit(root, setting="a")
    assert (alone.held_out is None) == ("folds" not in of_fold["a"])
