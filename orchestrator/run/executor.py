"""Choose the executor of a run: Ray Tune, or processes of this machine."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rich.console import Console

from orchestrator.execution.interrupts import Stop
from orchestrator.results.store import Store
from orchestrator.scheduling.trial_selection import Options
from orchestrator.scheduling.trial_source import TrialSource
from orchestrator.study.load import Study
from trainable.config.data import Data
from trainable.config.runtime import Machine

if TYPE_CHECKING:
    from orchestrator.display.live import View


class Execute(Protocol):
    """A function that trains the trials of a source."""

    def __call__(
        self, study: Study, store: Store, source: TrialSource, machine: Machine, view: "View"
    ) -> Stop:
        """Train the trials of a source; return what stopped the run early, if anything did."""
        ...


@contextmanager
def executor(
    options: Options, place: Path, data: set[Data], machine: Machine, console: Console
) -> Iterator[Execute]:
    """Start an executor, and end it afterwards.

    If a Ray of our own does not start, local processes train instead.

    Args:
        options: a cluster, a Ray of our own, or none.
        place: folder of the results; every machine of a cluster must see it.
        data: data sets that every machine of a cluster must find.
        machine: settings of every trial.
        console: where the dashboard is printed, and why Ray is not used.

    Raises:
        CannotRun: there is no such cluster, or one of its machines does not fit.
    """
    if options.address:
        from orchestrator.ray_backend.cluster import cluster

        with cluster(options.address, place, data, machine):
            from orchestrator.ray_backend.execute import execute as on_ray

            yield on_ray
        return
    with ExitStack() as stack:
        if options.ray and _ray_started(options.dashboard, stack, console):
            from orchestrator.ray_backend.execute import execute as on_ray

            yield on_ray
            return
        from orchestrator.local_backend.execute import execute as in_local_processes

        yield in_local_processes


def _ray_started(dashboard: str | None, stack: ExitStack, console: Console) -> bool:
    """Start a Ray of our own; return whether it came up, and say what to know of it."""
    from orchestrator.ray_backend.local import RayDidNotStart, local_ray, token_place

    try:
        address = stack.enter_context(local_ray(dashboard))
    except RayDidNotStart as error:
        console.print(f"note: {error} Trials are trained in local processes.", markup=False)
        return False
    if address:
        console.print(
            f"Ray dashboard: {address} (it asks for the token in {token_place()})", markup=False
        )
    elif dashboard:
        console.print("note: Ray started only without its dashboard.", markup=False)
    return True
