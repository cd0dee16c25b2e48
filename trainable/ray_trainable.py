"""The Ray Tune Trainable: a `Session` with Tune's interface.

It is the only module of this package that imports ray.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
from ray import tune
from ray.util.metrics import Gauge

from trainable.config.from_mappings import refuse_unknown_fields, trial_config
from trainable.config.runtime import Machine
from trainable.storage import names
from trainable.trial.job import KEY, TrialJob
from trainable.trial.lineage import (
    Checkpoint,
    Origin,
    Segment,
    continued_segment,
    current_segment,
    identity,
)

if TYPE_CHECKING:
    # The modules load torch, which the process that starts a study does not need.
    from trainable.trial.reports import Reporter

TAGS = ("study", "setting", "arm", "seed")
MEASURES = {
    "test_accuracy": (names.TEST_ACCURACY, "Ensemble accuracy on the clean test set, percent"),
    "labeled_fraction": (
        names.LABELED_FRACTION.format(k=0),
        "Share of training samples in the labeled set of network 0",
    ),
    "division_auc": (names.AUC.format(k=0), "AUC of network 0's clean probability"),
    "epoch": ("epoch", "Finished epochs"),
}
PREFIX = "dividemix_"


@dataclass(frozen=True)
class Bound:
    """What all trials of a Tuner share; None: the folder in which the Tuner was started."""

    base: Mapping[str, Any] = field(default_factory=dict)
    study_dir: Path | None = None
    data_dir: Path | None = None


class DivideMixTrainable(tune.Trainable):  # type: ignore[misc]  # Ray has no types
    """Tune Trainable of one trial.

    The configuration is that of a `TrialJob` in a study's run. A Tuner of your own passes fields of
    `TrialConfig`, flat or nested; the folder is then that of Tune's trial, a step is one epoch, and
    its result is the whole row. `as_trainable` binds what all trials have in common.

    The trial's folder is the source of truth: the first step resumes from it. Tune's checkpoints
    only serve Tune's pauses, and schedulers that copy trials (`trainable/trial/lineage.py`).
    """

    bound: Bound = Bound()
    job: TrialJob | None = None
    gauges: "Gauges | None" = None
    reporter: "Reporter | None" = None
    in_study: bool = True
    segment: Segment | None = None

    @classmethod
    def default_resource_request(cls, config: dict[str, Any]) -> tune.PlacementGroupFactory:
        """Return the CPUs and (fractions of) GPUs of one trial.

        Tune asks for them before a trial starts.

        Raises:
            ConfigError: the configuration has a field that does not exist.
        """
        if KEY in config:
            job = TrialJob.from_config(config)
            return tune.PlacementGroupFactory([{"CPU": job.cpu, "GPU": job.gpu}])
        refuse_unknown_fields(cls.bound.study_dir or Path(), cls.bound.base, config)
        gpus = ray.cluster_resources().get("GPU", 0) if ray.is_initialized() else 0
        return tune.PlacementGroupFactory([{"CPU": 1, "GPU": 1 if gpus else 0}])

    def setup(self, config: dict[str, Any]) -> None:
        """Store the job; the first step claims the folder.

        Tune starts an actor for a trial, and may then give the trial to another actor that becomes
        free earlier. An actor that never trains must not claim the folder.

        Raises:
            ConfigError: a field of the configuration does not exist, or its value is wrong.
            ValueError: Tune's folder is not on a file system that is mounted.
        """
        self.in_study = KEY in config
        self.segment = None
        if self.in_study:
            self.job = TrialJob.from_config(config)
        else:
            self.job = self._job(config, self._folder_of_tune())

    def _folder_of_tune(self) -> Path:
        """Return the folder of Tune's trial."""
        storage = self._storage
        if storage is None:
            return Path(self.logdir)
        kind = storage.storage_filesystem.type_name
        if kind != "local":
            raise ValueError(
                f"storage_path: {storage.storage_fs_path} is on a file system of type {kind}. "
                "Trials need a folder that every node has mounted"
            )
        return Path(storage.trial_fs_path)

    def _job(self, config: dict[str, Any], folder: Path) -> TrialJob:
        """Return the job of a trial whose configuration has fields of `TrialConfig`."""
        # Tune has changed this process's folder to that of the trial.
        started_in = Path(os.environ.get("TUNE_ORIG_WORKING_DIR", "."))
        study_dir = self.bound.study_dir or started_in
        checked = trial_config(study_dir, self.bound.base, config)
        resources = self.trial_resources.required_resources if self.trial_resources else {}
        cpu = resources.get("CPU", 1.0)
        gpu = resources.get("GPU", 0.0)
        machine = Machine(
            study_dir=study_dir,
            data_dir=self.bound.data_dir or started_in / "data",
            threads=max(1, int(cpu)),
        )
        return TrialJob(
            config=checked,
            folder=folder,
            machine=machine.sharing(gpu),
            study=folder.parent.name,
            setting="",
            arm=folder.name,
            seed=checked.seed,
            cpu=cpu,
            gpu=gpu,
        )

    def step(self) -> dict[str, Any]:
        """Train until the next report is due, and return it."""
        assert self.job is not None
        if self.in_study:
            reporter = self._opened()
            report = reporter.next()
            row = reporter.row
        else:
            from trainable.trial.reports import whole_report

            row = report = whole_report(self._opened().session)
        if row:
            if self.gauges is None:
                self.gauges = Gauges()
            self.gauges.show(row, {"study": self.job.study, **self.job.place})
            report["training_iteration"] = row["epoch"]
        return report

    def _opened(self) -> "Reporter":
        """Return the trial's session with its reports; it resumes from what its folder holds.

        Raises:
            OtherTrial: the folder of Tune's trial holds another trial.
        """
        from trainable.trial.reports import Reporter
        from trainable.trial.session import Session

        assert self.job is not None
        if self.reporter is None:
            job = self.job
            segment = self._segment(job)
            session = Session(job.config, segment.folder, job.machine, job.place, segment.origin)
            self.reporter = Reporter(session, job.report_every)
        return self.reporter

    def _segment(self, job: TrialJob) -> Segment:
        """Return the trial's folder, and what the trial continues."""
        if self.in_study:
            return Segment(job.folder)
        if self.segment is None:
            self.segment = current_segment(job.folder, job.config)
        return self.segment

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Write the trial's state, rows and lineage to Tune's checkpoint folder."""
        assert self.job is not None
        session = self._opened().session
        rows = session.trial.rows if session.trial else session.folder.rows()
        segment = self._segment(self.job)
        origin = Origin(
            id=identity(self.job.config, segment.origin),
            trial=self.job.arm,
            folder=segment.folder.name if segment.origin else "",
            epoch=rows[-1]["epoch"] if rows else 0,
        )
        state = session.trial.state() if session.trial else None
        config = self.job.config.model_dump()
        Checkpoint(origin, config, rows, state).write(Path(checkpoint_dir))

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Continue from Tune's checkpoint folder.

        If the checkpoint is of this trial, its own folder is used, which may be ahead of it.
        Otherwise a new segment begins, in a folder of its own.

        Raises:
            OtherTrial: the configuration differs in what a checkpoint cannot change.
        """
        assert self.job is not None
        if self.in_study:
            return
        self.cleanup()
        found = Checkpoint.read(Path(checkpoint))
        self.segment = continued_segment(self.job.folder, self.job.config, found)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Close the session and take another trial.

        The session holds all state, so nothing of the previous trial remains.
        """
        self.cleanup()
        self.setup(new_config)
        return True

    def cleanup(self) -> None:
        """Close the trial's files."""
        if self.reporter is not None:
            self.reporter.session.close()
            self.reporter = None

    def __repr__(self) -> str:
        # Ray asks for it once, when the actor starts; the actor then trains several trials.
        if self.job is None:
            return type(self).__name__
        return f"{self.job.study}/{os.getpid()}"


