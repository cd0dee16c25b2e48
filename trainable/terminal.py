"""Output on terminals and in log files of any encoding."""

import io
import sys


def tolerate_encoding() -> None:
    """Replace characters that the output's encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
