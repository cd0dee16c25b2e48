"""A trial's configuration from mappings, as Ray Tune passes them.

A mapping is flat (`{"method.lambda_u": 25}`) or nested (`{"method": {"lambda_u": 25}}`). Mistakes
have the same messages as in a study file.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from trainable.config.custom_code import is_own
from trainable.config.messages import explain, models_of
from trainable.config.overrides import SetTwice, dotted, resolve
from trainable.config.strict_yaml import ConfigError, Problem
from trainable.config.trial import TrialConfig

BASE = "base"
"""Name of the base configuration in messages."""
PARAM_SPACE = "param_space"
"""Name of Tune's configuration of a trial in messages."""


def trial_config(
    study_dir: Path, base: Mapping[str, Any], content: Mapping[str, Any]
) -> TrialConfig:
    """Return the configuration of a trial: defaults < base < content.

    Args:
        study_dir: folder in which own code and files are looked up.
        base: the base configuration, flat or nested.
        content: the trial's own configuration, flat or nested.

    Raises:
        ConfigError: there are mistakes; the error lists all of them.
    """
    config, problems = _resolved(study_dir, base, content)
    if config is None:
        raise ConfigError(PARAM_SPACE if content else BASE, problems)
    return config


def refuse_unknown_fields(
    study_dir: Path, base: Mapping[str, Any], content: Mapping[str, Any]
) -> None:
    """Refuse a field that no method, model, data set or noise has, or that is set twice.

    Every trial of such a search space would fail. Other mistakes may be those of one trial only.

    Raises:
        ConfigError: there is such a field.
    """
    _, problems = _resolved(study_dir, base, content)
    try:
        layers = {**dotted(base), **dotted(content)}
    except SetTwice:
        raise ConfigError(PARAM_SPACE, problems) from None
    unknown = [problem for problem in problems if _is_unknown(problem.where, layers)]
    if unknown:
        raise ConfigError(PARAM_SPACE, unknown)


def _resolved(
    study_dir: Path, base: Mapping[str, Any], content: Mapping[str, Any]
) -> tuple[TrialConfig | None, list[Problem]]:
    """Return the configuration, or None and the mistakes."""
    try:
        return resolve(study_dir, dotted(base), dotted(content)), []
    except SetTwice as error:
        return None, [Problem(0, str(error), "is set twice; keep one of them")]
    except ValidationError as error:
        return None, list(_problems(error))


def _problems(error: ValidationError) -> Iterator[Problem]:
    for path, message in explain(error, TrialConfig):
        yield Problem(0, ".".join(path), message)


def _is_unknown(where: str, layers: Mapping[str, Any]) -> bool:
    """Return whether no section of that kind has the field at a dotted path."""
    section, _, rest = where.partition(".")
    if section not in TrialConfig.model_fields:
        return True
    if not rest or is_own(layers.get(f"{section}.name")):
        return False
    name = rest.partition(".")[0]
    members = models_of(TrialConfig.model_fields[section].annotation)
    return not any(name in member.model_fields for member in members)
