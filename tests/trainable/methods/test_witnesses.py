"""What every method records of the given labels, and of the images that it does not train on."""

import numpy as np
import pytest
import torch

from tests.trainable.methods.tiny import make


def trained(name: str, **switches):
    method = make(name, epochs=4, n=60, **switches)
    for _ in method:
        pass
    return method


METHODS = ["cross_entropy", "co_teaching", "jocor", "elr"]


@pytest.mark.parametrize("name", [*METHODS, "dividemix"])
def test_the_running_means_are_in_every_record(name):
    method = trained(name)
    assert method.records
    for record in method.records.values():
        assert record["label_margin"].shape == (len(method.learners), 60)
        assert ((record["label_probability"] > 0) & (record["label_probability"] < 1)).all()


@pytest.mark.parametrize("name", METHODS)
def test_every_method_adds_the_logits_that_it_trains_on(name, monkeypatch):
    method = make(name, epochs=3, n=60)
    seen = []
    add = method.margins.add_logits

    def spied(network, index, logits, given):
        assert torch.equal(given, method.data.train.given[index])
        seen.extend((network, row) for row in index.tolist())
        add(network, index, logits, given)

    monkeypatch.setattr(method.margins, "add_logits", spied)
    for _ in method:
        pass
    every = [(k, row) for k in range(len(method.learners)) for row in range(60)]
    assert sorted(seen) == sorted(every * 3)


def test_dividemix_keeps_the_means_of_its_warmup_apart():
    method = make("dividemix", epochs=5, n=60, warmup_epochs=2)
    for _ in method:
        pass
    assert sorted(method.records) == [2, 3, 5]
    first = method.records[2]["label_margin"]
    # Two training epochs and the division after them; then one division an epoch, one at the end.
    later = method.records[3]["label_margin"]
    newest = 4 * later - 3 * first
    method_losses = method.records[3]["loss"]
    assert np.abs(np.exp(-method_losses)).max() <= 1
    assert np.corrcoef(newest.ravel(), -method_losses.ravel())[0, 1] > 0.5


@pytest.mark.parametrize("name", ["cross_entropy", "dividemix"])
def test_images_that_are_not_trained_on_are_judged(name):
    method = trained(name)
    assert method.records
    for record in method.records.values():
        assert record["validation_loss"].shape == (2, 30)
        assert record["test_loss"].shape == (2, 60)
        assert record["test_class"].shape == record["test_probability"].shape == (60,)
    last = method.records[4]
    test = method.data.test
    assert (last["test_class"] == method.test_classes[-1].numpy()).all()
    with torch.no_grad():
        logits = [learner.logits(test) for learner in method.learners]
    own = [torch.nn.functional.cross_entropy(each, test.given, reduction="none") for each in logits]
    np.testing.assert_allclose(last["test_loss"], torch.stack(own), rtol=1e-5, atol=1e-6)


def test_judging_them_is_no_work_of_the_method():
    method = make("cross_entropy", epochs=4, n=60)
    work = [row["work/forwards"] for row in method]
    # Three for training and one for the test, of two networks; validation images are judged too.
    assert len(set(work)) == 1


def test_the_last_ten_test_predictions_are_kept():
    method = make("cross_entropy", epochs=12, n=30)
    rows = list(method)
    assert len(method.test_classes) == 10
    true = method.data.test.true
    for row, classes in zip(rows[-10:], method.test_classes, strict=True):
        share = 100 * float((classes == true).float().mean())
        assert share == pytest.approx(row["test/accuracy"], abs=1e-4)
