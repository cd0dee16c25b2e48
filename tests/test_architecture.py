"""Package boundaries: who may import whom, read from the source, and what is really loaded, seen in fresh processes."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = {
    "orchestrator": "cli > run demo > ray_backend local_backend > execution > scheduling display audit trackers > search > study > results exit_codes import_path plain_console",
    "trainable": (
        "__main__ ray_trainable api > embedding > trial > methods tensorboard > engine > data models > noisy_labels > config"
        " > storage random_streams errors terminal"
    ),
    "analysis": "__main__ api > report > figures audit > stats > results",
}
"""Rooms (folders, or modules on top) of each package, highest first: a module imports its own room and lower rows."""

OF_OTHER_PACKAGES = {
    "orchestrator": ("analysis", "trainable"),
    "trainable": (),
    "analysis": ("trainable.storage", "trainable.terminal"),
}

EXEMPT = {"trainable.learner", "trainable.section", "orchestrator.__main__"}
"""Former names that own methods import, and the module that starts the command line."""

THIRD_PARTY = {
    "PIL": "orchestrator.audit trainable.data trainable.tensorboard",
    "jinja2": "analysis.audit analysis.report",
    "matplotlib": "analysis.figures",
    "mlflow": "orchestrator.trackers.mlflow_tracker",
    "numpy": (
        "orchestrator.audit orchestrator.display.tensorboard orchestrator.search trainable.data trainable.engine trainable.methods"
        " trainable.noisy_labels trainable.random_streams trainable.tensorboard trainable.trial analysis"
        " trainable.embedding"
        " trainable.config.given_labels"
    ),
    "optuna": (
        "orchestrator.search orchestrator.display.search_live"
        " analysis.stats.search analysis.stats.search_importance analysis.stats.search_journal analysis.figures.search analysis.report.search"
    ),
    "pandas": "orchestrator.audit orchestrator.display.comparison_table orchestrator.display.tensorboard analysis",
    "pyarrow": "analysis.results.rows trainable.data.embedding_parquet",
    "pydantic": (
        "orchestrator.audit.labels orchestrator.results.reproduce orchestrator.search orchestrator.study"
        " trainable.config trainable.__main__ trainable.embedding.images"
    ),
    "pydantic_core": "trainable.config",
    "ray": "orchestrator.ray_backend trainable.ray_trainable",
    "requests": "orchestrator.trackers.mlflow_tracker",
    "rich": "orchestrator",
    "scipy": "trainable.data trainable.noisy_labels analysis.figures analysis.stats",
    "safetensors": "trainable.models.from_timm",
    "sklearn": "trainable.noisy_labels trainable.embedding.principal_components analysis.audit",
    "sqlalchemy": "orchestrator.trackers.mlflow_tracker",
    "tensorboard": "orchestrator.display.tensorboard trainable.tensorboard",
    "timm": "trainable.models.from_timm",
    "torch": (
        "trainable.trial trainable.methods trainable.engine trainable.noisy_labels trainable.data trainable.models"
        " trainable.tensorboard trainable.random_streams trainable.embedding"
    ),
    "torchvision": "trainable.data trainable.models.from_torchvision",
    "typer": "orchestrator.cli",
    "wandb": "orchestrator.trackers.wandb_offline",
    "yaml": "orchestrator.study trainable.config",
}
"""Where each library may be imported: modules, or packages and whatever is in them."""

STANDARD_LIBRARY_ONLY = (
    "trainable.storage",
    "analysis.results.study_folder",
    "orchestrator.results.store",
)


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {
    module_name(file): file for package in LAYERS for file in sorted((ROOT / package).rglob("*.py"))
}


def imports_of(module: str) -> set[str]:
    """What `module` imports anywhere, functions included: ours by full name, others by their first part."""
    found = set()
    for node in ast.walk(ast.parse(FILES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: imports are absolute"
            inside = {f"{node.module}.{alias.name}" for alias in node.names} & FILES.keys()
            found |= inside or {str(node.module)}
    return {name if name.split(".")[0] in LAYERS else name.split(".")[0] for name in found}


IMPORTS = {module: imports_of(module) for module in FILES}


def within(name: str, *places: str) -> bool:
    """Whether a module is one of these, or in one of these packages."""
    return any(f"{name}.".startswith(f"{place}.") for place in places)


def allowed(module: str, imported: str) -> bool:
    """Whether the layers let a module import another of ours."""
    package, *room = module.split(".")
    if not within(imported, package):
        return within(imported, *OF_OTHER_PACKAGES[package])
    rows = [row.split() for row in LAYERS[package].split(" > ")]
    row_of = {name: number for number, row in enumerate(rows) for name in row}
    mine, other = room[0], imported.split(".")[1]
    return mine == other or row_of[mine] < row_of[other]


# --- the layers ---


def test_every_module_imports_its_own_room_and_lower_layers_only():
    modules = [module for module in FILES if "." in module and module not in EXEMPT]
    assert {
        (m, other) for m in modules for other in IMPORTS[m] & FILES.keys() if not allowed(m, other)
    } == set()


def test_every_library_is_imported_in_its_rooms_only():
    for module, names in IMPORTS.items():
        libraries = {
            name for name in names if name.split(".")[0] not in LAYERS
        } - sys.stdlib_module_names
        for library in libraries:
            assert within(module, *THIRD_PARTY[library].split()), f"{module} imports {library}"


def test_what_reads_results_folders_needs_the_standard_library_alone():
    def needed(module: str, seen: set[str]) -> set[str]:
        if module in seen:
            return set()
        seen.add(module)
        others = IMPORTS[module] - FILES.keys() - sys.stdlib_module_names
        return others.union(*(needed(name, seen) for name in IMPORTS[module] & FILES.keys()))

    for module in FILES:
        if within(module, *STANDARD_LIBRARY_ONLY):
            assert needed(module, set()) == set(), module


def test_no_modules_import_each_other_in_a_circle():
    reached: dict[str, set[str]] = {}

    def reach(module: str, path: tuple[str, ...]) -> set[str]:
        assert module not in path, " → ".join([*path, module])
        if module not in reached:
            below = IMPORTS[module] & FILES.keys()
            reached[module] = below.union(*(reach(name, (*path, module)) for name in below))
        return reached[module]

    for module in FILES:
        reach(module, ())


@pytest.mark.parametrize(
    ("module", "imported", "expected"),
    [
        ("orchestrator.run.run_study", "orchestrator.scheduling.run_plan", True),
        ("orchestrator.scheduling.run_plan", "orchestrator.display.status", False),
        ("orchestrator.study.load", "orchestrator.run.run_study", False),
        ("orchestrator.study.load", "trainable.config.trial", True),
        ("trainable.data.samples", "trainable.engine.learner", False),
        ("trainable.engine.learner", "trainable.data.samples", True),
        ("trainable.storage.trial_folder", "analysis.results.read", False),
        ("analysis.results.read", "trainable.storage.names", True),
        ("analysis.results.read", "trainable.config.trial", False),
        ("analysis.stats.search", "analysis.figures.search", False),
        ("analysis.api", "analysis.stats.comparison", True),
        ("analysis.report.write", "analysis.api", False),
    ],
)
def test_the_layers_are_read_as_they_are_meant(module, imported, expected):
    assert {module, imported} <= FILES.keys()
    assert allowed(module, imported) is expected


def test_the_walk_sees_imports_inside_functions_and_modules_imported_from_their_package():
    assert "orchestrator.ray_backend.execute" in IMPORTS["orchestrator.run.executor"], (
        "imported inside a function"
    )
    assert "trainable.config.strict_yaml" in IMPORTS["orchestrator.study.load"], (
        "a module from its package"
    )
    assert "ray" in IMPORTS["orchestrator.ray_backend.local"]


def test_every_room_has_a_layer_and_init_files_but_the_analysis_one_hold_a_docstring_only():
    for package, layers in LAYERS.items():
        rooms = {
            file.name
            for file in (ROOT / package).iterdir()
            if file.is_dir() and file.name != "__pycache__"
        }
        assert rooms <= set(layers.replace(">", " ").split())
    for module, file in FILES.items():
        if file.name == "__init__.py":
            tree = ast.parse(file.read_text(encoding="utf-8"))
            assert ast.get_docstring(tree), module
            assert len(tree.body) == 1 or module == "analysis", module


def test_importing_the_analysis_or_a_study_folder_loads_no_pandas():
    code = "import analysis; import analysis.results.study_folder; analysis.read"
    heavy = ("torch", "ray", "pandas", "numpy", "scipy", "analysis.api")
    assert loaded_after(code, *heavy) == set()


# --- what is loaded ---


def loaded_after(code: str, *names: str) -> set[str]:
    """Which of `names` a fresh Python has loaded after `code`, which must end with exit code 0."""
    tell = f"import sys; print('LOADED', *(set(sys.modules) & {set(names)!r}))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{tell}"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split()[1:])


def test_importing_the_report_loads_neither_torch_nor_ray():
    assert loaded_after("import analysis.report.write", "torch", "ray", "pandas") == {"pandas"}


@pytest.mark.parametrize("study", ["ablation", "search"])
def test_plan_loads_neither_torch_nor_ray_nor_pandas_nor_optuna(tmp_path, study):
    command = ["orchestrator", "plan", f"studies/{study}.yaml", "--results", str(tmp_path)]
    code = f"""
import runpy, sys
sys.argv = {command!r}
try:
    runpy.run_module("orchestrator", run_name="__main__")
except SystemExit as end:
    assert not end.code, end.code
"""
    heavy = ("torch", "ray", "pandas", "scipy", "matplotlib", "optuna")
    assert loaded_after(code, *heavy, "typer") == {"typer"}


def test_the_former_names_that_own_methods_import_are_the_same_objects():
    code = """
from trainable import learner, section
from trainable.config.base import Section
from trainable.engine.learner import Learner
assert learner.Learner is Learner
assert section.Section is Section
"""
    assert loaded_after(code, "ray") == set()
