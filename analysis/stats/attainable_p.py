"""Parts of the error of a family of comparisons. Without imports, so that `plan` is fast."""

ALPHA = 0.05
"""Significance level: the family-wise error of each family of comparisons."""
CENTERS = 0.8
"""Part of it for the centers of the differences; the rest is for the rates of failures."""
FEWEST_SEEDS = 6
"""Number of pairs from which on a comparison can become significant, however many arms there are:
the smallest p of joint sign flips is 2/2^n."""
