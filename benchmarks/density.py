"""How much a line of code holds: `python benchmarks/density.py [MODULES]`, densest modules first.

Columns: code lines (no blank, comment or docstring lines), AST expressions and statements a code
line, conditional expressions (`a if c else b`) and comprehensions per 1,000 code lines, lines of
more than 100 columns.
"""

import ast
import io
import sys
import tokenize
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("orchestrator", "trainable", "analysis")
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
LAYOUT = (
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.COMMENT,
    tokenize.ENDMARKER,
)
WIDEST = 100


@dataclass
class Counts:
    """What was counted in one module, or in several."""

    lines: int = 0
    nodes: int = 0
    conditionals: int = 0
    comprehensions: int = 0
    wide: list[int] = field(default_factory=list)

    def add(self, other: "Counts") -> None:
        """Count another module too."""
        self.lines += other.lines
        self.nodes += other.nodes
        self.conditionals += other.conditionals
        self.comprehensions += other.comprehensions
        self.wide += other.wide

    def row(self, name: str) -> str:
        """The counts as a line of the table."""
        lines = max(self.lines, 1)
        return (
            f"{name:<48}{self.lines:>7}{self.nodes / lines:>8.2f}"
            f"{1000 * self.conditionals / lines:>8.0f}"
            f"{1000 * self.comprehensions / lines:>8.0f}{len(self.wide):>7}"
        )


def docstring_lines(tree: ast.Module) -> set[int]:
    """Lines of every string that is a statement: docstrings, and those below an attribute."""
    found: set[int] = set()
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            found.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return found


def count(source: str) -> Counts:
    """Count one module."""
    tree = ast.parse(source)
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in LAYOUT:
            code.update(range(token.start[0], token.end[0] + 1))
    counts = Counts(lines=len(code - docstring_lines(tree)))
    for node in ast.walk(tree):
        counts.nodes += isinstance(node, ast.expr | ast.stmt)
        counts.conditionals += isinstance(node, ast.IfExp)
        counts.comprehensions += isinstance(node, COMPREHENSIONS)
    counts.wide = [
        number for number, line in enumerate(source.splitlines(), 1) if len(line) > WIDEST
    ]
    return counts


def main(shown: int) -> None:
    """Print the densest modules, each package, and the whole."""
    modules: dict[str, Counts] = {}
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            modules[file.relative_to(ROOT).as_posix()] = count(file.read_text(encoding="utf-8"))
    print(f"{'':<48}{'lines':>7}{'nodes':>8}{'if/1000':>8}{'for/1000':>8}{'wide':>7}")
    for name, counts in sorted(
        modules.items(), key=lambda item: -item[1].nodes / max(item[1].lines, 1)
    )[:shown]:
        print(counts.row(name))
    whole = Counts()
    for package in PACKAGES:
        total = Counts()
        for name, counts in modules.items():
            if name.startswith(package):
                total.add(counts)
        whole.add(total)
        print(total.row(package))
    print(whole.row("all"))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
