"""What one trial takes of a machine, and whether any machine has it."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from orchestrator.study.schema import Resources

DRIVERS = (Path("/dev/nvidiactl"), Path("/dev/dxg"), Path("/dev/kfd"))
"""Devices of GPU drivers: NVIDIA's, that of Linux inside Windows, AMD's."""


class CannotRun(Exception):
    """No machine has the resources that one trial asks for; waiting would never end."""


@dataclass(frozen=True)
class Node:
    """A machine's CPUs and GPUs. `gpu` counts devices; trials may share one."""

    name: str
    cpu: float
    gpu: float

    def slots(self, cpu: float, gpu: float) -> int:
        """How many trials that take `cpu` CPUs and `gpu` GPUs each fit at once."""
        fitting = []
        if cpu:
            fitting.append(int(self.cpu / cpu + 1e-9))
        if gpu:
            fitting.append(int(self.gpu / gpu + 1e-9))
        return min(fitting)


def requested(resources: Resources, nodes: list[Node]) -> tuple[float, float]:
    """(CPUs, GPUs) of one trial; `auto` is a GPU where there is one.

    Raises:
        CannotRun: no machine alone has both.
    """
    if resources.gpu == "auto":
        gpu = 1.0 if any(node.gpu for node in nodes) else 0.0
    else:
        gpu = resources.gpu
    if not any(node.slots(resources.cpu, gpu) for node in nodes):
        present = "; ".join(f"{node.name} has {_amount(node.cpu, node.gpu)}" for node in nodes)
        raise CannotRun(
            f"resources: a trial asks for {_amount(resources.cpu, gpu)}, "
            f"and no machine has that: {present or 'there are no machines'}"
        )
    return resources.cpu, gpu


def exceeding_this_machine(resources: Resources) -> list[str]:
    """Return a sentence if one trial asks for more than this machine has; a cluster may have it."""
    try:
        requested(resources, [this_machine()])
    except CannotRun as error:
        return [f"{error} (a cluster may: --address)"]
    return []


def _amount(cpu: float, gpu: float) -> str:
    cpus = "CPU" if cpu == 1 else "CPUs"
    gpus = "GPU" if gpu == 1 else "GPUs"
    return f"{cpu:g} {cpus} and {gpu:g} {gpus}"


def this_machine() -> Node:
    """Return the CPUs that this process may use, and the GPUs that it sees."""
    if hasattr(os, "sched_getaffinity"):
        cpus = len(os.sched_getaffinity(0))
    else:
        cpus = os.cpu_count() or 1
    return Node(socket.gethostname(), cpus, len(visible_gpus()))


def visible_gpus() -> list[str]:
    """Return the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them.

    torch counts them. Importing it takes seconds, so it is not asked where there is no driver.
    """
    if not any(driver.exists() for driver in DRIVERS):
        return []
    from trainable.trial.device import count_gpus

    names = [str(number) for number in range(count_gpus())]
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return names
    return chosen.split(",")[: len(names)]
