"""Every field of DivideMix's configuration bites: training with it ends in other weights, and not before it may act."""

import copy

import pytest

from tests.trainable.methods.tiny import all_same, all_weights, make, same, without_time
from trainable.config.dividemix import DivideMix

# (field, value, setting, epoch in which it first acts). The baseline has one warm-up epoch.
SWITCHES = [
    ("co_divide", False, {}, 2),
    ("co_refine", False, {}, 2),
    ("co_guess", False, {}, 2),
    ("co_guess", "peer", {}, 2),
    ("warmup_epochs", 0, {}, 1),
    ("warmup_epochs", 2, {}, 2),
    ("lambda_u", 0.0, {}, 2),
    ("lambda_u", 75.0, {}, 2),
    ("p_threshold", 0.1, {}, 2),
    ("temperature", 1.0, {}, 2),
    ("alpha", 0.5, {}, 2),
    ("mixup", False, {}, 2),
    ("prior_penalty", 0.0, {}, 2),
    ("rampup_epochs", 0.0, {}, 2),
    ("rampup_epochs", 4.0, {}, 2),
    ("loss_history", 2, {"noise": {"name": "symmetric", "rate": 0.7}}, 3),  # losses that overlap
    ("conf_penalty", "on", {}, 1),
    ("conf_penalty", "off", {"noise": {"name": "pair", "rate": 0.3}}, 1),
    ("networks", 1, {}, 2),
    ("guess_mode", "eval", {}, 2),
    ("guess_batched", True, {}, 2),
    (
        "warmup_epochs",
        "auto",
        {"epochs": 6},
        2,
    ),  # which never ends it after one epoch, unless two are half of all
    ("warmup_steps", 16, {"epochs": 6}, 2),  # two epochs of eight steps
    ("division", "embedding", {"neighbors": 10}, 2),
    ("division", "both", {"neighbors": 10}, 2),
    ("neighbors", 5, {"division": "embedding"}, 2),
    ("normalise_losses", False, {}, 2),
    ("mixture", "bmm", {}, 2),
    (
        "monotone_posterior",
        True,
        {"noise": {"name": "symmetric", "rate": 0.9}, "warmup_epochs": 3, "epochs": 5, "seed": 2},
        4,
    ),
    (
        "p_inclusive",
        True,
        {"division": "embedding", "neighbors": 4, "noise": {"name": "none"}, "n": 300, "seed": 3},
        2,
    ),  # 1 : 2 votes
    ("class_balanced", True, {}, 2),
    ("agreement", "published", {}, 2),
    ("agreement", "intended", {}, 2),
    ("agreement", "strict", {}, 2),
    ("n_aug", 1, {}, 2),
    ("n_aug", 4, {}, 2),
    ("sharpen", "refine", {}, 2),
    ("sharpen", "guess", {}, 2),
    ("hard_labels", "refine", {}, 2),
    ("hard_labels", "guess", {}, 2),
    ("hard_labels", "both", {}, 2),
    ("mixup_partner", "same_set", {}, 2),
    ("forward_rows", "labeled", {}, 2),
    ("unlabeled_loss", "sum", {}, 2),
    ("prior", [1.0, 2.0, 3.0], {}, 2),
    ("augment", "augdesc", {}, 2),
    ("head_only_epochs", 1, {}, 1),
]
SCHEDULES = [{"lr_schedule": "cosine"}, {"lr_milestones": [1]}]


@pytest.mark.parametrize(
    ("field", "value", "setting", "acts_in"), SWITCHES, ids=lambda v: str(v).replace(" ", "")
)
def test_a_switch_changes_the_weights_in_the_first_epoch_in_which_it_can_act(
    field, value, setting, acts_in
):
    baseline, changed = (
        make(batch_size=8, **setting),
        make(batch_size=8, **{**setting, field: value}),
    )
    networks = len(changed.learners)
    for epoch in range(1, acts_in + 1):
        next(baseline)
        next(changed)
        pairs = list(zip(all_weights(baseline)[:networks], all_weights(changed), strict=True))
        if epoch < acts_in:
            assert all(same(a, b) for a, b in pairs)
    assert not any(same(a, b) for a, b in pairs)


