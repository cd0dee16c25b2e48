"""`init: pretrained` and `head_only_epochs`: ids by content, what is loaded, what is left out, what is refused."""

import shutil

import pytest
import torch
from pydantic import ValidationError

from tests.trainable.methods.tiny import make, same, weights, without_time
from trainable.config.messages import explain
from trainable.config.models import SmallCnn
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig, trial_id
from trainable.models.build import build
from trainable.trial.session import Session
from trainable.trial.trial import Trial

SHAPE = (1, 8, 8)


def states(seeds=(5,), classes=10, width=4) -> list[dict[str, torch.Tensor]]:
    return [build(SmallCnn(width=width), SHAPE, classes, seed).state_dict() for seed in seeds]


def config(folder, name="dividemix", **method) -> TrialConfig:
    content = {
        "model": {"name": "small_cnn", "width": 4},
        "train": {"epochs": 2, "batch_size": 256, "lr": 0.001},
        "method": {"name": name, "init": "pretrained", "weights": "w.pth", **method},
    }
    return TrialConfig.model_validate(content, context={"study_dir": folder})


def first(folder, **method) -> Trial:
    return Trial(config(folder, **method), Machine(study_dir=folder, device="cpu"))


def networks(trial: Trial) -> list[dict[str, torch.Tensor]]:
    return [weights(learner) for learner in trial.method.learners]


# --- ids ---


def test_the_files_content_is_part_of_the_id_and_its_place_is_not(tmp_path):
    torch.save(states()[0], tmp_path / "w.pth")
    known = trial_id(config(tmp_path))
    assert known != trial_id(config(tmp_path, init="random"))
    shutil.copy(tmp_path / "w.pth", tmp_path / "copy.pth")
    assert trial_id(config(tmp_path, weights="copy.pth")) == known
    assert trial_id(TrialConfig.model_validate(config(tmp_path).model_dump())) == known, (
        "as a folder keeps it"
    )
    torch.save(states((6,))[0], tmp_path / "w.pth")
    assert trial_id(config(tmp_path)) != known


def test_weights_that_are_not_used_do_not_change_the_id(tmp_path):
    plain = TrialConfig.model_validate(
        {**config(tmp_path, init="random").model_dump(), "method": {"name": "dividemix"}}
    )
    assert trial_id(config(tmp_path, init="random")) == trial_id(plain)


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        ({}, ("method", "weights"), "w.pth in "),
        (
            {"weights": None},
            ("method", "init"),
            "pretrained needs `weights`",
        ),
        (
            {"weights_hash": "ab"},
            ("method", "weights_hash"),
            "is filled in",
        ),
    ],
)
def test_what_is_missing_is_said_when_the_study_is_read(tmp_path, method, path, message):
    with pytest.raises(ValidationError) as error:
        config(tmp_path, **method)
    (found,) = explain(error.value, TrialConfig)
    assert found[0] == path
    assert found[1].startswith(message)


# --- what is loaded ---


def test_both_networks_start_from_one_state_or_each_from_its_own(tmp_path):
    torch.save(states()[0], tmp_path / "w.pth")
    assert all(same(network, states()[0]) for network in networks(first(tmp_path)))
    torch.save(states((5, 6)), tmp_path / "w.pth")
    trial = first(tmp_path)
    assert [same(*pair) for pair in zip(networks(trial), states((5, 6)), strict=True)] == [
        True,
        True,
    ]
    assert trial.notes == []


@pytest.mark.parametrize("headless", [False, True])
def test_a_last_layer_of_another_size_is_left_out_with_a_note_in_the_log(tmp_path, headless):
    given = states(classes=7)[0]
    *_, weight, bias = given
    torch.save(
        {k: v for k, v in given.items() if not (headless and k in (weight, bias))},
        tmp_path / "w.pth",
    )
    session = Session(config(tmp_path), tmp_path / "run", Machine(study_dir=tmp_path, device="cpu"))
    network = networks(session.trial)[0]
    session.close()
    assert all(torch.equal(network[k], given[k]) for k in given if k not in (weight, bias))
    assert network[weight].shape == (10, 8)
    note = f"network 0: the last layer ({bias}, {weight}) does not fit w.pth"
    assert note in (tmp_path / "run" / "train.log").read_text()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            states(width=8)[0],
            r"/w\.pth .*0\.weight is \(8, 1, 3, 3\) and should be",
        ),
        ({"a": torch.zeros(1)}, r"/w\.pth .*0\.weight is missing"),
        ([1, 2], r"/w\.pth .*no weights.*torch\.save"),
        (SmallCnn, r"/w\.pth .*: Weights only load failed"),
    ],
)
def test_another_networks_weights_and_other_files_are_refused(tmp_path, content, message):
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(Exception, match=message) as error:
        first(tmp_path)
    assert type(error.value).__name__ == "DataError"


def test_a_file_that_changes_after_the_study_was_read_is_refused(tmp_path):
    torch.save(states()[0], tmp_path / "w.pth")
    known = config(tmp_path)
    torch.save(states((6,))[0], tmp_path / "w.pth")
    with pytest.raises(Exception, match=r"/w\.pth has changed"):
        Trial(known, Machine(study_dir=tmp_path, device="cpu"))


# --- head only ---


@pytest.mark.parametrize("name", ["dividemix", "cross_entropy"])
def test_only_the_last_layer_learns_in_the_first_epochs(name):
    method = make(name, head_only_epochs=2, epochs=3, batch_size=8)
    frozen = [key for key, _ in method.learners[0].network.named_parameters()][:-2]
    start = weights(method.learners[0])
    rows = []
    for finished in (1, 2, 3):
        rows.append(next(method))
        moved = {k for k, v in weights(method.learners[0]).items() if not torch.equal(v, start[k])}
        assert bool(moved & {*frozen}) == (finished == 3)
    plain = make(name, epochs=3, batch_size=8)
    assert rows[0]["work/forwards"] < next(plain)["work/forwards"]


def test_a_trial_that_is_stopped_while_only_the_head_learns_resumes_bit_for_bit(tmp_path):
    torch.save(states()[0], tmp_path / "w.pth")
    fields = {"head_only_epochs": 1, "warmup_epochs": 1}
    whole, resumed = first(tmp_path, **fields), first(tmp_path, **fields)
    rows = [next(whole)]
    state = whole.state()
    rows += whole
    resumed.restore(state, rows[:1])
    assert without_time([rows[0], *resumed]) == without_time(rows)
    assert resumed.weights() == whole.weights()