def as_trainable(
    base: Mapping[str, Any], study_dir: Path | str = ".", data_dir: Path | str = "data"
) -> type[DivideMixTrainable]:
    """Return a Trainable whose trials have a base configuration in common.

    Args:
        base: fields of `TrialConfig`, flat or nested, as `base` of a study. The search space
            overrides them; `X.name` there starts section X from the defaults of that name.
        study_dir: folder in which relative paths of the configuration start.
        data_dir: folder of data sets with a name, such as CIFAR-10.

    Raises:
        ConfigError: the base configuration has mistakes; the error lists all of them.
    """
    study_dir = Path(study_dir).resolve()
    trial_config(study_dir, base, {})
    bound = Bound(dict(base), study_dir, Path(data_dir).resolve())
    return type(DivideMixTrainable.__name__, (DivideMixTrainable,), {"bound": bound})


class Gauges:
    """Gauges of this process, one per measure; each trial has its own tags."""

    def __init__(self) -> None:
        self._gauges: dict[str, Gauge] = {}
        for name, (_, text) in MEASURES.items():
            self._gauges[name] = Gauge(PREFIX + name, text, TAGS)
        self._speed = Gauge(
            PREFIX + "images_per_second", "Image-forward equivalents per second of training", TAGS
        )

    def show(self, row: dict[str, Any], place: dict[str, Any]) -> None:
        """Set the gauges of the trial at `place` (study, setting, arm, seed) to its newest row."""
        tags = {name: str(place[name]) for name in TAGS}
        for name, (metric, _) in MEASURES.items():
            if metric in row:
                self._gauges[name].set(row[metric], tags)
        self._speed.set(row[names.FORWARDS] / row[names.EPOCH_SECONDS], tags)
