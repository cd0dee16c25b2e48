"""Reference of the Python API: directives for mkdocstrings, which reads the source."""

OBJECTS = {
    "Results as tables": {"analysis": ("read",), "analysis.api": ("Study",)},
    "Trained networks": {"trainable.api": ("load_model", "TrainedModel")},
    "Ray Tune": {"trainable.ray_trainable": ("as_trainable", "DivideMixTrainable")},
    "Methods and models of your own": {
        "trainable.api": (
            "Method",
            "Section",
            "Learner",
            "Losses",
            "Dataset",
            "Samples",
            "Streams",
            "DataError",
            "TrialError",
        )
    },
}
"""Public names by the title of their section and by module."""

WITHOUT_MEMBERS = ("Section", "DivideMixTrainable")
"""Classes whose members belong to pydantic and Ray."""


def api() -> str:
    """Return a section for each group of public names."""
    parts = []
    for title, modules in OBJECTS.items():
        parts.append(f"## {title}")
        for module, objects in modules.items():
            parts += [_directive(module, name) for name in objects]
    return "\n\n".join(parts)


def _directive(module: str, name: str) -> str:
    options = "\n    options:\n      members: []" if name in WITHOUT_MEMBERS else ""
    return f"::: {module}.{name}{options}"
