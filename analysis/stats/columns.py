"""Numbers of an arm in a comparison: columns that are shown and exported together.

`analysis.stats.comparison.compare` says what the first two groups are,
`analysis.report.answers.Answers` the others.
"""

ARM = ("n", "failed", "mean", "mean_low", "mean_high", "sd")
DIFFERENCE = ("difference", "low", "high", "p_adjusted")
TRUE_ACCURACY = ("true_accuracy", "true_accuracy_low", "true_accuracy_high")
TRUE_DIFFERENCE = ("true_difference", "true_low", "true_high")
