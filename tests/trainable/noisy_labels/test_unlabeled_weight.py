"""`lambda_u: auto` follows the share of samples that the division mistrusts."""

import pytest

from trainable.noisy_labels.unlabeled_weight import automatic_lambda_u


@pytest.mark.parametrize(("share", "weight"), [(0.0, 0), (0.2, 0), (0.3, 0), (0.31, 25), (0.9, 25)])
def test_the_loss_is_off_for_few_and_the_authors_for_many(share, weight):
    assert automatic_lambda_u(share) == weight
