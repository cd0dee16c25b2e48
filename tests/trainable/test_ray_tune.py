"""Ray Tune itself with the Trainable: the script of docs/ray-tune.md, PBT, and restore after a kill."""

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.ray_backend.local import QUIET, local_ray
from tests.orchestrator.runs import untimed, wait_until
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.storage.trial_folder import TrialFolder
from trainable.trial.trial import Trial

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # Ray's own, in this process
]

PAGE = Path(__file__).parents[2] / "docs/ray-tune.md"
BASE = """
import sys
from ray import tune
from trainable.ray_trainable import as_trainable
noise = {"name": "symmetric", "rate": 0.4}
base = {"noise": noise, "model.width": 4, "method.warmup_epochs": 1, "train.epochs": EPOCHS}
trainable = as_trainable(base)
where = tune.RunConfig(name="experiment", storage_path=sys.argv[1], verbose=0)
"""
RUN = (
    BASE
    + 'tune.Tuner(trainable, param_space={"seed": tune.grid_search([0, 1])}, run_config=where).fit()'
)
RESTORE = BASE + 'tune.Tuner.restore(sys.argv[1] + "/experiment", trainable=trainable).fit()'


@pytest.fixture(scope="module")
def folder_of_ray() -> Iterator[Path]:
    """A folder with a short path for Ray's files."""
    with tempfile.TemporaryDirectory(prefix="dm", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def session_of_ray(folder_of_ray: Path) -> Iterator[None]:
    """One Ray of this process, which leaves nothing behind."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in QUIET.items():
            environment.setenv(name, value)
        # Results come from what these write.
        environment.setenv("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "0")
        environment.setenv("RAY_TMPDIR", str(folder_of_ray))
        environment.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        with local_ray(None):
            yield


def trials(results: Path) -> list[TrialFolder]:
    return [TrialFolder(path.parent) for path in sorted(results.rglob("trial.json"))]


def epochs(folder: TrialFolder) -> list[int]:
    return [row["epoch"] for row in folder.rows()]


def undisturbed(folder: TrialFolder) -> list[dict]:
    assert folder.trial is not None
    config = TrialConfig.model_validate(folder.trial["config"])
    return untimed(list(Trial(config, Machine())))


@pytest.mark.usefixtures("session_of_ray")
def test_the_script_of_the_page_searches(tmp_path, capsys):
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    script = found[1].replace("/tmp/ray_tune", str(tmp_path))
    assert len([line for line in script.splitlines() if line]) <= 15
    names: dict = {}
    exec(script, names)
    table = names["table"]
    assert not names["tuner"].get_results().errors
    assert len(table) == 4
    assert table["epoch"].between(2, 4).all()
    assert "division/auc_net0" in table
    assert "val/accuracy" in capsys.readouterr().out
    for folder in trials(tmp_path):
        assert epochs(folder) == list(range(1, len(folder.rows()) + 1))
        assert untimed(folder.rows()) == undisturbed(folder)[: len(folder.rows())]


@pytest.mark.usefixtures("session_of_ray")
@pytest.mark.parametrize("scheduler", ["pbt", "hyperband"])
def test_schedulers_that_pause_and_copy_keep_every_epoch_once(tmp_path, scheduler):
    from ray import tune
    from ray.tune.schedulers import HyperBandScheduler, PopulationBasedTraining

    from trainable.ray_trainable import as_trainable

    mutated = {"train.lr": [0.01, 0.02]}
    chosen = {
        "pbt": PopulationBasedTraining(
            time_attr="epoch",
            perturbation_interval=1,
            hyperparam_mutations=mutated,
            quantile_fraction=0.5,
            synch=True,  # or the worse trial may end before the better one has reported
        ),
        "hyperband": HyperBandScheduler(time_attr="epoch", max_t=3),
    }[scheduler]
    names: dict = {"sys": sys}
    exec(BASE.replace("EPOCHS", "3").replace("sys.argv[1]", repr(str(tmp_path))), names)
    results = tune.Tuner(
        tune.with_resources(as_trainable(names["base"]), {"cpu": 1}),
        param_space={"train.lr": tune.grid_search([1e-6, 0.02])},
        tune_config=tune.TuneConfig(
            metric="val/accuracy", mode="max", scheduler=chosen, reuse_actors=True
        ),
        run_config=names["where"],
    ).fit()
    assert not results.errors
    folders = trials(tmp_path)
    for folder in folders:
        begin = (folder.trial or {}).get("lineage", {}).get("epoch", 0)
        assert epochs(folder) == list(range(begin + 1, begin + 1 + len(folder.rows())))
    segments = [folder for folder in folders if "lineage" in (folder.trial or {})]
    assert bool(segments) == (scheduler == "pbt")
    known = {(folder.trial or {})["id"] for folder in folders}
    assert {(folder.trial or {})["lineage"]["id"] for folder in segments} <= known
    assert len(known) == len(folders)


def test_restore_after_a_kill_repeats_no_epoch(tmp_path, folder_of_ray):
    results = tmp_path / "results"
    environment = os.environ | {
        "PYTHONPATH": str(PAGE.parents[1]),
        "RAY_TMPDIR": str(folder_of_ray),
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }
    script = tmp_path / "script.py"

    def started(text: str) -> subprocess.Popen:
        script.write_text(text.replace("EPOCHS", "25"))
        return subprocess.Popen(
            [sys.executable, str(script), str(results)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    process = started(RUN)
    wait_until(
        lambda: [folder for folder in trials(results) if len(folder.rows()) >= 4],
        "a trial has four epochs",
        process,
    )
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    process = started(RESTORE)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    assert len(trials(results)) == 2
    for folder in trials(results):
        assert folder.summary is not None
        assert epochs(folder) == list(range(1, 26))
        assert untimed(folder.rows()) == undisturbed(folder)
        assert json.loads((folder.path / "params.json").read_text()).keys() == {"seed"}
