"""Division by visual embedding: do the nearest neighbours in feature space carry a sample's label?

Follows the sample selection of SSR (Feng et al., BMVC 2022; `weighted_knn` in github.com/MrChenFeng/SSR_BMVC2022).
"""

import torch
import torch.nn.functional as F

CHUNK = 2048
"""Rows of the similarity matrix at a time: 400 MB for 50,000 samples."""


def label_support(
    features: torch.Tensor, labels: torch.Tensor, classes: int, neighbors: int
) -> torch.Tensor:
    """Votes for each sample's label ÷ votes for its most voted class: (n,) in [0, 1], 1 where its label leads.

    The `neighbors` most similar samples by cosine (all, if there are fewer) have a vote each, the sample itself among
    them; a class's votes are divided by how common the class is. SSR calls a sample clean where this is 1.

    Args:
        features: (n, width), of any length each.
        labels: (n,) given labels.
    """
    unit, count = F.normalize(features, dim=1), min(neighbors, len(features))
    frequency = torch.bincount(labels, minlength=classes).clamp_min(1) / len(labels)
    support = []
    for rows, given in zip(unit.split(CHUNK), labels.split(CHUNK), strict=True):
        nearest = labels[(rows @ unit.T).topk(count, dim=1).indices]
        votes = torch.stack([(nearest == c).sum(1) for c in range(classes)], 1) / frequency
        support.append(votes.gather(1, given[:, None])[:, 0] / votes.amax(1))
    return torch.cat(support)
