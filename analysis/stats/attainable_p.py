"""What a family of comparisons can show at all. Imports nothing, so that a plan stays quick."""

ALPHA = 0.05
"""An adjusted p up to this is called significant."""


def smallest_p(comparisons: int, seeds: int) -> float:
    """The smallest Holm-adjusted p that an exact sign-flip test of `seeds` pairs can give: comparisons · 2/2ⁿ."""
    return min(1.0, comparisons * 2 / 2**seeds)


def seeds_to_reach(comparisons: int) -> int:
    """The fewest pairs with which one of so many comparisons can become significant."""
    return next(n for n in range(1, 1000) if smallest_p(comparisons, n) <= ALPHA)
