"""The order in which Python looks for modules: this project's packages before the working folder.

`python -m` puts the working folder first, where a file `analysis.py` of the user's own would be
taken for this project's package. Standard library only: it is used before any other import.
"""

import os
import sys
from pathlib import Path


def put_working_folder_last() -> None:
    """Move the working folder to the end of `sys.path`, unless this project runs from it.

    It stays on the path, because own methods may import from it. Processes that are started from
    now on do not put it first either.
    """
    folder = Path.cwd()
    if folder == Path(__file__).resolve().parents[1]:
        return
    os.environ["PYTHONSAFEPATH"] = "1"
    others = [entry for entry in sys.path if Path(entry or ".").absolute() != folder]
    if len(others) < len(sys.path):
        sys.path[:] = [*others, str(folder)]
