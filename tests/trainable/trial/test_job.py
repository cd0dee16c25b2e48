"""A trial on its way to the process that trains it: plain data, and the same on both sides."""

import json
from pathlib import Path

from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.trial.job import TrialJob

CONFIG = TrialConfig.model_validate(
    {"method": {"name": "jocor"}, "train": {"epochs": 7}, "seed": 3}
)


def job(setting: str) -> TrialJob:
    machine = Machine(
        study_dir=Path("/studies"), device="cpu", source_dir=Path("/results/runs/a/seed=3")
    )
    return TrialJob(
        CONFIG,
        Path("/results/x"),
        machine,
        "s",
        setting,
        "a",
        3,
        cpu=2.0,
        gpu=0.5,
        report_every=1.0,
    )


def test_a_job_arrives_as_it_was_sent():
    assert TrialJob.from_config(job("x").to_config()) == job("x")


def test_its_configuration_is_plain_data_but_for_paths():
    assert (
        json.loads(json.dumps(job("x").to_config(), default=str))["job"]["config"]["method"]["name"]
        == "jocor"
    )


def test_its_name_is_its_place_in_the_study():
    assert (job("x").name, job("").name) == ("x/a/seed=3", "a/seed=3")
    assert job("").place == {"setting": "", "arm": "a", "seed": 3}
