"""Tables, statistics and figures from results folders; neither torch nor ray is imported here.

In a notebook: `study = analysis.read("results/ablation")`; see `analysis.api.Study`.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.api import Study

__all__ = ["read"]


def read(folder: str | Path) -> "Study":
    """Read the study in a results folder; the same as `analysis.api.read`.

    pandas is imported only when this function is called, because `plan` and `status` import parts
    of this package and do not need it.
    """
    from analysis import api

    return api.read(folder)
