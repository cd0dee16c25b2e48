"""Trial ids: what changes them and what must not. Messages about wrong settings."""

import hashlib
import itertools
import json
import re
from typing import Annotated, Any, get_args

import pytest
from pydantic import BaseModel, Field, ValidationError

from trainable.config.annotators import AnnotatorNoise
from trainable.config.base import Section
from trainable.config.data import (
    AsymmetricNoise,
    Cifar10,
    Cifar10N,
    Cifar100,
    Cifar100N,
    Clothing1M,
    CorruptedNoise,
    Cub200,
    Digits,
    FashionMnist,
    FileNoise,
    ImageFolder,
    InstanceNoise,
    Kmnist,
    Mnist,
    NoNoise,
    Npz,
    PairNoise,
    SymmetricNoise,
    WebVision,
)
from trainable.config.dividemix import DivideMix
from trainable.config.embeddings import Embeddings
from trainable.config.messages import explain
from trainable.config.methods import (
    CoTeaching,
    CoTeachingPlus,
    CrossEntropy,
    Elr,
    ElrPlus,
    Jocor,
    MixMatch,
    MixUp,
    Retrain,
    SsrPlus,
)
from trainable.config.models import (
    Cnn6,
    LeNet,
    Linear,
    Mlp,
    PreactResNet18,
    PreactResNet34,
    SmallCnn,
    Torchvision,
)
from trainable.config.optimization import Train
from trainable.config.trial import SCHEMA, TrialConfig, stored_config, stored_data, trial_id

