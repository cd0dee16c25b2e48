"""Division by embedding: votes of the nearest neighbours in feature space for a sample's label.

It follows the sample selection of SSR (Feng et al., BMVC 2022; `weighted_knn` in
github.com/MrChenFeng/SSR_BMVC2022).
"""

import torch
import torch.nn.functional as F

CHUNK = 2048
"""Largest number of rows of the similarity matrix in memory at once."""
SIMILARITIES = 2048 * 50_000
"""Largest number of similarities in memory at once, 400 MB: with more samples, fewer rows."""


def label_support(
    features: torch.Tensor, labels: torch.Tensor, classes: int, neighbors: int
) -> torch.Tensor:
    """Return the votes for each sample's label ÷ the votes for its top class, (n,) in [0, 1].

    It is 1 where the label has the most votes; SSR then calls the sample clean. Each of the
    `neighbors` samples with the largest cosine similarity has a vote, the sample itself included.
    The votes for a class are divided by the frequency of the class.

    Args:
        features: (n, width), not necessarily normalised.
        labels: (n,) given labels.
        classes: number of classes.
        neighbors: number of voters; all samples vote if there are fewer.
    """
    unit = F.normalize(features, dim=1)
    voters = min(neighbors, len(features))
    samples = torch.bincount(labels, minlength=classes)
    frequency = samples.clamp_min(1) / len(labels)
    chunk = min(CHUNK, max(1, SIMILARITIES // len(features)))
    row_chunks = torch.split(unit, chunk)
    label_chunks = torch.split(labels, chunk)
    support = []
    for rows, given in zip(row_chunks, label_chunks, strict=True):
        similarity = rows @ unit.T
        nearest = labels[similarity.topk(voters, dim=1).indices]
        counts = [(nearest == c).sum(1) for c in range(classes)]
        votes = torch.stack(counts, 1) / frequency
        own_votes = votes.gather(1, given[:, None])[:, 0]
        support.append(own_votes / votes.amax(1))
    return torch.cat(support)
