"""`TrialConfig`: all fields that change a trial's result, and no others.

Device, threads, data folders and concurrency may not change a result; they are in
`trainable/config/runtime.py`. This package imports pydantic and yaml only, so a study can be
checked without loading torch.
"""

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    SerializeAsAny,
    TypeAdapter,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

from trainable.config.base import Section
from trainable.config.custom_code import Own, checked, is_own, own_section
from trainable.config.data import CorruptedNoise, Data, Digits, Noise, NoNoise
from trainable.config.dividemix import DivideMix
from trainable.config.embeddings import Embeddings
from trainable.config.given_labels import LabelFile
from trainable.config.initialization import Start
from trainable.config.messages import Misfit
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
from trainable.config.models import Linear, Mlp, Model, SmallCnn, Timm
from trainable.config.optimization import Train
from trainable.config.recipes import with_recipe

SCHEMA = 3
"""Schema number, a part of every trial's id. Increase it when a default or the meaning of a field
changes; older results then become stale."""

RETIRED: dict[tuple[str, str], dict[str, Any]] = {
    ("method", "co_teaching_plus"): {"as_published": False},
    ("method", "jocor"): {"normalise_pairs": False},
}
"""Removed fields by section and its name, with the default values in stored configurations."""

Method = Annotated[
    DivideMix
    | CrossEntropy
    | MixUp
    | CoTeaching
    | CoTeachingPlus
    | Jocor
    | Elr
    | ElrPlus
    | MixMatch
    | SsrPlus
    | Retrain,
    Field(discriminator="name"),
]