# A value other than the default for every field of every section; a field without a default has two.
IMAGE_DATA: dict[str, Any] = {
    "validation_fraction": 0.1,
    "clean_validation": True,
    "folds": 5,
    "fold": 1,
    "crop_padding": 3,
    "crop_probability": 0.5,
    "imbalance": 10.0,
}
PHOTOS: dict[str, Any] = {
    **IMAGE_DATA,
    "flip": False,
    "size": 400,
    "crop": 200,
    "resized_crop": True,
    "exif_orientation": True,
}
OWN: dict[str, Any] = {"labels_are_true": False, "test_fraction": 0.3, "test_labels": "unchecked"}
FORGETTING: dict[str, Any] = {"forget_rate": 0.4, "gradual_epochs": 5}
ELR: dict[str, Any] = {"networks": 2, "beta": 0.9, "lambda_elr": 7}
START = {"weights_hash": "ab", "head_only_epochs": 1}
OTHER: dict[tuple[str, type[Section]], dict[str, Any]] = {
    ("data", Digits): {**IMAGE_DATA, "flip": True},
    ("data", Embeddings): {
        **{name: IMAGE_DATA[name] for name in IMAGE_DATA if not name.startswith("crop")},
        **OWN,
        "path": "b.npz",
        "labels": "b.csv",
        "normalise": "l2",
        "feature_dropout": 0.1,
        "feature_jitter": 0.1,
        "feature_mixing": 0.1,
        "strong_views": 3.0,
    },
    ("data", Npz): {**IMAGE_DATA, **OWN, "flip": True, "path": "b.npz"},
    ("data", Mnist): {**IMAGE_DATA, "flip": True},
    ("data", FashionMnist): {**IMAGE_DATA, "flip": False},
    ("data", Kmnist): {**IMAGE_DATA, "flip": True},
    ("data", Cifar10): {**IMAGE_DATA, "flip": False},
    ("data", Cifar100): {**IMAGE_DATA, "flip": False},
    ("data", Cifar10N): {**IMAGE_DATA, "flip": False, "labels": "aggre"},
    ("data", Cifar100N): {**IMAGE_DATA, "flip": False},
    ("data", ImageFolder): {
        **IMAGE_DATA,
        "flip": True,
        "path": "b",
        "size": 30,
        "crop": 20,
        "resized_crop": True,
        "exif_orientation": False,
        "skip_unreadable": True,
        "channels": 1,
        **OWN,
    },
    ("data", Cub200): PHOTOS,
    ("data", Clothing1M): {**PHOTOS, "epoch_batches": 10},
    ("data", WebVision): {**PHOTOS, "resized_crop": False, "classes": 10, "ilsvrc12": False},
    ("noise", NoNoise): {},
    ("noise", SymmetricNoise): {"rate": 0.4, "include_true": False},
    ("noise", PairNoise): {"rate": 0.4},
    ("noise", AsymmetricNoise): {"rate": 0.4, "map": [1, 0]},
    ("noise", InstanceNoise): {"rate": 0.4},
    ("noise", CorruptedNoise): {"rate": 0.4, "corruptions": ["blur"]},
    ("noise", AnnotatorNoise): {
        "choice": "first",
        "path": "b.csv",
        "labels_hash": "ab",
        "skills": [0.9],
    },
    ("noise", FileNoise): {"path": "b.json", "labels_hash": "ab"},
    ("model", SmallCnn): {"width": 16},
    ("model", LeNet): {},
    ("model", Cnn6): {},
    ("model", PreactResNet18): {},
    ("model", PreactResNet34): {},
    ("model", Torchvision): {"stem": "imagenet"},
    ("model", Mlp): {"depth": 3, "width": 16, "norm": "none", "dropout": 0.1},
    ("model", Linear): {},
    ("train", Train): {
        "epochs": 5,
        "batch_size": 32,
        "lr": 0.1,
        "momentum": 0.5,
        "weight_decay": 0,
        "lr_milestones": [150, 200],
        "lr_gamma": 0.5,
        "lr_schedule": "cosine",
        "ema_decay": 0.9,
        "precision": "bf16",
        "optimizer": "adam",
    },
    ("method", CrossEntropy): {**START, "networks": 1},
    ("method", MixUp): {"networks": 2, "alpha": 2},
    ("method", CoTeaching): FORGETTING,
    ("method", CoTeachingPlus): {**FORGETTING, "init_epochs": 5},
    ("method", Jocor): {
        **FORGETTING,
        "networks": 3,
        "contrast": "circular",
        "co_lambda": 0.5,
    },
    ("method", Elr): ELR,
    ("method", SsrPlus): {
        "theta_s": 0.9,
        "theta_r": 0.8,
        "neighbors": 50,
        "alpha": 1,
        "lambda_fc": 0,
    },
    ("method", ElrPlus): {
        **{name: ELR[name] for name in ("beta", "lambda_elr")},
        "rampup_steps": 100,
        "alpha": 2,
        "ema_decay": 0.9,
        "ema_rampup_steps": 0,
        "label_times_target": True,
    },
    ("method", MixMatch): {
        "warmup_epochs": 3,
        "p_threshold": 0.6,
        "n_aug": 1,
        "temperature": 1,
        "alpha": 1,
        "lambda_u": 150,
        "rampup_epochs": 0,
        "prior_penalty": 0,
    },
    ("method", DivideMix): {
        **START,
        "networks": 1,
        "warmup_epochs": 3,
        "warmup_steps": 200,
        "guard": True,
        "conf_penalty": "on",
        "co_divide": False,
        "p_threshold": 0.6,
        "loss_history": 5,
        "augment": "augdesc",
        "co_refine": False,
        "co_guess": "peer",
        "guess_mode": "eval",
        "temperature": 1,
        "mixup": False,
        "alpha": 1.0,
        "lambda_u": 150,
        "rampup_epochs": 0,
        "prior_penalty": 0.5,
        "division": "embedding",
        "neighbors": 20,
        "normalise_losses": False,
        "mixture": "bmm",
        "monotone_posterior": True,
        "p_inclusive": True,
        "class_balanced": True,
        "agreement": "strict",
        "n_aug": 4,
        "peer_update": "synchronous",
        "guess_batched": True,
        "sharpen": "guess",
        "hard_labels": "both",
        "mixup_partner": "same_set",
        "forward_rows": "labeled",
        "unlabeled_loss": "sum",
        "prior": [float(k) for k in range(1, 11)],
        "ensemble": "probabilities",
    },
}
WITH: dict[str, dict[str, Any]] = {"fold": {"folds": 5}}
"""Other fields without which a field is refused."""
REQUIRED: dict[type[Section], dict[str, Any]] = {
    Npz: {"path": "a.npz"},
    Embeddings: {"path": "a.npz"},
    ImageFolder: {"path": "a"},
    SymmetricNoise: {"rate": 0.2},
    PairNoise: {"rate": 0.2},
    AsymmetricNoise: {"rate": 0.2},
    InstanceNoise: {"rate": 0.2},
    CorruptedNoise: {"rate": 0.2},
    FileNoise: {"path": "a.json"},
    Torchvision: {"name": "resnet18"},
}


def section(kind: type[Section], **fields: Any) -> dict[str, Any]:
    name = {"name": kind.model_fields["name"].default} if "name" in kind.model_fields else {}
    return {**name, **REQUIRED.get(kind, {}), **fields}


