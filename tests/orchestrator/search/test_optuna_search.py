"""Searches on a toy objective: what a kill leaves is gone on with, nothing is counted twice, the best are found."""

import shutil
import time
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from analysis.results.study_plan import NoStudy
from analysis.stats.search_journal import open_journal
from orchestrator.results.store import Store
from orchestrator.search.journal import write as write_journal
from orchestrator.search.pool import SearchPool
from tests.orchestrator.folders import SUMMARY
from tests.orchestrator.toy import STUDY, begin, opened, peak, run, train, write
from trainable.config.trial import TrialConfig

ASHA = "{name: asha, grace_period: 3, reduction_factor: 3}"


@pytest.fixture(autouse=True)
def no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here has to survive a power cut."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


def trials(searches: SearchPool, place: int = 0) -> list[optuna.trial.FrozenTrial]:
    return searches.all[place].trials


def states(searches: SearchPool) -> list[str]:
    return [trial.state.name for trial in trials(searches)]


# --- proposals ---


def test_a_search_has_its_number_of_trials_and_begins_with_the_baseline(tmp_path):
    _, searches = opened(write(tmp_path), tmp_path / "r")
    assert run(searches) == 8 * 3
    assert states(searches) == ["COMPLETE"] * 8
    assert trials(searches)[0].params == {
        "train.lr": 0.02,
        "method.p_threshold": 0.5,
        "method.alpha": 4.0,
    }
    assert trials(searches)[3].value == trials(searches)[3].intermediate_values[3]
    assert searches.finished


@pytest.mark.parametrize("sampler", ["tpe", "random", "gp"])
def test_the_same_seed_gives_the_same_proposals_also_across_an_interruption(tmp_path, sampler):
    study = write(tmp_path, trials=14, sampler=sampler, scheduler=ASHA, epochs=9)
    _, searches = opened(study, tmp_path / "whole")
    run(searches)
    expected = [(t.params, t.state, t.values, t.intermediate_values) for t in trials(searches)]

    root = tmp_path / "parts"
    for until in (2, 5, 1, 3):  # each time killed in a trial, after so many of its epochs
        _, searches = opened(study, root)
        run(searches, at_most=2)
        planned = searches.next()
        assert planned is not None
        train(searches, planned, peak, until=until)
    _, searches = opened(study, root)
    run(searches)
    assert [
        (t.params, t.state, t.values, t.intermediate_values) for t in trials(searches)
    ] == expected

    other = write(tmp_path, trials=14, sampler=sampler, scheduler=ASHA, epochs=9, seed=1)
    _, searches = opened(other, tmp_path / "other")
    run(searches)
    assert [t.params for t in trials(searches)] != [params for params, *_ in expected]


def test_a_kill_while_a_proposal_is_written_leaves_all_of_it_or_nothing(tmp_path):
    study, root = write(tmp_path), tmp_path / "r"
    _, searches = opened(study, root)
    run(searches)
    expected = [t.params for t in trials(searches)]
    whole = (root / "search.journal").read_bytes()
    folders = root / "runs"
    for cut in range(
        len(whole) // 2, len(whole), len(whole) // 40
    ):  # a torn line, or lines that are missing
        (root / "search.journal").write_bytes(whole[:cut])
        (root / "search.journal.lock").symlink_to(
            root / "search.journal"
        )  # of the process that was killed
        _, searches = opened(study, root)
        assert run(searches) == 0, "the folders know all results"
        assert [t.params for t in trials(searches)] == expected
        assert states(searches) == ["COMPLETE"] * 8
    assert len(list(folders.iterdir())) == 8


def test_more_trials_extend_a_search_by_just_the_difference(tmp_path):
    _, searches = opened(write(tmp_path, trials=10), tmp_path / "r")
    run(searches)
    before = [t.params for t in trials(searches)]
    _, searches = opened(write(tmp_path, trials=16), tmp_path / "r")
    assert searches.missing == {None: 6}
    assert run(searches) == 6 * 3
    assert [t.params for t in trials(searches)][:10] == before
    _, searches = opened(write(tmp_path, trials=12), tmp_path / "r")
    assert run(searches) == 0, "fewer than there are is nothing to do"


def test_two_slots_do_not_lose_or_repeat_a_trial(tmp_path):
    study, root = write(tmp_path, trials=9, sampler="tpe"), tmp_path / "r"
    _, searches = opened(study, root)
    for _ in range(3):
        first, second = searches.next(), searches.next()
        train(searches, second, peak)
        searches.settle(second.record.name)
        train(searches, first, peak, until=1)  # killed here; the other one is done
        _, searches = opened(study, root)
        assert searches.next().record == first.record
        train(searches, first, peak)
        searches.settle(first.record.name)
    run(searches)
    assert states(searches) == ["COMPLETE"] * 9