class TrialConfig(Section):
    """All settings that determine a trial's rows, together with the code and the libraries."""

    data: Data = Digits()
    noise: Noise = NoNoise()
    model: SerializeAsAny[Model] = SmallCnn()
    train: Train = Train()
    method: SerializeAsAny[Method] = DivideMix()
    from_arm: str | None = None
    """Completed trial that this trial uses, with the same setting and seed: the name of its arm in
    a study, its id in a trial."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Seed of all random streams."""

    @model_validator(mode="before")
    @classmethod
    def _completed(cls, content: Any) -> Any:
        """Fill in the values of `method.recipe`."""
        return with_recipe(content) if isinstance(content, dict) else content

    @field_validator("model", "method", mode="wrap")
    @classmethod
    def _named_otherwise(
        cls, content: Any, known: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> Any:
        """Accept `FILE.py:CLASS` and `timm:NAME` in addition to the known names."""
        name = content.get("name") if isinstance(content, dict) else None
        if is_own(name):
            kind: Literal["model", "method"] = "model" if info.field_name == "model" else "method"
            return own_section(kind, content, (info.context or {}).get("study_dir"))
        if info.field_name == "model" and isinstance(name, str) and name.startswith("timm:"):
            return checked(Timm, content)
        return known(content)

    @model_validator(mode="after")
    def _source_fits(self) -> "TrialConfig":
        needed_by = self.method.source_needed_by
        if needed_by and self.from_arm is None:
            value = getattr(self.method, needed_by)
            what = (
                f"`{needed_by}: {value}` needs the key `from_arm`, the name of the arm whose trial "
                "it uses"
            )
            raise Misfit(("method", needed_by), what)
        if self.from_arm is not None and not needed_by:
            users = "`method.name: retrain` and `method.init: from_arm`"
            raise Misfit(("from_arm",), f"`{self.from_arm}` has no effect: it is for {users}")
        return self

    @model_validator(mode="after")
    def _features_fit(self) -> "TrialConfig":
        if not isinstance(self.data, Embeddings):
            return self
        if not isinstance(self.model, Mlp | Linear | Own):
            raise Misfit(
                ("model", "name"),
                f"`{self.model.name}` takes images, and `data.name: embeddings` has feature "
                "vectors; use mlp, linear, or an own model",
            )
        if isinstance(self.noise, CorruptedNoise):
            raise Misfit(("noise", "name"), "`corrupted` changes images, and embeddings have none")
        return self

    @model_validator(mode="after")
    def _prior_fits(self) -> "TrialConfig":
        prior = self.method.class_frequencies
        classes = self.data.known_classes
        if prior and classes and len(prior) != classes:
            raise Misfit(
                ("method", "prior"),
                f"has {len(prior)} numbers, and the data have {classes} classes",
            )
        return self


class CodeInResults(Exception):
    """A stored configuration names or carries code, which would be executed."""


def stored_config(content: dict[str, Any], own_code: bool = False) -> TrialConfig:
    """Return the configuration that is stored in a trial.json.

    A trial.json has every field, including fields that have been removed since. A removed field
    with its default value is dropped, so the trial's id stays the same.

    Args:
        content: the field `config` of a trial.json, which may be a stranger's.
        own_code: whether the code of an own method or model may be executed.

    Raises:
        CodeInResults: there is such code, and it may not be executed.
        ValidationError: a field is unknown or wrong, or the value of a removed field is not its
            default.
    """
    if isinstance(content, dict):
        if not own_code and any(_has_code(section) for section in content.values()):
            raise CodeInResults
        content = {
            section: _without_retired(section, stored) for section, stored in content.items()
        }
    return TrialConfig.model_validate(content)


def stored_data(content: dict[str, Any]) -> Data:
    """Return the data set of a stored configuration; code that it names is never executed.

    Raises:
        ValidationError: a field of the data set is unknown or wrong.
    """
    stored = content["data"] if isinstance(content, dict) else content
    # Not as part of a trial: its default network does not fit every data set.
    data: Data = TypeAdapter(Data).validate_python(_without_retired("data", stored))
    return data


def stored_model(content: dict[str, Any], own_code: bool = False) -> Model | Timm | Own:
    """Return the network of a stored configuration.

    Args:
        content: the section `model`, which may be a stranger's.
        own_code: whether the code of an own model may be executed.

    Raises:
        CodeInResults: there is such code, and it may not be executed.
        ValidationError: a field is unknown or wrong.
    """
    if not own_code and _has_code(content):
        raise CodeInResults
    return TrialConfig.model_validate({"model": _without_retired("model", content)}).model


def _has_code(section: Any) -> bool:
    """Return whether a stored section carries the text of a file, or names a file of code."""
    return isinstance(section, dict) and ("source" in section or is_own(section.get("name")))


def _without_retired(section: str, stored: Any) -> Any:
    """Return the stored section without removed fields that have their default value."""
    if not isinstance(stored, dict):
        return stored
    retired = RETIRED.get((section, str(stored.get("name"))), {})
    return {
        name: value
        for name, value in stored.items()
        if name not in retired or value != retired[name]
    }


def trial_id(config: TrialConfig) -> str:
    """Return the 16 hex digits that identify what a trial computes.

    The hash covers the schema number, the seed and all fields that differ from their defaults. A
    new field with a default therefore keeps older results valid. Fields that change no row
    (`of_report`) are no part of it. The hash of own code, of
    weights and of given labels depends on their content, not on their path.
    """
    return id_with_seed(without_seed(config), config.seed, config.from_arm)


def without_seed(config: TrialConfig) -> dict[str, Any]:
    """Return what a trial computes apart from its seed and the trial that it uses, see `trial_id`.

    It is the same for all seeds of an arm.
    """
    changed: dict[str, Any] = {"schema": SCHEMA}
    for section in ("data", "noise", "model", "train", "method"):
        model: Section = getattr(config, section)
        changed[section] = model.model_dump(exclude_defaults=True, exclude=set(model.of_report))
        if "name" in type(model).model_fields:
            name: str = model.name  # type: ignore[attr-defined]
            changed[section]["name"] = name.rpartition(".py:")[2]
        if isinstance(model, Start):
            changed[section].pop("weights", None)
        if isinstance(model, LabelFile) and model.labels_hash is not None:
            changed[section].pop("path", None)
    return changed


def id_with_seed(changed: dict[str, Any], seed: int, from_arm: str | None) -> str:
    """Return the id of the trial with this seed, see `trial_id`."""
    changed = {**changed, "seed": seed}
    if from_arm is not None:
        changed["from_arm"] = from_arm
    return hashlib.sha256(json.dumps(changed, sort_keys=True).encode()).hexdigest()[:16]