def id_of(content: dict[str, Any]) -> str:
    if content.get("data", {}).get("name") == "embeddings":
        content = {"model": {"name": "linear"}, **content}
    return trial_id(TrialConfig.model_validate(content))


def mistakes(content: Any, root: type[BaseModel] = TrialConfig) -> list[tuple[str, str]]:
    """(dotted path, message) of each mistake."""
    with pytest.raises(ValidationError) as error:
        root.model_validate(content)
    return [(".".join(path), message) for path, message in explain(error.value, root)]


# --- ids ---


def test_every_section_and_field_has_a_case_here():
    sections = ("data", "noise", "model", "method")
    named = [
        kind for part in sections for kind in get_args(TrialConfig.model_fields[part].annotation)
    ]
    assert {kind for _, kind in OTHER} == {Train, *named} - {Retrain}, (
        "tests/orchestrator/scheduling/test_from_arm.py has that"
    )
    for (_, kind), values in OTHER.items():
        assert (
            set(values) == set(kind.model_fields) - {"name", "init", "weights"} - kind.of_report
        ), kind  # these: test_start.py


def test_the_id_is_the_hash_of_the_schema_the_seed_and_what_differs_from_the_defaults():
    hashed = (
        '{"data": {"name": "digits"}, "method": {"lambda_u": 50.0, "name": "dividemix"}, '
        '"model": {"name": "small_cnn"}, "noise": {"name": "symmetric", "rate": 0.5}, '
        f'"schema": {SCHEMA}, "seed": 3, "train": {{"epochs": 7}}}}'
    )
    content = {
        "noise": {"name": "symmetric", "rate": 0.5},
        "train": {"epochs": 7},
        "method": {"name": "dividemix", "lambda_u": 50},
        "seed": 3,
    }
    assert id_of(content) == hashlib.sha256(hashed.encode()).hexdigest()[:16]


@pytest.mark.parametrize(
    ("part", "kind"), OTHER, ids=lambda x: x if isinstance(x, str) else x.__name__
)
def test_every_field_changes_the_id(part, kind):
    ids = [id_of({part: section(kind)})]
    ids += [
        id_of({part: section(kind, **WITH.get(field, {}), **{field: value})})
        for field, value in OTHER[part, kind].items()
    ]
    assert len(set(ids)) == len(ids)


def test_names_and_seeds_change_the_id():
    ids = [id_of({part: section(kind)}) for part, kind in OTHER if part != "train"]
    defaults = {
        id_of({part: section(kind)})
        for part, kind in OTHER
        if kind in (Digits, NoNoise, SmallCnn, DivideMix)
    }
    assert defaults == {id_of({})}
    assert len(set(ids)) == len(ids) - 3
    assert len({id_of({"seed": seed}) for seed in (0, 1, 2**63 - 1)}) == 3


@pytest.mark.parametrize(
    ("part", "kind"), OTHER, ids=lambda x: x if isinstance(x, str) else x.__name__
)
def test_a_field_written_with_its_default_does_not_change_the_id(part, kind):
    bare = id_of({part: section(kind)})
    for field, info in kind.model_fields.items():
        if not info.is_required():
            assert id_of({part: section(kind, **{field: info.default})}) == bare


def test_all_defaults_written_out_do_not_change_the_id():
    assert id_of(TrialConfig().model_dump()) == id_of({}) == trial_id(TrialConfig())


def test_the_order_of_keys_does_not_change_the_id():
    content = {
        "seed": 2,
        "noise": section(PairNoise),
        "train": {"lr": 0.1, "epochs": 4},
        "method": section(DivideMix),
    }
    ids = set()
    for keys in itertools.permutations(content):
        turned = {key: content[key] for key in keys}
        turned["train"] = dict(reversed(content["train"].items()))
        ids.add(id_of(turned))
    assert len(ids) == 1


@pytest.mark.parametrize("value", [25, 30])
def test_whole_numbers_and_floats_of_equal_value_have_one_id(value):
    assert id_of({"method": section(DivideMix, lambda_u=value)}) == id_of(
        {"method": section(DivideMix, lambda_u=float(value))}
    )


def test_a_new_field_with_a_default_keeps_the_ids_of_old_results():
    class Later(Train):
        nesterov: bool = False

    config = TrialConfig(train=Train(epochs=5))
    later = config.model_copy(update={"train": Later(epochs=5)})
    assert trial_id(later) == trial_id(config)
    assert trial_id(
        config.model_copy(update={"train": Later(epochs=5, nesterov=True)})
    ) != trial_id(config)


