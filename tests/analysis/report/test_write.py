"""The report's files, and the command that writes them."""

import json
import xml.etree.ElementTree as ElementTree
from base64 import b64decode

import pandas as pd
import pytest

from analysis.report.write import write_report
from analysis.results.study_plan import NoStudy
from analysis.stats import comparison
from tests.analysis.conftest import StudyFolder
from tests.analysis.material import sample_table
from tests.analysis.stats.test_interactions import TWO, product
from trainable.storage.checksums import signed

FILES = [
    "report/index.html",
    "report/report.md",
    *(f"report/tables/{name}" for name in ("arms.csv", "accuracies.csv", "costs.csv")),
    *(f"report/tables/{name}.tex" for name in ("family_1", "accuracies", "details", "costs")),
    *(f"report/figures/{name}" for name in ("forest.png", "forest.svg")),
    *(f"report/figures/accuracy_per_epoch.{suffix}" for suffix in ("png", "svg")),
]
"""Of a study of paired arms."""


@pytest.fixture
def no_figures(monkeypatch):
    """Leave the figures out: they have tests of their own."""
    monkeypatch.setattr("analysis.report.write._pictures", lambda *args: iter(()))


def markdown(study):
    write_report(study.write())
    return (study.root / "report" / "report.md").read_text(encoding="utf-8")


# --- files ---


def test_every_file_is_written_below_report(study):
    study.arm("baseline", 70.0, 72.0).arm("variant", 60.0, "failed")
    paths = write_report(study.write())
    assert [path.relative_to(study.root).as_posix() for path in paths] == FILES
    assert sorted(p for p in (study.root / "report").rglob("*") if p.is_file()) == sorted(paths)
    assert all(path.stat().st_size for path in paths)


def test_a_study_without_a_finished_trial_has_a_report(study):
    paths = write_report(study.arm("baseline", "failed").arm("variant", "missing").write())
    assert all(path.stat().st_size for path in paths)
    names = [path.relative_to(study.root).as_posix() for path in paths]
    assert names == [name for name in FILES if "forest" not in name and "details" not in name]


def test_two_reports_of_the_same_results_are_the_same_files(study):
    root = study.arm("baseline", 70.0, 200 / 3).arm("variant", 60.0, "failed").write()

    def files_of_a_report():
        return {
            path.name: path.read_bytes()
            for path in write_report(root)
            if path.suffix not in (".png",)
        }

    first = files_of_a_report()
    assert {"index.html", "report.md", "arms.csv", "family_1.tex", "forest.svg"} <= set(first)
    assert files_of_a_report() == first


@pytest.mark.usefixtures("no_figures")
def test_a_report_replaces_the_one_before(study):
    assert "runs/variant/seed=1: failed" in markdown(
        study.arm("baseline", 70.0, 72.0).arm("variant", 60.0, "failed")
    )
    study.records = []
    again = markdown(study.arm("baseline", 70.0, 72.0).arm("variant", 60.0, 61.0))
    assert "runs/variant/seed=1" not in again


@pytest.mark.usefixtures("no_figures")
def test_a_report_changes_nothing_but_its_own_folder(study):
    def content():
        files = [p for p in study.root.rglob("*") if p.is_file() and "report" not in p.parts]
        return {p: p.read_bytes() for p in files}

    study.arm("baseline", 70.0, "failed").write()
    before = content()
    write_report(study.root)
    assert content() == before


@pytest.mark.usefixtures("no_figures")
def test_the_csv_is_the_comparison(study):
    study.arm("baseline", 70.0, 200 / 3).arm("variant", 60.0, 61.0).arm(
        "other", 50.0, 51.0, paired=False
    )
    write_report(study.write())
    text = {"setting": "", "family": "", "verdict": ""}
    path = study.root / "report" / "tables" / "arms.csv"
    again = pd.read_csv(path, dtype=dict.fromkeys(text, str)).fillna(text)
    pd.testing.assert_frame_equal(
        again, comparison.compare(study.read()), check_dtype=False, rtol=1e-12
    )


# --- the page ---


@pytest.mark.usefixtures("no_figures")
def test_the_page_names_the_study_and_says_which_accuracy_it_shows(study):
    found = markdown(study.arm("baseline", 70.0, 72.0).arm("variant", 60.0, 61.0))
    assert found.startswith("# small\n")
    assert "ensemble's on the clean test set" in found
    assert (
        "“last-10” is the mean of the last ten epochs, or of the last third of fewer than 30."
        in found
    )
    assert "joint sign flips of whole seeds" in found


@pytest.mark.usefixtures("no_figures")
def test_arms_on_other_data_stand_in_their_own_table(study, rendered):
    study.arm("baseline", 70.0, 72.0).arm("other_noise", 50.0, 51.0, paired=False).arm(
        "variant", 60.0, 61.0
    )
    paired, other, *_ = rendered(markdown(study))
    assert [line[0] for line in paired] == ["arm", "baseline", "variant"]
    assert [line[0] for line in other] == ["arm", "other_noise"]


