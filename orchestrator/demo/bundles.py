"""Unpack the finished studies that ship with the program, and write their pages.

Nothing is trained. Each was run once from the study file next to its bundle, with the command that
its provenance records. To keep them small, the ablation's bundle has tables of samples of its
baseline only, and the search's bundle has none.
"""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from analysis.results.bundle import NotABundle, unpack
from orchestrator.demo.finished_study import FinishedStudy

ABLATION = "demo_ablation"
BUNDLES = {ABLATION: "ablation.tar.xz", "demo_search": "search.tar.xz"}
"""Name of a study → its bundle, next to this file."""


def unpack_all(folder: Path) -> list[Path]:
    """Unpack both studies into new folders below `folder`, and return these.

    Raises:
        NotABundle: one of the new folders exists already. Nothing is unpacked then.
    """
    roots = [folder / name for name in BUNDLES]
    for root in roots:
        if root.exists():
            raise NotABundle(f"{root} exists already; choose another folder")
    for root in roots:
        unpack(Path(__file__).with_name(BUNDLES[root.name]), root)
    return roots


def write_pages(roots: list[Path]) -> list[FinishedStudy]:
    """Write the pages of unpacked studies, each in a process of its own; return what they found."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(len(roots), context) as pool:
        return list(pool.map(_with_pages, roots))


def _with_pages(root: Path) -> FinishedStudy:
    # Imported here, so that the processes import its libraries at the same time.
    from orchestrator.demo.pages import with_pages

    return with_pages(root, audited=root.name == ABLATION)
