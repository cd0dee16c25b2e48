"""`plan --cost`: what the missing trials take, and which trial cannot be trained."""

import re

import pytest

from orchestrator.execution.resources import Node
from orchestrator.run import cost
from orchestrator.run.cost import Costs, between

STUDY = """
name: tiny
seeds: [0, 1]
base:
  data: {name: digits}
  noise: {name: symmetric, rate: 0.2}
  model: {name: MODEL}
  train: {epochs: 2}
  method: {name: cross_entropy}
arms:
  slow: {train.lr: 0.001}
"""


def test_time_and_space_of_each_arm_are_printed(tmp_path, command):
    study = tmp_path / "tiny.yaml"
    study.write_text(STUDY.replace("MODEL", "small_cnn, width: 4"))
    code, out, err = command("plan", study, "--results", tmp_path, "--cost")
    assert code == 0, err
    assert "slow: " in out
    assert re.search(
        r"cost of 4 missing trials: .+ on the (\d+ slots|slot) of this machine, .+ of training",
        out,
    )


def test_a_range_has_one_end_where_both_are_written_alike():
    assert between(61, 80) == "1 min"
    assert between(61, 4000) == "1 min to 1 h 07 min"


def test_slots_share_the_work_and_no_trial_is_split():
    costs = Costs({}, {}, seconds=3600, low=1800, high=7200, longest=600, kept=0)
    assert costs.on(1) == "30 min to 2 h 00 min"
    assert costs.on(3) == "10 min to 40 min"
    assert costs.on(60) == "5 min to 20 min", "the longest trial, at both paces"


@pytest.mark.parametrize(("load", "told"), [(0.2, False), (6.0, True)])
def test_other_programs_are_told(monkeypatch, load, told):
    monkeypatch.setattr("os.getloadavg", lambda: (load, load, load))
    monkeypatch.setattr(cost, "this_machine", lambda: Node("here", 2, 0))
    found = cost.load()
    assert (found is not None) is told
    if told:
        assert "busy: a load of 6.0 on 2 CPUs" in str(found)


def test_a_model_that_does_not_fit_the_images_is_a_sentence(tmp_path, command):
    study = tmp_path / "tiny.yaml"
    study.write_text(STUDY.replace("MODEL", "preact_resnet18"))
    code, _, err = command("plan", study, "--results", tmp_path, "--cost")
    assert code == 2
    assert "baseline/seed=0: preact_resnet18 takes images of at least 9×9 pixels" in err
