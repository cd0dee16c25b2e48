"""The report's files, and the command that writes them."""

import runpy
import sys

import pandas as pd
import pytest

from analysis import comparison, report
from analysis.results import NoResults

FILES = [
    "report/tables/arms.csv",
    "report/tables/arms.md",
    "report/figures/accuracy_per_epoch.png",
    "report/figures/accuracy_per_epoch.svg",
]


@pytest.fixture
def command(monkeypatch, capsys):
    """Run `python -m analysis` in this process: exit code, standard output, standard error."""

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["analysis", *map(str, arguments)])
        monkeypatch.delitem(sys.modules, "analysis.__main__", raising=False)
        with pytest.raises(SystemExit) as caught:
            runpy.run_module("analysis", run_name="__main__")
        return caught.value.code, *capsys.readouterr()

    return command


@pytest.fixture
def no_figures(monkeypatch):
    """Leave the figures out: they have tests of their own."""
    monkeypatch.setattr(report.figures, "accuracy_per_epoch", lambda *args: [])


def page(study):
    report.write(study.write())
    return (study.root / "report" / "tables" / "arms.md").read_text(encoding="utf-8")


# --- files ---


def test_every_file_is_written_below_report(study):
    study.arm("baseline", 70.0, 72.0).arm("variant", 60.0, "failed")
    paths = report.write(study.write())
    assert [path.relative_to(study.root).as_posix() for path in paths] == FILES
    assert sorted(p for p in (study.root / "report").rglob("*") if p.is_file()) == sorted(paths)
    assert all(path.stat().st_size for path in paths)


def test_a_study_without_a_finished_trial_has_a_report(study):
    paths = report.write(study.arm("baseline", "failed").arm("variant", "missing").write())
    assert all(path.stat().st_size for path in paths)
    assert len(paths) == 4


def test_two_reports_of_the_same_results_have_the_same_tables(study):
    root = study.arm("baseline", 70.0, 200 / 3).arm("variant", 60.0, "failed").write()

    def tables_of_a_report():
        return {path.name: path.read_bytes() for path in report.write(root) if path.suffix in (".csv", ".md")}

    first = tables_of_a_report()
    assert set(first) == {"arms.csv", "arms.md"}
    assert tables_of_a_report() == first


@pytest.mark.usefixtures("no_figures")
def test_a_report_replaces_the_one_before(study):
    assert "runs/variant/seed=1: failed" in page(study.arm("baseline", 70.0, 72.0).arm("variant", 60.0, "failed"))
    study.records = []
    assert "failed" not in page(study.arm("baseline", 70.0, 72.0).arm("variant", 60.0, 61.0))


@pytest.mark.usefixtures("no_figures")
def test_a_report_changes_nothing_but_its_own_folder(study):
    def content():
        files = [p for p in study.root.rglob("*") if p.is_file() and "report" not in p.parts]
        return {p: p.read_bytes() for p in files}

    study.arm("baseline", 70.0, "failed").write()
    before = content()
    report.write(study.root)
    assert content() == before


@pytest.mark.usefixtures("no_figures")
def test_the_csv_is_the_comparison(study):
    study.arm("baseline", 70.0, 200 / 3).arm("variant", 60.0, 61.0).arm("other", 50.0, 51.0, paired=False)
    report.write(study.write())
    text = {"setting": "", "family": ""}
    path = study.root / "report" / "tables" / "arms.csv"
    again = pd.read_csv(path, dtype=dict.fromkeys(text, str)).fillna(text)
    pd.testing.assert_frame_equal(again, comparison.compare(study.read()), check_dtype=False, rtol=1e-12)


# --- the page ---


@pytest.mark.usefixtures("no_figures")
def test_the_page_names_the_study_and_says_which_accuracy_it_shows(study):
    found = page(study.arm("baseline", 70.0, 72.0).arm("variant", 60.0, 61.0))
    assert found.startswith("# small\n")
    assert "ensemble's on the clean test set, mean of the last ten epochs" in found
    assert "adjusted by Holm" in found


@pytest.mark.usefixtures("no_figures")
def test_arms_on_other_data_stand_in_their_own_table(study, rendered):
    study.arm("baseline", 70.0, 72.0).arm("other_noise", 50.0, 51.0, paired=False).arm("variant", 60.0, 61.0)
    paired, other = rendered(page(study))
    assert [line[0] for line in paired] == ["arm", "baseline", "variant"]
    assert [line[0] for line in other] == ["arm", "other_noise"]


@pytest.mark.usefixtures("no_figures")
def test_a_study_of_paired_arms_has_one_table_and_no_list(study, rendered):
    found = page(study.arm("baseline", 70.0, 72.0).arm("variant", 60.0, 61.0))
    assert len(rendered(found)) == 1
    assert "not comparable" not in found
    assert "without a result" not in found


@pytest.mark.usefixtures("no_figures")
def test_the_page_lists_every_trial_without_a_result(study):
    study.arm("baseline", 70.0, "missing").arm("variant", "failed", 61.0, setting="hard")
    study.arm("other", "failed", 50.0, paired=False)
    listed = [line for line in page(study).splitlines() if line.startswith("- ")]
    assert listed == [
        "- runs/hard/variant/seed=0: failed",
        "- runs/other/seed=0: failed",
        "- runs/baseline/seed=1: missing",
    ]


@pytest.mark.usefixtures("no_figures")
def test_a_table_shows_settings_in_the_studys_order(study, rendered):
    for setting in ("sym80", "sym20"):
        study.arm("baseline", 70.0, setting=setting).arm("variant", 71.0, setting=setting)
    (table,) = rendered(page(study))
    assert [line[:2] for line in table[1:]] == [
        ["sym80", "baseline"],
        ["sym80", "variant"],
        ["sym20", "baseline"],
        ["sym20", "variant"],
    ]


# --- the command ---


def test_no_results_raise_before_anything_is_written(tmp_path):
    with pytest.raises(NoResults):
        report.write(tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_command_prints_the_files_it_wrote_and_exits_0(study, command):
    code, out, err = command(study.arm("baseline", 70.0).write())
    assert code == 0
    assert out.splitlines() == [str(study.root / name) for name in FILES]
    assert err == ""


@pytest.mark.parametrize("plan", [None, "{", '{"study": "x", "trials": [{}]}'])
def test_the_command_says_in_a_sentence_that_there_are_no_results_and_exits_2(tmp_path, command, plan):
    if plan is not None:
        (tmp_path / "trials.json").write_text(plan)
    code, out, err = command(tmp_path)
    assert (code, out) == (2, "")
    assert err == f"{tmp_path} holds no study's results (there is no readable trials.json in it)\n"


def test_the_command_without_a_folder_explains_itself_and_exits_2(command):
    code, out, err = command()
    assert (code, out) == (2, "")
    assert "usage: python -m analysis" in err