def test_every_field_of_the_configuration_is_in_the_list_or_below():
    elsewhere = {"name", "init", "weights", "weights_hash"}  # test_pretrained.py
    elsewhere |= {"recipe", "guard"}  # test_recipes.py, test_division_guard.py
    below = {"peer_update", "ensemble"}
    assert {field for field, *_ in SWITCHES} | below == DivideMix.model_fields.keys() - elsewhere


def test_synchronous_peers_change_the_second_network_first():
    sequential, synchronous = make(batch_size=8), make(batch_size=8, peer_update="synchronous")
    differ = []
    for _ in range(3):
        next(sequential)
        next(synchronous)
        pairs = zip(all_weights(sequential), all_weights(synchronous), strict=True)
        differ.append([not same(a, b) for a, b in pairs])
    assert differ == [[False, False], [False, True], [True, True]]


def test_the_ensembles_rule_changes_accuracies_and_trains_nothing():
    logits, probabilities = (
        make(batch_size=8, seed=3, **e) for e in ({}, {"ensemble": "probabilities"})
    )
    rows = [without_time(list(method)) for method in (logits, probabilities)]
    assert all_same(all_weights(logits), all_weights(probabilities))
    changed = {name for a, b in zip(*rows, strict=True) for name in a if a[name] != b[name]}
    assert changed
    assert changed <= {
        "test/accuracy",
        "val/accuracy",
        "train/accuracy_given",
        "train/accuracy_true",
    }


@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
@pytest.mark.parametrize("name", ["dividemix", "cross_entropy"])
def test_a_schedule_changes_the_weights_in_the_second_epoch(name, schedule):
    baseline, changed = make(name), make(name, schedule=schedule)
    differ = []
    for _ in range(2):
        next(baseline)
        next(changed)
        differ.append(
            [
                not same(a, b)
                for a, b in zip(all_weights(baseline), all_weights(changed), strict=True)
            ]
        )
    assert differ == [[False, False], [True, True]]


@pytest.mark.parametrize("noise", ["pair", "symmetric"])
def test_the_automatic_confidence_penalty_is_on_for_class_dependent_noise_only(noise):
    setting = {"noise": {"name": noise, "rate": 0.3}}
    auto, on, off = (make(**setting, conf_penalty=value) for value in ("auto", "on", "off"))
    for method in (auto, on, off):
        next(method)
    as_on, as_off = (all(map(same, all_weights(auto), all_weights(method))) for method in (on, off))
    assert (as_on, as_off) == ((True, False) if noise == "pair" else (False, True))


def test_the_confidence_penalty_adds_the_mean_negative_entropy_to_the_loss(monkeypatch):
    method = make(conf_penalty="on", batch_size=64, networks=1)  # one step
    learner, images, descended = method.learners[0], [], []
    network, views, step = copy.deepcopy(learner.network), method.data.train.views, learner.step

    def spied_views(*args):
        images.extend(views(*args))
        return images

    def spied_step(loss):
        descended.append(loss.item())
        step(loss)

    monkeypatch.setattr(method.data.train, "views", spied_views)
    monkeypatch.setattr(learner, "step", spied_step)
    row = next(method)
    p = network(images[0]).softmax(1)
    penalty = (p * p.log()).sum(1).mean().item()
    assert penalty < -0.5
    assert descended == [pytest.approx(row["loss/labeled"] + penalty, rel=1e-5)]


def test_the_confidence_penalty_acts_in_warmup_only():
    on, off = make(conf_penalty="on", warmup_epochs=0), make(conf_penalty="off", warmup_epochs=0)
    next(on)
    next(off)
    assert all(map(same, all_weights(on), all_weights(off)))


def test_co_divide_is_without_effect_on_one_network():
    peer, own = make(networks=1), make(networks=1, co_divide=False)
    for _ in range(2):
        next(peer)
        next(own)
    assert all(map(same, all_weights(peer), all_weights(own)))
