"""What one trial takes of a machine, and whether any machine has it."""

from dataclasses import dataclass

from orchestrator.study.schema import Resources


class CannotRun(Exception):
    """What one trial asks for is nowhere to be had, so that waiting would never end."""


@dataclass(frozen=True)
class Node:
    """A machine's CPUs and GPUs. `gpu` counts devices; trials may share one."""

    name: str
    cpu: float
    gpu: float

    def slots(self, cpu: float, gpu: float) -> int:
        """How many trials of so many CPUs and GPUs fit at once."""
        return min(
            int(there / each + 1e-9) for there, each in ((self.cpu, cpu), (self.gpu, gpu)) if each
        )


def requested(resources: Resources, nodes: list[Node]) -> tuple[float, float]:
    """(CPUs, GPUs) of one trial; `auto` is a GPU where there is one.

    Raises:
        CannotRun: no machine alone has both.
    """
    gpu = float(any(node.gpu for node in nodes)) if resources.gpu == "auto" else resources.gpu
    if not any(node.slots(resources.cpu, gpu) for node in nodes):
        there = (
            "; ".join(f"{node.name} has {_amount(node.cpu, node.gpu)}" for node in nodes)
            or "there are no machines"
        )
        raise CannotRun(
            f"resources: a trial asks for {_amount(resources.cpu, gpu)}, and no machine has that: {there}"
        )
    return resources.cpu, gpu


def _amount(cpu: float, gpu: float) -> str:
    return f"{cpu:g} CPU{'s' * (cpu != 1)} and {gpu:g} GPU{'s' * (gpu != 1)}"
