"""Export to MLflow: an experiment a study, a run an arm, and nested runs for its seeds.

Every run has its key as a tag. A run is looked up by it before one is created, and a tag says how
many epochs the run has, so an export that is repeated, or was interrupted, adds only what is new.
"""

import json
import logging
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestrator.trackers.content import ArmRun, SeedRun, Status, StudyContent, metrics_of
from orchestrator.trackers.outcome import Exported, TrackerDown
from trainable.storage import names
from trainable.storage.checksums import file_checksum

KEY = "dividemix.key"
"""Tag: the key of a run."""
EPOCHS = "dividemix.epochs"
"""Tag: number of epochs that the run has."""
FILES = "dividemix.files"
"""Tag: name → checksum of the files that the run has, as JSON."""
PARENT = "mlflow.parentRunId"
NOTE = "mlflow.note.content"
"""Tags that MLflow shows: the run that a nested run belongs to, and the description of a run."""
MOST_METRICS = 1000
MOST_PARAMS = 100
LONGEST_PARAM = 500
PAGE = 1000
"""Limits of MLflow's requests."""
CLIENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""Environment of MLflow's client. A request is not repeated, because it could create a run twice;
the next export looks it up."""
STATUS: Mapping[Status, str] = {"running": "RUNNING", "finished": "FINISHED", "failed": "FAILED"}


def export(content: StudyContent, uri: str) -> Exported:
    """Bring MLflow's runs of a study up to date.

    Args:
        content: the study.
        uri: address of a tracking server, or `sqlite:///FILE`. Credentials are in the environment
            (`MLFLOW_TRACKING_USERNAME`, `MLFLOW_TRACKING_TOKEN`, …).

    Raises:
        TrackerDown: the server does not answer, or refuses a request.
    """
    for name, value in CLIENT.items():
        os.environ.setdefault(name, value)
    import mlflow
    import requests
    import sqlalchemy

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    try:
        return _Export(mlflow.MlflowClient(uri), content).run()
    except (
        mlflow.exceptions.MlflowException,
        requests.RequestException,
        sqlalchemy.exc.SQLAlchemyError,
        OSError,
    ) as error:
        reason = str(error).strip().partition("\n")[0]
        if reason.startswith("API request to") and "failed with exception" in reason:
            reason = "the server does not answer"
        raise TrackerDown(f"{uri}: {reason[:200]}") from None


class _Export:
    """One export of a study to one server.

    Args:
        client: MLflow's client.
        content: the study.
    """

    def __init__(self, client: Any, content: StudyContent):
        self._client = client
        self._content = content
        self._experiment = self._experiment_id()
        self._known = {run.data.tags[KEY]: run for run in self._runs()}
        self._new = 0
        self._changed: set[str] = set()

    def run(self) -> Exported:
        """Export all runs."""
        for arm in self._content.arms:
            parent = self._arm(arm)
            for seed in arm.seeds:
                self._seed(arm, seed, parent)
        return Exported(self._new, len(self._changed))

    def _experiment_id(self) -> str:
        found = self._client.get_experiment_by_name(self._content.name)
        if found is not None:
            if found.lifecycle_stage != "active":
                self._client.restore_experiment(found.experiment_id)
            return str(found.experiment_id)
        return str(self._client.create_experiment(self._content.name))

    def _runs(self) -> Iterator[Any]:
        """Yield the runs of the experiment that an export has made."""
        token = None
        while True:
            page = self._client.search_runs([self._experiment], max_results=PAGE, page_token=token)
            for run in page:
                if KEY in run.data.tags:
                    yield run
            token = page.token
            if not token:
                return

    def _arm(self, arm: ArmRun) -> str:
        """Export an arm; return the id of its run."""
        tags = {"dividemix.arm": arm.name, "verdict": arm.verdict, NOTE: arm.sentence}
        run = self._found_or_created(arm.key, arm.name, tags)
        self._add_params(run, arm.config)
        step = int(arm.numbers.get("n", 0))
        now = int(time.time() * 1000)
        metrics = []
        for name, value in arm.numbers.items():
            if run.data.metrics.get(name) != value:
                metrics.append((name, value, now, step))
        self._add_metrics(run, metrics)
        self._set_tags(run, tags)
        self._add_files(run, arm.files)
        self._set_status(run, "finished" if arm.ended else "running")
        return str(run.info.run_id)

    def _seed(self, arm: ArmRun, seed: SeedRun, parent: str) -> None:
        """Export a trial."""
        tags = {PARENT: parent, "dividemix.arm": arm.name, "dividemix.seed": seed.name}
        run = self._found_or_created(seed.key, f"{arm.name}/{seed.name}", tags)
        self._add_params(run, seed.config)
        self._add_rows(run, seed)
        if run.data.tags.get(EPOCHS) == str(len(seed.rows)):
            self._add_summary(run, seed)
        self._add_files(run, seed.files)
        self._set_status(run, seed.status)

    def _found_or_created(self, key: str, name: str, tags: dict[str, str]) -> Any:
        if key not in self._known:
            tags = {**tags, KEY: key}
            self._known[key] = self._client.create_run(self._experiment, run_name=name, tags=tags)
            self._new += 1
        return self._known[key]

    def _add_params(self, run: Any, config: dict[str, Any]) -> None:
        """Add the parameters that the run lacks; MLflow changes none."""
        from mlflow.entities import Param

        params = []
        for name, value in config.items():
            text = value if isinstance(value, str) else json.dumps(value)
            if name not in run.data.params:
                params.append(Param(name, text[:LONGEST_PARAM]))
        for first in range(0, len(params), MOST_PARAMS):
            part = params[first : first + MOST_PARAMS]
            self._client.log_batch(run.info.run_id, params=part)

    def _add_rows(self, run: Any, seed: SeedRun) -> None:
        """Add the rows that the run lacks, with times that are the same at every export.

        A request may arrive although its answer does not. MLflow stores equal values with equal
        times once.
        """
        known = int(run.data.tags.get(EPOCHS, "0"))
        seconds = 0.0
        waiting: list[tuple[str, float, int, int]] = []
        last = known
        for row in seed.rows:
            seconds += row.get(names.EPOCH_SECONDS, 0.0)
            if row["epoch"] <= known:
                continue
            metrics = metrics_of(row)
            if len(waiting) + len(metrics) > MOST_METRICS:
                self._add_metrics(run, waiting)
                self._set_tags(run, {EPOCHS: str(last)})
                waiting = []
            at = run.info.start_time + int(1000 * seconds)
            waiting += [(name, value, at, row["epoch"]) for name, value in metrics.items()]
            last = row["epoch"]
        self._add_metrics(run, waiting)
        self._set_tags(run, {EPOCHS: str(last)})

    def _add_summary(self, run: Any, seed: SeedRun) -> None:
        """Add the numbers of the summary that are in no row, at the last epoch."""
        at = run.info.start_time
        metrics = []
        in_rows = metrics_of(seed.rows[-1]) if seed.rows else {}
        for name, value in seed.summary.items():
            if name not in in_rows and run.data.metrics.get(name) != value:
                metrics.append((name, value, at, len(seed.rows)))
        self._add_metrics(run, metrics)

    def _add_metrics(self, run: Any, metrics: list[tuple[str, float, int, int]]) -> None:
        """Send metrics: name, value, time (ms since 1970), step."""
        from mlflow.entities import Metric

        for first in range(0, len(metrics), MOST_METRICS):
            part = [Metric(*metric) for metric in metrics[first : first + MOST_METRICS]]
            self._client.log_batch(run.info.run_id, metrics=part)
        if metrics:
            self._note_change(run)

    def _set_tags(self, run: Any, tags: dict[str, str]) -> None:
        """Set the tags that have changed."""
        for name, value in tags.items():
            if run.data.tags.get(name, "") != value:
                self._client.set_tag(run.info.run_id, name, value)
                run.data.tags[name] = value

    def _add_files(self, run: Any, files: Mapping[str, Path]) -> None:
        """Send the files that have changed."""
        sent = json.loads(run.data.tags.get(FILES, "{}"))
        for name, path in files.items():
            checksum = file_checksum(path)
            if sent.get(name) != checksum:
                self._client.log_artifact(run.info.run_id, str(path))
                sent[name] = checksum
                self._set_tags(run, {FILES: json.dumps(sent)})
                self._note_change(run)

    def _set_status(self, run: Any, status: Status) -> None:
        wanted = STATUS[status]
        if run.info.status == wanted:
            return
        if status == "running":
            self._client.update_run(run.info.run_id, status=wanted)
        else:
            self._client.set_terminated(run.info.run_id, wanted)
        self._note_change(run)

    def _note_change(self, run: Any) -> None:
        self._changed.add(run.info.run_id)
