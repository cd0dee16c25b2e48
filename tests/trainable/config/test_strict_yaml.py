"""YAML 1.2 values, line numbers, and a sentence with file and line for every mistake."""

import math
import random
import re
from pathlib import Path

import pytest

from trainable.config.strict_yaml import ConfigError, Document, Problem, read, scalar


def parsed(folder: Path, text: str | bytes) -> Document:
    file = folder / "study.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(file)


def data(folder: Path, text: str) -> object:
    document = parsed(folder, text)
    assert document.problems == []
    return document.data


def refusal(folder: Path, text: str | bytes) -> str:
    """What is said about a file that cannot be parsed, without the file's name."""
    with pytest.raises(ConfigError) as error:
        parsed(folder, text)
    assert str(error.value).startswith(str(folder / "study.yaml"))
    return str(error.value).removeprefix(str(folder / "study.yaml"))


# --- values ---


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 100000.0),
        ("-1.5e+2", -150.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("0.02", 0.02),
        ("25", 25),
        ("-7", -7),
        ("+7", 7),
        ("0o17", 15),
        ("0x1F", 31),
        ("007", 7),  # not octal as in YAML 1.1
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
    ],
)
def test_plain_scalars_follow_the_core_schema_of_yaml_1_2(tmp_path, text, value):
    found = data(tmp_path, f"key: {text}")["key"]
    assert found == value
    assert type(found) is type(value)
    assert scalar(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "no",
        "yes",
        "on",
        "off",
        "y",
        "N",
        "2024-01-01",
        "12:30:00",
        "1_000",
        "0b11",
        "1e",
        "e5",
        "nan",
        "tRue",
        "1.2.3",
    ],
)
def test_what_only_yaml_1_1_converts_stays_text(tmp_path, text):
    assert data(tmp_path, f"{text}: {text}") == {text: text}


def test_not_a_number_is_one():
    assert math.isnan(scalar(".nan"))


@pytest.mark.parametrize("text", ["'1e-3'", '"1e-3"', "|-\n  1e-3", ">-\n  1e-3"])
def test_quoted_and_block_scalars_are_text(tmp_path, text):
    assert data(tmp_path, f"key: {text}") == {"key": "1e-3"}


def test_keys_are_text_whatever_they_look_like(tmp_path):
    assert data(tmp_path, "1: a\ntrue: b\nnull: c\n1.5: d") == {
        "1": "a",
        "true": "b",
        "null": "c",
        "1.5": "d",
    }


def test_an_integer_too_long_for_python_stays_text(tmp_path):
    assert data(tmp_path, f"key: {'9' * 5000}") == {"key": "9" * 5000}


def test_nested_lists_and_mappings_are_read(tmp_path):
    text = "a:\n  - 1\n  - {b: [x, 2.5], c: }\nd: []\ne: {}\n"
    assert data(tmp_path, text) == {"a": [1, {"b": ["x", 2.5], "c": None}], "d": [], "e": {}}


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n"])
def test_an_empty_file_is_nothing(tmp_path, text):
    assert data(tmp_path, text) is None


