"""The bundles of docs: small, of today's studies, and their trials are accepted as done."""

import json
from pathlib import Path

import pytest

from analysis.results.bundle import unpack

ROOT = Path(__file__).parents[3]
BUNDLES = {
    path.name.removesuffix(".tar.xz"): path for path in (ROOT / "docs/bundles").glob("*.tar.xz")
}
SEARCHES = {"strong_cross_entropy", "strong_cross_entropy_80"}


@pytest.fixture
def unpacked(request, tmp_path):
    """The name of a study whose bundle was unpacked into the results folder `tmp_path`."""
    bundle = BUNDLES[request.param]
    assert bundle.stat().st_size <= 2_000_000
    unpack(bundle, tmp_path / request.param)
    provenance = (tmp_path / request.param / "provenance.json").read_text()
    assert "tmp" not in provenance, "a path of the machine that made it"
    return request.param


@pytest.mark.parametrize("unpacked", sorted(BUNDLES.keys() - SEARCHES), indirect=True)
def test_a_run_accepts_the_trials_of_a_bundle(unpacked, tmp_path, command):
    study = ROOT / "studies" / f"{unpacked}.yaml"
    code, out, err = command("plan", study, "--results", tmp_path, "--json")
    assert code == 0, err
    plan = json.loads(out)
    assert plan["train"] == plan["archive"] == []
    assert "done" in plan["states"].values()


@pytest.mark.parametrize("unpacked", sorted(SEARCHES), indirect=True)
def test_a_run_accepts_the_trials_of_a_search(unpacked, tmp_path, command):
    study = ROOT / "studies" / f"{unpacked}.yaml"
    code, out, err = command("plan", study, "--results", tmp_path)
    assert code == 0, err
    assert "40 trials × 3 seeds, on disk: 120 done" in out
    before = sorted(tmp_path.rglob("summary.json"))
    code, out, err = command("run", study, "--results", tmp_path, "--no-ray")
    assert code == 0, err
    assert sorted(tmp_path.rglob("summary.json")) == before, "nothing is trained again"