def test_a_new_schema_number_makes_all_ids_new(monkeypatch):
    before = id_of({})
    monkeypatch.setattr("trainable.config.trial.SCHEMA", SCHEMA + 1)
    assert id_of({}) != before


def test_an_id_survives_json():
    config = TrialConfig.model_validate(
        {"method": section(DivideMix, co_guess="peer", temperature=1), "seed": 5}
    )
    assert trial_id(
        TrialConfig.model_validate(json.loads(json.dumps(config.model_dump())))
    ) == trial_id(config)


# --- configurations that a trial.json holds ---

RETIRED = [("co_teaching_plus", "as_published"), ("jocor", "normalise_pairs")]


@pytest.mark.parametrize("config", [TrialConfig(), TrialConfig(method=Jocor(networks=3), seed=4)])
def test_a_stored_configuration_is_read_back(config):
    assert stored_config(json.loads(json.dumps(config.model_dump()))) == config


@pytest.mark.parametrize(("method", "field"), RETIRED)
def test_a_stored_field_that_has_been_removed_is_dropped_where_it_had_its_default(method, field):
    content = json.loads(
        json.dumps(TrialConfig.model_validate({"method": {"name": method}, "seed": 1}).model_dump())
    )
    expected = stored_config(content)
    content["method"][field] = False
    assert stored_config(content) == expected
    assert trial_id(stored_config(content)) == id_of({"method": {"name": method}, "seed": 1})
    assert content["method"][field] is False, "the caller's content is not changed"


@pytest.mark.parametrize(("method", "field"), [*RETIRED, ("jocor", "as_published")])
def test_a_stored_field_is_an_error_where_its_effect_would_be_lost(method, field):
    with pytest.raises(ValidationError, match=rf"method\.{method}\.{field}\n"):
        stored_config({"method": {"name": method, field: True}})


def test_a_removed_field_is_unknown_in_a_study():
    for method, field in RETIRED:
        [(path, message)] = mistakes({"method": {"name": method, field: False}})
        assert path == f"method.{field}"
        assert message.startswith(f"unknown key `{field}`")


@pytest.mark.parametrize(
    "content", [None, [], {"method": "jocor"}, {"method": {"name": ["jocor"]}}]
)
def test_a_damaged_stored_configuration_is_a_validation_error(content):
    with pytest.raises(ValidationError):
        stored_config(content)


def test_a_configuration_cannot_be_changed():
    config = TrialConfig()
    with pytest.raises(ValidationError, match="frozen"):
        config.seed = 1
    with pytest.raises(ValidationError, match="frozen"):
        config.train.lr = 1.0


# --- messages ---


def assert_mistake(content, path: str, *facts: str) -> None:
    """The one mistake in `content` is at `path`, and its message states the facts."""
    [(found, message)] = mistakes(content)
    assert found == path
    assert [fact for fact in facts if fact not in message] == []


@pytest.mark.parametrize(
    ("content", "path", "facts"),
    [
        ({"sed": 1}, "sed", ["`sed`", "did you mean `seed`?"]),
        (
            {"qqq": 1},
            "qqq",
            ["`qqq`", "data, noise, model, train, method, from_arm, seed"],
        ),
        (
            {"method": {"name": "dividemix", "lamda_u": 5}},
            "method.lamda_u",
            ["`lamda_u`", "did you mean `lambda_u`?"],
        ),
        (  # the key belongs to another method
            {"method": {"name": "cross_entropy", "lambda_u": 5}},
            "method.lambda_u",
            ["`lambda_u`", "name, networks, init, weights, head_only_epochs"],
        ),
        ({"train": {"epoch": 5}}, "train.epoch", ["`epoch`", "did you mean `epochs`?"]),
    ],
)
def test_an_unknown_key_is_named_with_a_suggestion_or_the_known_ones(content, path, facts):
    assert_mistake(content, path, *facts)


@pytest.mark.parametrize(
    ("content", "path", "facts"),
    [
        (
            {"method": {"name": "dividemx"}},
            "method.name",
            [
                "`dividemx`",
                "dividemix, cross_entropy, mixup, co_teaching, co_teaching_plus, jocor, elr, elr_plus, mixmatch, ssr_plus, retrain",
                "FILE.py:CLASS",
                "did you mean `dividemix`?",
            ],
        ),
        (
            {"noise": {"name": "fog"}},
            "noise.name",
            ["`fog`", "none, symmetric, pair, asymmetric, instance, corrupted, annotators, file"],
        ),
        (
            {"model": {"name": None}},
            "model.name",
            [
                "`None`",
                "small_cnn, lenet, cnn6, preact_resnet18, preact_resnet34, resnet18, resnet34, resnet50, mobilenet_v2, "
                "convnext_tiny, vit_b_16, swin_t",
                "FILE.py:CLASS",
            ],
        ),
    ],
)
def test_a_wrong_name_is_reported_with_the_known_ones(content, path, facts):
    assert_mistake(content, path, *facts)


