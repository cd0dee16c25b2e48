"""`python -m orchestrator` without the local processes that train while Ray starts: for tests of Ray's actors."""

from orchestrator.cli.app import main
from orchestrator.run.executor import OwnRay


def _on_ray_alone(self, study, store, source, machine, view):
    self._start()
    return self(study, store, source, machine, view)


if __name__ == "__main__":
    OwnRay._beside_local_processes = _on_ray_alone
    main()
