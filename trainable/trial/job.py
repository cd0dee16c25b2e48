"""Description of one trial for the process that trains it.

The process that starts a study builds it, so this module does not import torch.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig

KEY = "job"
"""Key of the job in Tune's configuration of a trial."""


@dataclass(frozen=True)
class TrialJob:
    """A trial's configuration, its folder, and its resources.

    Attributes:
        config: configuration of the trial.
        folder: absolute path of the trial's folder.
        machine: settings of the machine, which do not change results.
        study, setting, arm, seed: the trial's place in the study; `setting` is "" if there is none.
        cpu, gpu: number of CPUs and (fractions of) GPUs of the trial.
        report_every: seconds of training between two reports; 0: a report after every epoch.
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
        """Name of the trial in the study: its folder below `runs/`."""
        return "/".join(filter(None, [self.setting, self.arm, f"seed={self.seed}"]))

    @property
    def place(self) -> dict[str, str | int]:
        """Setting, arm and seed, for TensorBoard."""
        return {"setting": self.setting, "arm": self.arm, "seed": self.seed}

    def to_config(self) -> dict[str, Any]:
        """Return the job as Tune's configuration: plain data that any process can read."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        fields["config"] = self.config.model_dump()
        fields["folder"] = str(self.folder)
        fields["machine"] = dataclasses.asdict(self.machine)
        return {KEY: fields}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "TrialJob":
        """Return the job in Tune's configuration of a trial."""
        fields = dict(config[KEY])
        fields["config"] = TrialConfig.model_validate(fields["config"])
        fields["folder"] = Path(fields["folder"])
        fields["machine"] = Machine(**fields["machine"])
        return cls(**fields)
