"""LeNet and JoCoR's network against their definitions, stated plainly."""

import pytest
import torch
import torch.nn.functional as F

from trainable.config.trial import TrialConfig
from trainable.errors import DataError
from trainable.models.build import build


def network(name: str, *shape: int) -> torch.nn.Module:
    return build(TrialConfig.model_validate({"model": {"name": name}}).model, shape, 10, 0)


@torch.no_grad()
def test_lenet_is_two_convolutions_two_poolings_and_three_linear_layers():
    ours, x = (
        network("lenet", 3, 32, 32),
        torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)),
    )
    w = list(ours.parameters())
    assert [tuple(p.shape) for p in w[::2]] == [
        (6, 3, 5, 5),
        (16, 6, 5, 5),
        (120, 400),
        (84, 120),
        (10, 84),
    ]
    h = F.max_pool2d(F.relu(F.conv2d(x, w[0], w[1])), 2)
    h = F.max_pool2d(F.relu(F.conv2d(h, w[2], w[3])), 2).flatten(1)
    h = F.relu(F.linear(F.relu(F.linear(h, w[4], w[5])), w[6], w[7]))
    torch.testing.assert_close(ours(x), F.linear(h, w[8], w[9]))


@torch.no_grad()
def test_cnn6_is_six_convolutions_with_batchnorm_and_a_pooling_after_every_second():
    ours = network("cnn6", 3, 32, 32).train()
    x = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    w = list(ours.parameters())
    assert [len(p) for p in w[:24:4]] == [64, 64, 128, 128, 196, 16]
    h = x
    for k in range(6):
        kernel, bias, scale, shift = w[4 * k : 4 * k + 4]
        h = F.relu(
            F.batch_norm(
                F.conv2d(h, kernel, bias, padding=1), None, None, scale, shift, training=True
            )
        )
        h = F.max_pool2d(h, 2) if k % 2 else h
    torch.testing.assert_close(ours(x), F.linear(h.flatten(1), w[24], w[25]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "least"), [("lenet", 16), ("cnn6", 8)])
def test_the_smallest_images_can_be_trained_on_one_at_a_time_and_smaller_ones_are_refused(
    name, least
):
    logits = network(name, 1, least, least + 3).train()(torch.zeros(1, 1, least, least + 3))
    assert logits.shape == (1, 10)
    with pytest.raises(DataError, match=rf"^{name} .*{least}×{least}.* 40×{least - 1}$"):
        network(name, 1, 40, least - 1)
