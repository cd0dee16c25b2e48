"""`audit --review`, `--certificate` and `--apply` with decisions, on real, tiny trials and over HTTP."""

import json
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pandas as pd
import pytest

from analysis.audit.decisions import Decision, append
from orchestrator.audit.review import open_review
from orchestrator.audit.review_server import ReviewDesk, ReviewServer
from tests.orchestrator.audit.studies import ARRAYS, FOLDER, finished, write_folder, write_npz
from trainable.config.runtime import Machine


@pytest.fixture
def root() -> Path:
    write_folder(20)
    return finished(FOLDER)


@pytest.fixture
def server(root):
    review = open_review(root, None, "baseline", None, Machine())
    with ReviewServer(ReviewDesk(review.audited, review.data, review.order, review.file), 0) as up:
        thread = threading.Thread(target=up.serve_forever)
        thread.start()
        yield up
        up.shutdown()
        thread.join()


def ask(server, path, body=None, token=None, host=None):
    """Status, type and content of an answer."""
    headers = {"X-Token": server.token if token is None else token}
    if host:
        headers["Host"] = host
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{server.server_port}{path}", data, headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read()


def asked(server, path, body=None):
    status, _, content = ask(server, path, body)
    assert status == 200, content
    return json.loads(content)


def test_decisions_over_http_are_in_the_file_and_in_the_corrected_labels(server, root, command):
    assert asked(server, "/start") == {"title": "mine", "classes": ["1", "=owl()", "crow"]}
    cards = asked(server, "/next?mode=suspicious&reviewer=Ann&shown=")
    rows = [card["row"] for card in cards]
    assert len(set(rows)) == 6
    first, second, third = cards[:3]
    changed = (first["given"] + 1) % 3
    said = {"reviewer": "Ann", "decision": "label"}
    state = asked(server, "/decide", {**said, "row": first["row"], "label": changed})
    assert (state["looks"], state["images"], state["wrong"]) == (1, 60, 1)
    assert "At most" in state["certificate"]
    asked(server, "/decide", {**said, "row": second["row"], "label": second["given"]})
    asked(server, "/decide", {"reviewer": "Ann", "row": third["row"], "decision": "unusable"})
    assert "1 corrections" not in state["certificate"] or state["wrong"] == 1
    code, output, _ = command("audit", root, "--apply", "corrected.csv", "--min-confidence", "1")
    assert code == 0
    assert "corrected.csv: 1 of 60 labels changed, 1 by decisions and 0 by suggestions" in output
    assert "1 unusable images keep their given labels" in output
    table = pd.read_csv("corrected.csv", dtype=str).set_index("file")["label"]
    names = ["1", "'=owl()", "crow"]
    assert table[first["image"]] == names[changed]
    assert table[second["image"]] == names[second["given"]]
    code, output, _ = command("audit", root, "--certificate")
    assert code == 0
    assert output.startswith("At most ")
    assert "(3 of 60 images reviewed, " in output
    assert "; 2 labels wrong)." in output


def test_a_decision_may_be_changed_and_undone(server, root):
    card = asked(server, "/next?mode=suspicious&reviewer=Ann&shown=")[0]
    body = {"reviewer": "Ann", "row": card["row"], "decision": "unsure"}
    asked(server, "/decide", body)
    asked(server, "/decide", body)
    asked(server, "/decide", {**body, "decision": "unusable"})
    state = asked(server, "/undo", {"reviewer": "Ann", "row": card["row"]})
    assert state["looks"] == 0
    assert state["card"] == card
    lines = (root / "audit/decisions.csv").read_text().splitlines()
    assert [line.split(",")[4] for line in lines[1:]] == ["unsure", "undo", "unusable", "undo"]