def test_a_byte_order_mark_and_windows_line_ends_are_accepted(tmp_path):
    document = parsed(tmp_path, b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert document.data == {"a": 1, "b": 2}
    assert document.lines["b",] == 2


def test_anchors_and_aliases_repeat_a_value(tmp_path):
    text = "a: &x {b: [1, 2]}\nc: *x\nd: [*x, &y 1e-3, *y]\n"
    value = {"b": [1, 2]}
    assert data(tmp_path, text) == {"a": value, "c": value, "d": [value, 0.001, 0.001]}


def test_a_merge_key_is_an_ordinary_key(tmp_path):
    # YAML 1.2 has none; a study then reports it as unknown.
    assert data(tmp_path, "a: &x {b: 1}\nc: {<<: *x}\n")["c"] == {"<<": {"b": 1}}


# --- lines ---


def test_every_key_and_item_has_its_line(tmp_path):
    text = "# comment\na: 1\nb:\n  c:\n\n    d: 5\n  e:\n    - x\n    - f: 1\n      g: 2\nh: {i: 1,\n    j: 2}\n"
    lines = {
        (): 2,
        ("a",): 2,
        ("b",): 3,
        ("b", "c"): 4,
        ("b", "c", "d"): 6,
        ("b", "e"): 7,
        ("b", "e", "0"): 8,
        ("b", "e", "1"): 9,
        ("b", "e", "1", "f"): 9,
        ("b", "e", "1", "g"): 10,
        ("h",): 11,
        ("h", "i"): 11,
        ("h", "j"): 12,
    }
    assert parsed(tmp_path, text).lines == lines


def test_the_line_of_a_key_is_its_own_not_its_values(tmp_path):
    document = parsed(tmp_path, "a:\n\n\n  b: 1\n")
    assert (document.lines["a",], document.lines["a", "b"]) == (1, 4)


def test_what_an_alias_repeats_has_the_alias_line_above_and_the_anchors_lines_within(tmp_path):
    document = parsed(tmp_path, "a: &x\n  b: 1\nc: 2\nd: *x\n")
    assert (document.lines["d",], document.lines["d", "b"]) == (4, 2)


def test_a_problem_is_reported_on_the_line_of_its_deepest_part_that_is_in_the_file(tmp_path):
    document = parsed(tmp_path, "a:\n  b:\n    c: 1\n")
    for where in (("a", "b", "c"), ("a", "b", "absent", "x"), ("absent",), ()):
        document.report(where, "wrong")
    document.report(("a",), "wrong", 7)
    assert [(p.line, p.where) for p in document.problems] == [
        (3, "a.b.c"),
        (2, "a.b.absent.x"),
        (0, "absent"),
        (0, ""),
        (7, "a"),
    ]


# --- mistakes that are collected ---


def test_a_duplicate_key_is_reported_with_both_lines_and_the_first_value_kept(tmp_path):
    document = parsed(tmp_path, "a:\n  lr: 1\n  x: 2\n  lr: 3\n")
    [problem] = document.problems
    assert (problem.line, problem.where) == (4, "a")
    assert re.search(r"`lr` .*line 2\b", problem.message)
    assert document.data == {"a": {"lr": 1, "x": 2}}


def test_every_further_duplicate_is_reported_and_other_mappings_may_repeat_a_key(tmp_path):
    document = parsed(tmp_path, "a: 1\nb: {a: 1}\na: 2\n'a': 3\nc: {a: 1}\n")
    assert [problem.line for problem in document.problems] == [3, 4]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: !mine 5", 1),
        ("a: 1\nb: !!python/object/apply:os.system [ls]", 2),
        ("a: !!binary aGk=", 1),
        ("a: !!set {x, y}", 1),
        ("a:\n  - !x {b: 1}", 2),
        ("!x\na: 1", 1),
        ("a: !mine '5'", 1),  # quoted
        ('a: !!python/name:os.system ""', 1),
        ("a: !!str 5", 1),  # would be the number 5 otherwise
        ("a: !!int '5'", 1),  # and this the text 5
        ("a: !!float 5", 1),
        ("a: !!seq [1]", 1),
        ("a: !!map {b: 1}", 1),
        ("!mine a: 1", 1),  # on a key
        ("a: ! 5", 1),
    ],
)
def test_any_tag_is_a_mistake_with_its_line(tmp_path, text, line):
    problems = parsed(tmp_path, text).problems
    assert [problem.line for problem in problems] == [line]
    assert "tag" in problems[0].message


def test_a_tag_is_shown_as_it_was_written(tmp_path):
    [problem] = parsed(tmp_path, "a:\n  b: !!python/tuple [1]").problems
    assert (problem.line, problem.where) == (2, "a.b")
    assert "`!!python/tuple`" in problem.message


@pytest.mark.parametrize(
    "text", ["a: 1\nb: &x [1, *x]", "a: 1\nb: &x {c: *x}", "a: 1\nb: &x\n  - {c: [*x]}"]
)
def test_an_alias_that_contains_itself_is_a_mistake(tmp_path, text):
    [problem] = parsed(tmp_path, text).problems
    assert "alias" in problem.message
    assert problem.where.startswith("b.")


@pytest.mark.parametrize("key", ["[a, b]", "{a: 1}", "? [x]"])
def test_a_key_that_is_no_plain_text_is_a_mistake(tmp_path, key):
    text = f"a:\n  b: 1\n  {key}\n  : 5\n" if key.startswith("?") else f"a:\n  b: 1\n  {key}: 5\n"
    document = parsed(tmp_path, text)
    assert [(problem.line, problem.where) for problem in document.problems] == [(3, "a")]
    assert document.data == {"a": {"b": 1}}


