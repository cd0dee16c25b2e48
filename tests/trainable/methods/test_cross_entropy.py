"""Plain cross-entropy: DivideMix's warm-up continued; it memorises."""

import copy
import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.trainable.methods.tiny import all_same, all_weights, make, same, without_time
from trainable.config.data import ImageData


@pytest.mark.parametrize("networks", [1, 2])
def test_it_equals_dividemixs_warmup_bit_for_bit(networks):
    plain = make("cross_entropy", epochs=3, networks=networks)
    warmup = make("dividemix", epochs=8, warmup_epochs=5, networks=networks)
    for _ in range(3):
        rows = without_time([next(plain), next(warmup)])
        work = [
            row.pop("work/forwards") for row in rows
        ]  # plain cross-entropy also looks at its training losses
        assert work[0] >= work[1]
        assert rows[0] == rows[1]
        assert all_same(all_weights(plain), all_weights(warmup))


def test_an_epoch_equals_a_plain_restatement_on_the_same_views(monkeypatch):
    method = make("cross_entropy", n=50, batch_size=16, networks=2)
    nets = [copy.deepcopy(learner.network) for learner in method.learners]
    drawn, views = [], method.data.train.views

    def spied(index, count, rng):
        result = views(index, count, rng)
        drawn.append((index, [view.clone() for view in result]))
        return result

    monkeypatch.setattr(method.data.train, "views", spied)
    row = next(method)
    losses = []
    for k, net in enumerate(nets):
        optimizer = torch.optim.SGD(
            net.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, fused=False
        )
        batches = drawn[2 * k : 2 * k + 2]
        assert [len(index) for index, _ in batches] == [32, 18]
        assert sorted(i for index, _ in batches for i in index.tolist()) == list(range(50))
        for index, (images,) in batches:
            loss = F.nll_loss(net(images).log_softmax(1), method.data.train.given[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item() * len(index) / 50)
        for (name, a), b in zip(
            method.learners[k].network.state_dict().items(), net.state_dict().values(), strict=True
        ):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5, msg=name)
    assert row["loss/labeled"] == pytest.approx(sum(losses) / 2, rel=1e-5)


def test_it_memorises_wrong_labels():
    model = {"name": "small_cnn", "width": 16}
    method = make("cross_entropy", n=60, epochs=40, batch_size=8, lr=0.03, model=model, networks=1)
    method.data.train.augmentation = ImageData(
        crop_probability=0.0
    )  # views that differ are harder to memorise
    losses = [row["loss/labeled"] for row in method]
    assert np.mean(losses[-5:]) < 0.05 * np.mean(losses[:5])
    logits, final = method.judge_logits(method.learners[0], method.data.train)
    wrong = method.data.train.given != method.data.train.true
    assert wrong.sum() >= 10
    assert (logits.argmax(1) == method.data.train.given)[wrong].double().mean() > 0.9
    assert np.array_equal(method.records[40]["loss"][0], final.numpy())


def test_the_first_of_two_networks_equals_the_only_one():
    one, two = make("cross_entropy", networks=1), make("cross_entropy", networks=2)
    first, second = list(one), list(two)
    assert same(all_weights(one)[0], all_weights(two)[0])
    assert not same(all_weights(two)[0], all_weights(two)[1])
    for row, pair in zip(first, second, strict=True):
        assert row["test/accuracy"] == row["test/accuracy_net0"] == pair["test/accuracy_net0"]
        assert "test/accuracy_net1" in pair
        assert "test/accuracy_net1" not in row
        assert pair["schedule/lr"] == row["schedule/lr"] == 0.1


def test_two_networks_are_tested_by_the_sum_of_their_logits():
    method = make("cross_entropy", epochs=2)
    row = list(method)[-1]
    test = method.data.test
    images = test.plain(slice(None))
    logits = [learner.network.eval()(images) for learner in method.learners]
    for name, values in (("", logits[0] + logits[1]), ("_net0", logits[0]), ("_net1", logits[1])):
        expected = 100 * (values.argmax(1) == test.true).double().mean().item()
        assert row[f"test/accuracy{name}"] == pytest.approx(expected)
    images = method.data.validation.plain(slice(None))
    total = sum(learner.network(images) for learner in method.learners)
    assert row["val/accuracy"] == pytest.approx(
        100 * (total.argmax(1) == method.data.validation.given).double().mean().item()
    )


def test_the_ensemble_adds_logits_not_probabilities():
    method = make("cross_entropy")
    # Summed logits (−1, 0, −2) choose class 1; summed probabilities (.97, .7, .2) would choose class 0.
    for learner, bias in zip(method.learners, ([4.0, 0.0, -1.0], [-5.0, 0.0, -1.0]), strict=True):
        torch.nn.init.zeros_(learner.network[-1].weight)
        learner.network[-1].bias.data = torch.tensor(bias)
    method.data.test.true.fill_(1)
    method.data.validation.given.fill_(1)
    row = method.evaluate()
    assert row["test/accuracy"] == row["val/accuracy"] == 100
    assert row["test/accuracy_net0"] == 0
    assert set(method.predict_all(method.data.test).ensemble_class.tolist()) == {1}


@pytest.mark.parametrize("what", ["order", "augmentation"])
def test_order_and_augmentation_change_from_epoch_to_epoch_and_from_network_to_network(
    what, monkeypatch
):
    method = make("cross_entropy", epochs=2, batch_size=64)  # one batch an epoch and network
    drawn, views = [], method.data.train.views

    def spied(index, count, rng):
        result = views(index, count, rng)
        drawn.append(index if what == "order" else result[0])
        return result

    if what == "augmentation":
        monkeypatch.setattr(method, "shuffled", lambda index, *counters: torch.from_numpy(index))
    monkeypatch.setattr(method.data.train, "views", spied)
    list(method)
    assert len(drawn) == 4
    assert all(not torch.equal(a, b) for a, b in itertools.combinations(drawn, 2))


def test_work_is_three_forwards_an_image_and_one_for_each_tested():
    rows = list(make("cross_entropy", epochs=4, n=50))
    # Looks that fill the records, at the middle and the last epoch, are no part of the method.
    assert [row["work/forwards"] for row in rows] == 4 * [2 * (3 * 50 + 60 + 30)]


def test_records_are_of_the_middle_and_the_last_epoch():
    method = make("cross_entropy", epochs=5)
    list(method)
    assert sorted(method.records) == [3, 5]
    for record in method.records.values():
        assert record["loss"].shape == (2, 120)
        assert record["ensemble_class"].shape == record["ensemble_probability"].shape == (120,)
