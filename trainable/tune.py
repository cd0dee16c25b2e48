"""The Ray Tune Trainable: a `Session` behind Tune's interface. The only module of this package that imports ray."""

import dataclasses
from pathlib import Path
from typing import Any

from ray import tune

from trainable.config import TrialConfig
from trainable.machine import Machine
from trainable.session import Session


class DivideMixTrainable(tune.Trainable):
    """One trial an instance; one epoch a step.

    `config["run"]` has `name` (shown in Ray's dashboard), `trial` (a `TrialConfig` as plain data), `folder` (absolute),
    `machine` (fields of `Machine`), `cpu` and `gpu`. The trial's own folder is the truth: set-up goes on from it, so
    Tune's checkpoints are only there for its own pauses.
    """

    session: Session | None = None

    @classmethod
    def default_resource_request(cls, config: dict[str, Any]) -> tune.PlacementGroupFactory:
        """CPUs and (fractions of) GPUs for one trial."""
        return tune.PlacementGroupFactory([{"CPU": config["run"]["cpu"], "GPU": config["run"]["gpu"]}])

    def setup(self, config: dict[str, Any]) -> None:
        """Open the trial's folder and continue from it."""
        run = config["run"]
        self.name = run["name"]
        trial = TrialConfig.model_validate(run["trial"])
        machine = Machine(**run["machine"])
        self.session = Session(trial, Path(run["folder"]), machine)

    def step(self) -> dict[str, Any]:
        """Train one epoch. The row itself is in the folder; Tune gets what schedulers and the monitor need."""
        assert self.session is not None
        row = self.session.advance() or {}
        result: dict[str, Any] = {"done": self.session.finished, "no_space": self.session.no_space}
        result |= {key: row[key] for key in ("epoch", "test/accuracy", "val/accuracy", "time/epoch_s") if key in row}
        if row:
            result["training_iteration"] = row["epoch"]
        return result

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Hand the trial's state to Tune."""
        assert self.session is not None
        assert self.session.trial is not None
        (Path(checkpoint_dir) / "state.pt").write_bytes(self.session.trial.state())

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Take a state back from Tune."""
        assert self.session is not None
        assert self.session.trial is not None
        state = (Path(checkpoint) / "state.pt").read_bytes()
        self.session.trial.restore(state, self.session.folder.rows())
        self.session.folder.keep_rows(self.session.trial.epoch)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Become another trial: all state hangs on the session, so closing it and opening another leaves nothing."""
        self.cleanup()
        self.setup(new_config)
        return True

    def cleanup(self) -> None:
        """Close the trial's files."""
        if self.session is not None:
            self.session.close()
            self.session = None

    def __repr__(self) -> str:
        return getattr(self, "name", type(self).__name__)


def plain(machine: Machine) -> dict[str, Any]:
    """A machine's settings as keyword arguments that any process can read."""
    return dataclasses.asdict(machine)
