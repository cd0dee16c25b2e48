"""The bundles of docs: small, of today's studies, and their trials are accepted as done."""

import json
from pathlib import Path

import pytest

from analysis.results.bundle import unpack

ROOT = Path(__file__).parents[3]
BUNDLES = sorted((ROOT / "docs" / "bundles").glob("*.zip"))


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.stem)
def test_a_run_accepts_the_trials_of_a_bundle(bundle, tmp_path, command):
    assert bundle.stat().st_size <= 2_000_000
    unpack(bundle, tmp_path / bundle.stem)
    study = ROOT / "studies" / f"{bundle.stem}.yaml"
    code, out, err = command("plan", study, "--results", tmp_path, "--json")
    assert code == 0, err
    plan = json.loads(out)
    assert plan["train"] == plan["archive"] == []
    assert "done" in plan["states"].values()
    provenance = (tmp_path / bundle.stem / "provenance.json").read_text()
    assert "tmp" not in provenance, "a path of the machine that made it"
