"""Local processes: which GPUs each has, which of them are used again, and whose folder a trial is."""

import os
from dataclasses import replace

import pytest

from orchestrator.execution.jobs import ENDED, Jobs
from orchestrator.local_backend import execute
from orchestrator.local_backend.execute import Workers
from orchestrator.results.store import Store
from orchestrator.study.load import load_study
from tests.orchestrator.runs import pid_of, wait_for_two, write_study
from trainable.config.runtime import Machine
from trainable.storage.trial_folder import TrialFolder


@pytest.mark.parametrize(
    ("gpu", "slots", "gpus"),
    [
        (0.0, 3, [None, None, None]),
        (1.0, 2, ["0", "1"]),
        (2.0, 1, ["0,1"]),
        (0.5, 4, ["0", "0", "1", "1"]),
        (0.5, 3, ["0", "0", "1"]),
        (0.6, 3, ["0", "1"]),
    ],
)
def test_each_slot_has_gpus_of_its_own_or_its_part_of_one(monkeypatch, gpu, slots, gpus):
    monkeypatch.setattr(execute, "visible_gpus", lambda: ["0", "1"])
    assert execute._gpus_of_slots(slots, gpu) == gpus


def test_a_worker_that_died_while_it_was_idle_is_replaced_and_no_trial_fails(tmp_path):
    study = load_study(write_study(tmp_path, 1))
    jobs = Jobs(study, Store(tmp_path / "results"), replace(Machine(), device="cpu"), 1, 0, 0.0)
    workers = Workers([None])

    def train(number: int) -> TrialFolder:
        job = jobs.of(study.trials[number])
        workers.assign(job)
        (worker,) = workers.busy
        while (message := worker.pipe.recv()) != ENDED:
            assert message["done"]
            worker.pipe.send(True)
        workers.set_idle(worker)
        return TrialFolder(job.folder)

    try:
        assert train(0).summary is not None
        (worker,) = workers._idle
        worker.process.kill()
        worker.process.join()
        folder = train(1)
    finally:
        workers.close()
    assert folder.summary is not None
    assert folder.failure is None
    assert not worker.process.is_alive()


@pytest.mark.slow
def test_a_trial_whose_folder_another_process_takes_ends_the_run_and_is_no_failure(
    tmp_path, run_here
):
    study, runs = write_study(tmp_path, 60), tmp_path / "tiny" / "runs"
    taken = []

    def take_over() -> None:
        folder = wait_for_two(runs)[0]
        assert pid_of(folder)
        folder.claim()
        taken.append(folder)

    code, output = run_here(study, during=take_over)
    (folder,) = taken
    assert code == 3, output
    assert f"stopped: {folder.path} belongs to another process" in output
    assert "disk" not in output
    assert folder.failure is None
    assert folder.owner is not None
    assert folder.owner["pid"] == os.getpid()
