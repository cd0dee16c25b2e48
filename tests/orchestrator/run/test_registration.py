"""What a study asks is registered before its first result, and every later change is told."""

import json
from pathlib import Path

import numpy as np
import pytest

from analysis.results.registration import read_registration
from analysis.results.study_plan import read_plan
from tests.orchestrator.fake_trainer import Trainer

STUDY = """
name: s
seeds: [0, 1, 2, 3, 4, 5]
base: {data: {name: digits}, train: {epochs: 2}, method: {warmup_epochs: 1}}
arms:
  better: {method.mixup: false}
  same: {method.co_guess: false}
analysis: {primary: better}
"""
ROOT = Path("results/s")


@pytest.fixture
def run(command, tmp_path: Path, trainer: Trainer):
    def _run(*options: str, text: str = STUDY, code: int = 0, name: str = "run") -> str:
        (tmp_path / "s.yaml").write_text(text)
        ended, out, err = command(name, "s.yaml", *options)
        assert ended == code, out + err
        return out + err

    return _run


def deviations() -> list[str]:
    """Without their dates."""
    found = read_registration(ROOT)
    assert not found.problems
    return [sentence[len("2026-11-29 20:15") :].lstrip(":, ") for sentence in found.deviations()]


def test_what_is_asked_is_registered_before_the_first_trial(run, trainer):
    at_the_start = []
    trainer.meanwhile = lambda: at_the_start.append(read_registration(ROOT))
    run()
    first = at_the_start[0].before
    assert first.ended == 0
    assert first.question.primary == "better"
    assert first.question.seeds == [0, 1, 2, 3, 4, 5]
    assert list(first.question.arms) == ["baseline", "better", "same"]
    run()
    assert read_registration(ROOT) == at_the_start[0]
    assert deviations() == []


def test_each_change_after_the_first_result_is_a_deviation(run):
    run()
    margin = STUDY.replace("primary: better", "primary: better, margin: 2")
    run(text=margin)
    run(text=margin + "# a remark\n")
    more = margin.replace("co_guess: false}", "co_guess: false}\n  late: {method.networks: 1}")
    run(text=more.replace("4, 5]", "4, 5, 6]"))
    assert deviations() == [
        "after 18 trials had ended: the margin: 0.5 → 2 points",
        "after 18 trials had ended: the text of the study file, and nothing that it asks",
        "after 18 trials had ended: the seeds: 6 (0, 1, 2, 3, 4, …) → 7 (0, 1, 2, 3, 4, …); "
        "added: late",
    ]


def test_noise_of_the_test_labels_that_is_declared_later_is_a_deviation_and_trains_nothing(
    run, trainer, tmp_path
):
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8), np.uint8)
    np.savez(tmp_path / "a.npz", train_images=images, train_labels=np.arange(40) % 2)
    text = STUDY.replace("{name: digits}", "{name: npz, path: a.npz, test_labels: unchecked}")
    run(text=text)
    before = list(trainer.trained)
    declared = text.replace("unchecked}", "unchecked, test_noise: symmetric, test_noise_rate: 0.2}")
    run(text=declared)
    assert trainer.trained == before
    assert read_plan(ROOT).test_noise == {"": 0.2}
    (sentence,) = deviations()
    assert sentence.endswith("the declared noise of the test labels: none → symmetric 0.2")


def test_a_change_before_the_first_result_is_none(run, trainer):
    trainer.at_most = 0
    run(code=1)
    trainer.at_most = None
    run(text=STUDY.replace("primary: better", "primary: same, margin: 1"))
    assert deviations() == []
    assert read_registration(ROOT).before.question.primary == "same"


def test_other_settings_of_an_arm_and_what_is_set_aside_for_them_are_deviations(run):
    run()
    changed = STUDY.replace("method.mixup: false", "method.alpha: 1")
    registered = (ROOT / "registration.jsonl").read_bytes()
    run(text=changed, code=3)
    assert (ROOT / "registration.jsonl").read_bytes() == registered, "refused: nothing was run"
    run("--stale", "archive", text=changed)
    names = ", ".join(f"better/seed={seed}" for seed in range(5))
    assert deviations() == [
        "after 18 trials had ended: changed: better",
        "6 trials trained again after a change of what they compute (--stale archive): "
        f"{names} and 1 more",
    ]


def test_failed_trials_that_are_tried_again_are_a_deviation(run, trainer):
    trainer.failing = {"same/seed=1"}
    run(code=1)
    trainer.failing = set()
    run("--retry-failed")
    assert deviations() == ["1 trial trained again after a failure (--retry-failed): same/seed=1"]


def test_results_that_were_not_registered_are_told(run):
    run()
    (ROOT / "registration.jsonl").unlink()
    run()
    assert deviations() == ["registered only after 18 trials had ended"]


def test_shards_register_once(run):
    run("--index", "0", "--of", "2", name="shard")
    run("--index", "1", "--of", "2", name="shard")
    assert len(read_registration(ROOT).entries) == 1


def test_the_answer_to_a_question_that_was_not_registered_is_inconclusive(run, command):
    run()
    assert command("judge", ROOT, "--arm", "better")[0] == 0
    text = STUDY.replace("co_guess: false}", "co_guess: false}\n  late: {method.networks: 1}")
    run(text=text)
    code, out, _ = command("judge", ROOT, "--arm", "late", "--json")
    answer = json.loads(out)
    assert (code, answer["verdict"], answer["final"]) == (12, "inconclusive", False)
    assert answer["low"] > 0.5
    assert command("judge", ROOT, "--arm", "better")[0] == 0


def test_a_search_is_registered(run, trainer):
    del trainer
    text = """
name: s
kind: search
metric: {name: val/accuracy, goal: maximize}
seeds: [0]
base: {data: {name: digits, validation_fraction: 0.1}, train: {epochs: 2}, method: {warmup_epochs: 1}}
space: {train.lr: {values: [0.01, 0.02]}}
sampler: {name: grid}
confirm: {seeds: [7, 8]}
"""
    run(text=text)
    asked = read_registration(ROOT).before.question
    assert (asked.seeds, asked.primary, list(asked.arms)) == ([7, 8], None, ["baseline"])
