"""A real TensorBoard on loopback: runs, tags, the table of hyper-parameters, charts; no step twice after a resume."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from orchestrator.display.tensorboard.layout import INTERVALS, PINNED, high_tag, low_tag
from orchestrator.display.tensorboard.logdir import SELECTED, Logdir, distinct
from orchestrator.results.store import Store
from orchestrator.study.load import load_study
from tests.analysis.conftest import StudyFolder
from tests.browser import browser, needs_browser
from trainable.config.runtime import Machine
from trainable.config.test_set import UNCHECKED
from trainable.trial.session import Session

STUDY = """
name: tiny
seeds: [0]
base:
  data: {name: digits, validation_fraction: 0.1}
  noise: {name: symmetric, rate: 0.4}
  model: {name: small_cnn, width: 4}
  train: {epochs: 4}
  method: {name: dividemix, warmup_epochs: 1}
arms:
  cross_entropy: {method.name: cross_entropy}
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A study with a finished trial that was interrupted once, and one in the middle."""
    root = tmp_path_factory.mktemp("results")
    (root / "tiny.yaml").write_text(STUDY)
    study = load_study(root / "tiny.yaml")
    store = Store(root / "tiny")
    store.write_plan(study.text, study.plan)
    for trial, stops in zip(study.trials, ([2, 2], [2]), strict=True):
        for epochs in stops:
            place = {"setting": "", "arm": trial.record.arm, "seed": trial.record.seed}
            session = Session(
                trial.config, store.folder(trial.record).path, Machine(device="cpu"), place
            )
            for _ in range(epochs):
                session.advance()
            session.close()
    return store


def test_no_step_of_a_resumed_trial_appears_twice(store):
    events = EventAccumulator(
        str(store.runs / "baseline" / "seed=0"), size_guidance={"images": 0, "tensors": 0}
    )
    events.Reload()
    tags = events.Tags()
    for name in tags["scalars"]:
        steps = [event.step for event in events.Scalars(name)]
        assert steps == sorted(set(steps)), name
    assert [event.step for event in events.Scalars("test/accuracy")] == [1, 2, 3, 4]
    assert [event.step for event in events.Images("wrong_labels/losses_net0")] == [2, 3, 4]
    assert [event.step for event in events.Tensors("wrong_labels/precision_recall_net1")] == [
        2,
        3,
        4,
    ]
    assert len(events.Tensors("configuration/text_summary")) == 1
    assert {"wrong_labels/loss_clean_net0", "wrong_labels/loss_noisy_net1"} < set(
        tags["histograms"]
    )


def test_a_scalar_of_each_number_of_a_row(store):
    row = store.folder(next(r for r in store.read_plan().records if r.arm == "baseline")).rows()[-1]
    events = EventAccumulator(str(store.runs / "baseline" / "seed=0"))
    events.Reload()
    for name, value in row.items():
        if name not in ("epoch", "phase"):
            assert events.Scalars(name)[-1].value == pytest.approx(value, rel=1e-6), name


@pytest.fixture
def study(tmp_path):
    """An empty study of made-up results."""
    return StudyFolder(tmp_path / "study")


def runs(folder):
    """Runs of a folder that TensorBoard reads, with their files."""
    found = {}
    for place, _, files in os.walk(folder, followlinks=True):
        if files:
            found[os.path.relpath(place, folder)] = sorted(files)
    return found


def scalars(folder, tag):
    events = EventAccumulator(str(folder))
    events.Reload()
    return [event.value for event in events.Scalars(tag)]


def test_an_update_without_news_changes_nothing_and_writes_nothing_into_the_study(store, tmp_path):
    before = sorted(store.root.rglob("*"))
    logdir = Logdir(tmp_path / "logs", [store.root])
    assert logdir.update() == "the averages of 2 arms, and 2 trials"
    first = runs(tmp_path / "logs")
    assert set(first) == {".", "Mean/baseline", "baseline/seed=0", "cross_entropy/seed=0"}
    logdir.update()
    assert runs(tmp_path / "logs") == first
    assert sorted(store.root.rglob("*")) == before


@pytest.fixture
def seeds(study):
    """A study whose two seeds differ by 2 points in every epoch."""
    for arm, change in (("baseline", 0.0), ("variant", 5.0)):
        study.arm(arm, 70.0 + change, 72.0 + change, config={"method": {"name": arm, "seed": 3}})
    return study


def test_an_average_is_the_mean_over_seeds_with_its_t_interval(seeds, tmp_path):
    Logdir(tmp_path / "logs", [seeds.write()]).update()
    metric = "test/accuracy"
    assert metric in INTERVALS
    mean = scalars(tmp_path / "logs" / "Mean" / "variant", metric)
    low = scalars(tmp_path / "logs" / "Mean" / "variant", low_tag(metric))
    high = scalars(tmp_path / "logs" / "Mean" / "variant", high_tag(metric))
    assert mean[-1] == pytest.approx(76.0)
    half = 12.7062 * 2**0.5 / 2**0.5  # t quantile of one degree of freedom, sd / √n
    assert low[-1] == pytest.approx(76.0 - half, rel=1e-4)
    assert high[-1] == pytest.approx(76.0 + half, rel=1e-4)


def test_an_average_is_renewed_when_a_trial_is_completed(study, tmp_path):
    root = study.arm("baseline", 70.0, "missing").write()
    logdir = Logdir(tmp_path / "logs", [root])
    logdir.update()
    assert scalars(tmp_path / "logs" / "Mean" / "baseline", "test/accuracy")[-1] == 70.0
    study.records = []
    study.arm("baseline", "missing", 80.0).write()  # the first is kept
    logdir.update()
    assert scalars(tmp_path / "logs" / "Mean" / "baseline", "test/accuracy")[-1] == 75.0
    assert len(list((tmp_path / "logs" / "Mean" / "baseline").iterdir())) == 1


@pytest.mark.parametrize("everything", [False, True])
def test_no_more_runs_are_shown_than_tensorboard_selects_unless_all_are_asked_for(
    study, tmp_path, everything
):
    for arm in ("baseline", "a", "b"):
        study.arm(arm, *[70.0] * 20)
    root = study.write()
    for folder in (root / "runs").rglob("seed=*"):
        (folder / "events.out.tfevents.1700000000.host.1.0").write_bytes(b"")
    said = Logdir(tmp_path / "logs", [root], everything).update()
    shown = runs(tmp_path / "logs")
    if everything:
        assert len(shown) == 1 + 3 + 60
        assert said == "the averages of 3 arms, and 60 trials"
    else:
        assert len(shown) <= SELECTED
        assert {f"Mean/{arm}" for arm in ("baseline", "a", "b")} < set(shown)
        trials = [name for name in shown if "seed=" in name]
        assert len(trials) == 36, "twelve seeds of three arms"
        assert "and 36 trials. 24 more are left out" in said
        assert "--all shows them" in said


def test_trials_that_join_later_get_only_the_room_that_is_left(study, tmp_path):
    """As in a search: proposals are shown first, and the arms of the confirmation follow."""

    def events():
        for folder in (study.root / "runs").rglob("seed=*"):
            (folder / "events.out.tfevents.1700000000.host.1.0").write_bytes(b"")

    study.arm("baseline", *[70.0] * 8)
    planned = list(study.records)
    for k in range(26):
        study.arm(f"proposal_{k}", 70.0)
    study.records = planned
    root = study.write()
    events()
    logdir = Logdir(tmp_path / "logs", [root])
    logdir.update()
    first = set(runs(tmp_path / "logs"))
    assert len(first) == 1 + 1 + 8 + 26
    for arm in ("first", "second", "third"):
        study.arm(arm, *[70.0] * 8)
    study.write()
    events()
    said = logdir.update()
    second = set(runs(tmp_path / "logs"))
    assert first < second
    assert {f"Mean/{arm}" for arm in ("first", "second", "third")} < second
    assert len(second) == SELECTED - 1
    assert "24 more are left out" in said


def test_unchecked_labels_are_named_in_averages(study, tmp_path):
    study.arm("baseline", 70.0, change={0: {"test_labels": "unchecked"}})
    Logdir(tmp_path / "logs", [study.write()]).update()
    events = EventAccumulator(str(tmp_path / "logs" / "Mean" / "baseline"))
    events.Reload()
    about = events.SummaryMetadata("test/accuracy").summary_description
    assert about == f"{UNCHECKED} Mean over 1 completed seed."


def test_two_studies_of_one_name_are_told_apart():
    assert distinct(["a", "b", "a", "a"]) == ["a", "b", "a-2", "a-3"]


# --- the server ---


Get = Callable[..., Any]


def free_port() -> int:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return int(place.getsockname()[1])


@pytest.fixture(scope="module")
def server(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Get]:
    """`python -m orchestrator tensorboard` over the study and a second name of it; a function that asks it."""
    second = tmp_path_factory.mktemp("second") / "again"
    second.symlink_to(store.root, target_is_directory=True)
    port, links = free_port(), tmp_path_factory.mktemp("links")
    command = [sys.executable, "-m", "orchestrator", "tensorboard", str(store.root), str(second)]
    process = subprocess.Popen(
        [*command, "--port", str(port), "--host", "127.0.0.1", "--load_fast", "false"],
        env={**os.environ, "TMPDIR": str(links)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def get(path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}{path}",
            data=data,
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    get.address = f"http://127.0.0.1:{port}"  # type: ignore[attr-defined]
    try:
        end = time.monotonic() + 120
        while True:
            try:
                if len(get("/data/runs")) >= 7 and len(get("/data/plugin/scalars/tags")) >= 4:
                    break
            except OSError:
                pass
            assert process.poll() is None
            assert time.monotonic() < end, "TensorBoard did not come up"
            time.sleep(0.5)
        yield get
    finally:
        process.terminate()
        process.wait(30)


def test_the_accuracy_is_pinned_by_the_end_of_the_address():
    parts = urlsplit(f"http://localhost:6006/{PINNED}")
    assert parts.fragment == "timeseries"
    (cards,) = parse_qs(parts.query)["pinnedCards"]
    assert json.loads(cards) == [{"plugin": "scalars", "tag": "test/accuracy"}]


@pytest.mark.slow
def test_the_server_shows_runs_by_study_arm_and_seed(server):
    trials = [
        f"{study}/{arm}/seed=0"
        for study in ("tiny", "again")
        for arm in ("baseline", "cross_entropy")
    ]
    assert set(server("/data/runs")) >= set(trials)
    tags = server("/data/plugin/scalars/tags")
    assert "division/auc_net0" in tags["tiny/baseline/seed=0"]
    assert "division/auc_net0" not in tags["again/cross_entropy/seed=0"]
    listed = server("/data/plugins_listing")
    for plugin in (
        "scalars",
        "custom_scalars",
        "images",
        "histograms",
        "pr_curves",
        "text",
        "hparams",
    ):
        assert listed[plugin]["enabled"], plugin


@pytest.mark.slow
def test_the_table_of_hyper_parameters_has_check_boxes_and_exactly_the_metrics(server):
    experiment = server("/data/plugin/hparams/experiment", {"experimentName": ""})
    domains = {info["name"]: info["domainDiscrete"] for info in experiment["hparamInfos"]}
    assert domains["arm"] == ["baseline", "cross_entropy"]
    assert sorted(domains["method.name"]) == ["cross_entropy", "dividemix"]
    assert [info["name"]["tag"] for info in experiment["metricInfos"]] == list(INTERVALS)
    asked = {
        "experimentName": "",
        "allowedStatuses": ["STATUS_SUCCESS", "STATUS_UNKNOWN", "STATUS_RUNNING"],
        "colParams": [{"metric": info["name"]} for info in experiment["metricInfos"]],
        "startIndex": 0,
        "sliceSize": 100,
    }
    groups = server("/data/plugin/hparams/session_groups", asked)["sessionGroups"]
    arms = sorted(group["hparams"]["arm"] for group in groups)
    assert set(arms) == {"baseline", "cross_entropy"}
    status = {
        group["hparams"]["arm"]: group["sessions"][0]["status"]
        for group in groups
        if "seed" in group["hparams"]
    }
    assert status == {"baseline": "STATUS_SUCCESS", "cross_entropy": "STATUS_UNKNOWN"}, (
        "the second is not finished"
    )


@pytest.mark.slow
def test_both_networks_and_the_ensemble_share_a_chart(server):
    layout = server("/data/plugin/custom_scalars/layout")
    charts = {
        chart["title"]: chart["multiline"]["tag"][0]
        for page in layout["category"][1:]
        for chart in page["chart"]
    }
    tags = server("/data/plugin/scalars/tags")["tiny/baseline/seed=0"]
    shown = {tag for tag in tags if re.search(charts["test"], tag)}
    assert shown == {"test/accuracy", "test/accuracy_net0", "test/accuracy_net1"}


@pytest.mark.slow
@pytest.mark.browser
@needs_browser
@pytest.mark.parametrize(
    ("page", "words"),
    [
        (
            "scalars",
            ["tag: division/auc_net0", "tiny/baseline/seed=0", "again/cross_entropy/seed=0"],
        ),
        (
            "custom_scalars",
            ["labeled fraction", "validation", "test/accuracy_net1 (tiny/baseline/seed=0)"],
        ),
        ("hparams", ["baseline (mean, n=1)", "cross_entropy/seed=0", "arm", *INTERVALS]),
    ],
)
def test_the_pages_name_the_arms(server, tmp_path, page, words):
    with browser() as view:
        view.open(f"{server.address}/#{page}")
        view.wait_for(words)
        view.picture(tmp_path / f"{page}.png")
    assert (tmp_path / f"{page}.png").stat().st_size > 20_000, "not an empty page"


@pytest.mark.slow
@pytest.mark.browser
@needs_browser
def test_a_pinned_accuracy_is_the_first_thing_on_the_page(server):
    with browser() as view:
        view.open(f"{server.address}/{PINNED}")
        text = view.wait_for(["Clear all pins", "test /accuracy", "division /auc_net0"])
    assert text.index("test /accuracy") < text.index("division /auc_net0")
