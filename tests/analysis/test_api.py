"""A study as DataFrames, as a notebook uses them."""

import re
from pathlib import Path

import pandas as pd
import pytest

import analysis
from analysis import api
from analysis.report.answers import answers
from analysis.results.read import read_results
from analysis.results.study_plan import NoStudy
from analysis.stats.comparison import compare

ROOT = Path(__file__).parents[2]
OLDER = ROOT / "tests/fixtures/results_1ada2c1/small"


def test_a_folder_is_named_by_a_text_or_a_path(study):
    root = study.arm("baseline", 90.0).write()
    by_text = analysis.read(str(root))
    by_path = analysis.read(root)
    assert by_text == by_path
    assert (by_text.name, by_text.folder, by_text.margin) == ("small", root, 0.5)


def test_trials_are_those_of_the_plan_and_the_tables_are_the_callers(study):
    root = study.arm("baseline", 90.0, 91.0).arm("a", 80.0, "failed").write()
    read = analysis.read(root)
    pd.testing.assert_frame_equal(read.trials, read_results(root).trials)
    assert read.trials is read.trials
    read.trials["state"] = "todo"
    assert read.comparison["n"].to_list() == [2, 1]


def test_comparison_is_that_of_the_report(study):
    root = study.arm("baseline", 90.0, 91.0).arm("a", 80.0, 82.0).write()
    expected = compare(read_results(root))
    pd.testing.assert_frame_equal(analysis.read(root).comparison, expected)


def test_rows_hold_every_number_of_every_completed_trial(study):
    study.arm("baseline", 90.0, "missing", setting="s", metrics={"loss/labeled": 1.5})
    study.arm("a", 80.0, "failed", setting="s", epochs=2)
    rows = analysis.read(study.write()).rows
    place = ["setting", "arm", "seed", "epoch"]
    metrics = ["test/accuracy", "val/accuracy", "loss/labeled"]
    assert list(rows.columns) == [*place, *metrics]
    baseline = [("s", "baseline", 0, epoch) for epoch in (1, 2, 3)]
    other = [("s", "a", 0, epoch) for epoch in (1, 2)]
    assert list(rows[place].itertuples(index=False, name=None)) == [*baseline, *other]
    assert rows["test/accuracy"].to_list() == [88.0, 89.0, 90.0, 79.0, 80.0]
    assert rows["loss/labeled"].fillna(-1).to_list() == [1.5, 1.5, 1.5, -1, -1]


def test_a_study_without_a_completed_trial_has_no_rows(study):
    rows = analysis.read(study.arm("baseline", "missing").write()).rows
    assert rows.empty
    assert list(rows.columns) == ["setting", "arm", "seed", "epoch"]


def test_tables_are_computed_when_they_are_first_used(study, monkeypatch):
    calls = []
    monkeypatch.setattr(api, "answers", lambda results: calls.append(results) or answers(results))
    read = analysis.read(study.arm("baseline", 90.0).write())
    assert calls == []
    assert read.comparison is read.comparison
    assert len(calls) == 1


def test_a_folder_without_a_study(tmp_path):
    with pytest.raises(NoStudy, match="contains no study results"):
        analysis.read(tmp_path)


def test_the_example_of_the_documents_runs(capsys):
    text = (ROOT / "docs/notebooks.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len([line for line in example.splitlines() if line]) <= 12
    example = example.replace('"results/ablation"', repr(str(OLDER)))
    exec(compile(example, "docs/notebooks.md", "exec"), {})
    shown = capsys.readouterr().out
    trials = read_results(OLDER).trials
    assert f"{len(trials)} trials" in shown
    assert all(arm in shown for arm in trials["arm"])
    assert "p_adjusted" in shown
