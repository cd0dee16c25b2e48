"""`warmup_epochs: auto`: warm-up ends when the losses of clean and noisy samples stop separating.

A network first learns what most labels of a class have in common: the losses of wrong labels rise,
and those of right labels fall. When it starts to memorise, the losses of wrong labels fall too, and
the division degrades. Warm-up therefore ends after the first epoch in which the distance between
the means of the mixture's two components does not increase. It ends after half of all epochs at the
latest. The rule needs neither true labels nor a validation set.

Twelve rules were compared by the AUC of the division at the end of warm-up. The data were the
digits with 6 seeds that no study here uses. The criteria were this distance, a standardised
distance, the standard deviation of losses, and validation accuracy, with a patience of one to three
epochs. With this rule the AUC is 0.013 below that of the best epoch at 80 % symmetric noise, and at
most 0.003 below it at 40 % and 20 %. It is 0.1 below it at 40 % pair noise, where warm-up ends too
early.
"""

from collections.abc import Sequence

import numpy as np

from trainable.noisy_labels.gaussian_mixture import fit_mixture, normalise


def separation(losses: np.ndarray) -> float:
    """Return the distance in nats between the means of two Gaussians fitted to losses (n,).

    It is 0 for constant losses.
    """
    mixture = fit_mixture(normalise(losses))
    clean, noisy = mixture.means
    return (noisy - clean) * float(np.ptp(losses))


def ended(separations: Sequence[float], epochs: int) -> bool:
    """Return whether warm-up has ended in a trial of `epochs` epochs.

    `separations` has the separation after each warm-up epoch so far.
    """
    finished = len(separations)
    if finished >= max(1, epochs // 2):
        return True
    return finished > 1 and separations[-1] <= separations[-2]