def test_a_grid_is_walked_once_in_an_order_of_its_seed(tmp_path):
    text = (
        STUDY.replace(", n_trials: TRIALS", "").partition("space:")[0]
        + """\
space:
  method.lambda_u: {values: [0, 25]}
  method.mixup: {values: [true, false]}
  method.alpha: {low: 2, high: 6, step: 2, when: {method.mixup: true}}
sampler: {name: grid}
confirm: {seeds: [100]}
"""
    )
    _, searches = opened(write(tmp_path, text), tmp_path / "r")
    run(searches, lambda config, epoch: config.method.lambda_u)
    found = [tuple(t.params.values()) for t in trials(searches)]
    assert sorted(found, key=str) == sorted(
        [(u, True, a) for u in (0, 25) for a in (2.0, 4.0, 6.0)] + [(u, False) for u in (0, 25)],
        key=str,
    )
    assert found[0] == (25, True, 4.0)


def test_a_repeated_proposal_takes_the_stored_score(tmp_path):
    text = (
        STUDY.partition("space:")[0]
        + """\
space: {method.lambda_u: {values: [0, 25]}}
sampler: {name: random, n_trials: 8}
confirm: {seeds: [100]}
"""
    )
    _, searches = opened(write(tmp_path, text), tmp_path / "r")
    assert run(searches, lambda config, epoch: config.method.lambda_u) == 2 * 3, (
        "two configurations are trained"
    )
    assert states(searches) == ["COMPLETE"] * 8
    assert [t.value for t in trials(searches)] == [
        float(t.params["method.lambda_u"]) for t in trials(searches)
    ]
    assert len(list((tmp_path / "r" / "runs").iterdir())) == 2
    assert [t.number for t in searches.all[0].best(5)] == [
        0,
        [t.value for t in trials(searches)].index(0.0),
    ]


def test_a_repeated_proposal_waits_for_a_running_one(tmp_path):
    text = (
        STUDY.partition("space:")[0]
        + """\
space: {method.lambda_u: {values: [0, 25]}}
sampler: {name: random, n_trials: 8}
confirm: {seeds: [100]}
"""
    )
    _, searches = opened(write(tmp_path, text), tmp_path / "r")
    first, second = searches.next(), searches.next()
    assert searches.next() is None, "all others repeat one of the two"
    train(searches, second, lambda config, epoch: 7.0)
    searches.settle(second.record.name)
    train(searches, first, lambda config, epoch: 5.0)
    searches.settle(first.record.name)
    assert states(searches) == ["COMPLETE"] * 8
    assert {t.value for t in trials(searches)} == {5.0, 7.0}


def test_scores_of_several_seeds_are_averaged(tmp_path):
    text = STUDY.replace("seeds: [0]", "seeds: [0, 1, 2]")
    _, searches = opened(write(tmp_path, text, trials=2), tmp_path / "r")
    assert run(searches, lambda config, epoch: 10.0 * config.seed + epoch) == 2 * 3 * 3
    assert trials(searches)[1].intermediate_values == {1: 11.0, 2: 12.0, 3: 13.0}
    assert trials(searches)[1].value == 13.0


def test_two_metrics_give_a_front(tmp_path):
    text = STUDY.replace(
        "metric: {name: val/accuracy, goal: maximize}",
        "metric: [{name: val/accuracy, goal: maximize}, {name: work/forwards, goal: minimize}]",
    )
    _, searches = opened(write(tmp_path, text, sampler="nsga2", trials=24), tmp_path / "r")
    run(searches)
    assert states(searches) == ["COMPLETE"] * 24
    assert all(t.values[1] == 30.0 for t in trials(searches))
    assert searches.all[0].best(1)[0].values[0] == max(t.values[0] for t in trials(searches))


# --- ends ---


def test_what_fails_is_fail_with_its_reason_and_the_search_goes_on(tmp_path):
    _, searches = opened(write(tmp_path, scheduler=ASHA, epochs=9), tmp_path / "r")
    kinds = ["non-finite loss", "RuntimeError", "timeout"]
    for kind in kinds:
        planned = searches.next()
        train(searches, planned, peak, until=2)
        folder = begin(searches.store, planned)
        for _ in range(3 if kind == "RuntimeError" else 1):  # as often as run.max_failures allows
            folder.fail(kind, "it broke", "", retry=kind == "RuntimeError")
        searches.settle(planned.record.name)
    run(searches)
    assert states(searches)[:3] == ["FAIL"] * 3
    assert [t.user_attrs["reason"] for t in trials(searches)[:3]] == [
        f"{kind}: it broke" for kind in kinds
    ]
    assert "COMPLETE" in states(searches)
    assert searches.finished


