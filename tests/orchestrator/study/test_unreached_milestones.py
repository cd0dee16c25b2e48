"""A milestone of the learning rate that no epoch reaches is told, if somebody wrote it."""

import pytest

from orchestrator.study.load import load_study

STUDY = """
name: milestones
seeds: [0, 1, 2, 3, 4, 5]
base:
  data: {{name: digits}}
  model: {{name: small_cnn}}
  train: {train}
  method: {{name: cross_entropy}}
{more}
"""


@pytest.fixture
def warnings(tmp_path):
    def _warnings(train: str, more: str = "", *sets: str) -> list[str]:
        path = tmp_path / "milestones.yaml"
        path.write_text(STUDY.format(train=train, more=more))
        return load_study(path, list(sets)).warnings

    return _warnings


def test_fewer_epochs_by_set_leave_the_milestone_behind(warnings):
    written = "{epochs: 100, lr_milestones: [50]}"
    assert warnings(written) == []
    assert warnings(written, "", "base.train.epochs=51") == []
    (said,) = warnings(written, "", "base.train.epochs=50")
    assert said == (
        "train.lr_milestones: 50 is not reached in every arm (train.epochs: 50). "
        "The learning rate is not multiplied by train.lr_gamma there"
    )


def test_only_the_arms_that_have_it_and_only_the_late_milestones_are_named(warnings):
    arms = "arms:\n  late: {train.lr_milestones: [10, 60, 70]}\n  long: {train.epochs: 80}"
    (said,) = warnings("{epochs: 30, lr_milestones: [20]}", arms)
    assert said.startswith("train.lr_milestones: 60, 70 is not reached in late (train.epochs: 30)")


def test_the_default_milestone_and_other_schedules_are_not_mentioned(warnings):
    assert warnings("{epochs: 30}") == []
    cosine = "arms:\n  cosine: {train.lr_schedule: cosine}"
    (said,) = warnings("{epochs: 30, lr_milestones: [40]}", cosine)
    assert "not reached in baseline (" in said


def test_a_search_tells_it_too(warnings):
    search = (
        "kind: search\nmetric: {name: val/accuracy, goal: maximize}\n"
        "space:\n  train.lr: {low: 0.01, high: 0.1}\nsampler: {name: random, n_trials: 3, seed: 0}\n"
        "confirm: {top_k: 1, seeds: [100, 101, 102, 103, 104, 105]}"
    )
    (said,) = warnings("{epochs: 30, lr_milestones: [40]}", search, "seeds=[0]")
    assert "train.lr_milestones: 40 is not reached" in said
