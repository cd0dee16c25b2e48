"""A generator of small results folders, written by the classes that write real ones."""

import runpy
import sys
from collections import defaultdict
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from matplotlib.figure import Figure

from analysis.results.read import Results, read_results
from analysis.results.registration import Question, Registered, add_entry, read_registration
from analysis.results.study_plan import StudyPlan, TrialRecord, trial_name
from orchestrator.results.store import Store
from tests.analysis.material import Table, npz
from trainable.storage.checksums import FORMAT

METRIC = "test/accuracy_last10"


class StudyFolder:
    """A study's results in the making: each call of `arm` adds one trial a seed."""

    def __init__(self, root: Path):
        self.root = root
        self.store = Store(root)
        self.records: list[TrialRecord] = []
        self.margin = 0.5
        self.factors: list[str] = []
        self.primary: str | None = None
        self.test_noise: dict[str, float] = {}
        self.registered = True

    def arm(
        self,
        name: str,
        *ends: float | str,
        setting: str | None = None,
        family: str = "arms",
        paired: bool = True,
        epochs: int = 3,
        change: dict[int, dict[str, Any]] | None = None,
        config: dict[str, Any] | None = None,
        metrics: dict[str, float] | None = None,
        samples: Table | list[Table] | None = None,
        fingerprint: dict[str, Any] | None = None,
        source: str | None = None,
    ) -> "StudyFolder":
        """Add an arm whose trials end in `ends`: a finished one's accuracy, "failed" or "missing", seed by seed.

        The accuracy rises by one point an epoch and ends there. `change` replaces fields of some seeds' summaries.
        `metrics` stand in each row too; `samples` is the table of each finished trial, or one a seed. `source` is the arm whose trials
        this one's use.
        """
        for seed, end in enumerate(ends):
            main = name == "baseline"
            partner = "baseline" if paired and not main else None
            identity = f"id of {setting} {name} {seed}"
            uses = trial_name(setting, source, seed) if source else None
            record = TrialRecord(
                identity, setting, name, seed, None if main else family, partner, epochs, uses
            )
            self.records.append(record)
            if end == "missing":
                continue
            folder = self.store.folder(record)
            folder.claim()
            folder.write_json(
                "trial.json",
                {
                    "id": identity,
                    "config": config or {},
                    "format": FORMAT,
                    "fingerprint": fingerprint or {},
                },
            )
            if end == "failed":
                folder.write_json(
                    "failure.json",
                    {"kind": "TrialError", "message": "m", "retry": False, "attempts": 1},
                )
            else:
                assert isinstance(end, float)
                for epoch in range(1, epochs + 1):
                    row = {
                        "epoch": epoch,
                        "test/accuracy": end - epochs + epoch,
                        "val/accuracy": 50.0,
                    }
                    folder.append_row({**row, **(metrics or {})})
                if samples is not None:
                    table = samples[seed] if isinstance(samples, list) else samples
                    folder.write("samples.npz", npz(table))
                hashes = {"data_hash": "digits", "noise_hash": f"noise {seed}"}
                folder.finish(
                    {"epochs": epochs, METRIC: end, **hashes, **(change or {}).get(seed, {})}
                )
            folder.release()
        return self

    def write(self) -> Path:
        """Write the plan, seed by seed as the orchestrator does, and return the study's folder."""
        records = sorted(self.records, key=lambda record: record.seed)
        plan = StudyPlan(
            "small",
            2,
            records,
            self.margin,
            self.factors,
            primary=self.primary,
            test_noise=self.test_noise,
        )
        self.store.write_plan("name: small\n", plan)
        if self.registered:
            self.register()
        return self.root

    def register(self, ended: int = 0) -> None:
        """Register what is asked, as before the first result."""
        seeds = sorted({record.seed for record in self.records})
        arms = {record.name.rpartition("/")[0]: record.arm for record in self.records}
        asked = Question("text", METRIC, self.primary, self.margin, list(seeds), arms)
        earlier = read_registration(self.root).questions
        if not earlier or earlier[-1].question != asked:
            add_entry(self.root, Registered(1e9, ended, asked))

    def read(self) -> Results:
        """The results as the analysis sees them."""
        return read_results(self.write())

    def path(self, arm: str, seed: int) -> Path:
        """The folder of one trial of a study without settings."""
        return self.root / "runs" / arm / f"seed={seed}"


class Page(HTMLParser):
    """A page as a parser of HTML reads it: all tags, list items by heading, tables, addresses of images."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[str] = []
        self.headings: list[str] = []
        self.lists: dict[str, list[str]] = defaultdict(list)
        self.tables: list[list[list[str]]] = []
        self.addresses: list[str] = []
        self.visible: list[str] = []
        self._into: list[list[str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [
            str(value) for name, value in attributes if name in ("src", "href", "srcset", "data")
        ]
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        targets = {
            "h1": self.headings,
            "h2": self.headings,
            "li": self.lists[self.headings[-1] if self.headings else ""],
        }
        if tag in targets:
            targets[tag].append("")
            self._into.append(targets[tag])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self._into.append(self.tables[-1][-1])

    def handle_endtag(self, tag: str) -> None:
        if tag in ("h1", "h2", "li", "td", "th"):
            self._into.pop()

    def handle_data(self, data: str) -> None:
        self.visible.append(data)
        for texts in self._into:
            texts[-1] = " ".join(f"{texts[-1]}{data}".split())


@pytest.fixture
def page() -> Callable[[Path], Page]:
    """Read an HTML file."""
    return lambda path: Page(path.read_text(encoding="utf-8"))


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyFolder:
    """An empty study to add arms to; without waiting for the disk, which takes most of a small study's time."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    return StudyFolder(tmp_path / "small")


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run `python -m analysis` in this process: exit code, standard output, standard error."""

    def command(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["analysis", *map(str, arguments)])
        monkeypatch.delitem(sys.modules, "analysis.__main__", raising=False)
        with pytest.raises(SystemExit) as caught:
            runpy.run_module("analysis", run_name="__main__")
        return int(caught.value.code or 0), *capsys.readouterr()

    return command


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., list[Any]]:
    """Call a function that draws into a folder without writing a file, and return its figure's panels, row by row."""

    def drawn(draw: Callable[..., list[Path]], *arguments: Any) -> list[Any]:
        figures: list[Figure] = []
        monkeypatch.setattr(
            Figure, "savefig", lambda figure, *args, **kwargs: figures.append(figure)
        )
        paths = draw(*arguments, tmp_path / "figures")
        assert bool(paths) == bool(figures)
        return figures[0].axes if figures else []

    return drawn


@pytest.fixture
def rendered() -> Callable[[str], list[list[list[str]]]]:
    """Read Markdown as an independent parser of it does: tables, their rows (the header first), their cells."""

    def read(text: str) -> list[list[list[str]]]:
        tables: list[list[list[str]]] = []
        cell = False
        for token in MarkdownIt("commonmark").enable("table").parse(text):
            if token.type == "table_open":
                tables.append([])
            elif token.type == "tr_open":
                tables[-1].append([])
            elif token.type in ("th_open", "td_open"):
                cell = True
            elif token.type == "inline" and cell:
                tables[-1][-1].append("".join(part.content for part in token.children or []))
                cell = False
        return tables

    return read
