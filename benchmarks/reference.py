"""DivideMix as a plain program: what the engine is compared with, in speed and in numbers.

Written after the description of the authors' `Train_cifar.py` and `dataloader_cifar.py`
(github.com/LiJunnan1992/DivideMix), the way they work: images are decoded and augmented one at a
time by PIL in a `DataLoader` a set, every guess is a forward of its own, losses are noted sample by
sample, tensors lie channels first, SGD is torch's default. Nothing of the engine is used here.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.mixture import GaussianMixture
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

BATCH = 64
TEMPERATURE, ALPHA = 0.5, 4.0


class Images(Dataset[Any]):
    """Some rows of an image array: `count` views of each, its label, its clean probability and its
    index."""

    def __init__(
        self,
        pixels: np.ndarray,
        labels: np.ndarray,
        rows: np.ndarray,
        transform: transforms.Compose,
        count: int = 1,
        weight: np.ndarray | None = None,
    ):
        self.pixels, self.labels, self.rows, self.transform, self.count = (
            pixels,
            labels,
            rows,
            transform,
            count,
        )
        self.weight = np.ones(len(labels)) if weight is None else weight

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, k: int) -> tuple[list[torch.Tensor], int, float, int]:
        row = int(self.rows[k])
        image = Image.fromarray(self.pixels[row])
        views = [self.transform(image) for _ in range(self.count)]
        return views, int(self.labels[row]), float(self.weight[row]), row


class Reference:
    """Two networks and what trains them.

    Args:
        networks: two of them, on any device.
        pixels, labels: training images uint8 (n, h, w, 3) and given labels (n,).
        test: the same of the test set, with true labels.
        mean, std: per channel, of pixels in [0, 1].
        workers: processes of each DataLoader (the authors: 5).
    """

    def __init__(
        self,
        networks: list[nn.Module],
        pixels: np.ndarray,
        labels: np.ndarray,
        test: tuple[np.ndarray, np.ndarray],
        mean: tuple[float, ...],
        std: tuple[float, ...],
        device: torch.device,
        workers: int = 0,
    ):
        self.networks = [network.to(device) for network in networks]
        self.optimizers = [
            torch.optim.SGD(network.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4)
            for network in self.networks
        ]
        self.pixels, self.labels, self.test_set, self.device, self.workers = (
            pixels,
            labels,
            test,
            device,
            workers,
        )
        end = [transforms.ToTensor(), transforms.Normalize(mean, std)]
        start = [
            transforms.RandomCrop(pixels.shape[1], padding=4),
            transforms.RandomHorizontalFlip(),
        ]
        self.augmented, self.plain = transforms.Compose(start + end), transforms.Compose(end)

    def warmup_loader(self) -> DataLoader[Any]:
        """Batches of twice the size, augmented once."""
        return self._loader(
            Images(self.pixels, self.labels, np.arange(len(self.labels)), self.augmented), 2 * BATCH
        )

    def judging_loader(self) -> DataLoader[Any]:
        """All training images as they are."""
        images = Images(self.pixels, self.labels, np.arange(len(self.labels)), self.plain)
        return self._loader(images, BATCH, shuffle=False)

    def training_loaders(
        self, labeled: np.ndarray, weight: np.ndarray
    ) -> tuple[DataLoader[Any], DataLoader[Any]]:
        """The labeled and the unlabeled images, two views of each; `labeled` (n,) bool, `weight`
        (n,)."""
        x, u = (
            Images(self.pixels, self.labels, np.flatnonzero(rows), self.augmented, 2, weight)
            for rows in (labeled, ~labeled)
        )
        return self._loader(x, BATCH), self._loader(u, BATCH)

    def warm_up(self, k: int) -> float:
        """An epoch of cross-entropy for network k; the last batch's loss."""
        network, optimizer = self.networks[k], self.optimizers[k]
        network.train()
        for (images,), labels, _, _ in self.warmup_loader():
            optimizer.zero_grad()
            loss = F.cross_entropy(network(images.to(self.device)), labels.to(self.device))
            loss.backward()
            optimizer.step()
            value = loss.item()
        return value

    def divide(self, k: int) -> np.ndarray:
        """Clean probabilities (n,) by network k's losses."""
        self.networks[k].eval()
        losses = torch.zeros(len(self.labels))
        with torch.no_grad():
            for (images,), labels, _, index in self.judging_loader():
                loss = F.cross_entropy(
                    self.networks[k](images.to(self.device)),
                    labels.to(self.device),
                    reduction="none",
                )
                for b in range(len(loss)):
                    losses[index[b]] = loss[b]
        points = ((losses - losses.min()) / (losses.max() - losses.min())).reshape(-1, 1).numpy()
        mixture = GaussianMixture(n_components=2, max_iter=10, tol=1e-2, reg_covar=5e-4).fit(points)
        return mixture.predict_proba(points)[:, mixture.means_.argmin()]

    def train(
        self, k: int, labeled: np.ndarray, weight: np.ndarray, lambda_u: float = 25.0
    ) -> list[float]:
        """An epoch of MixMatch for network k, guided by the other; the last step's losses."""
        loader_x, loader_u = self.training_loaders(labeled, weight)
        unlabeled: Iterator[Any] = iter(loader_u)
        for views_x, labels, clean, _ in loader_x:
            try:
                views_u, *_ = next(unlabeled)
            except StopIteration:
                unlabeled = iter(loader_u)
                views_u, *_ = next(unlabeled)
            mixing = max(weight_ := np.random.beta(ALPHA, ALPHA), 1 - weight_)  # noqa: NPY002 (as the authors do)
            partner = torch.randperm(2 * (len(labels) + len(views_u[0])))
            terms = self.step(k, views_x, views_u, labels, clean.float(), mixing, partner, lambda_u)
        return terms

    def step(
        self,
        k: int,
        views_x: list[torch.Tensor],
        views_u: list[torch.Tensor],
        labels: torch.Tensor,
        clean: torch.Tensor,
        mixing: float,
        partner: torch.Tensor,
        lambda_u: float,
        guess_mode: str = "train",
    ) -> list[float]:
        """One step of network k; its labeled, unlabeled and prior loss.

        Args:
            views_x, views_u: two views each, (batch, 3, h, w).
            labels, clean: given labels and clean probabilities of the labeled images, (batch,).
            mixing: MixUp's weight; `partner` is its permutation of all rows.
            guess_mode: of network k while it predicts targets (the authors: train).
        """
        own, peer = self.networks[k], self.networks[1 - k]
        own.train(guess_mode == "train")
        peer.eval()
        x1, x2, u1, u2 = (view.to(self.device) for view in (*views_x, *views_u))
        clean = clean.to(self.device).view(-1, 1)
        with torch.no_grad():
            outputs = [own(u1), own(u2), peer(u1), peer(u2)]
            guess = sum(torch.softmax(output, dim=1) for output in outputs) / 4
            guess = guess ** (1 / TEMPERATURE)
            target_u = guess / guess.sum(dim=1, keepdim=True)
            outputs = [own(x1), own(x2)]
            one_hot = (
                torch.zeros(len(labels), guess.shape[1])
                .scatter_(1, labels.cpu().view(-1, 1), 1)
                .to(self.device)
            )
            predicted = (torch.softmax(outputs[0], dim=1) + torch.softmax(outputs[1], dim=1)) / 2
            refined = (clean * one_hot + (1 - clean) * predicted) ** (1 / TEMPERATURE)
            target_x = refined / refined.sum(dim=1, keepdim=True)
        own.train()
        inputs = torch.cat([x1, x2, u1, u2])
        targets = torch.cat([target_x, target_x, target_u, target_u])
        inputs = mixing * inputs + (1 - mixing) * inputs[partner]
        targets = mixing * targets + (1 - mixing) * targets[partner]
        logits, rows = own(inputs), 2 * len(labels)
        probabilities = torch.softmax(logits[rows:], dim=1)
        loss_x = -torch.mean(torch.sum(F.log_softmax(logits[:rows], dim=1) * targets[:rows], dim=1))
        loss_u = torch.mean((probabilities - targets[rows:]) ** 2)
        prior = torch.ones(logits.shape[1], device=self.device) / logits.shape[1]
        mean = torch.softmax(logits, dim=1).mean(0)
        penalty = torch.sum(prior * torch.log(prior / mean))
        loss = loss_x + lambda_u * loss_u + penalty
        self.optimizers[k].zero_grad()
        loss.backward()
        self.optimizers[k].step()
        return [loss_x.item(), loss_u.item(), penalty.item()]

    def test(self) -> float:
        """Percent of the test images that the summed logits get right."""
        pixels, labels = self.test_set
        loader = self._loader(
            Images(pixels, labels, np.arange(len(labels)), self.plain), 100, shuffle=False
        )
        for network in self.networks:
            network.eval()
        right = 0
        with torch.no_grad():
            for (images,), true, _, _ in loader:
                images = images.to(self.device)
                chosen = (self.networks[0](images) + self.networks[1](images)).argmax(1)
                right += chosen.eq(true.to(self.device)).sum().item()
        return 100 * right / len(labels)

    def _loader(self, images: Images, size: int, shuffle: bool = True) -> DataLoader[Any]:
        return DataLoader(images, size, shuffle=shuffle, num_workers=self.workers)
