"""A real Ray dashboard on loopback while a study runs: who may ask, the actors' names, the gauges, the page."""

import json
import re
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.browser import browser, needs_browser
from tests.orchestrator.runs import (
    RAY_ALONE,
    Environment,
    finish,
    starting,
    wait_until,
    write_study,
)
from trainable.ray_trainable import MEASURES
from trainable.storage.trial_folder import TrialFolder

pytestmark = [pytest.mark.ray, pytest.mark.slow]

ARMS = ("baseline", "no_mixup")


class Running(NamedTuple):
    """A run in the middle of its trials."""

    dashboard: str
    token: str
    ray_folder: Path
    pids: set[int]

    def ask(self, path: str, token: str | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self.token if token is None else token}"}
        with urllib.request.urlopen(
            urllib.request.Request(self.dashboard + path, headers=headers), timeout=30
        ) as got:
            return json.loads(got.read())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, environment: Environment) -> Iterator[Running]:
    """Two trials at work, one an arm, with the dashboard on."""
    folder = tmp_path_factory.mktemp("watched")
    with starting(environment) as start:
        process = start(write_study(folder, 5000), "--seeds", "0", results=folder, module=RAY_ALONE)
        assert process.stdout
        printed = ""
        while not (found := re.search(r"Ray dashboard: (\S+) ", printed)):
            line = process.stdout.readline()
            assert line, printed
            printed += line
        trials = [folder / "tiny" / "runs" / arm / "seed=0" for arm in ARMS]
        rows = [trial / "metrics.jsonl" for trial in trials]
        wait_until(
            lambda: all(file.is_file() and file.stat().st_size for file in rows),
            "two trials",
            process,
        )
        owners = [TrialFolder(trial).owner for trial in trials]
        pids = {owner["pid"] for owner in owners if owner}
        yield Running(
            found[1], environment["RAY_AUTH_TOKEN"], Path(environment["RAY_TMPDIR"]), pids
        )
        process.send_signal(signal.SIGINT)
        finish(process)
        assert process.returncode == 130


def test_nobody_is_answered_without_the_token(run):
    with pytest.raises(urllib.error.HTTPError) as refused:
        run.ask("/logical/actors", "wrong")
    with refused.value:
        assert refused.value.code in (401, 403)


def test_actors_are_called_by_study_and_process(run):
    actors = run.ask("/logical/actors")["data"]["actors"].values()
    assert {actor["reprName"] for actor in actors if actor["state"] == "ALIVE"} == {
        f"tiny/{pid}" for pid in run.pids
    }


def test_each_trial_has_its_gauges_on_the_metrics_port(run):
    (places,) = run.ray_folder.glob(
        "ray/session_2*/metrics/prometheus/../../../prom_metrics_service_discovery.json"
    )
    targets = [target for group in json.loads(places.read_text()) for target in group["targets"]]
    gauges = {f"ray_dividemix_{name}" for name in (*MEASURES, "images_per_second")}
    wanted = {(gauge, arm) for gauge in gauges for arm in ARMS}
    values: dict[tuple[str, str], float] = {}

    def seen() -> bool:
        for target in targets:
            with urllib.request.urlopen(f"http://{target}/metrics", timeout=30) as answer:
                for line in answer.read().decode().splitlines():
                    if found := re.fullmatch(r"(ray_dividemix_\w+)\{(.*)\} (\S+)", line):
                        tags = dict(re.findall(r'(\w+)="([^"]*)"', found[2]))
                        assert (tags["study"], tags.get("setting", ""), tags["seed"]) == (
                            "tiny",
                            "",
                            "0",
                        )
                        values[found[1], tags["arm"]] = float(found[3])
        return values.keys() >= wanted

    wait_until(seen, "Ray exports its metrics every ten seconds")
    for arm in ARMS:
        assert 0 <= values["ray_dividemix_test_accuracy", arm] <= 100
        assert 0 < values["ray_dividemix_labeled_fraction", arm] < 1
        assert values["ray_dividemix_images_per_second", arm] > 0


@pytest.mark.browser
@needs_browser
def test_the_page_of_actors_shows_them(run, tmp_path):
    with browser() as page:
        page.open(f"{run.dashboard}/#/actors", run.token)
        page.wait_for(["ALIVE x 2", *(f"tiny/{pid}" for pid in run.pids)])
        page.picture(tmp_path / "actors.png")
    assert (tmp_path / "actors.png").stat().st_size > 20_000, "not an empty page"
