"""One trial as it is handed to the process that trains it. No torch: the process that starts a
study makes it."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig

KEY = "job"
"""Where a job is in Tune's configuration of a trial."""


@dataclass(frozen=True)
class TrialJob:
    """What to train, where to keep it, and on how much of a machine.

    Attributes:
        config: what the trial computes.
        folder: the trial's folder, absolute.
        machine: settings of the machine that change no result.
        study, setting, arm, seed: the trial's place in the study; `setting` is "" where there is
            none.
        cpu, gpu: CPUs and (fractions of) GPUs that the trial takes.
        report_every: seconds of training between two reports; 0: after every epoch.
    """

    config: TrialConfig
    folder: Path
    machine: Machine
    study: str
    setting: str
    arm: str
    seed: int
    cpu: float = 1.0
    gpu: float = 0.0
    report_every: float = 0.0

    @property
    def name(self) -> str:
        """The trial's name in the study: its folder below `runs/`."""
        return "/".join(filter(None, [self.setting, self.arm, f"seed={self.seed}"]))

    @property
    def place(self) -> dict[str, str | int]:
        """Setting, arm and seed, for TensorBoard."""
        return {"setting": self.setting, "arm": self.arm, "seed": self.seed}

    def to_config(self) -> dict[str, Any]:
        """The job as Tune's configuration: plain data that any process can read."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        fields["config"] = self.config.model_dump()
        fields["folder"] = str(self.folder)
        fields["machine"] = dataclasses.asdict(self.machine)
        return {KEY: fields}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "TrialJob":
        """The job in Tune's configuration of a trial."""
        fields = dict(config[KEY])
        fields["config"] = TrialConfig.model_validate(fields["config"])
        fields["folder"] = Path(fields["folder"])
        fields["machine"] = Machine(**fields["machine"])
        return cls(**fields)
