"""What a family of comparisons can show at all. Imports nothing, so that a plan stays quick."""

ALPHA = 0.05
"""An adjusted p up to this is called significant."""


def smallest_p(comparisons: int, seeds: int) -> float:
    """Smallest Holm-adjusted p of an exact sign-flip test of `seeds` pairs: comparisons · 2/2ⁿ."""
    patterns: int = 2**seeds
    return min(1.0, comparisons * 2 / patterns)


def seeds_to_reach(comparisons: int) -> int:
    """Fewest pairs with which one of `comparisons` comparisons can become significant."""
    seeds = 1
    while smallest_p(comparisons, seeds) > ALPHA:
        seeds += 1
    return seeds
