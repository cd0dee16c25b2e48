"""Expansion as a function: what it returns, and that it only reads the document."""

from orchestrator.study.expand import expand
from trainable.config import strict_yaml

BASE = """\
name: s
seeds: [0, 1]
base:
  train: {epochs: 3}
  method: {warmup_epochs: 1}
"""


def test_problems_are_in_the_result_and_the_document_is_only_read(tmp_path):
    text = f"{BASE}arms:\n  a: {{method.mixup: maybe}}\n  b: {{method.alpha: 1}}\n"
    document = strict_yaml.parse(text, "s.yaml")
    expansion = expand(document, tmp_path)
    assert document.problems == []
    assert [(problem.line, problem.where) for problem in expansion.problems] == [
        (7, "arms.a.method.mixup")
    ]
    assert [arm.name for arm in expansion.arms] == ["baseline", "a", "b"]
    assert list(expansion.configs) == [(None, "baseline"), (None, "b")]


def test_warnings_are_complete_before_any_trial_is_listed(tmp_path):
    text = f"{BASE}settings:\n  s: {{method.alpha: 1}}\n  t: {{method.alpha: 2}}\narms:\n"
    text += "  a: {method.alpha: 1}\n"
    expansion = expand(strict_yaml.parse(text, "s.yaml"), tmp_path)
    assert expansion.problems == ()
    (copy,) = expansion.warnings
    assert all(word in copy for word in ("a ", "baseline", "setting s"))
    trials = [trial.record.name for trial in expansion.trials([3])]
    assert "s/a/seed=3" not in trials
    assert "t/a/seed=3" in trials


def test_arms_that_change_views_of_embeddings_are_paired_and_other_data_are_not(tmp_path):
    text = BASE + (
        "  data: {name: embeddings, path: a.npz}\n"
        "  model: {name: linear}\n"
        "arms:\n"
        "  no_views: {data.feature_dropout: 0}\n"
        "  long_tail: {data.imbalance: 10}\n"
    )
    expansion = expand(strict_yaml.parse(text, "s.yaml"), tmp_path)
    assert expansion.problems == ()
    baselines = {trial.record.arm: trial.record.baseline for trial in expansion.trials([0])}
    assert baselines["no_views"] == "baseline"
    assert baselines["long_tail"] is None