def test_what_another_process_appends_is_seen(server, root):
    card = asked(server, "/next?mode=suspicious&reviewer=Ann&shown=")[0]
    data = open_review(root, None, "baseline", None, Machine()).data.arrays.hash
    file = root / "audit/decisions.csv"
    append(file, Decision("now", "Bo", data, card["image"], "unsure"))
    assert asked(server, "/state")["looks"] == 1
    (again,) = asked(server, "/next?mode=second&reviewer=Ann&shown=")
    assert again["row"] == card["row"]
    file.unlink()
    assert asked(server, "/state")["looks"] == 0


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/image/999", None, 400),
        ("/image/../../../etc/passwd", None, 400),
        ("/nothing", None, 400),
        ("/next?mode=all", None, 400),
        ("/examples?class=3", None, 400),
        ("/decide", {"reviewer": "", "row": 0, "decision": "unsure"}, 400),
        ("/decide", {"reviewer": "Ann", "row": 0, "decision": "perhaps"}, 400),
        ("/decide", {"reviewer": "Ann", "row": 0, "decision": "label", "label": 3}, 400),
        ("/decide", {"reviewer": "Ann", "row": 999, "decision": "unsure"}, 400),
        ("/decide", {"reviewer": "A" * 20_000, "row": 0, "decision": "unsure"}, 413),
        ("/decide", ["Ann"], 400),
    ],
)
def test_what_there_is_not_is_refused_and_nothing_is_written(server, root, path, body, status):
    assert ask(server, path, body)[0] == status
    assert not (root / "audit/decisions.csv").exists()


def test_the_page_is_for_who_has_its_address(server):
    assert ask(server, "/state", token="x")[0] == 403
    assert ask(server, "/state", host="evil.example")[0] == 403
    assert ask(server, "/decide", {"reviewer": "A", "row": 0, "decision": "unsure"}, "")[0] == 403
    with urllib.request.urlopen(server.address, timeout=20) as page:
        policy = page.headers["Content-Security-Policy"]
        text = page.read().decode()
    nonce = policy.partition("'nonce-")[2].partition("'")[0]
    assert nonce
    assert f'<script nonce="{nonce}">' in text
    assert "default-src 'none'" in policy


def test_images_are_sent_as_their_owner_has_them(server, root):
    card = asked(server, "/next?mode=suspicious&reviewer=Ann&shown=")[0]
    status, kind, content = ask(server, f"/image/{card['row']}")
    assert (status, kind) == (200, "image/png")
    assert content == (Path("images") / card["image"]).read_bytes()
    rows = asked(server, f"/examples?class={card['given']}")
    assert len(rows) == 6
    (Path("images") / card["image"]).unlink()
    status, _, content = ask(server, f"/image/{card['row']}")
    assert status == 500
    assert card["image"] in content.decode()


def test_images_of_arrays_are_sent_as_png():
    write_npz(10)
    review = open_review(finished(ARRAYS), None, "baseline", None, Machine())
    desk = ReviewDesk(review.audited, review.data, review.order, review.file)
    kind, content = desk.image(int(review.order.rows[0]))
    assert kind == "image/png"
    assert content.startswith(b"\x89PNG")
    assert desk.start()["classes"] == ["0", "1", "2"]


def test_faults_are_a_sentence(root, command):
    code, _, error = command("audit", root, "--decisions", "nothing.csv", "--apply", "new.csv")
    assert code == 2
    assert "nothing.csv does not exist" in error
    code, _, error = command("audit", root, "--review", "--apply", "new.csv")
    assert code == 2
    assert "--apply" in error
    file = root / "audit/decisions.csv"
    append(file, Decision("now", "Ann", "other", "a.png", "unsure"))
    for options in (["--certificate"], ["--review"], ["--apply", "new.csv"]):
        code, _, error = command("audit", root, *options)
        assert code == 2
        assert "line 2: it is about other data (other" in error
    assert not Path("new.csv").exists()


def test_each_seed_of_injected_noise_is_reviewed_alone(command):
    write_npz(10)
    root = finished(ARRAYS, "{name: symmetric, rate: 0.3}")
    code, _, error = command("audit", root, "--certificate")
    assert code == 2
    assert "--seed" in error
    code, output, _ = command("audit", root, "--certificate", "--seed", "1")
    assert code == 0
    assert "0 of 30 images reviewed" in output
    assert (root / "audit/baseline/review_seed=1.csv").is_file()
