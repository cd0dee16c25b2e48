"""The last epochs of a trial, of whose metrics the mean is taken."""

MOST = 10
"""Li et al., "DivideMix" (ICLR 2020), print the mean of the last ten of 300 epochs."""


def last_epochs(epochs: int) -> int:
    """Return the number of last epochs: ten, or a third of fewer than 30 epochs, rounded up.

    A mean over more of a short trial would hold its warm-up and its ramps.
    """
    return min(MOST, -(-epochs // 3))
