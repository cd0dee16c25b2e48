"""Who may import whom (docs/design.md), read from the source, and what really gets loaded, seen in fresh processes."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("orchestrator", "trainable", "analysis")


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(file): file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))}


def imports_of(module: str) -> set[str]:
    """What `module` imports anywhere, functions included: ours by full name, others by their first part."""
    package = module if FILES[module].name == "__init__.py" else module.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(FILES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*above, *filter(None, [node.module])])
            inside = {f"{source}.{alias.name}" for alias in node.names} & FILES.keys()
            found |= inside or {source}
    return {name if name.split(".")[0] in PACKAGES else name.split(".")[0] for name in found}


IMPORTS = {module: imports_of(module) for module in FILES}


def modules_of(package: str) -> dict[str, set[str]]:
    return {module: names for module, names in IMPORTS.items() if module.split(".")[0] == package}


def importers(package: str, *wanted: str) -> dict[str, set[str]]:
    """Modules of `package` that import something whose name begins with one of `wanted`, and what they import of it."""
    hits = {
        module: {name for name in names if any(name == w or name.startswith(f"{w}.") for w in wanted)}
        for module, names in modules_of(package).items()
    }
    return {module: names for module, names in hits.items() if names}


def test_the_walk_sees_imports_inside_functions_and_modules_imported_from_their_package():
    assert "orchestrator.ray_backend.execute" in IMPORTS["orchestrator.run.run_study"], "imported inside a function"
    assert "trainable.config.strict_yaml" in IMPORTS["orchestrator.study.load"], "`from trainable import strict_yaml`"
    assert "ray" in IMPORTS["orchestrator.ray_backend.local"]


def test_trainable_imports_neither_the_orchestrator_nor_the_analysis():
    assert importers("trainable", "orchestrator", "analysis") == {}


def test_only_the_tune_trainable_imports_ray_in_trainable():
    assert set(importers("trainable", "ray")) == {"trainable.ray_trainable"}


def test_of_ours_analysis_imports_itself_and_the_trial_folder_only():
    foreign = importers("analysis", "orchestrator", "trainable")
    assert set().union(*foreign.values()) == {"trainable.storage.trial_folder"}, foreign


def test_analysis_imports_neither_torch_nor_ray():
    assert importers("analysis", "torch", "torchvision", "ray") == {}


def test_the_orchestrator_never_imports_torch():
    assert importers("orchestrator", "torch", "torchvision") == {}


@pytest.mark.parametrize(
    ("module", "ours", "others"),
    [
        ("trainable.storage.trial_folder", set(), set()),
        ("trainable.data.paths", {"trainable.config.data", "trainable.config.runtime"}, set()),
        ("trainable.config.data", {"trainable.config.base"}, {"pydantic"}),
        ("trainable.config.base", set(), {"pydantic"}),
        ("trainable.config.runtime", set(), set()),
        ("orchestrator.results.lock", {"trainable.storage.trial_folder"}, set()),
        ("orchestrator.results.store", {"orchestrator.results.lock", "trainable.storage.trial_folder"}, set()),
        ("analysis.stats.attainable_p", set(), set()),
        ("analysis.results.mixed_fingerprints", set(), set()),
        (
            "orchestrator.study.comparison_families",
            {"analysis.stats.attainable_p", "orchestrator.results.store"},
            set(),
        ),
        ("trainable.config.methods", {"trainable.config.base"}, {"pydantic"}),
        ("trainable.config.models", {"trainable.config.base"}, {"pydantic"}),
        ("trainable.config.messages", set(), {"pydantic"}),
        (
            "trainable.config.custom_code",
            {"trainable.config.base", "trainable.config.messages"},
            {"pydantic", "pydantic_core"},
        ),
        ("trainable.config.initialization", {"trainable.config.base", "trainable.config.messages"}, {"pydantic"}),
        (
            "trainable.config.trial",
            {
                *(
                    "trainable.config.base",
                    "trainable.config.data",
                    "trainable.config.models",
                    "trainable.config.methods",
                ),
                *("trainable.config.messages", "trainable.config.custom_code", "trainable.config.initialization"),
            },
            {"pydantic"},
        ),
        ("trainable.config.strict_yaml", set(), {"yaml"}),
    ],
)
def test_a_light_module_imports_the_standard_library_and_at_most_what_is_listed(module, ours, others):
    assert IMPORTS[module] - sys.stdlib_module_names <= ours | others


def test_every_init_file_holds_a_docstring_only():
    inits = {module: file for module, file in FILES.items() if file.name == "__init__.py"}
    assert set(PACKAGES) <= set(inits)
    for module, file in inits.items():
        tree = ast.parse(file.read_text(encoding="utf-8"))
        assert len(tree.body) == 1, module
        assert ast.get_docstring(tree), module


def loaded_after(code: str, *names: str) -> set[str]:
    """Which of `names` a fresh Python has loaded after `code`, which must end with exit code 0."""
    tell = f"import sys; print('LOADED', *(set(sys.modules) & {set(names)!r}))"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{tell}"], cwd=ROOT, capture_output=True, text=True)
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
