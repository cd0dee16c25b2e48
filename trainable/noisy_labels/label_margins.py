"""Running means over a trial of what each network says of the given labels.

The margin is the logit of the given class less the largest other one. Its mean over all epochs is
the area under the margin of Pleiss et al., "Identifying Mislabeled Data using the Area Under the
Margin Ranking", NeurIPS 2020, arXiv 2001.10528. It is low for labels that contradict what networks
learn from similar images, also where they memorise them in the end.
"""

import numpy as np
import torch
import torch.nn.functional as F


def margins(logits: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
    """Return the margins (batch,) of labels `given` (batch,) in logits (batch, classes)."""
    own = logits.gather(1, given[:, None])
    others = logits.scatter(1, given[:, None], -torch.inf)
    return own[:, 0] - others.amax(1)


class LabelMargins:
    """Sums of margins and probabilities of the given labels, for each network and sample.

    Args:
        networks: number of networks.
        samples: number of training samples.
        device: where the sums are.
    """

    def __init__(self, networks: int, samples: int, device: torch.device):
        shape = (networks, samples)
        self._margin = torch.zeros(shape, device=device)
        self._probability = torch.zeros(shape, device=device)
        self._seen = torch.zeros(shape, device=device)

    def add_logits(
        self, network: int, index: torch.Tensor, logits: torch.Tensor, given: torch.Tensor
    ) -> None:
        """Add what a network says of a batch.

        Args:
            network: its number.
            index: positions (batch,) in the training set; each occurs once.
            logits: (batch, classes).
            given: labels (batch,).
        """
        logits = logits.detach().float()
        loss = F.cross_entropy(logits, given, reduction="none")
        self.add(network, index, margins(logits, given), loss)

    def add(
        self, network: int, index: torch.Tensor | slice, margin: torch.Tensor, loss: torch.Tensor
    ) -> None:
        """Add margins and cross-entropies (batch,) of the samples at `index`."""
        self._margin[network, index] += margin
        self._probability[network, index] += torch.exp(-loss)
        self._seen[network, index] += 1

    def means(self) -> dict[str, np.ndarray]:
        """Return `label_margin` and `label_probability`, (networks, n); {}: nothing was added.

        Samples that were never seen are NaN.
        """
        seen = self._seen.cpu().numpy()
        if not seen.any():
            return {}
        count = np.where(seen > 0, seen, np.nan)
        return {
            "label_margin": self._margin.cpu().numpy() / count,
            "label_probability": self._probability.cpu().numpy() / count,
        }

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the sums."""
        return {"margin": self._margin, "probability": self._probability, "seen": self._seen}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Resume from the result of `state_dict`."""
        device = self._seen.device
        self._margin = state["margin"].to(device)
        self._probability = state["probability"].to(device)
        self._seen = state["seen"].to(device)