def test_a_trial_that_may_be_tried_again_is_no_failure(tmp_path):
    study = write(tmp_path)
    _, searches = opened(study, tmp_path / "r")
    planned = searches.next()
    train(searches, planned, peak, until=1)
    begin(searches.store, planned).fail("RuntimeError", "it broke", "", retry=True)
    searches.settle(planned.record.name)
    assert states(searches) == ["RUNNING"]
    _, searches = opened(study, tmp_path / "r")
    assert searches.next().record == planned.record


def test_a_trial_without_validation_scores_fails_with_a_sentence(tmp_path):
    _, searches = opened(write(tmp_path, trials=1), tmp_path / "r")
    planned = searches.next()
    folder = begin(searches.store, planned)
    folder.append_row({"epoch": 1})
    folder.finish(SUMMARY)
    searches.settle(planned.record.name)
    assert "validation set" in trials(searches)[0].user_attrs["reason"]


def test_a_stopped_trial_is_pruned_and_never_gone_on_with(tmp_path):
    study = write(tmp_path, scheduler=ASHA, epochs=9, trials=9)
    _, searches = opened(study, tmp_path / "r")
    run(searches)
    stopped = [t for t in trials(searches) if t.state == TrialState.PRUNED]
    assert stopped
    for trial in stopped:
        folder = Store(tmp_path / "r").runs / f"trial-{trial.number:04}" / "seed=0"
        assert (folder / "stopped.json").exists()
        assert trial.last_step == len((folder / "metrics.jsonl").read_text().splitlines()) < 9
    assert all(t.state == TrialState.COMPLETE for t in searches.all[0].best(9)), (
        "low-budget scores are not compared"
    )
    _, searches = opened(study, tmp_path / "r")
    assert searches.next() is None


def test_a_stop_that_the_journal_missed_is_told(tmp_path):
    study, root = write(tmp_path, scheduler=ASHA, epochs=9, trials=3), tmp_path / "r"
    _, searches = opened(study, root)
    planned = searches.next()
    train(searches, planned, peak, until=4)
    begin(searches.store, planned).save_checkpoint(b"state")
    searches.store.folder(planned.record).stop(4, "asha")  # killed before the journal was told
    _, searches = opened(study, root)
    assert not searches.store.folder(planned.record).has_checkpoint
    assert states(searches) == ["PRUNED"]
    assert trials(searches)[0].last_step == 4


def test_a_stop_that_was_decided_and_not_carried_out_is_made_up_for(tmp_path):
    study, root = write(tmp_path, scheduler=ASHA, epochs=9, trials=2), tmp_path / "r"
    _, searches = opened(study, root)
    run(searches, lambda config, epoch: 90.0, at_most=1)
    planned = searches.next()
    folder = begin(searches.store, planned)
    for epoch in (1, 2, 3):  # killed between the row of the deciding epoch and its report
        folder.append_row({"epoch": epoch, "val/accuracy": 10.0})
    folder.save_checkpoint(b"state")
    _, searches = opened(study, root)
    assert searches.next() is None
    assert states(searches) == ["COMPLETE", "PRUNED"]
    assert folder.stopped == {"epoch": 3, "reason": "asha"}
    assert not folder.has_checkpoint


def test_the_checkpoint_of_a_trial_that_was_killed_after_its_end_is_deleted(tmp_path):
    study, root = write(tmp_path, trials=2), tmp_path / "r"
    _, searches = opened(study, root)
    run(searches, at_most=1)
    (ended,) = searches.store.runs.rglob("summary.json")
    (ended.parent / "checkpoint.pt").write_bytes(b"state")
    opened(study, root)
    assert not (ended.parent / "checkpoint.pt").exists()
    assert states(searches)[0] == "COMPLETE"


def test_the_median_stops_what_is_worse_than_half(tmp_path):
    study = write(
        tmp_path, scheduler="{name: median, grace_period: 2, min_trials: 3}", epochs=6, trials=20
    )
    _, searches = opened(study, tmp_path / "r")
    assert run(searches) < 20 * 6
    assert "PRUNED" in states(searches)[3:]
    assert "PRUNED" not in states(searches)[:3]


