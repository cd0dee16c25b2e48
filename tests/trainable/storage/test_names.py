"""The names of the results folder are in trainable/storage/names.py only."""

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pytest

from tests.trainable.methods.tiny import blobs, make
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.engine import metrics as metrics_of_engine
from trainable.methods.registry import METHODS
from trainable.storage import names
from trainable.trial.trial import Trial

ROOT = Path(__file__).parents[3]
PACKAGES = ("orchestrator", "trainable", "analysis")
PRODUCERS = ("trainable/methods/", "trainable/engine/")
"""Methods yield metrics under literal names, as the methods that others write do."""

CONTRACT = {
    name: value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)
}
METRIC_CONSTANTS = {name for name, value in CONTRACT.items() if value in names.METRICS} | {
    "MIXTURE"
}
FILES = {
    value for name, value in CONTRACT.items() if name not in METRIC_CONSTANTS and "{" not in value
}
FOLDERS = {name for name in FILES if "." not in name}
"""Plain words too: as literals they count in paths only."""
METRICS = {name.replace("{k}", str(k)) for name in names.METRICS for k in (0, 1)}
GROUPS = {name.partition("/")[0] for name in names.METRICS}
STEMS = {name.partition("_net{k}")[0] for name in names.METRICS}


class Literals(ast.NodeVisitor):
    """Texts of a module: (line, text, whether it is a part of a path). Docstrings are left out.

    An f-string is one text, with "\\0" for each of its values.
    """

    def __init__(self) -> None:
        self.found: list[tuple[int, str, bool]] = []
        self.types: list[tuple[int, str]] = []
        """Texts in a `Literal[…]`, where Python allows no names."""
        self._operands: set[int] = set()

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if isinstance(node.value, ast.Name) and node.value.id == "Literal":
            inner = Literals()
            inner.visit(node.slice)
            self.types += [(line, text) for line, text, _ in inner.found]
        else:
            self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.Div):
            self._operands |= {id(node.left), id(node.right)}
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute) and node.func.attr == "joinpath":
            self._operands |= set(map(id, node.args))
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self._add(node, node.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        parts = [
            str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values
        ]
        self._add(node, "".join(parts))
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                self.visit(part.value)

    def _add(self, node: ast.expr, text: str) -> None:
        self.found.append((node.lineno, text, id(node) in self._operands))


def literals(source: str) -> Literals:
    walk = Literals()
    walk.visit(ast.parse(source))
    return walk


def is_sentence(text: str) -> bool:
    """A message to people may mention a name."""
    return any(character.isspace() for character in text)


def file_name_in(text: str, operand: bool) -> str | None:
    """The name of the contract that a literal is, ends in, or would match as a pattern of files."""
    if is_sentence(text):
        return None
    parts = re.split(r"[/|()]", text.replace("\\", ""))
    for part in parts:
        if part in FILES - FOLDERS or (part in FOLDERS and (operand or len(parts) > 1)):
            return part
        is_pattern = re.match(r"[a-z.]+\*", part)
        globbed = [name for name in FILES - FOLDERS if is_pattern and fnmatch(name, part)]
        if globbed:
            return globbed[0]
    return None


def metric_in(text: str) -> str | None:
    """The registered metric that a literal is, begins with, or becomes with the values of an f-string."""
    if is_sentence(text) or text.partition("/")[0] not in GROUPS:
        return None
    begun = [stem for stem in STEMS if re.match(rf"{re.escape(stem)}(?![a-z])", text)]
    if begun:
        return max(begun, key=len)
    return next((name for name in sorted(METRICS) if re.fullmatch(pattern(text), name)), None)


def pattern(text: str) -> str:
    return ".+".join(map(re.escape, text.split("\0")))


def file_names(source: str) -> Iterator[str]:
    for line, text, operand in literals(source).found:
        if found := file_name_in(text, operand):
            yield f"{line}: {text!r} is {found}"


def metrics(source: str) -> Iterator[str]:
    for line, text, _ in literals(source).found:
        if found := metric_in(text):
            yield f"{line}: {text!r} is {found}"


def modules() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            path = file.relative_to(ROOT).as_posix()
            if path != "trainable/storage/names.py":
                yield path, file.read_text(encoding="utf-8")


MODULES = dict(modules())
READERS = {path: source for path, source in MODULES.items() if not path.startswith(PRODUCERS)}


def test_no_file_name_of_the_results_folder_is_a_literal_elsewhere():
    found = {path: list(file_names(source)) for path, source in MODULES.items()}
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_no_metric_is_a_literal_outside_the_methods():
    found = {path: list(metrics(source)) for path, source in READERS.items()}
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "source",
    [
        'root / "trials.json"',
        'root / "runs"',
        'root.joinpath("runs")',
        'root.rglob("seed=*/trial.json")',
        'path = f"{root}/summary.json"',
        'path = f"runs/{name}"',
        'kept = r"(study\\.yaml|trials\\.json)"',
        'root.glob("checkpoint*.pt")',
    ],
)
def test_the_walk_finds_a_file_name(source):
    assert list(file_names(source))


