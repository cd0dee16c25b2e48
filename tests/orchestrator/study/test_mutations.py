"""A thousand damaged study files: `plan` ends with code 0 or with sentences and code 2, never with a traceback."""

import random
import re
import sys
from pathlib import Path

import pytest

from orchestrator.cli import app

STUDIES = Path(__file__).parents[3] / "studies"
SMALL = """
name: small
seeds: [0, 1]
base: {train: {epochs: 3}, method: {warmup_epochs: 1}}
arms:
  no_mixup: {method.mixup: false}
factors:
  method.lambda_u: {values: [0, 25]}
"""
PRODUCT = """
name: product
seeds:
  - 3
design: product
base:
  data: {name: npz, path: some.npz}
  noise: &noise {name: pair, rate: 0.2}
factors: {train.lr: {values: [0.1, 0.2]}, noise.rate: {values: [0, 0.4]}}
settings:
  easy: {noise: *noise}
  hard: {noise.rate: 0.45}
resources: {cpu: 2, gpu: 0.5}
run: {max_failures: 0, trial_timeout: 60}
"""
TOKENS = """
null|~|[]|{}|-1|0|1e400|.nan|.inf|yes|"3"|'|"|[|{|]|}|:|: :|- |? |<<: *x|*a|&a [*a]|&b {k: *b}|# |%|@|`|,|../..|/
!!python/object/apply:os.system [ls]|!!binary x|!!set {a}|!!timestamp x|2026-01-01|0x1F|0o17|1_000|1:30|=|>|\\|\t|\0
ü|😀|\udcff|\ufeff|\x85|a.b.c|base|arms|method.name|dividemix|cross_entropy|cifar10|digits|none|preact_resnet18|data.
{name: npz}|[1, [2]]|{a: {b: {c: 1}}}|name: x|---|...|1.0|2.5|True|false|9223372036854775808|-0.0|1e-400|[0, 0]|.data
"""
JUNK = ["|", *re.split(r"\||\n", TOKENS)]
JUNK += [
    "9" * 5000,
    "0x" + "f" * 5000,
    "[" * 3000,
    "{a: " * 3000,
    "- " * 3000,
    "x" * 5000,
    "a.b" * 500,
    "\n",
    "\n\n  ",
]


def mutated(text: str, rng: random.Random) -> str:
    """The text after one to three accidents."""
    for _ in range(rng.randint(1, 3)):
        lines = text.splitlines(keepends=True) or [""]
        row, column = rng.randrange(len(lines)), rng.randrange(len(text) + 1)
        match rng.randrange(9):
            case 0:
                del lines[row]
            case 1:
                lines.insert(rng.randrange(len(lines)), lines[row])
            case 2:
                lines[row] = rng.choice(["  ", " ", "\t", "    - "]) + lines[row]
            case 3:
                lines[row] = lines[row].lstrip()
            case 4:
                lines = [text[:column], rng.choice(JUNK), text[column:]]
            case 5:
                lines = [text[:column], text[column + rng.randint(1, 12) :]]
            case 6:
                lines = (
                    [text[:column]]
                    if rng.random() < 0.2
                    else [text[:column], text[column : column + 9], text]
                )
            case _:  # a word or a number is replaced
                words = list(re.finditer(r"[\w.]+|\[.*?\]|\{.*?\}", text))
                if words:
                    word = rng.choice(words)
                    lines = [text[: word.start()], rng.choice(JUNK), text[word.end() :]]
        text = "".join(lines)
    return text


PARTS = [pytest.param(part, marks=[pytest.mark.nightly] * (part > 2)) for part in range(10)]


@pytest.mark.parametrize("part", PARTS)
def test_a_damaged_study_is_planned_or_explained(part, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    # Simulations that take a second each are tested elsewhere.
    monkeypatch.setattr("orchestrator.run.plan_sequential.prospects", lambda *numbers: [])
    texts = [
        (STUDIES / f"{name}.yaml").read_text(encoding="utf-8")
        for name in ("ablation", "cifar10_ablation")
    ]
    texts += [SMALL, PRODUCT]
    file, rng = Path("study.yaml"), random.Random(part)
    codes = set()
    for number in range(100):
        text = mutated(texts[number % 4], rng)
        file.write_bytes(text.encode("utf-8", "surrogateescape"))
        monkeypatch.setattr(
            sys, "argv", ["orchestrator", "plan", str(file), "--results", str(tmp_path / "results")]
        )
        with pytest.raises(SystemExit) as end:
            app.main()
        code = end.value.code or 0
        output = capsys.readouterr()
        assert code in (0, 2), f"part {part}, {number}: {code} {output.err[:500]}\n{text[:3000]}"
        assert "Traceback" not in output.out + output.err
        assert (code == 0) or output.err.strip(), "an error without a sentence"
        codes.add(code)
    assert codes == {0, 2}
    assert [path.name for path in tmp_path.iterdir()] == ["study.yaml"], "plan writes nothing"


def test_a_number_of_thousands_of_digits_is_a_mistake_of_the_study(tmp_path, monkeypatch):
    study = tmp_path / "study.yaml"
    study.write_text(SMALL.replace("epochs: 3", f"epochs: 0x{'f' * 5000}"))
    monkeypatch.setattr(
        sys, "argv", ["orchestrator", "plan", str(study), "--results", str(tmp_path)]
    )
    with pytest.raises(SystemExit):
        app.main()
