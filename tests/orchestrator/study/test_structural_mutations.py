"""The shipped studies, altered where a person or a program would: planned, or explained with place and remedy."""

import copy
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

STUDIES = sorted((Path(__file__).parents[3] / "studies").rglob("*.yaml"))
VALUES: list[Any] = [
    float("nan"),
    float("inf"),
    -1,
    0,
    1e308,
    10**30,
    -(10**30),
    "",
    " ",
    None,
    True,
    [],
    {},
    [[]],
    [None],
    "x" * 300,
    "ünï/cödé",
    "../../etc",
    "1e-3",
    "0x10",
    "yes",
    ["a", "A"],
    {"name": "dividemix"},
    list(range(500)),
]
"""Values that stand where others are expected."""


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key or index) of a document."""
    entries: list[Any] = []
    if isinstance(node, dict):
        entries = list(node)
    elif isinstance(node, list):
        entries = list(range(len(node)))
    for entry in entries:
        yield node, entry
        yield from places(node[entry])


def altered(content: Any, rng: random.Random) -> Any:
    """The document after up to two changes of its structure."""
    content = copy.deepcopy(content)
    for _ in range(rng.randint(0, 2)):
        found = list(places(content))
        if not found:
            return content
        container, key = rng.choice(found)
        match rng.randrange(7):
            case 0:
                container[key] = rng.choice(VALUES)
            case 1 if isinstance(container, dict):
                container[rng.choice([str(key).upper(), f"{key} ", f"{key}s", "x" * 300, 7])] = (
                    container[key]
                )
            case 2:
                del container[key]
            case 3 if isinstance(container, dict):
                container[f"{key}2"] = container.pop(key)
            case 4 if isinstance(container, list):
                container.append(container[key])
            case 5:
                container[key] = [container[key]]
            case _:
                other, name = rng.choice(found)
                container[key] = copy.deepcopy(other[name])
    return content


def written(content: Any, rng: random.Random) -> bytes:
    """The document as YAML, in one of the ways that editors and programs write it."""
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=10**6)
    match rng.randrange(14):
        case 0:
            return b"\xef\xbb\xbf" + text.encode()
        case 1:
            return text.replace("\n", "\r\n").encode()
        case 2:
            return text.replace("\n  ", "\n\t", 1).encode()
        case 3:
            return text.encode("utf-16")
        case 4:
            return ("defaults: &d {method.mixup: false}\n" + text + "\nextra: *d\n").encode()
        case 5:
            return re.sub(r"^arms:\n", "arms:\n  <<: {a1: {}, a2: {}}\n", text, flags=re.M).encode()
        case 6:
            return ("---\n" + text + "...\n---\n" + text).encode()
    return text.encode()


def explore(count: int, tmp_path: Path, command: Any) -> dict[int, int]:
    """Plan `count` altered studies; return how often each exit code came."""
    rng = random.Random(0)
    contents = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in STUDIES]
    file = tmp_path / "study.yaml"
    codes = {0: 0, 2: 0}
    for number in range(count):
        file.write_bytes(written(altered(contents[number % len(contents)], rng), rng))
        began = time.process_time()
        try:
            code, _, err = command("plan", file, "--results", tmp_path / "results")
            assert time.process_time() - began < 5, "no answer within five seconds"
            assert code in codes
            if code == 2:
                assert "study.yaml" in err, "an error without its place"
                assert len(err.splitlines()) <= 60, "more errors than anybody reads"
        except BaseException as error:
            error.add_note(f"{number}: {file.read_bytes()[:3000]!r}")
            raise
        codes[code] += 1
    return codes


def test_an_altered_study_is_planned_or_explained(tmp_path, command):
    assert min(explore(60, tmp_path, command).values()) > 0


@pytest.mark.nightly
def test_two_thousand_altered_studies_are_planned_or_explained(tmp_path, command):
    print(explore(2000, tmp_path, command))
