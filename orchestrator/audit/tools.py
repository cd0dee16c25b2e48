"""The tools that audits are written for, and decisions read from."""

from enum import StrEnum


class Tool(StrEnum):
    """A tool, by the name that the command line takes."""

    LABEL_STUDIO = "label-studio"
    HUGGINGFACE = "huggingface"
    CLEANLAB = "cleanlab"
