"""`guard`: a division that makes the networks worse is undone, and training continues without it."""

import copy

import pytest
import torch

from tests.trainable.methods.tiny import all_same, all_weights, make, without_time
from trainable.errors import DataError
from trainable.methods.division_guard import DivisionGuard, fell
from trainable.models.head import head


def share(right: int, of: int = 100) -> torch.Tensor:
    return torch.arange(of) < right


def ruined(method) -> None:
    """Let every training on a division end in networks that predict one class."""

    def badly(found):
        for learner in method.learners:
            with torch.no_grad():
                head(learner.network).weight.zero_()
        return {}

    method.train_on = badly


def guarded(**kwargs):
    settings = {"n": 240, "epochs": 8, "lr": 0.05, "warmup_epochs": 3, "noise": {"name": "none"}}
    return make(**{**settings, "guard": True, **kwargs})


@pytest.mark.parametrize(
    ("lost", "gained", "fallen"), [(9, 1, True), (5, 2, False), (4, 0, False), (5, 0, True)]
)
def test_a_fall_is_more_than_two_standard_deviations_of_the_samples_that_changed(
    lost, gained, fallen
):
    before = share(50)
    now = before.clone()
    now[:lost] = False
    now[60 : 60 + gained] = True
    assert fell(before, now) is fallen


def test_one_fall_is_chance_and_two_in_a_row_are_a_failure():
    learners = guarded().learners
    guard = DivisionGuard()
    guard.keep(learners, share(60))
    seen = [guard.restore_if_failed(learners, share(n)) for n in (40, 60, 40, 40, 40)]
    assert seen == [False, False, False, True, False]


def test_the_networks_of_warmup_come_back_and_train_on_as_in_warmup():
    method = guarded()
    for _ in range(3):
        next(method)
    after_warmup = all_weights(method)
    ruined(method)
    rows = [next(method), next(method)]
    assert [row["division/failed"] for row in rows] == [0.0, 1.0]
    assert all_same(all_weights(method), after_warmup)
    assert rows[1]["val/accuracy"] > rows[0]["val/accuracy"] + 20, "measured after it was undone"
    rest = list(method)
    assert [row["phase"] for row in rest] == ["fallback"] * 3
    assert all(row["division/failed"] == 1.0 for row in rest)
    assert all("loss/labeled" in row for row in rest)


def test_a_division_that_helps_is_left_alone_and_the_guard_changes_nothing():
    method, other = guarded(epochs=5), guarded(epochs=5, guard=False)
    rows = without_time(list(method))
    assert all(row.pop("division/failed") == 0.0 for row in rows)
    assert rows == without_time(list(other))
    assert all_same(all_weights(method), all_weights(other))


@pytest.mark.parametrize("interrupted", [3, 4, 5, 6])
def test_a_resumed_trial_remembers_the_kept_networks(interrupted):
    whole, first, second = guarded(), guarded(), guarded()
    for method in (whole, first, second):
        ruined(method)
    expected = without_time(list(whole))
    assert [row["phase"] for row in expected[3:]] == ["dividemix"] * 2 + ["fallback"] * 3
    for _ in range(interrupted):
        next(first)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert without_time(list(second)) == expected[interrupted:]
    assert all_same(all_weights(second), all_weights(whole))


def test_without_validation_images_nothing_could_be_seen():
    method = guarded()
    method.data.validation = None
    with pytest.raises(DataError, match=r"Set data\.validation_fraction: 0\.1"):
        type(method)(method.config, method.data, method.learners, method.streams)


def test_records_and_test_predictions_are_those_of_the_networks_that_came_back():
    """The division fails in the last epoch but one, or in the last one."""
    for epochs in (6, 5):
        method = guarded(epochs=epochs)
        ruined(method)
        rows = list(method)
        assert [row["division/failed"] for row in rows][-2:] == ([1, 1] if epochs == 6 else [0, 1])
        assert len(method.test_classes) == epochs, "one entry an epoch"
        test = method.data.test
        right = [100 * float((each == test.true).float().mean()) for each in method.test_classes]
        assert right == pytest.approx([row["test/accuracy"] for row in rows])
        record = method.records[epochs]
        assert len(set(record["ensemble_class"].tolist())) > 1, "the ruined networks predict one"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_checkpoint_of_the_guard_is_read_on_the_cpu_and_compared_on_the_gpu():
    guard = DivisionGuard()
    guard.keep([], share(60))
    assert guard.restore_if_failed([], share(60).cuda()) is False
