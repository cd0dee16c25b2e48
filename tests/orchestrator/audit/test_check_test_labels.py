"""`audit --split test`: the draw, the page and what `report` makes of the decisions, on tiny trials over HTTP."""

import json
import shutil
import threading

import pytest

from analysis.audit.drawn_test_images import order_of
from orchestrator.audit.check_test_labels import open_test_review
from orchestrator.audit.review_server import ReviewServer
from tests.orchestrator.audit.studies import ARRAYS, FOLDER, finished, write_folder, write_npz
from tests.orchestrator.audit.test_review import asked
from trainable.config.runtime import Machine

HELD_OUT = 12


@pytest.fixture
def root():
    write_folder(20)
    shutil.rmtree("images/test")
    return finished(FOLDER)


@pytest.fixture
def server(root):
    review = open_test_review(root, None, 8, Machine())
    with ReviewServer(review.desk(), 0) as up:
        thread = threading.Thread(target=up.serve_forever)
        thread.start()
        yield up
        up.shutdown()
        thread.join()


def drawn(root) -> dict:
    (file,) = root.glob("audit/test/*/draw.json")
    return json.loads(file.read_text())


def test_the_draw_is_kept_and_can_only_grow(root, command):
    code, output, _ = command("audit", root, "--split", "test", "--sample", "5")
    assert (code, output.splitlines()[0]) == (0, "0 of 5 drawn test images are checked")
    first = drawn(root)
    assert len(first["rows"]) == HELD_OUT
    assert first["rows"] == order_of(first["data"], HELD_OUT).tolist()
    command("audit", root, "--split", "test")
    assert drawn(root) == first
    command("audit", root, "--split", "test", "--sample", "9")
    assert drawn(root) == {**first, "sample": 9}
    code, _, errors = command("audit", root, "--split", "test", "--sample", "5")
    assert code == 2
    assert "--sample 5: 9 images are drawn already, and a sample can only grow" in errors
    code, _, errors = command("audit", root, "--split", "test", "--sample", "13")
    assert (code, f"the test set has {HELD_OUT} images" in errors) == (2, True)


def test_the_page_shows_the_draw_in_its_order_and_suspects_nothing(server, root):
    start = asked(server, "/start")
    assert start == {
        "title": "mine, test images",
        "classes": ["1", "=owl()", "crow"],
        "random": True,
    }
    cards = asked(server, "/next?mode=suspicious&reviewer=Ann&shown=")
    assert [card["row"] for card in cards] == drawn(root)["rows"][:6]
    assert all(card["given"] == card["suggested"] for card in cards)
    assert asked(server, "/plan") == ""
    assert asked(server, "/state")["certificate"] == "0 of 8 drawn test images are checked"


def test_decisions_have_a_file_of_their_own_and_the_report_uses_them(server, root, command):
    content = drawn(root)
    for place, row in enumerate(content["rows"][:8]):
        label = content["given"][place]
        said = {"reviewer": "Ann", "row": row, "decision": "label"}
        state = asked(
            server, "/decide", {**said, "label": (label + 1) % 3 if place == 0 else label}
        )
    assert state["looks"] == 8
    assert state["certificate"] == "8 of 8 drawn test images are checked, 1 labels wrong"
    assert not (root / "audit/decisions.csv").exists()
    lines = (root / "audit/test" / content["data"] / "decisions.csv").read_text().splitlines()
    assert [line.split(",")[3] for line in lines[1:]] == content["images"][:8]
    code, output, _ = command("report", root)
    assert code == 0
    assert "8 of 8 drawn test images are checked, 1 labels wrong" in output
    report = (root / "report/report.md").read_text()
    assert "## With 8 checked test labels" in report
    assert (root / "report/true_accuracy.tex").is_file() or list(
        root.glob("report/*/true_accuracy.tex")
    )


def test_test_images_are_named_by_their_row_where_they_are_not_files(command):
    write_npz(20)
    content = "{name: npz, path: images.npz, validation_fraction: 0.1, crop_padding: 0, test_labels: unchecked}"
    root = finished(content)
    code, output, _ = command("audit", root, "--split", "test")
    assert (code, output.splitlines()[0]) == (0, "0 of 3 drawn test images are checked")
    assert sorted(drawn(root)["images"]) == ["0", "1", "2"]


def test_trusted_test_labels_need_no_check(command):
    write_npz(20)
    code, _, errors = command("audit", finished(ARRAYS), "--split", "test")
    assert code == 2
    assert "--split test: the study trusts its test labels" in errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--sample", "5"), "--sample is for --split test"),
        (("--split", "test", "--apply", "out.csv"), "goes with --setting, --sample"),
        (("--split", "test", "--certificate"), "goes with --setting, --sample"),
        (("--split", "test", "--cross-fit", "5"), "goes with --setting, --sample"),
        (("--split", "test", "--seed", "0"), "goes with --setting, --sample"),
        (
            ("--export", "cleanlab", "f.csv", "--apply", "o.csv"),
            "--apply and --export are different",
        ),
        (("--review", "--cross-fit", "5"), "--review and --cross-fit are different"),
        (("--split", "test", "--setting", "x"), "--setting x: the study has none"),
        (("--split", "test", "--sample", "0"), "the test set has"),
    ],
)
def test_options_that_do_not_fit_are_refused(root, command, options, message):
    code, _, errors = command("audit", root, *options)
    assert code == 2
    assert message in errors
    assert not (root / "audit/test").exists()
