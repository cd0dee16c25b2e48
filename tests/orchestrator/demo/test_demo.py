"""The demonstration: small bundles of the studies that ship, accepted as done, and opened without torch and Ray."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from analysis.results.bundle import NotABundle
from orchestrator.demo.bundles import BUNDLES, unpack_all

SHIPPED = Path(__file__).parents[3] / "orchestrator" / "demo"
STUDIES = {"demo_ablation": "ablation.yaml", "demo_search": "search.yaml"}


@pytest.fixture
def roots(tmp_path):
    return unpack_all(tmp_path)


def test_the_bundles_are_small_and_of_the_studies_that_ship(roots):
    assert sum((SHIPPED / name).stat().st_size for name in BUNDLES.values()) <= 600_000
    for root in roots:
        shipped = (SHIPPED / STUDIES[root.name]).read_text(encoding="utf-8")
        assert (root / "study.yaml").read_text(encoding="utf-8") == shipped
        assert "tmp" not in (root / "provenance.json").read_text(), "a path of the machine"


@pytest.mark.parametrize("name", STUDIES)
def test_a_run_accepts_the_trials_as_done(name, roots, tmp_path, command, monkeypatch):
    for module in ("ray", "orchestrator.ray_backend.execute", "orchestrator.local_backend.execute"):
        monkeypatch.setitem(sys.modules, module, None)  # nothing can be trained
    monkeypatch.setattr("analysis.report.write.write", lambda results: [])
    before = sorted(tmp_path.rglob("summary.json"))
    code, out, err = command("run", SHIPPED / STUDIES[name], "--results", tmp_path)
    assert (code, err) == (0, "")
    assert "Nothing to do" in out
    assert sorted(tmp_path.rglob("summary.json")) == before


def test_nothing_is_overwritten(tmp_path, command):
    (tmp_path / "demo_search").mkdir()
    with pytest.raises(NotABundle, match="demo_search exists already; choose another folder"):
        unpack_all(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["demo_search"]
    code, _, err = command("demo", tmp_path)
    assert code == 2
    assert err.endswith("demo_search exists already; choose another folder\n")


@pytest.mark.slow
def test_it_prints_question_answer_pages_and_commands_without_torch_and_ray(tmp_path):
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    for library in ("torch", "ray"):  # in its processes, too
        (hidden / f"{library}.py").write_text(f"raise ImportError('{library} is not needed')")
    path = os.pathsep.join([str(hidden), str(SHIPPED.parents[1])])
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", "demo", "my results"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for name in STUDIES:
        report = f"my results/{name}/report/index.html"
        assert f"report   {report}" in done.stdout
        assert (tmp_path / report).is_file()
    assert "asked    Which of 3 arms are better or worse than the baseline?" in done.stdout
    assert "labels are wrong" in done.stdout
    assert (tmp_path / "my results/demo_ablation/audit/index.html").is_file()
    assert "made by  python -m orchestrator run orchestrator/demo/ablation.yaml" in done.stdout
    assert "--results 'my results'" in done.stdout
