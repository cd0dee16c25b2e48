"""`audit --cross-fit`: the study that it writes, and the audit of that study, on real, tiny trials."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.audit.audit import audit
from analysis.audit.out_of_sample import out_of_sample
from analysis.results.read import read_results
from orchestrator.study.load import load_study
from tests.orchestrator.audit.studies import (
    ARRAYS,
    FOLDER,
    finished,
    trained,
    write_folder,
    write_npz,
)

SYMMETRIC = "{name: symmetric, rate: 0.4}"


def test_every_label_is_judged_by_networks_that_never_saw_it(command):
    write_folder(10)
    root = finished(FOLDER)
    code, out, err = command("audit", root, "--cross-fit", "3")
    assert code == 0, err
    file = Path("results/mine_cross_fit.yaml")
    assert f"plan {file}" in out
    assert not (root / "audit").exists(), "it writes a study and no audit"
    code, out, err = command("plan", file)
    assert code == 0, err
    text = file.read_text()
    assert f"arm baseline of {root}, seeds 0, 1" in text
    study = load_study(file)
    assert {trial.record.seed for trial in study.trials} == {0}, "both seeds have the same labels"
    assert {trial.record.arm for trial in study.trials} == {"baseline", "cross_entropy"}
    original = load_study(Path("mine.yaml")).trials[0].config
    for trial in study.trials:
        assert trial.config.train == original.train
        assert trial.config.data.folds == 3
        assert trial.record.setting == f"fold{trial.config.data.fold}"

    new = trained(file)
    code, out, err = command("audit", new, "--study-dir", file.parent)
    assert code == 0, err
    table = pd.read_csv(new / "audit/baseline/labels.csv", dtype=str)
    assert len(table) == 30
    assert set(table["trials"]) == {"2"}, "each image is trained on in two of three folds"
    assert set(table["out_of_sample"]) <= {"crow", "'=owl()", "1"}
    assert table["given_probability"].astype(float).between(0, 1).all()
    assert (
        "Networks that were not trained on a sample agree"
        in (new / "audit/baseline/sheet.html").read_text()
    )


def test_each_sample_is_judged_by_its_own_fold_and_the_test_set_by_all():
    write_npz(10)
    text = FOLDS.replace("DATA", "images.npz")
    Path("folds.yaml").write_text(text)
    study = read_results(trained(Path("folds.yaml")))
    found = audit(study.root)
    assert [each.seeds for each in found] == [[0], [1]], "each seed has labels of its own"
    for each in found:
        seed = each.seeds[0]
        tables = [
            study.samples(trial) for trial in study.done.to_dict("records") if trial["seed"] == seed
        ]
        assert each.held_out["index"].tolist() == list(range(30))
        assert (each.held_out["given"].to_numpy() == each.given.to_numpy()).all()
        held = [table["source_index"][table["split"] == 1] for table in tables]
        assert sorted(np.concatenate(held)) == list(range(30))
        for table, rows in zip(tables, held, strict=True):
            judged = each.held_out.set_index("index").loc[rows]
            assert (judged["class"] == table["validation_class"][-1]).all()
            own = np.exp(-table["validation_loss"][-1].astype(float)).mean(0)
            assert judged["own"].to_numpy() == pytest.approx(own)
        tested = out_of_sample(tables, "test")
        assert tested["judgements"].tolist() == [2, 2, 2]
        assert tested["given"].tolist() == [0, 1, 2]


FOLDS = """
name: folded
seeds: [0, 1]
base:
  data: {name: npz, path: DATA, folds: 2, crop_padding: 0}
  noise: {name: symmetric, rate: 0.4}
  model: {name: small_cnn, width: 4}
  train: {epochs: 3, batch_size: 16, lr: 0.05}
  method: {name: dividemix, warmup_epochs: 2}
settings:
  first: {data.fold: 0}
  second: {data.fold: 1}
"""


def test_of_injected_noise_each_seed_is_cross_fitted_with_its_own_labels(command):
    write_npz(10)
    root = finished(ARRAYS, SYMMETRIC)
    code, _, err = command("audit", root, "--cross-fit", "2")
    assert code == 0, err
    new = audit(trained(Path("results/mine_cross_fit.yaml")))
    before = audit(root)
    assert [each.seeds for each in new] == [[0], [1]]
    for one, other in zip(new, before, strict=True):
        assert one.given.equals(other.given), "the labels are those of the audited trials"


def test_what_cannot_be_cross_fitted_is_said(command):
    write_npz(10)
    root = finished(ARRAYS.replace("}", ", clean_validation: true}"), SYMMETRIC)
    code, _, err = command("audit", root, "--cross-fit", "3")
    assert code == 2
    assert "each fold would have other labels; use false" in err
    assert command("audit", root, "--cross-fit", "3", "--apply", "new.csv")[0] == 2
    assert command("audit", root, "--cross-fit", "1")[0] == 2
    assert sorted(path.name for path in Path("results").iterdir()) == ["mine"]


def test_a_study_that_is_there_is_kept(command):
    write_npz(10)
    root = finished(ARRAYS)
    Path("results/mine_cross_fit.yaml").write_text("mine")
    code, _, err = command("audit", root, "--cross-fit", "3")
    assert code == 2
    assert "results/mine_cross_fit.yaml exists already" in err
    assert Path("results/mine_cross_fit.yaml").read_text() == "mine"