def test_a_folder_of_another_configuration_is_set_aside(tmp_path):
    study, root = write(tmp_path), tmp_path / "r"
    _, searches = opened(study, root)
    run(searches)
    (root / "search.journal").unlink()
    _, searches = opened(write(tmp_path, seed=5), root)
    assert run(searches) == 7 * 3, "only the baseline is the same"
    assert len(list((root / "archive").rglob("summary.json"))) == 7


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content.replace(b"datetime_complete", b"datetime_complet_", 1),
        lambda content: content.replace(b"0.", b"1.", 1),
        lambda content: content[content.index(b"\n") + 1 :],
        lambda content: b"[]\n" + content,
        lambda content: content.decode().encode("utf-16"),
    ],
    ids=["a key", "a number", "the first line is lost", "another shape", "another encoding"],
)
def test_a_damaged_journal_is_told_set_aside_and_made_anew_from_the_folders(tmp_path, damage):
    study, root = write(tmp_path), tmp_path / "toy"
    _, searches = opened(study, root)
    run(searches)
    before = [trial.params for trial in searches.all[0].trials]
    journal = root / "search.journal"
    journal.write_bytes(damage(journal.read_bytes()))
    with pytest.raises(NoStudy, match=r"search\.journal is damaged"):
        open_journal(journal)
    told: list[str] = []
    write_journal(journal, told.append)
    assert told == [
        f"{journal} is damaged: renamed to search.damaged, and made anew from the trial folders"
    ]
    assert (root / "search.damaged").exists()
    _, searches = opened(study, root)
    assert run(searches) == 0, "nothing is trained again"
    assert [trial.params for trial in searches.all[0].trials] == before


def test_optunas_own_readers_read_the_journal(tmp_path):
    _, searches = opened(write(tmp_path), tmp_path / "r")
    run(searches)
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "r" / "search.journal")))
    read = optuna.load_study(study_name="toy", storage=storage)
    assert [trial.params for trial in read.trials] == [
        trial.params for trial in searches.all[0].trials
    ]


# --- definition ---


def test_a_changed_definition_is_noticed_and_can_be_set_aside(tmp_path):
    root = tmp_path / "r"
    _, searches = opened(write(tmp_path), root)
    run(searches)
    _, searches = opened(write(tmp_path, trials=9), root)
    assert searches.changed() == {}
    _, searches = opened_anew(write(tmp_path, seed=3, epochs=4), root)
    assert searches.changed() == {"toy": ["arms", "sampler"]}
    place = searches.archive(["toy"])
    assert len(list(place.rglob("summary.json"))) == 8
    assert (place / "search.journal").exists()
    searches.reconcile()
    assert run(searches) == 8 * 4


def opened_anew(path: Path, root: Path) -> tuple[None, SearchPool]:
    """As `opened`, but nothing is reconciled yet."""
    from orchestrator.study.load import load_study

    study = load_study(path)
    return None, SearchPool(study.name, study.search, Store(root))


def test_a_lock_that_outlived_its_search_keeps_nobody_waiting(tmp_path, command):
    """Optuna's own lock is a link; a killed search leaves it behind."""
    path, root = write(tmp_path, trials=2), tmp_path / "results" / "toy"
    study, searches = opened(path, root)
    run(searches)
    searches.store.write_plan(study.text, study.plan)
    (root / "search.journal.lock").symlink_to("nothing")
    for arguments in (["status", root], ["plan", path, "--results", root.parent]):
        began = time.monotonic()
        code, out, err = command(*arguments)
        assert code == 0, out + err
        assert time.monotonic() - began < 20


# --- does it search? ---


def best_of(tmp_path: Path, sampler: str, seed: int, trials: int) -> float:
    root = tmp_path / f"{sampler}-{seed}"
    _, searches = opened(write(tmp_path, sampler=sampler, seed=seed, trials=trials, epochs=1), root)
    run(searches)
    shutil.rmtree(root / "runs")
    return max(t.value for t in searches.all[0].trials) / (100 * (1 - np.exp(-1 / 3)))


def test_tpe_beats_random_at_equal_budget_over_20_seeds(tmp_path):
    found = {
        name: [best_of(tmp_path, name, seed, 30) for seed in range(20)]
        for name in ("tpe", "random")
    }
    wins = sum(a > b for a, b in zip(found["tpe"], found["random"], strict=True))
    assert wins >= 15, f"sign test p ≤ 0.02 needs 15 of 20: {found}"
    assert np.mean(found["tpe"]) > np.mean(found["random"])


def test_asha_takes_half_the_epochs_and_finds_a_configuration_of_the_top_decile(tmp_path):
    rng = np.random.default_rng(0)
    anywhere = [
        peak(
            TrialConfig.model_validate(
                {
                    "train": {"lr": 10 ** rng.uniform(-3, 0)},
                    "method": {
                        "name": "dividemix",
                        "p_threshold": rng.uniform(0.1, 0.9),
                        "alpha": rng.uniform(0.5, 8),
                    },
                }
            ),
            27,
        )
        for _ in range(1000)
    ]
    for seed in range(3):
        study = write(tmp_path, sampler="tpe", seed=seed, trials=40, epochs=27, scheduler=ASHA)
        _, searches = opened(study, tmp_path / f"{seed}")
        assert run(searches) <= 0.5 * 40 * 27
        winner = searches.all[0].certain_config(searches.all[0].best(1)[0])
        assert peak(winner, 27) >= np.quantile(anywhere, 0.9)
