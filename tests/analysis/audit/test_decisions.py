"""Decisions of reviewers: appended, read, settled; faults of files are named and nothing of them is used."""

import subprocess
import sys

import pytest

from analysis.audit.decisions import (
    COLUMNS,
    BadDecisions,
    Decision,
    DecisionFile,
    Labels,
    append,
    read,
    settle,
    undone,
)

LABELS = Labels("d1", {"a.png": 0, "=b.png": 7, "c,\n.png": 9}, ["cat", "-dog", "owl"])
NOW = "2026-11-30T01:20:00Z"


def said(image="a.png", label="cat", reviewer="Ann", decision="label"):
    return Decision(NOW, reviewer, "d1", image, decision, label if decision == "label" else "")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "audit" / "decisions.csv"


def test_what_was_appended_is_read_with_any_names(file):
    decisions = [said(), said("=b.png", "-dog"), said("c,\n.png", decision="unusable")]
    for decision in decisions:
        append(file, decision)
    assert read(file, LABELS) == decisions
    for name in ("'=b.png", "'-dog"):
        assert name in file.read_text(), "no spreadsheet runs it"


def test_an_undone_decision_is_gone_and_another_may_follow(file):
    append(file, said())
    append(file, undone(said(), NOW))
    assert read(file, LABELS) == []
    append(file, said(label="owl"))
    assert read(file, LABELS) == [said(label="owl")]


def test_a_line_that_a_killed_process_did_not_finish_is_left_out_and_cut(file):
    append(file, said())
    with file.open("a") as stream:
        stream.write("2026-11-30T01:21:00Z,Ann,d1,=b.p")
    assert read(file, LABELS) == [said()]
    append(file, said("=b.png", "owl"))
    assert read(file, LABELS) == [said(), said("=b.png", "owl")]


def test_two_processes_may_append_at_once(file):
    program = (
        "import sys; from pathlib import Path\n"
        "from analysis.audit.decisions import Decision, append\n"
        "for k in range(200):\n"
        "    append(Path(sys.argv[1]), Decision('now', sys.argv[2], 'd1', f'{k}', 'unsure'))\n"
    )
    append(file, said())
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(file), name]) for name in ("Bo", "Cy")
    ]
    assert [process.wait(60) for process in running] == [0, 0]
    labels = Labels("d1", {"a.png": 0} | {f"{k}": k for k in range(200)}, LABELS.classes)
    assert len(read(file, labels)) == 401


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"{NOW},Ann,d2,a.png,label,cat", "line 3: it is about other data .d2; these are d1"),
        (f"{NOW},Ann,d1,x.png,label,cat", "line 3: image x.png is not in the data"),
        (f"{NOW},Ann,d1,a.png,label,catt", "line 3: class catt does not exist; did you mean cat"),
        (f"{NOW},Ann,d1,a.png,label,", "line 3: class  does not exist"),
        (f"{NOW},Ann,d1,a.png,perhaps,", "line 3: `perhaps` is none of label, unusable"),
        (f"{NOW},Ann,d1,a.png,label", "line 3: it has 5 cells, not 6"),
        (f"{NOW},Ann,d1,a.png,label,owl", "lines 2 and 3: Ann decided differently about a.png"),
        (f"{NOW},Ann,d1,a.png,unsure,", "lines 2 and 3: Ann decided differently about a.png"),
    ],
)
def test_a_fault_is_named_by_its_line(file, line, message):
    append(file, said())
    with file.open("a") as stream:
        stream.write(line + "\n")
    with pytest.raises(BadDecisions, match=message):
        read(file, LABELS)


def test_many_faults_are_counted(file):
    append(file, said())
    with file.open("a") as stream:
        stream.writelines(f"{NOW},Ann,d1,{k}.png,unsure,\n" for k in range(8))
    with pytest.raises(BadDecisions, match="… and 3 more"):
        read(file, LABELS)


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"\xff\xfe\x00", b"PK\x03\x04\n"])
def test_another_file_is_refused(file, content):
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(BadDecisions, match=r"decisions\.csv"):
        read(file, LABELS)


def test_a_file_without_decisions_is_one(file):
    file.parent.mkdir()
    for content in ("", ",".join(COLUMNS) + "\n", ",".join(COLUMNS)):
        file.write_text(content)
        assert read(file, LABELS) == []


@pytest.mark.parametrize(
    ("decisions", "outcome", "label"),
    [
        ([said()], "label", 0),
        ([said(decision="unusable")], "unusable", None),
        ([said(decision="unsure")], "unsure", None),
        ([said(decision="unsure"), said(reviewer="Bo", label="owl")], "label", 2),
        ([said(), said(reviewer="Bo", label="owl")], "disputed", None),
        ([said(), said(reviewer="Bo", decision="unusable")], "disputed", None),
        ([said(), said(reviewer="Bo", label="owl"), said(reviewer="Cy")], "label", 0),
    ],
)
def test_the_majority_of_reviewers_settles(decisions, outcome, label):
    (found,) = settle(decisions, LABELS).values()
    assert (found.outcome, found.label) == (outcome, label)
    assert found.reviewers == tuple(decision.reviewer for decision in decisions)


def test_a_file_is_followed_while_it_grows_and_read_anew_if_it_was_edited(file):
    append(file, said(), said("=b.png", "-dog"))
    followed = DecisionFile(file, LABELS)
    assert followed.refresh() == {"a.png", "=b.png"}
    assert followed.refresh() == set()
    append(file, undone(said(), NOW), said(label="owl"), said(reviewer="Bo"))
    with file.open("a") as stream:
        stream.write("2026-11-30T01:21:00Z,Cy,d1,=b.p")
    assert followed.refresh() == {"a.png"}
    assert followed.about("a.png") == {"Ann": said(label="owl"), "Bo": said(reviewer="Bo")}
    file.write_text(file.read_text().replace("'-dog", "cat"))
    assert followed.refresh() == {"a.png", "=b.png"}
    assert followed.about("=b.png") == {"Ann": said("=b.png", "cat")}
    append(file, said("=b.png", "owl"))
    with pytest.raises(BadDecisions, match=r"lines 3 and 7: Ann decided differently about =b\.png"):
        followed.refresh()
    assert followed.decisions() == [], "nothing of such a file is used"