@pytest.mark.parametrize(
    ("content", "path", "value", "expected"),
    [
        ({"train": {"lr": "0.1"}}, "train.lr", '"0.1"', "number"),
        ({"train": {"lr": True}}, "train.lr", "true", "number"),
        ({"train": {"epochs": 3.5}}, "train.epochs", "3.5", "integer"),
        ({"train": {"epochs": None}}, "train.epochs", "null", "integer"),
        ({"data": {"name": "npz", "path": 5}}, "data.path", "5", "string"),
        (
            {"method": {"name": "dividemix", "mixup": "yes"}},
            "method.mixup",
            '"yes"',
            "true or false",
        ),
        (
            {"method": {"name": "dividemix", "guess_mode": "test"}},
            "method.guess_mode",
            '"test"',
            "'train' or 'eval'",
        ),
        ({"train": {"lr_milestones": 150}}, "train.lr_milestones", "150", "list"),
        # ranges
        ({"train": {"lr": 0}}, "train.lr", "0", "greater than 0"),
        ({"train": {"lr": float("nan")}}, "train.lr", "NaN", "finite"),
        ({"train": {"lr": float("inf")}}, "train.lr", "Infinity", "finite"),
        ({"train": {"epochs": 0}}, "train.epochs", "0", "greater than or equal to 1"),
        ({"train": {"momentum": 1.0}}, "train.momentum", "1.0", "less than 1"),
        (
            {"noise": {"name": "pair", "rate": 1.5}},
            "noise.rate",
            "1.5",
            "less than or equal to 1",
        ),
        (
            {"data": {"crop_padding": 5, "name": "digits"}},
            "data.crop_padding",
            "5",
            "less than or equal to 4",
        ),
        ({"seed": -1}, "seed", "-1", "greater than or equal to 0"),
        # items of a list
        ({"train": {"lr_milestones": [150, 2.5]}}, "train.lr_milestones", "2.5", "integer"),
        (
            {"method": {"name": "dividemix", "prior": [1, 0]}},
            "method.prior",
            "0",
            "greater than 0",
        ),
        # a section
        *[
            ({"data": value}, "data", json.dumps(value), "mapping")
            for value in ("digits", None, 5, ["digits"])
        ],
    ],
)
def test_a_wrong_value_is_shown_with_what_would_be_right(content, path, value, expected):
    [(found, message)] = mistakes(content)
    assert found == path
    assert message.startswith(f"{value} ")
    assert expected in message


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        *[({"co_guess": value}, ["true or false", "'peer'"]) for value in (5, "per", None)],
        ({"warmup_epochs": "atuo"}, ["integer", "'auto'"]),
        ({"mixture": "kmm"}, ["'gmm' or 'bmm'"]),
        ({"hard_labels": True}, ["'off', 'refine', 'guess' or 'both'"]),
    ],
)
def test_a_wrong_value_of_a_switch_is_shown_with_all_right_ones(fields, expected):
    [(field, value)] = fields.items()
    content = {"method": {"name": "dividemix", **fields}}
    assert_mistake(content, f"method.{field}", json.dumps(value), *expected)


@pytest.mark.parametrize("value", [True, 1.0])
def test_the_number_of_networks_is_not_converted(value):
    assert [path for path, _ in mistakes({"method": {"name": "dividemix", "networks": value}})] == [
        "method.networks"
    ]


def test_a_list_that_is_too_short_says_how_many_it_needs():
    class Repeated(Section):
        seeds: Annotated[list[int], Field(min_length=2)]

    [(path, message)] = mistakes({"seeds": [1]}, Repeated)
    assert path == "seeds"
    assert re.search(r"at least 2\b.*\b1\b", message)


