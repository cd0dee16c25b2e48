"""Export to MLflow: an experiment a study, a run an arm, and nested runs for its seeds.

Every run has its key as a tag. A run is looked up by it before one is created, and a tag says how
many epochs the run has, so an export that is repeated, or was interrupted, adds only what is new.
MLflow changes no parameter and no metric. So a run whose arm has another configuration now, or
whose trial was trained again, is superseded by a new one.
"""

import json
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.trackers.content import ArmRun, SeedRun, Status, StudyContent, metrics_of
from orchestrator.trackers.outcome import Exported, TrackerDown
from trainable.storage import names
from trainable.storage.checksums import content_checksum, file_checksum

KEY = "dividemix.key"
"""Tag: the key of a run."""
EPOCHS = "dividemix.epochs"
"""Tag: number of epochs that the run has."""
ROWS = "dividemix.rows"
"""Tag: checksum of these epochs' metrics."""
CONFIG = "dividemix.config"
"""Tag: checksum of an arm's configuration."""
SUPERSEDED = "dividemix.superseded"
"""Tag: why another run has taken the place of a run, which exports ignore from then on."""
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
        TrackerDown: the server does not answer, or refuses a request; or its store of files does,
            after all else has been exported.
    """
    for name, value in CLIENT.items():
        os.environ.setdefault(name, value)
    import mlflow
    import requests
    import sqlalchemy

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    try:
        return _Export(mlflow.MlflowClient(uri), content).run()
    except FilesRefused as error:
        raise TrackerDown(f"{uri}: configurations and metrics are exported, but {error}") from None
    except (
        mlflow.exceptions.MlflowException,
        requests.RequestException,
        sqlalchemy.exc.SQLAlchemyError,
        ImportError,  # the driver of a database
        OSError,
    ) as error:
        reason = _reason(error)
        if reason.startswith("API request to") and "failed with exception" in reason:
            reason = "the server does not answer"
        raise TrackerDown(f"{uri}: {reason}") from None


class FilesRefused(Exception):
    """The store of files cannot be reached, or refuses one; the text names it and the reason."""


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
        """Export all runs, then the files of all: those of arms, which are larger, last."""
        for arm in self._content.arms:
            parent = self._arm(arm)
            for seed in arm.seeds:
                self._seed(arm, seed, parent)
        for arm in self._content.arms:
            for seed in arm.seeds:
                self._add_files(seed.key, seed.files)
        for arm in self._content.arms:
            self._add_files(arm.key, arm.files)
        return Exported(self._new, len(self._changed))

    def _experiment_id(self) -> str:
        found = self._client.get_experiment_by_name(self._content.name)
        if found is not None:
            if found.lifecycle_stage != "active":
                self._client.restore_experiment(found.experiment_id)
            return str(found.experiment_id)
        return str(self._client.create_experiment(self._content.name))

    def _runs(self) -> Iterator[Any]:
        """Yield the runs of the experiment that an export has made, without superseded ones."""
        token = None
        while True:
            page = self._client.search_runs([self._experiment], max_results=PAGE, page_token=token)
            for run in page:
                if KEY in run.data.tags and SUPERSEDED not in run.data.tags:
                    yield run
            token = page.token
            if not token:
                return

    def _arm(self, arm: ArmRun) -> str:
        """Export an arm; return the id of its run."""
        config = content_checksum(arm.config)
        if self._tag(arm.key, CONFIG) not in (None, config):
            self._supersede(arm.key, "the arm has another configuration now")
        tags = {
            "dividemix.arm": arm.name,
            "verdict": arm.verdict,
            NOTE: arm.sentence,
            CONFIG: config,
        }
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
        self._set_status(run, "finished" if arm.ended else "running")
        return str(run.info.run_id)

    def _seed(self, arm: ArmRun, seed: SeedRun, parent: str) -> None:
        """Export a trial."""
        if self._has_other_rows(seed):
            self._supersede(seed.key, "the trial was trained again")
        tags = {PARENT: parent, "dividemix.arm": arm.name, "dividemix.seed": seed.name}
        run = self._found_or_created(seed.key, f"{arm.name}/{seed.name}", tags)
        self._add_params(run, seed.config)
        self._add_rows(run, seed)
        if run.data.tags.get(EPOCHS, "0") == str(len(seed.rows)):
            self._add_summary(run, seed)
        self._set_status(run, seed.status)

    def _tag(self, key: str, name: str) -> str | None:
        """Return a tag of the run with this key; None: there is no run, or it lacks the tag."""
        run = self._known.get(key)
        return run.data.tags.get(name) if run else None

    def _has_other_rows(self, seed: SeedRun) -> bool:
        """Return whether the run's epochs are not those of the trial, which was trained again."""
        known = int(self._tag(seed.key, EPOCHS) or 0)
        if seed.status == "running" and len(seed.rows) < known:
            # It may have resumed from an earlier checkpoint, and its rows may come back.
            return False
        return self._tag(seed.key, ROWS) not in (None, _rows_checksum(seed.rows, known))

    def _supersede(self, key: str, reason: str) -> None:
        """Mark a run and those nested in it, so that new ones take their places."""
        run = self._known.pop(key)
        nested = [
            key
            for key, other in self._known.items()
            if other.data.tags.get(PARENT) == run.info.run_id
        ]
        for other in nested:
            self._supersede(other, reason)
        self._client.set_terminated(run.info.run_id, "KILLED")
        note = f"Superseded by another run: {reason}."
        self._set_tags(run, {"verdict": "superseded", NOTE: note, SUPERSEDED: reason})

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
                self._note_rows(run, seed, last)
                waiting = []
            at = run.info.start_time + int(1000 * seconds)
            waiting += [(name, value, at, row["epoch"]) for name, value in metrics.items()]
            last = row["epoch"]
        self._add_metrics(run, waiting)
        if last > known:
            self._note_rows(run, seed, last)

    def _note_rows(self, run: Any, seed: SeedRun, epochs: int) -> None:
        """Note in the run which of a trial's first rows it has."""
        checksum = _rows_checksum(seed.rows, epochs)
        self._set_tags(run, {EPOCHS: str(epochs), ROWS: checksum})

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
        """Set the tags that have changed, in one request: all of them, or none."""
        from mlflow.entities import RunTag

        changed = {}
        for name, value in tags.items():
            if run.data.tags.get(name, "") != value:
                changed[name] = value
        if changed:
            parts = [RunTag(name, value) for name, value in changed.items()]
            self._client.log_batch(run.info.run_id, tags=parts)
            run.data.tags.update(changed)

    def _add_files(self, key: str, files: Mapping[str, Path]) -> None:
        """Send the files that have changed. Raises FilesRefused."""
        run = self._known[key]
        sent = json.loads(run.data.tags.get(FILES, "{}"))
        for name, path in files.items():
            checksum = file_checksum(path)
            if sent.get(name) != checksum:
                try:
                    self._client.log_artifact(run.info.run_id, str(path))
                except Exception as error:  # each kind of artifact store has errors of its own
                    raise FilesRefused(f"{name} cannot be stored: {_reason(error)}") from error
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


def _rows_checksum(rows: Sequence[Mapping[str, Any]], epochs: int) -> str:
    """Return 16 hex digits that identify the rows of the first epochs.

    Wall times are left out, because a trial that resumes has others.
    """
    compared = []
    for row in rows:
        if row["epoch"] <= epochs:
            metrics = metrics_of(row).items()
            compared.append(
                {name: value for name, value in metrics if not name.startswith("time/")}
            )
    return content_checksum(compared)


def _reason(error: Exception) -> str:
    """Return the first line of an error's text, or its kind if it has none."""
    return (str(error).strip().partition("\n")[0] or type(error).__name__)[:200]
