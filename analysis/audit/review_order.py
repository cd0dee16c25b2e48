"""Order in which images are reviewed, `review.csv`: fixed when a review begins.

It has all images, the most suspicious first, and for each its turn in the random order from which
the certificate is computed. It stays as it is when the audit changes later, since an order that
depends on decisions would make the certificate invalid.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.audit.audit import Audited, NoAudit

MARKED = 0.5
"""Images whose labels are wrong with a greater probability are the first stratum."""


@dataclass(frozen=True)
class ReviewOrder:
    """All images of a review, the most suspicious first.

    Attributes:
        rows: (n,) rows of the data set.
        wrong: (n,) probability that the label is wrong; unjudged images have the mean of the rest.
        suggested: (n,) suggested class; the given one where there is no suggestion.
        turn: (n,) place of each image in one random order of all.
    """

    rows: np.ndarray
    wrong: np.ndarray
    suggested: np.ndarray
    turn: np.ndarray

    @property
    def marked(self) -> np.ndarray:
        """Whether each image (n,) is in the stratum of those that the audit calls wrong."""
        found: np.ndarray = self.wrong > MARKED
        return found

    @property
    def draws(self) -> np.ndarray:
        """Random numbers (n,) from 0 to 1 that draw the stratum of each look of the certificate.

        They follow from the order, and need no column of the file.
        """
        digest = hashlib.sha256(b"strata " + self.turn.astype("<i8").tobytes()).digest()
        return np.random.default_rng(int.from_bytes(digest[:8], "big")).random(len(self.turn))


def order_of(audited: Audited) -> ReviewOrder:
    """Return the order for a review of the given labels of an audit."""
    ranked = audited.ranked
    unjudged = audited.given.index.difference(pd.Index(ranked["index"]))
    given = audited.given[unjudged].to_numpy()
    rest = ranked.loc[ranked["wrong"] <= MARKED, "wrong"]
    mean = float(rest.mean()) if len(rest) else MARKED
    rows = np.concatenate([ranked["index"], unjudged]).astype(np.int64)
    wrong = np.concatenate([ranked["wrong"], np.full(len(unjudged), mean)]).round(4)
    suggested = np.concatenate([ranked["suggested"], given]).astype(np.int64)
    by_suspicion = np.argsort(-wrong, kind="stable")
    digest = hashlib.sha256(f"review {audited.trial['data_hash']}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    return ReviewOrder(
        rows=rows[by_suspicion],
        wrong=wrong[by_suspicion],
        suggested=suggested[by_suspicion],
        turn=rng.permutation(len(rows)),
    )


def write_order(order: ReviewOrder, path: Path) -> None:
    """Write the order of a review."""
    columns = {
        "row": order.rows,
        "wrong": order.wrong,
        "suggested": order.suggested,
        "turn": order.turn,
    }
    temporary = path.with_suffix(".tmp")
    pd.DataFrame(columns).to_csv(temporary, index=False)
    temporary.replace(path)


def read_order(path: Path, audited: Audited) -> ReviewOrder:
    """Return the order of a review that has begun.

    Raises:
        NoAudit: the file is damaged, or has other images than the audit.
    """
    try:
        table = pd.read_csv(path)
        rows = table["row"].to_numpy(np.int64)
        order = ReviewOrder(
            rows=rows,
            wrong=table["wrong"].to_numpy(float),
            suggested=table["suggested"].to_numpy(np.int64),
            turn=table["turn"].to_numpy(np.int64),
        )
    except (OSError, ValueError, KeyError):
        raise NoAudit(
            f"{path} cannot be read. Delete it to begin the review anew; decisions are kept"
        ) from None
    same = np.array_equal(np.sort(rows), audited.given.index.to_numpy())
    whole = np.array_equal(np.sort(order.turn), np.arange(len(rows)))
    if not same or not whole:
        raise NoAudit(
            f"{path} has other images than the audit. Delete it to begin the review anew; "
            "decisions are kept"
        )
    return order
