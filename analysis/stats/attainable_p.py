"""Smallest attainable p of a family of comparisons. Without imports, so that `plan` is fast."""

ALPHA = 0.05
"""Significance level: the family-wise error of each family of comparisons."""


def smallest_p(comparisons: int, seeds: int) -> float:
    """Return the smallest Holm-adjusted p of exact sign-flip tests: comparisons · 2/2^seeds."""
    patterns: int = 2**seeds
    return min(1.0, comparisons * 2 / patterns)


def seeds_to_reach(comparisons: int) -> int:
    """Return the smallest number of pairs with which a comparison can become significant."""
    seeds = 1
    while smallest_p(comparisons, seeds) > ALPHA:
        seeds += 1
    return seeds
