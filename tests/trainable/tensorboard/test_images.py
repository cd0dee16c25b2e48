"""Pictures for TensorBoard: what is where, in which colour."""

import numpy as np
import torch

from trainable.tensorboard.images import CLEAN, losses_and_mixture, sheet


def test_bars_stand_where_the_losses_are_and_have_the_colour_of_their_labels():
    losses, clean = np.array([0.0] * 30 + [2.0] * 10), np.arange(40) < 30
    picture = losses_and_mixture(losses, clean, {}, 0)
    assert picture.shape == (250, 500, 3)
    left, middle, right = picture[100, 4], picture[100, 250], picture[200, 495]
    assert left[2] > left[0], "blue: right labels have the smallest loss"
    assert (middle == 255).all(), "no loss is there"
    assert right[0] > right[2], "orange: wrong labels have the largest"
    assert (picture[100, 495] == 255).all(), "a third as many: their bar is lower"


def test_labels_of_unknown_truth_are_grey():
    picture = losses_and_mixture(np.array([0.0, 1.0, 1.0]), None, {}, 0)
    assert len(set(picture[240, 495].tolist())) == 1
    assert picture[240, 495, 0] < 255


def test_the_mixture_is_drawn_where_it_is_known_and_only_this_networks():
    losses = np.linspace(0, 1, 100)
    row = {
        f"mixture/{what}_{side}_net1": value
        for side, numbers in (("clean", (0.25, 0.05, 0.5)), ("noisy", (0.75, 0.05, 0.5)))
        for what, value in zip(("mean", "sd", "weight"), numbers, strict=True)
    }
    plain = losses_and_mixture(losses, None, row, 0)
    assert (losses_and_mixture(losses, None, row, 1) == 0).all(-1).any()
    assert not (plain == 0).all(-1).any()


def test_constant_losses_can_be_drawn():
    assert losses_and_mixture(np.zeros(5), np.ones(5, bool), {}, 0).shape == (250, 500, 3)


def test_a_sheet_shows_every_image_over_its_caption():
    images = torch.zeros(9, 3, 8, 8)
    images[8, 0] = 5.0  # red
    page = sheet(images, [f"{k} > 1" for k in range(9)])
    assert page.shape == (2 * 94, 8 * 96, 3)
    assert page[94 + 30, 30].tolist() == [255, 0, 0]
    assert (page[94 + 64 :, :60] < 128).any(), "a caption"
    assert tuple(page[94 + 30, 30]) != CLEAN


def test_grey_images_stay_grey():
    page = sheet(torch.arange(64.0).reshape(1, 1, 8, 8), ["0 > 1"])
    assert page[2, 2].tolist() == [0, 0, 0]
    assert page[60, 60].tolist() == [255, 255, 255]