def test_two_wrong_items_of_a_list_are_both_shown():
    messages = mistakes({"train": {"lr_milestones": [0, "late"]}})
    assert {path for path, _ in messages} == {"train.lr_milestones"}
    text = " ".join(message for _, message in messages)
    assert re.search(r"\b0 .*equal to 1\b", text)
    assert re.search(r'"late" .*integer', text)


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ({"data": {"name": "npz"}}, "data.path"),
        ({"noise": {"name": "pair"}}, "noise.rate"),
        ({"noise": {"rate": 0.5}}, "noise.name"),
    ],
)
def test_a_missing_field_is_named(content, path):
    assert_mistake(content, path, "missing")


def test_a_file_that_is_no_mapping_is_reported_without_a_path():
    assert_mistake(["a"], "", '["a"]', "mapping")


@pytest.mark.parametrize(
    ("fields", "changed", "needed"),
    [
        ({"networks": 1, "co_guess": "peer"}, "`co_guess: peer`", "`networks: 2`"),
        (
            {"networks": 1, "peer_update": "synchronous"},
            "`peer_update: synchronous`",
            "`networks: 2`",
        ),
        ({"networks": 1, "agreement": "strict"}, "`agreement: strict`", "`networks: 2`"),
        ({"division": "both", "mixture": "bmm"}, "`mixture: bmm`", "`division: loss`"),
        (
            {"division": "embedding", "monotone_posterior": True},
            "`monotone_posterior: true`",
            "`division: loss`",
        ),
    ],
)
def test_switches_that_contradict_each_other_are_refused(fields, changed, needed):
    assert_mistake({"method": {"name": "dividemix", **fields}}, "method", changed, needed)


@pytest.mark.parametrize("data", [{"name": "digits"}, {"name": "cifar10"}])
def test_a_prior_of_the_wrong_length_is_blamed_on_its_field(data):
    content = {"data": data, "method": {"name": "dividemix", "prior": [1, 2, 3]}}
    assert_mistake(content, "method.prior", "3 numbers", "10 classes")
    TrialConfig.model_validate(
        {**content, "data": {"name": "npz", "path": "a.npz"}}
    )  # not known before it is read


@pytest.mark.parametrize(
    ("fields", "path", "message"),
    [
        ({"fold": 2}, "data.fold", "2 has no effect without `folds`"),
        ({"folds": 3, "fold": 3}, "data.fold", "3 is not one of 3 folds, 0 to 2"),
        ({"folds": 1}, "data.folds", "greater than or equal to 2"),
        ({"folds": 3, "clean_validation": True}, "data.clean_validation", "use false"),
    ],
)
def test_folds_that_cannot_be_held_out_are_refused(fields, path, message):
    [(found, said)] = mistakes({"data": {"name": "digits", **fields}})
    assert found == path
    assert message in said


def test_all_mistakes_are_reported_at_once():
    content = {
        "sed": 1,
        "noise": {"name": "pair"},
        "train": {"lr": -1, "epochs": "x"},
        "method": {"name": "dividemix", "alpha": 0, "lamda_u": 1},
    }
    paths = ["noise.rate", "train.epochs", "train.lr", "method.alpha", "method.lamda_u", "sed"]
    assert [path for path, _ in mistakes(content)] == paths


def test_a_long_value_is_cut_short():
    [(_, message)] = mistakes({"train": {"lr": "x" * 500}})
    assert len(message) < 120
    assert "xxx... " in message


def test_a_field_that_maps_names_to_sections_is_walked_to_the_leaf():
    # As a study's arms are.
    class Arms(Section):
        arms: dict[str, TrialConfig]

    content = {"arms": {"a": {"method": {"name": "dividemix", "alpha": 0}}, "b": {"sed": 1}}}
    assert [path for path, _ in mistakes(content, Arms)] == ["arms.a.method.alpha", "arms.b.sed"]


# --- embeddings ---


def test_embeddings_need_a_network_for_vectors_and_noise_without_images():
    data = {"name": "embeddings", "path": "a.npz"}
    assert mistakes({"data": data}) == [
        (
            "model.name",
            "`small_cnn` takes images, and `data.name: embeddings` has feature vectors; use mlp, "
            "linear, or an own model",
        )
    ]
    noise = {"name": "corrupted", "rate": 0.2}
    ((path, message),) = mistakes({"data": data, "model": {"name": "mlp"}, "noise": noise})
    assert (path, message) == ("noise.name", "`corrupted` changes images, and embeddings have none")


def test_stored_embeddings_are_read_without_their_network():
    stored = TrialConfig.model_validate(
        {"data": {"name": "embeddings", "path": "a.npz"}, "model": {"name": "mlp"}}
    ).model_dump()
    assert stored_data(stored) == Embeddings(path="a.npz")
