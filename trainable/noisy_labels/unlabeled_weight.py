"""`lambda_u: auto`: weight of the unlabeled loss from the division's own estimate of the noise."""

FEW = 0.3
"""Share of unlabeled samples up to which the unlabeled loss is off."""
WEIGHT = 25.0
"""Weight above that share: the authors' choice for most settings with symmetric noise."""


def automatic_lambda_u(unlabeled_share: float) -> float:
    """Return the weight for a division whose unlabeled set has this share of the samples, 0 to 1.

    The authors use 0 for 20 % symmetric noise and 25 to 150 from 50 % on (arXiv 2002.07394,
    appendix A). The share of samples that a division mistrusts is its estimate of the noise.
    """
    return WEIGHT if unlabeled_share > FEW else 0.0
