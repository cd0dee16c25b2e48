"""The last epochs of a trial."""

import pytest

from trainable.storage.last_epochs import last_epochs


@pytest.mark.parametrize(
    ("epochs", "last"), [(1, 1), (3, 1), (4, 2), (10, 4), (29, 10), (30, 10), (300, 10)]
)
def test_ten_or_a_third(epochs, last):
    assert last_epochs(epochs) == last