@pytest.mark.usefixtures("no_figures")
def test_a_study_of_paired_arms_has_no_table_of_others_and_no_list_of_trials(study, rendered):
    found = markdown(study.arm("baseline", 70.0, 72.0).arm("variant", 60.0, 61.0))
    assert [table[0][0] for table in rendered(found)] == [
        "arm"
    ] * 4  # the family, accuracies, details, costs
    assert "other data or noise" not in found
    assert "without a result" not in found


@pytest.mark.usefixtures("no_figures")
def test_the_page_lists_every_trial_without_a_result(study):
    study.arm("baseline", 70.0, "missing").arm("variant", "failed", 61.0, setting="hard")
    study.arm("other", "failed", 50.0, paired=False)
    listed = markdown(study).partition("## Trials without a result")[2]
    assert [line for line in listed.splitlines() if line.startswith("- ")] == [
        "- runs/hard/variant/seed=0: failed: TrialError: m",
        "- runs/other/seed=0: failed: TrialError: m",
        "- runs/baseline/seed=1: todo: not run",
    ]


@pytest.mark.usefixtures("no_figures")
def test_settings_that_have_not_begun_are_named_and_left_out(study, rendered):
    study.arm("baseline", 90.0, 91.0, setting="small").arm("arm", 92.0, "missing", setting="small")
    for setting in ("large", "huge"):
        study.arm("baseline", "missing", "missing", setting=setting).arm(
            "arm", "missing", "missing", setting=setting
        )
    study.arm("baseline", "failed", "missing", setting="bad")
    write_report(study.write())
    text = markdown(study)
    assert text.splitlines()[2] == "3 of 14 trials completed, none in the settings large, huge."
    rest = text.split("\n", 3)[3]
    assert "large" not in rest
    assert "small/arm/seed=1" in rest
    assert "bad/baseline/seed=0: failed" in rest, "a failure is never left out"
    assert set(pd.read_csv(study.root / "report" / "tables" / "arms.csv")["setting"]) == {
        "small",
        "bad",
    }


def test_a_table_shows_settings_in_the_studys_order(study, rendered):
    for setting in ("sym80", "sym20"):
        study.arm("baseline", 70.0, setting=setting).arm("variant", 71.0, setting=setting)
    first, second, paper, accuracies, *_ = rendered(markdown(study))
    both = [
        ["sym80", "baseline"],
        ["sym80", "variant"],
        ["sym20", "baseline"],
        ["sym20", "variant"],
    ]
    assert [line[:2] for line in first[1:] + second[1:]] == both, (
        "a table for each setting's family"
    )
    assert paper[0] == ["arm", "accuracy", "sym80", "sym20"]
    assert [line[:2] for line in accuracies[1:]] == both


# --- the command ---