@pytest.mark.parametrize(
    "source",
    [
        '"""Reads trials.json."""',
        'commands.add_parser("report")',
        'raise Wrong(f"{root}/trials.json is damaged")',
        'root.glob("*.lock")',
        "root / names.PLAN",
        'root / "runs.txt"',
    ],
)
def test_the_walk_passes_what_is_no_file_name(source):
    assert not list(file_names(source))


@pytest.mark.parametrize(
    "source",
    [
        'row["test/accuracy"]',
        'row[f"division/auc_net{k}"]',
        'row[f"mixture/{what}_{side}_net0"]',
        'tags = r"division/recall_net\\d"',
        "print(f\"{row['val/accuracy']:.2f} of the given labels\")",
    ],
)
def test_the_walk_finds_a_metric(source):
    assert list(metrics(source))


@pytest.mark.parametrize(
    "source",
    [
        'wrong("needs val/accuracy: nothing else says how good it is")',
        'name.startswith("time/")',
        'writer.add_histogram(f"division/loss_{part}_net{k}", losses)',
        'name: Literal["val/accuracy"]',
    ],
)
def test_the_walk_passes_what_is_no_metric(source):
    assert not list(metrics(source))


def test_a_literal_type_names_registered_metrics():
    texts = {
        text for source in MODULES.values() for _, text in literals(source).types if "/" in text
    }
    assert texts == {names.VALIDATION_ACCURACY, names.FORWARDS}


def yielded(source: str) -> Iterator[str]:
    """Literals that look like a metric's name, `word/word…`; either word may be a value of an f-string."""
    for _, text, _ in literals(source).found:
        if re.fullmatch(r"[a-z0-9\0]+/[a-z0-9_\0]+", text):
            yield text


def known(text: str) -> bool:
    """Whether a literal, whatever the values of an f-string are, can be a registered metric."""
    return any(re.fullmatch(pattern(text), name) for name in METRICS)


def test_every_metric_literal_of_the_methods_is_registered():
    found = {
        text
        for path, source in MODULES.items()
        if path.startswith(PRODUCERS)
        for text in yielded(source)
    }
    assert len(found) > 30, "the walk sees the methods' metrics"
    assert {text for text in found if not known(text)} == set()


def test_a_metric_that_is_not_registered_is_found():
    assert [text for text in yielded('row["loss/unheard_of"] = 1.0') if not known(text)] == [
        "loss/unheard_of"
    ]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("dividemix", {"prior_penalty": 1.0}),
        ("dividemix", {"warmup_epochs": "auto"}),
        ("dividemix", {"division": "both", "agreement": "strict"}),
        ("dividemix", {"networks": 1, "co_divide": False, "co_guess": False}),
        ("cross_entropy", {"classes": 20, "n": 200}),
        *((name, {}) for name in sorted(METHODS.keys() - {"dividemix", "retrain"})),
    ],
)
def test_every_metric_of_a_row_is_registered(name, options):
    found = {metric for row in make(name, **options) for metric in row}
    assert names.TEST_ACCURACY in found
    assert {metric for metric in found if not names.registered(metric)} == set()


def test_every_measure_of_a_division_is_registered_as_retrain_yields_it():
    probability, clean = np.array([0.9, 0.8, 0.2, 0.1]), np.array([True, False, True, False])
    measured = metrics_of_engine.division(probability, probability > 0.5, clean)
    assert len(measured) == 4
    assert all(names.registered(f"division/{name}_net0") for name in measured)


def test_every_field_of_a_row_and_of_a_summary_is_registered(tmp_path):
    train, test = blobs(60, 3, 0), blobs(30, 3, 1)
    arrays = {"train_images": train.images, "train_labels": train.labels}
    np.savez(tmp_path / "tiny.npz", **arrays, test_images=test.images, test_labels=test.labels)
    config = {
        "data": {"name": "npz", "path": "tiny.npz", "crop_padding": 1, "validation_fraction": 0.2},
        "noise": {"name": "symmetric", "rate": 0.4},
        "model": {"name": "small_cnn", "width": 4},
        "train": {"epochs": 2, "batch_size": 16},
        "method": {"name": "dividemix", "warmup_epochs": 1},
    }
    trial = Trial(TrialConfig.model_validate(config), Machine(study_dir=tmp_path, device="cpu"))
    found = {metric for row in trial for metric in row} | trial.summary().keys()
    assert {names.LAST10, names.SELECTED_ACCURACY, names.NETWORK_LAST10.format(k=0)} <= found
    assert {metric for metric in found if not names.registered(metric)} == set()


def test_every_metric_says_what_it_is_and_a_template_stands_for_networks_only():
    assert all(names.METRICS.values())
    assert {name for name in names.METRICS if "{" in name.replace("{k}", "")} == set()
    assert names.registered("division/auc_net1")
    assert not names.registered("division/auc_net{k}x")
    assert not names.registered("division/auc")


def test_no_two_constants_have_the_same_value():
    assert len(set(CONTRACT.values())) == len(CONTRACT)
