"""The report as Markdown, for terminals, issues and pull requests."""

from collections.abc import Iterator, Sequence

from analysis.report import formats
from analysis.report.blocks import Block
from analysis.report.facts import Facts


def markdown(blocks: Sequence[Block], facts: Facts) -> Iterator[str]:
    """Yield the lines of the report: facts, then tables, then remarks."""
    yield f"# {facts.study}\n\n{facts.counts}.\n"
    for name, sentences in facts.opening.sections.items():
        if sentences:
            yield f"**{name}:** {'; '.join(sentences)}.\n"
    for sentences in facts.verdicts.values():
        for sentence in sentences:
            yield f"- {sentence}"
    yield ""
    for sentence in facts.reach:
        yield f"{sentence}.\n"
    for block in blocks:
        yield f"## {block.title}\n\n{formats.markdown(block.table)}"
        if block.note:
            yield f"{block.note}\n"
        if block.link:
            yield f"[{block.link}]({block.link})\n"
    for remarks in facts.remarks:
        yield f"## {remarks.title}\n"
        for line in remarks.lines:
            words = line.split()
            yield f"- {' '.join(words)}"
        yield ""
