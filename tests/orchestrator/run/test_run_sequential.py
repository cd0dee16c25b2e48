"""A study that adds seeds: which trials it trains, whatever the order of their ends, and what is kept of its looks."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.results.looks import Look, read_register
from analysis.results.read import read_results
from analysis.results.study_plan import read_plan
from analysis.stats.comparison import compare
from tests.orchestrator.fake_trainer import EFFECTS

STUDY = """
name: s
seeds: {until: decided, at_least: 6, at_most: 40, first: 100}
base: {data: {name: digits}, train: {epochs: 2}, method: {warmup_epochs: 1}}
arms:
  better: {method.mixup: false}
  same: {method.co_guess: false}
  unclear: {method.networks: 1}
"""


@pytest.fixture
def run(command, tmp_path: Path):
    def _run(*options: str, text: str = STUDY, code: int | None = 0) -> str:
        (tmp_path / "s.yaml").write_text(text)
        ended, out, err = command("run", "s.yaml", *options)
        assert ended == code or (code is None and ended in (0, 1)), out + err
        return out + err

    return _run


ROOT = Path("results/s")


def seeds_of(arm: str) -> list[int]:
    return sorted(int(path.parent.name[5:]) for path in ROOT.glob(f"runs/{arm}/*/trial.json"))


def answers() -> dict[str, tuple[str, float]]:
    table = compare(read_results(ROOT))
    table = table[table["paired"]]
    return {row["arm"]: (row["verdict"], row["looks"]) for row in table.to_dict("records")}


def state() -> tuple[Any, ...]:
    """Everything that must not depend on the order of trials: trials, answers, looks."""
    looks = read_register(ROOT).looks
    return (
        {arm: seeds_of(arm) for arm in ("baseline", *EFFECTS)},
        answers(),
        sorted((look.arm, look.verdict, look.seeds) for look in looks),
    )


# --- which trials are trained ---


def test_seeds_are_added_to_what_is_undecided_and_to_the_baseline(trainer, run):
    out = run()
    found = answers()
    assert {arm: verdict for arm, (verdict, _) in found.items()} == {
        "better": "better",
        "same": "equivalent",
        "unclear": "better",
    }
    assert found["better"][1] < found["unclear"][1]
    for arm, (_, seeds) in found.items():
        assert seeds_of(arm) == list(range(100, 100 + int(seeds))), "no seed too many"
    assert len(seeds_of("baseline")) == max(seeds for _, seeds in found.values())
    assert len(trainer.trained) == len(set(trainer.trained))
    assert "better: better, unclear" in out
    assert "and more until the questions are decided" in out
    records = read_plan(ROOT).records
    assert {record.name for record in records} == set(trainer.trained)
    assert "Nothing to do" in run()


def test_order_slots_and_interruptions_change_nothing(trainer, run):
    run()
    undisturbed = state()
    for seed in range(2):
        trainer.rng = np.random.default_rng(seed)
        for path in sorted(ROOT.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        while True:
            trainer.slots = int(trainer.rng.integers(1, 9))
            trainer.at_most = int(trainer.rng.integers(10, 40))
            before = len(trainer.trained)
            run(code=None)
            if len(trainer.trained) == before:
                break
        assert state() == undisturbed


def test_an_undecided_arm_ends_at_the_largest_number(trainer, run):
    run("--set", "analysis.margin=0.01", "--set", "seeds.at_most=12")
    assert answers()["same"] == ("inconclusive", 12)
    assert len(seeds_of("same")) == 12
    run("--set", "analysis.margin=0.01", "--set", "seeds.at_most=14")
    assert len(seeds_of("same")) == 14, "at_most may be raised"
    assert answers()["same"] == ("inconclusive", 14)


def test_another_margin_opens_a_question_again(trainer, run):
    run()
    assert answers()["same"][0] == "equivalent"
    few = len(seeds_of("same"))
    run("--set", "analysis.margin=0.4", "--set", "seeds.at_most=80")
    assert answers()["same"][0] == "equivalent"
    assert len(seeds_of("same")) > few
    margins = {look.margin for look in read_register(ROOT).looks if look.arm == "same"}
    assert margins == {0.5, 0.4}


def test_too_few_seeds_for_any_answer_are_told(trainer, run, command):
    few = STUDY.replace("at_most: 40", "at_most: 8")
    said = "8 seeds (seeds.at_most) cannot answer any of 3 questions"
    out = run("--set", "seeds.at_most=8")
    assert said in out
    assert "9 are needed" in out
    assert not any(verdict in ("better", "worse") for verdict, _ in answers().values())
    Path("few.yaml").write_text(few)
    assert said in command("plan", "few.yaml")[1]
    assert "cannot answer" not in run("--set", "seeds.at_most=9")


def test_selected_arms_alone_are_trained(trainer, run):
    run("--arms", "baseline,better")
    assert answers()["better"][0] == "better"
    assert seeds_of("same") == seeds_of("unclear") == []
    run()
    assert answers()["same"][0] == "equivalent"
    assert "not in the study" not in run("--arms", "baseline,better")


def test_an_arm_on_other_data_has_the_seeds_of_the_first_look(trainer, run):
    run(text=STUDY + "  noisy: {noise: {name: pair, rate: 0.2}}\n")
    assert seeds_of("noisy") == list(range(100, 106))


def test_what_an_arm_uses_is_trained_with_it(trainer, run):
    run(text=STUDY + "  late: {method: {name: retrain, p_threshold: 0.5}, from_arm: same}\n")
    assert set(seeds_of("late")) <= set(seeds_of("same"))
    for name in trainer.trained:
        if name.startswith("late/"):
            source = name.replace("late", "same")
            assert trainer.trained.index(source) < trainer.trained.index(name)


# --- arms that join later ---

LATER = STUDY + "  late: {method.co_refine: false}\n"


def test_an_arm_that_joins_is_judged_by_seeds_of_which_nothing_was_known(trainer, run):
    run()
    known = len(seeds_of("baseline"))
    before = answers()
    out = run("--set", "seeds.at_most=80", text=LATER)
    assert f"late: judged by seeds from the {known + 1}th on" in out
    assert seeds_of("late")[0] == 100 + known
    assert set(seeds_of("late")) <= set(seeds_of("baseline"))
    after = answers()
    assert after.pop("late")[0] == "better"
    assert after == before
    (joined,) = [arm for arm in read_register(ROOT).joined if arm.arm == "late"]
    assert (joined.generation, joined.start) == (1, known)


def test_an_arm_under_a_new_name_is_the_same_question(trainer, run):
    run()
    before = answers()["same"]
    count = len(trainer.trained)
    out = run(text=STUDY.replace("same:", "renamed:"))
    assert "Nothing to do" in out
    assert answers()["renamed"] == before
    assert len(trainer.trained) == count


def test_an_arm_that_was_removed_undecided_keeps_its_part_of_the_error(trainer, run):
    trainer.at_most = 20
    run(code=None)
    trainer.at_most = None
    removed = STUDY.replace("  unclear: {method.networks: 1}\n", "")
    run(text=removed)
    design = read_plan(ROOT).design
    assert design is not None
    assert [arm.arm for arm in design.arms] == ["better", "same", "unclear (removed)"]


def test_a_removed_arm_that_was_decided_does_not_count_any_more(trainer, run):
    run()
    run(text=STUDY.replace("  unclear: {method.networks: 1}\n", ""))
    design = read_plan(ROOT).design
    assert design is not None
    assert [arm.arm for arm in design.arms] == ["better", "same"]


def test_a_lost_register_lets_arms_join_anew_by_new_seeds(trainer, run):
    run()
    known = len(seeds_of("baseline"))
    (ROOT / "looks.jsonl").write_text("torn")
    run()
    register = read_register(ROOT)
    assert register.problems == ["looks.jsonl: line 1 is damaged, and left out"]
    assert {arm.start for arm in register.joined} == {known}


# --- failures ---


def test_failures_are_no_pairs_and_are_told(trainer, run):
    for seed in (101, 103):
        trainer.summaries[f"better/seed={seed}"] = {"lost_classes": [3], "collapsed": False}
    trainer.failing.add("same/seed=102")
    out = run(code=1)
    assert answers()["better"][0] == "better"
    assert answers()["same"][0] == "equivalent"
    table = compare(read_results(ROOT)).set_index("arm")
    assert table.loc["better", ["fails_more", "fails_less"]].tolist() == [2, 0]
    assert table.loc["same", ["fails_more", "fails_less"]].tolist() == [1, 0]
    assert "failed: same/seed=102: TrialError" in out
    assert "(2 failed)" in out


# --- budget ---


def test_the_budget_ends_a_study_with_the_answers_so_far(trainer, run, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("orchestrator.scheduling.sequential_queue.time.monotonic", lambda: clock[0])

    def ten_minutes() -> None:
        clock[0] += 600

    trainer.meanwhile = ten_minutes
    out = run("--set", "run.budget.hours=3.4", "--set", "analysis.margin=0.01")
    assert "run.budget.hours is used up" in out
    assert f"({len(trainer.trained)} done)" in out
    assert {record.name for record in read_plan(ROOT).records} == set(trainer.trained)
    spent = read_register(ROOT).hours
    assert 3.3 < spent < 4.2, "the trials that run are not cut off"
    few = len(trainer.trained)
    out = run("--set", "run.budget.hours=3.4", "--set", "analysis.margin=0.01")
    assert len(trainer.trained) == few
    run("--set", "run.budget.hours=30", "--set", "analysis.margin=0.01")
    assert len(trainer.trained) > few


def test_the_time_of_an_interrupted_trial_counts_too(trainer, run, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("orchestrator.scheduling.sequential_queue.time.monotonic", lambda: clock[0])

    def preempted_after_an_hour(folder, trial) -> None:
        clock[0] += 3600

    trainer.end = preempted_after_an_hour
    trainer.at_most = 2
    run("--set", "run.budget.hours=30", code=None)
    assert read_register(ROOT).hours == pytest.approx(2)


# --- results of a fixed list of seeds ---

FIXED = STUDY.replace(
    "{until: decided, at_least: 6, at_most: 40, first: 100}", "[100, 101, 102, 103, 104, 105]"
)


def test_results_that_were_looked_at_are_refused(trainer, run):
    run(text=FIXED)
    (ROOT / "report").mkdir()
    out = run(code=3)
    assert "24 trials in results/s/runs are of a fixed list of seeds" in out
    assert "seeds.first" in out
    run("--set", "seeds.first=106")


def test_results_that_nobody_has_looked_at_are_the_first_block(trainer, run):
    run(text=FIXED)
    count = len(trainer.trained)
    run()
    assert not {name for name in trainer.trained[count:] if int(name[-3:]) < 106}
    assert {arm.start for arm in read_register(ROOT).joined} == {0}


# --- plan, shards, wrong files ---


def test_plan_says_what_a_run_trains_first_and_what_the_design_can_find(trainer, run, command):
    Path("s.yaml").write_text(STUDY)
    code, out, _ = command("plan", "s.yaml")
    assert code == 0
    assert "seeds are added until each question is decided, 6 to 40" in out
    assert "all differ by 1 sd: " in out
    _, out, _ = command("plan", "s.yaml", "--json")
    planned = json.loads(out)["train"]
    trainer.at_most = len(planned)
    trainer.slots = 1
    run(code=None)
    assert sorted(trainer.trained) == sorted(planned)
    trainer.at_most = None
    run()
    _, out, _ = command("plan", "s.yaml")
    assert "decided so far: 3 of 3 questions (2 better, 1 equivalent)" in out
    assert "of training one after another" in out


def test_shares_of_an_array_train_the_same_trials(trainer, run, command):
    run()
    undisturbed = state()[:2]
    for path in sorted(ROOT.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    before = -1
    while before < len(trainer.trained):
        before = len(trainer.trained)
        for index in range(3):
            code, out, err = command("shard", "s.yaml", "--index", index, "--of", 3)
            assert code == 0, out + err
    assert state()[:2] == undisturbed


WRONG = {
    "seeds: {until: decided, at_least: 9, at_most: 8}": "s.yaml:2: seeds.at_least: 9 is more than",
    "seeds: {until: decided, at_most: 501}": "s.yaml:2: seeds.at_most: 501 is not right",
    "seeds: {until: decided, list: [1]}": "s.yaml:2: seeds.list: unknown key `list`",
    "seeds: {at_least: 6}": "s.yaml:2: seeds.until: is missing",
    "seeds: {until: tired}": 's.yaml:2: seeds.until: "tired" is not right',
    "seeds: [0]\nrun: {budget: {hours: 2}}": "s.yaml:3: run.budget: it needs seeds that are added",
    "seeds: {until: decided}\nrun: {budget: {hours: 0}}": "s.yaml:3: run.budget.hours: 0 is not",
    "seeds: {until: decided}\nanalysis: {margin: 0}": "s.yaml:3: analysis.margin: 0 is not right",
    "seeds: {until: decided}\ndesign: product": "s.yaml:3: design: the effects of a product need",
}


@pytest.mark.parametrize("text", WRONG)
def test_wrong_designs_are_told_with_file_and_line(command, tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(f"name: s\n{text}\narms: {{a: {{method.mixup: false}}}}\n")
    code, _, err = command("plan", "s.yaml")
    assert code == 2
    assert WRONG[text] in err


def test_a_damaged_look_is_left_out_and_named(tmp_path):
    looks = [Look(None, "a", "id", "better", 9, 0.5, 1.0)]
    from analysis.results.looks import add_entries

    add_entries(tmp_path, looks)
    with (tmp_path / "looks.jsonl").open("a") as file:
        file.write('{"kind": "look", "ver')
    add_entries(tmp_path, looks)
    register = read_register(tmp_path)
    assert register.looks == looks * 2
    assert register.problems == ["looks.jsonl: line 2 is damaged, and left out"]


# --- the gate for scripts ---


def test_judge_tells_by_its_code_what_a_look_has_decided(trainer, run, command):
    run()
    for arm, expected in (("better", 0), ("same", 11), ("nope", 2)):
        code, _, _ = command("judge", ROOT, "--arm", arm)
        assert code == expected
    code, out, _ = command("judge", ROOT, "--arm", "same", "--json")
    found = json.loads(out)
    assert (code, found["code"], found["verdict"], found["final"]) == (11, 11, "equivalent", True)
    assert found["continue"] is None


def test_judge_never_tests_anew(trainer, run, command):
    """Results that would decide, of which no look is recorded, decide nothing."""
    run("--arms", "baseline,better")
    (ROOT / "looks.jsonl").unlink()
    code, out, _ = command("judge", ROOT, "--arm", "better")
    assert code == 12
    assert "inconclusive" in out
    assert "to go on: python -m orchestrator run results/s/study.yaml --results results" in out


def test_an_arm_that_has_all_its_seeds_goes_on_with_more(trainer, run, command):
    run("--set", "seeds.at_most=7")
    _, out, _ = command("judge", ROOT, "--arm", "same", "--json")
    assert json.loads(out)["continue"].endswith("--arms baseline,same --set seeds.at_most=14")


def test_judge_says_worse(trainer, run, command):
    run(text=STUDY.replace("better:", "bad:"))
    assert command("judge", ROOT, "--arm", "bad")[0] == 10


# --- damage ---

DAMAGES = {
    "empty": lambda content: b"",
    "truncated": lambda content: content[: len(content) // 2],
    "a list": lambda content: b"[]",
    "a number": lambda content: b"7",
    "another shape": lambda content: b'{"kind": "joined", "design": 3, "checksum": "x"}',
    "another encoding": lambda content: content.decode().encode("utf-16"),
    "a digit changed": lambda content: content.replace(b'"generation": 0', b'"generation": 1', 1),
}


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize("file", ["looks.jsonl", "trials.json"])
def test_damage_never_decides_a_question(trainer, run, command, file, name):
    """Every command ends with a sentence, and no arm is called better or worse that was not."""
    run("--set", "seeds.at_most=7")
    path = ROOT / file
    path.write_bytes(DAMAGES[name](path.read_bytes()))
    for arguments in (("status", ROOT), ("report", ROOT), ("plan", "s.yaml")):
        code, out, err = command(*arguments)
        assert code in (0, 2)
        assert code == 0 or err.count("\n") == 1
        assert "better: better" not in out
    for arm in ("better", "same"):
        assert command("judge", ROOT, "--arm", arm)[0] in (12, 2)
    run("--set", "seeds.at_most=8", code=None)
    assert answers()["same"][0] == "inconclusive"
