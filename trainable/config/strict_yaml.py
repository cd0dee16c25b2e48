"""Strict YAML 1.2 with line numbers, on top of PyYAML's parser.

`1e-3` is a number; `no` and `2024-01-01` are strings (YAML 1.2 core schema, yaml.org/spec/1.2.2
§10.3). Duplicate keys and tags are errors. PyYAML alone follows YAML 1.1 and keeps the last of
duplicate keys.
"""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

Path_ = tuple[str, ...]

LONGEST_NUMBER = 100
MOST_ENTRIES = 100_000
"""Limit on the number of entries; nested aliases can expand exponentially."""
LARGEST_FILE = 2_000_000
"""Bytes of the largest file that is read."""

_CORE: list[tuple[re.Pattern[str], Any]] = [
    (re.compile(r"~|null|Null|NULL|"), lambda text: None),
    (re.compile(r"true|True|TRUE|false|False|FALSE"), lambda text: text.lower() == "true"),
    (re.compile(r"[-+]?[0-9]+"), int),
    (re.compile(r"0o[0-7]+"), lambda text: int(text[2:], 8)),
    (re.compile(r"0x[0-9a-fA-F]+"), lambda text: int(text[2:], 16)),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), float),
    (re.compile(r"[-+]?\.(inf|Inf|INF)"), lambda text: float(text.replace(".", ""))),
    (re.compile(r"\.(nan|NaN|NAN)"), lambda text: float("nan")),
]


class _Loader(yaml.SafeLoader):
    """Loader that records which tags the file has; PyYAML adds a tag to every node."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]  # PyYAML's stubs
        written = getattr(event, "tag", None)
        node = super().compose_node(parent, index)
        if written is not None and node is not None:
            node.written_tag = written  # type: ignore[attr-defined]
        return node


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake in a file: line number (0 if unknown), dotted path of the key, and message."""

    line: int
    where: str
    message: str


class ConfigError(Exception):
    """A configuration file has mistakes; `str` has one line per problem, with file and line."""

    def __init__(self, file: str | Path, problems: list[Problem]):
        super().__init__(file, problems)
        self.file = str(file)
        self.problems = sorted(set(problems))

    def __str__(self) -> str:
        return "\n".join(self._sentence(problem) for problem in self.problems)

    def _sentence(self, problem: Problem) -> str:
        """Return a problem as `file:line: field: message`."""
        place = f"{self.file}:{problem.line}" if problem.line else self.file
        if problem.where:
            place += f": {problem.where}"
        return f"{place}: {problem.message}"


@dataclass
class Document:
    """Plain data of a YAML file, and the line number of every key and list item.

    Attributes:
        data: dicts, lists and scalars.
        lines: line number by path of keys and list positions.
        problems: mistakes found so far.
        text: the text of the file.
    """

    data: Any
    lines: dict[Path_, int]
    problems: list[Problem] = field(default_factory=list)
    text: str = ""

    def report(self, where: Path_, message: str, line: int | None = None) -> None:
        """Add a problem at a path of keys.

        Without a `line`, it is on the line of the deepest part of the path that the file has.
        """
        if line is None:
            line = self._deepest_line(where)
        self.problems.append(Problem(line, ".".join(where), message))

    def _deepest_line(self, where: Path_) -> int:
        """Return the line of the deepest part of a path that is in the file; 0 if none is."""
        for length in range(len(where), 0, -1):
            part = where[:length]
            if part in self.lines:
                return self.lines[part]
        return 0


def scalar(text: str) -> Any:
    """Return the value of an unquoted YAML 1.2 scalar: None, bool, int, float or the text."""
    for pattern, convert in _CORE:
        if pattern.fullmatch(text):
            if len(text) > LONGEST_NUMBER:  # no field accepts it, and Python cannot print it
                return text
            return convert(text)
    return text


def read(file: str | Path) -> Document:
    """Parse a file; duplicate keys and tags are in `problems`.

    Raises:
        ConfigError: the file is missing, unreadable, not UTF-8 or not YAML.
    """
    try:
        with Path(file).open("rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
        text = content.decode()
    except FileNotFoundError:
        raise ConfigError(file, [Problem(0, "", "there is no such file")]) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            file, [Problem(0, "", f"is not UTF-8 text (byte {error.start})")]
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigError(
            file, [Problem(0, "", f"cannot be read: {getattr(error, 'strerror', error)}")]
        ) from None
    if len(content) > LARGEST_FILE:
        reason = f"is larger than {LARGEST_FILE / 1e6:g} MB; a study has a few kilobytes"
        raise ConfigError(file, [Problem(0, "", reason)])
    return replace(parse(text, file), text=text)


def parse(text: str, source: str | Path) -> Document:
    """Parse text; `source` is its name in messages.

    Raises:
        ConfigError: the text is not YAML.
    """

    def refused(reason: str, line: int = 0) -> ConfigError:
        return ConfigError(source, [Problem(line, "", reason)])

    document = Document(None, {})
    try:
        root = yaml.compose(text, _Loader)
        if root is not None:
            document.data = plain(root, document)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = " ".join(filter(None, [error.context, error.problem]))
        raise refused(f"is not YAML: {reason}", mark.line + 1 if mark else 0) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        lines = str(error).splitlines()
        reason = lines[0] if lines else type(error).__name__
        raise refused(f"is not YAML: {reason}") from None
    except RecursionError:
        raise refused("is nested too deeply") from None
    return document


def plain(
    node: yaml.Node, document: Document, path: Path_ = (), parents: tuple[int, ...] = ()
) -> Any:
    """Return the data of a node, and add lines and problems to `document`.

    Args:
        node: a node of PyYAML's tree.
        document: receives line numbers and problems.
        path: keys and list positions of the node.
        parents: ids of the enclosing nodes, to detect an alias that contains itself.

    Raises:
        ValueError: there are more than `MOST_ENTRIES` entries.
    """
    line = node.start_mark.line + 1
    document.lines.setdefault(path, line)

    def wrong(message: str, at: int = line) -> None:
        document.report(path, message, at)

    if id(node) in parents:
        wrong("an alias contains itself")
        return None
    parents = (*parents, id(node))
    if len(document.lines) > MOST_ENTRIES:
        raise ValueError(f"more than {MOST_ENTRIES} entries")

    def refuse_tag(node: yaml.Node) -> None:
        if tag := getattr(node, "written_tag", None):
            shown = tag.replace("tag:yaml.org,2002:", "!!")
            wrong(
                f"the tag `{shown}` is not supported; write plain values", node.start_mark.line + 1
            )

    refuse_tag(node)
    if isinstance(node, yaml.ScalarNode):
        return node.value if node.style else scalar(node.value)
    if isinstance(node, yaml.SequenceNode):
        return [
            plain(item, document, (*path, str(i)), parents) for i, item in enumerate(node.value)
        ]
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        at = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            wrong("a key must be plain text", at)
            continue
        refuse_tag(key_node)
        key = str(key_node.value)
        if key in mapping:
            first = document.lines[(*path, key)]
            wrong(
                f"the key `{key}` is repeated here (first on line {first}); keep one of them",
                at,
            )
            continue
        document.lines[(*path, key)] = at
        mapping[key] = plain(value_node, document, (*path, key), parents)
    return mapping