def test_no_results_raise_before_anything_is_written(tmp_path):
    with pytest.raises(NoStudy):
        write_report(tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_command_prints_the_files_it_wrote_and_exits_0(study, command):
    code, out, err = command(
        "report", study.arm("baseline", 70.0, 71.0).arm("variant", 60.0, 61.0).write()
    )
    assert code == 0
    assert out.splitlines() == [str(study.root / name) for name in FILES]
    assert err == ""


def test_the_command_writes_the_reports_of_several_studies(study, command, tmp_path):
    other = StudyFolder(tmp_path / "other").arm("baseline", 70.0)
    code, out, _ = command("report", study.arm("baseline", 70.0).write(), other.write())
    assert code == 0
    pages = [line for line in out.splitlines() if line.endswith("index.html")]
    assert pages == [str(root / "report" / "index.html") for root in (study.root, other.root)]


@pytest.mark.parametrize("plan", [None, "{}", '{"study": "x", "trials": [{}]}'])
def test_the_command_says_in_a_sentence_that_there_are_no_results_and_exits_2(
    tmp_path, command, plan
):
    if plan is not None:
        (tmp_path / "trials.json").write_text(plan)
    code, out, err = command("report", tmp_path)
    assert (code, out) == (2, "")
    assert err == f"{tmp_path} contains no study results (there is no readable trials.json in it)\n"


@pytest.mark.parametrize("arguments", [(), ("report",), ("summarise", ".")])
def test_a_command_that_is_not_whole_explains_itself_and_exits_2(command, arguments):
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert "usage: python -m analysis" in err


# --- the page ---


def test_the_page_shows_the_same_tables_as_markdown(study, page, rendered):
    study.arm("baseline", 70.0, 72.0).arm("variant", 60.0, 61.0).arm(
        "x=1", 71.0, 72.0, family="method.x"
    )
    plot, *tables = page(write_report(study.write())[0]).tables
    assert [line[0] for line in plot] == ["arm", "variant", "x=1"]
    assert tables == rendered((study.root / "report" / "report.md").read_text(encoding="utf-8"))


def test_the_page_needs_no_other_file_and_shows_every_figure(study, page):
    table = sample_table()
    division = {
        f"division/{name}_net0": 0.5 for name in ("auc", "labeled_fraction", "precision", "recall")
    }
    work = {seed: {"work/forwards": 1e6} for seed in (0, 1)}
    product(study, TWO, baseline=(0, 0))
    study.arm("variant", 60.0, 61.0, change=work, metrics=division)
    study.arm("z=3", 60.0, 61.0, family="method.a", config={"method": {"a": 3}})
    study.records = [record for record in study.records if record.arm != "baseline"]
    study.arm(
        "baseline",
        70.0,
        71.0,
        samples=table,
        metrics=division,
        config={"method": {"a": 0, "b": 0}},
        change=work,
    )
    paths = write_report(study.write())
    found = page(paths[0])
    figures = [path for path in paths if path.suffix == ".svg"]
    assert [path.stem for path in figures] == [
        *(
            "forest",
            "accuracy_per_epoch",
            "factors",
            "product",
            "accuracy_against_work",
            "division_per_epoch",
        ),
        *("loss_histograms", "class_histograms"),
    ]
    images = [
        address for address in found.addresses if address.startswith("data:image/svg+xml;base64,")
    ]
    drawings = [b64decode(address.partition(",")[2]) for address in images]
    shown = ("product", "loss_histograms", "class_histograms")
    assert drawings == [path.read_bytes() for path in figures if path.stem in shown]
    assert all(ElementTree.fromstring(drawing).tag.endswith("svg") for drawing in drawings)
    files = {address for address in found.addresses if not address.startswith(("data:", "#"))}
    assert all((paths[0].parent / file).is_file() for file in files)
    assert {f"figures/{path.name}" for path in figures if path.stem != "forest"} <= files
    drawn = ("accuracy per epoch", "each factor's values", "work of a trial", "Quality")
    assert all(words in " ".join(found.visible) for words in drawn)
    # Panels: two families, two factors, one of work, four metrics of two families.
    assert found.tags.count("svg") - found.tags.count("input") > 12
    assert found.tags.count("script") == 1
    assert "iframe" not in found.tags
    tables = [path.name for path in paths if path.parent.name == "tables"]
    assert {"interactions.csv", "interactions.tex", "thresholds.csv", "thresholds.tex"} <= set(
        tables
    )


@pytest.mark.usefixtures("no_figures")
def test_the_page_says_what_is_better(study, page):
    study.arm("baseline", *[70.0] * 8).arm("better", *[71.0 + k / 10 for k in range(8)]).arm(
        "alike", *[70.0] * 8
    )
    found = page(write_report(study.write())[0])
    assert found.headings[:2] == ["small", "Results"]
    better, alike = found.lists["Results"]
    assert better.startswith("better: +1.35 points [")
    assert "8 seeds: better (p 0.0078)" in better
    assert "equivalent within ±0.5 points" in alike


@pytest.mark.usefixtures("no_figures")
def test_the_page_shows_the_study_file_and_each_run_as_text(study, page):
    root = study.arm("baseline", 70.0).write()
    (root / "study.yaml").write_text("name: small # <script>alert(1)</script>\n")
    run = {
        "time": "2026-01-02T03:04",
        "host": "a<b",
        "command": ["python", "run"],
        "system": "Linux",
        "cpus": 2,
    }
    run |= {
        "python": "3.11",
        "versions": {"torch": "2.11.0"},
        "git_revision": "abc",
        "git_diff": "+x",
    }
    (root / "provenance.json").write_text(json.dumps([signed(run)]))
    found = page(write_report(root)[0])
    visible = " ".join("".join(found.visible).split())
    assert found.tags.count("script") == 1, "the page's own"
    assert "<script>alert(1)</script>" in visible
    assert "2026-01-02T03:04 on a<b" in visible
    assert "git abc, with uncommitted changes" in visible


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize("content", [None, "", "{", "[]", "{}", "3", "[3]", "[{}]"])
def test_a_damaged_provenance_does_not_stop_a_report(study, content):
    root = study.arm("baseline", 70.0).write()
    (root / "study.yaml").unlink()
    if content is not None:
        (root / "provenance.json").write_text(content)
    assert "1 of 1 trials" in write_report(root)[0].read_text(encoding="utf-8")


@pytest.mark.usefixtures("no_figures")
def test_tables_are_written_for_latex(study):
    study.arm("baseline", 70.0, 72.0, setting="sym80").arm("no_mixup", 60.0, 61.0, setting="sym80")
    files = {
        path.name: path.read_text(encoding="utf-8")
        for path in write_report(study.write())
        if path.suffix == ".tex"
    }
    assert set(files) == {
        f"{name}.tex" for name in ("family_1", "by_setting", "accuracies", "details", "costs")
    }
    assert all(r"\toprule" in text for text in files.values())
    assert r"no\_mixup" in files["by_setting.tex"]


def test_label_wave_has_a_column_where_trials_have_it(study):
    study.arm("baseline", *[70.0] * 6)
    study.arm("mixup", *[72.0] * 6)
    text = write_report(study.write())[1].read_text()
    assert "label wave" not in text
    waves = {seed: {"test/accuracy_label_wave": 71.0 + seed} for seed in range(6)}
    study.arm("up", *[73.0] * 6, change=waves)
    text = write_report(study.write())[1].read_text()
    assert "label wave test accuracy %" in text
    assert "73.50 ± 1.87" in text, "of the only arm that has it"
    assert "for which no label is needed" in text
