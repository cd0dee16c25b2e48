"""The jobs of one run: each planned trial as it is handed to the process that trains it."""

from dataclasses import dataclass, replace

from orchestrator.results.store import Store
from orchestrator.scheduling.trial_source import TrialSource
from orchestrator.study.load import Study
from orchestrator.study.planned_trial import PlannedTrial
from trainable.config.runtime import Machine
from trainable.trial.job import TrialJob

REPORT_EVERY = 1.0
"""Seconds of training between two reports; each epoch is in the trial's folder anyway."""

ENDED = "ended"
"""What a local worker sends after a trial's last report, once the trial's files are closed."""


@dataclass(frozen=True)
class Jobs:
    """Make the jobs of one run's trials.

    Args:
        study: names the jobs.
        store: knows the trials' folders.
        machine: settings of every trial.
        cpu, gpu: amounts that one trial takes.
        report_every: seconds of training between two reports; 0 is every epoch.
    """

    study: Study
    store: Store
    machine: Machine
    cpu: float
    gpu: float
    report_every: float

    @property
    def _first_seed(self) -> int | None:
        """The seed whose trials get TensorBoard's images: not a search's, nor other seeds."""
        return self.study.trials[0].record.seed if self.study.trials else None

    def of(self, trial: PlannedTrial) -> TrialJob:
        """Return the job of a trial."""
        record = trial.record
        return TrialJob(
            config=trial.config,
            folder=self.store.folder(record).path.resolve(),
            machine=replace(
                self.machine,
                source_dir=self.store.source_dir(record),
                pictures=record.seed == self._first_seed,
            ),
            study=self.study.name,
            setting=record.setting or "",
            arm=record.arm,
            seed=record.seed,
            cpu=self.cpu,
            gpu=self.gpu,
            report_every=self.report_every,
        )


def report_interval(source: TrialSource) -> float:
    """Return the seconds between two reports that a source can do with; 0: every epoch."""
    return 0.0 if source.sees_every_epoch else REPORT_EVERY
