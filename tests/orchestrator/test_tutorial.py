"""docs/tutorial.md, command by command in an empty folder, on two seeds; every printed line that it shows is looked for."""

import csv
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sklearn.datasets import load_digits

from tests.orchestrator.reviewer import review

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial.md"
SEEDS, FEWER_SEEDS = "--seeds 0,1,2,3,4,5", "--seeds 0,1"
CLASSES = ("zero", "one", "two", "three")
NUMBER = r"[+−-]?[\d∞](?:[\d.,∞]*[\d∞])?"
PATIENCE_S = 300
LOOKS, ALL = 60, 1000
"""Number of images that are reviewed, of the training and of the test set."""


def blocks() -> Iterator[tuple[str, list[str]]]:
    """Language and lines of each block of the page."""
    for language, content in re.findall(
        r"^```(\w+)\n(.*?)^```$", TUTORIAL.read_text(), re.M | re.S
    ):
        yield language, content.splitlines()


def called(command: str, folder: Path, environment: dict[str, str]) -> str:
    """Call a command of the page as a shell does, and return what it printed."""
    if "--review" in command:
        looks = ALL if "--split test" in command else LOOKS
        return review(shlex.split(command), folder, environment, class_of, looks)
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    assert "Warning" not in done.stderr, done.stderr
    return done.stdout


def without_figures(line: str) -> str:
    """A printed line without what differs from run to run: numbers, addresses, times, verdicts."""
    line = re.sub(r"http://\S+", "ADDRESS", line)
    line = re.sub(rf"{NUMBER}(,? {NUMBER})*", "#", line)
    line = re.sub(r"# (s|min|h)\b", "# TIME", line).removesuffix(", # TIME left")
    line = re.sub(
        r"\b(better|worse|equivalent|inconclusive)\b( by checked labels)?", "VERDICT", line
    )
    return " ".join(line.split())


def is_printed(shown: str, output: list[str]) -> bool:
    """Whether a line of the page, of which … may be left out, was printed up to its figures."""
    parts = [re.escape(without_figures(part)) for part in shown.split("…")]
    pattern = re.compile(r"\s*.*".join(parts))
    return any(pattern.fullmatch(line) for line in output)


@pytest.mark.slow
def test_every_command_of_the_tutorial_works_and_prints_what_the_page_shows(tmp_path):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environment = os.environ | {
        "TMPDIR": str(temporary),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "COLUMNS": "200",
        "OMP_NUM_THREADS": "1",
    }
    output: list[str] = []
    commands = 0
    for language, lines in blocks():
        if language == "python":
            name = lines[0].removeprefix("# ")
            (tmp_path / name).write_text("\n".join(lines))
        elif language == "sh":
            output = []
            for line in lines:
                command = line.partition("  #")[0].replace(SEEDS, FEWER_SEEDS)
                printed = called(command, tmp_path, environment)
                output += map(without_figures, printed.splitlines())
                commands += 1
        else:
            assert language == "text", language
            for line in lines:
                assert is_printed(line, output), f"{line}\nis not in\n" + "\n".join(output)
    assert commands >= 10
    for promised in (
        "photos.yaml",
        "results/photos/report/index.html",
        "results/photos/audit/baseline/sheet.html",
        "results/photos/audit/decisions.csv",
        "corrected.csv",
        "corrected_given.csv",
        "corrected.yaml",
        "results/corrected_plain/report/index.html",
    ):
        assert promised.rpartition("/")[2] in TUTORIAL.read_text()
        assert (tmp_path / promised).is_file(), promised
    assert list((tmp_path / "results/corrected_plain/audit/test").glob("*/decisions.csv"))
    assert (
        wrong_labels(tmp_path / "corrected.csv")
        < wrong_labels(tmp_path / "corrected_given.csv") / 5
    )
    with (tmp_path / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 36
    right = [row for row in rows if row["file"].endswith(f"-{row['class']}.png")]
    assert len(right) >= 30


def class_of(image: str) -> str:
    """True class of an image, by the number in its name."""
    return CLASSES[load_digits(n_class=4).target[int(Path(image).stem)]]


def wrong_labels(file: Path) -> int:
    with file.open(newline="") as lines:
        return sum(row["label"] != class_of(row["file"]) for row in csv.DictReader(lines))