# --- files that cannot be used ---


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("a: 1\n b: 2", 2, "mapping values are not allowed here"),
        ("a: [1,\n\n", 3, "expected the node content, but found '<stream end>'"),
        ("a: 1\nb: *nobody", 2, "found undefined alias 'nobody'"),
        ("a: 1\n\tb: 2", 2, "found character '\\t' that cannot start any token"),
        ("a: 1\n---\nb: 2", 2, "expected a single document"),
        ('a: 1\nb: "\\q"', 2, "found unknown escape character 'q'"),
        ("a: 'open\n", 2, "found unexpected end of stream"),
        ("a: @x", 1, "found character '@' that cannot start any token"),
    ],
)
def test_what_is_not_yaml_is_refused_with_its_line(tmp_path, text, line, reason):
    message = refusal(tmp_path, text)
    assert message.startswith(f":{line}: ")
    assert reason in message
    assert "\n" not in message


def test_a_file_that_is_not_utf8_is_refused_with_the_position(tmp_path):
    assert re.search(r"UTF-8.*\b8\b", refusal(tmp_path, b"a: 1\nb: \xff\n"))


def test_a_control_character_is_refused(tmp_path):
    assert "special characters are not allowed" in refusal(tmp_path, b"a: \x00")


@pytest.mark.parametrize(
    "text", ['a: "\\U00110000"', 'a: "\\UFFFFFFFF"', f"%YAML {'9' * 5000}.1\n--- a"]
)
def test_a_number_beyond_what_python_takes_is_refused(tmp_path, text):
    assert "YAML" in refusal(tmp_path, text)


@pytest.mark.parametrize("opening", ["[", "{", "- "])
def test_nesting_without_end_is_refused(tmp_path, opening):
    assert "nested" in refusal(tmp_path, opening * 3_000)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError) as error:
        read(tmp_path / "absent.yaml")
    assert str(error.value).startswith(f"{tmp_path / 'absent.yaml'}: ")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(ConfigError) as error:
        read(tmp_path)
    assert str(error.value).startswith(f"{tmp_path}: ")
    assert str(error.value).endswith(": Is a directory")


def test_a_path_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("a: 1")
    with pytest.raises(ConfigError, match=r"/study\.yaml: .*: Not a directory"):
        read(tmp_path / "file" / "study.yaml")


def test_a_name_with_a_null_character_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="null"):
        read(f"{tmp_path}/a\0b.yaml")


def test_an_error_lists_each_problem_once_in_the_order_of_lines():
    problems = [
        Problem(7, "b", "late"),
        Problem(2, "a.x", "early"),
        Problem(7, "b", "late"),
        Problem(0, "", "whole"),
    ]
    error = ConfigError("s.yaml", problems)
    assert str(error) == "s.yaml: whole\ns.yaml:2: a.x: early\ns.yaml:7: b: late"


VALID = b"""\
# A study with most of what YAML has.
name: "ablation \\u00e9 \\x41"
kind: ablation
seeds: [0, 1, 2, 3]
base: &base
  data:  {name: digits, flip: false}
  noise: {name: symmetric, rate: 0.8}
  train: {epochs: 30, lr: 2e-2, lr_milestones: [20, 25]}
  method:
    name: dividemix
    conf_penalty: "on"
    co_guess: ~
arms:
  no_co_divide: {method.co_divide: false}
  other: *base
notes: |
  a block
  of text
? 'quoted key'
: >-
  folded
  text
"""


def test_random_damage_never_raises_anything_but_config_error(tmp_path):
    rng = random.Random(0)
    outcomes = {"read": 0, "refused": 0}
    assert parsed(tmp_path, VALID).problems == []
    for _ in range(300):
        text = bytearray(VALID)
        for _ in range(rng.randint(1, 4)):
            position = rng.randrange(len(text))
            # Bytes at random are mostly not UTF-8; YAML's own signs reach further.
            byte = (
                rng.randrange(256)
                if rng.random() < 0.3
                else rng.choice(b"\n\t :-?,[]{}&*!|>'\"%@`#~<=\\0\r.eU")
            )
            match rng.choice(("replace", "insert", "delete")):
                case "replace":
                    text[position] = byte
                case "insert":
                    text.insert(position, byte)
                case "delete":
                    del text[position]
        try:
            parsed(tmp_path, bytes(text))
            outcomes["read"] += 1
        except ConfigError as error:
            outcomes["refused"] += bool(str(error))
    assert sum(outcomes.values()) == 300
    assert min(outcomes.values()) > 50  # both ends are reached
