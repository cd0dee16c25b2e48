"""Division by visual embedding: do the nearest neighbours in feature space carry a sample's label?

Follows the sample selection of SSR (Feng et al., BMVC 2022; `weighted_knn` in
github.com/MrChenFeng/SSR_BMVC2022).
"""

import torch
import torch.nn.functional as F

CHUNK = 2048
"""Rows of the similarity matrix at a time: 400 MB for 50,000 samples."""


def label_support(
    features: torch.Tensor, labels: torch.Tensor, classes: int, neighbors: int
) -> torch.Tensor:
    """Votes for each sample's label ÷ votes for its most voted class, (n,) in [0, 1].

    It is 1 where the label has the most votes. The `neighbors` most similar samples by cosine (all,
    if there are fewer) have a vote each, the sample itself among them; a class's votes are divided
    by how common the class is. SSR calls a sample clean where this is 1.

    Args:
        features: (n, width), of any length each.
        labels: (n,) given labels.
    """
    unit = F.normalize(features, dim=1)
    voters = min(neighbors, len(features))
    samples = torch.bincount(labels, minlength=classes)
    frequency = samples.clamp_min(1) / len(labels)
    row_chunks = torch.split(unit, CHUNK)
    label_chunks = torch.split(labels, CHUNK)
    support = []
    for rows, given in zip(row_chunks, label_chunks, strict=True):
        similarity = rows @ unit.T
        nearest = labels[similarity.topk(voters, dim=1).indices]
        counts = [(nearest == c).sum(1) for c in range(classes)]
        votes = torch.stack(counts, 1) / frequency
        own_votes = votes.gather(1, given[:, None])[:, 0]
        support.append(own_votes / votes.amax(1))
    return torch.cat(support)
