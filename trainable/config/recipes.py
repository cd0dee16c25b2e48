"""Recipes: values of many fields at once, for who does not want to choose each."""

from typing import Any

Values = dict[str, dict[str, Any]]
"""Section → field → value."""

RECIPES: dict[str, Values] = {
    "published": {},
    "robust": {
        "train": {"lr_schedule": "cosine", "ema_decay": 0.9, "weight_decay": 0.01},
        "method": {
            "warmup_steps": 500,
            "guard": True,
            "conf_penalty": "off",
            "n_aug": 1,
            "mixup": "auto",
            "lambda_u": 0.0,
        },
    },
}
"""Name of a recipe of DivideMix → the values that differ from the defaults."""


def with_recipe(content: dict[str, Any]) -> dict[str, Any]:
    """Return a trial's settings with the values of `method.recipe` in the fields left out.

    A field that is set keeps its value. Unknown recipes change nothing; they are reported when the
    settings are validated.
    """
    method = content.get("method")
    if not isinstance(method, dict):
        return content
    recipe = method.get("recipe")
    if not isinstance(recipe, str):
        return content
    completed = dict(content)
    for section, values in RECIPES.get(recipe, {}).items():
        given = content.get(section, {})
        if isinstance(given, dict):
            completed[section] = {**values, **given}
    return completed
