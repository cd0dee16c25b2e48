"""The index of written audits, from the tables that they have left."""

from pathlib import Path

import pytest

from analysis.audit.index_page import write_index
from analysis.audit.written_audits import written_audits
from analysis.report.write import write_report
from tests.analysis.material import sample_table

FIGURES = "seeds,trials,samples,expected,wrong\n"


def written(root: Path, name: str, content: str) -> None:
    """Write a file of an audit."""
    file = root / "audit" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")


def test_each_set_of_labels_is_a_row_with_its_own_sheet(tmp_path):
    figures = f"{FIGURES}2,1,90,9,8\n10,1,90,18.5,20\nmean,1,90,13.75,14\n"
    written(tmp_path, "hard/baseline/figures.csv", figures)
    for seed in (2, 10):
        written(tmp_path, f"hard/baseline/sheet_seed={seed}.html", "")
        shares = f"given,samples,expected,share\n'=owl,40,4,0.{seed}\ncrow,50,5,0.05\n"
        written(tmp_path, f"hard/baseline/classes_seed={seed}.csv", shares)
    written(tmp_path, "baseline/figures.csv", "seeds,trials,samples,expected\n0 1 2,3,80,\n")
    written(tmp_path, "baseline/figures_seed=2.csv", "seeds,trials,samples,expected\n2,1,70,7\n")
    written(tmp_path, "baseline/sheet_seed=2.html", "")
    written(tmp_path, "baseline/figures_old.csv", "anything")
    found, problems = written_audits(tmp_path)
    assert not problems
    assert [(each.setting, each.arm, each.seeds) for each in found] == [
        ("", "baseline", "0 1 2"),
        ("", "baseline", "2"),
        ("hard", "baseline", "2"),
        ("hard", "baseline", "10"),
    ]
    assert [each.sheet for each in found] == [
        None,
        "baseline/sheet_seed=2.html",
        "hard/baseline/sheet_seed=2.html",
        "hard/baseline/sheet_seed=10.html",
    ]
    assert [each.expected for each in found] == [None, 7, 9, 18.5]
    assert [each.wrong for each in found] == [None, None, 8, 20]
    assert found[2].shares == {"=owl": 0.2, "crow": 0.05}
    assert found[3].shares == {"=owl": 0.1, "crow": 0.05}

    page = write_index(tmp_path).read_text(encoding="utf-8")
    assert page.count("<tr>") == 5
    assert '<a href="hard/baseline/sheet_seed%3D10.html">sheet</a>' in page
    assert "not given" in page, "the audit of the three seeds gives no number"
    assert "<td>18</td><td>20.6 %</td><td>20</td>" in page


def test_names_are_text_and_no_html(tmp_path):
    written(tmp_path, "<b>x/a&b/figures.csv", f"{FIGURES}<script>,1,9,1,1\n")
    written(tmp_path, "<b>x/a&b/sheet.html", "")
    page = write_index(tmp_path).read_text(encoding="utf-8")
    assert "<b>" not in page
    assert "<script>" not in page
    assert "%3Cb%3Ex/a%26b/sheet.html" in page


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", f"{FIGURES}0,1,x,1,1\n", '"'])
def test_a_table_that_cannot_be_read_is_named(tmp_path, content):
    written(tmp_path, "baseline/figures.csv", content)
    written(tmp_path, "other/figures.csv", f"{FIGURES}0,1,9,1,1\n")
    found, problems = written_audits(tmp_path)
    assert [each.arm for each in found] == ["other"]
    (problem,) = problems
    assert problem.startswith("audit/baseline/figures.csv or its table of classes cannot be read")
    assert problem in write_index(tmp_path).read_text(encoding="utf-8")


def test_the_report_has_what_the_audits_say_and_is_the_same_each_time(study):
    root = study.arm("baseline", 70.0, 72.0, samples=sample_table()).write()
    assert "probably wrong" not in Path(write_report(root)[0]).read_text(encoding="utf-8")
    written(
        root,
        "baseline/figures.csv",
        "seeds,trials,samples,expected,least,most\n0 1,2,60,12.4,9,20\n",
    )
    names = ["<i>crow", "a|b", "[x](y)", "d", "e", "f"]
    lines = [f"{name},10,2,0.{9 - place}" for place, name in enumerate(names)]
    table = "\n".join(["given,samples,expected,share", *lines, "g,10,0,0.0"])
    written(root, "baseline/classes.csv", table)
    write_index(root)
    page, text = (path.read_text(encoding="utf-8") for path in write_report(root)[:2])
    assert '<a href="../audit/index.html">' in page
    assert "&lt;i&gt;crow 90 %, a|b 80 %, [x](y) 70 %, d 60 %, e 50 %" in page
    assert (
        "| baseline | 0 1 | 60 | 12 (9 to 20) | 20.7 % | &lt;i>crow 90 %, a&#124;b 80 %, [x]&#40;y)"
        in text
    )
    assert "[../audit/index.html](../audit/index.html)" in text
    again, _ = (path.read_text(encoding="utf-8") for path in write_report(root)[:2])
    assert again == page
