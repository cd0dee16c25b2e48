"""What a node of a Ray cluster sees: it runs there, in a process of Ray.

Ray puts the driver's working folder first on the path of its processes, where a user may have an
`analysis.py`. What they run imports `trainable` only.
"""

from pathlib import Path

from trainable.config.data import Data
from trainable.config.runtime import Machine
from trainable.data.paths import missing
from trainable.storage.code_version import code_hash


def seen_from_here(
    meeting: Path, node: str, code: str, data: set[Data], machine: Machine
) -> list[str]:
    """Problems of this node.

    The driver has created the folder `meeting`, and its code has the hash `code`.
    """
    problems = []
    for data_set in data:
        problem = missing(data_set, machine)
        if problem:
            problems.append(problem)
    if code != code_hash():
        problems.append("its trainable/ differs from that of the node that runs the study")
    if not (meeting / "driver").exists():
        problems.append(
            f"it cannot see {meeting.parent}: choose a --results folder that all nodes share"
        )
        return problems
    try:
        (meeting / node).touch()
    except OSError as error:
        problems.append(f"it cannot write in {meeting.parent}: {error.strerror}")
    return problems
