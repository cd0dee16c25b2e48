"""Joining a Ray cluster that is up already, once each of its machines is known to fit."""

import logging
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestrator.execution.resources import CannotRun
from orchestrator.ray_backend.local import hush, prepare
from trainable.config.data import Data
from trainable.config.runtime import Machine
from trainable.data.paths import missing
from trainable.storage.code_version import code_hash

ANSWER_S = 120.0
"""Longest time for a machine's answer: its first process may have to unpack a working folder."""
CONNECT_S = 5.0


@contextmanager
def cluster(address: str, place: Path, data: set[Data], machine: Machine) -> Iterator[None]:
    """A Ray cluster for a while.

    `address` is HOST:PORT, or `auto` for the cluster of this machine, or of the job that this
    process is. `place` is the folder of the results, which every machine must see; `data` are the
    data sets that each must find.

    Raises:
        CannotRun: there is no such cluster, or one of its machines does not fit.
    """
    _check_address(address)
    prepare()
    import ray

    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        reason = str(error).strip().splitlines()[0]
        raise CannotRun(
            f"--address {address}: no Ray cluster could be joined ({reason}). "
            "Run this on one of its machines, with the cluster's token; docs/cluster.md shows how."
        ) from None
    hush()
    try:
        problems = misfits(place, data, machine)
        if problems:
            raise CannotRun("\n".join(problems))
        yield
    finally:
        ray.shutdown()


def _check_address(address: str) -> None:
    """Raise CannotRun where no process listens: Ray would wait for minutes."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        raise CannotRun(
            f"--address {address}: write `auto` or HOST:PORT, for instance 10.0.0.1:6379"
        )
    try:
        socket.create_connection((host, int(port)), CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise CannotRun(f"--address {address}: nobody listens there ({error})") from None


def misfits(place: Path, data: set[Data], machine: Machine) -> list[str]:
    """What is wrong with machines of the cluster, a sentence each.

    Trials would fail there, or be lost.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    nodes = {node["NodeID"]: node["NodeManagerHostname"] for node in ray.nodes() if node["Alive"]}
    # A new name, which no machine can have cached.
    meeting = place.resolve() / f".nodes-{secrets.token_hex(8)}"
    meeting.mkdir(parents=True)
    look = ray.remote(num_cpus=0, max_retries=0)(seen_from_here)
    try:
        (meeting / "driver").touch()
        answers = {}
        for node in nodes:
            there = look.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)
            )
            answers[node] = there.remote(meeting, node, code_hash(), data, machine)
        problems = []
        for node, answer in answers.items():
            found = _answered(answer)
            if not found and not (meeting / node).exists():
                found = [f"what it writes in {place.resolve()} does not arrive here"]
            problems += [f"{nodes[node]} ({node[:8]}): {problem}" for problem in found]
        return problems
    finally:
        shutil.rmtree(meeting, ignore_errors=True)


def _answered(answer: Any) -> list[str]:
    """What a machine says is wrong with it, or why it does not answer.

    `answer` is Ray's reference to a list of sentences.
    """
    import ray

    try:
        found: list[str] = ray.get(answer, timeout=ANSWER_S)
    except ray.exceptions.GetTimeoutError:
        return [f"no answer within {ANSWER_S:g} s"]
    except ray.exceptions.RayError as error:
        reason = str(error).strip().splitlines()[-1]
        return [f"this project cannot be used there: {reason}"]
    return found


def seen_from_here(
    meeting: Path, node: str, code: str, data: set[Data], machine: Machine
) -> list[str]:
    """What is wrong on this machine.

    The driver has made the folder `meeting`, and its code has the hash `code`.
    """
    problems = []
    for data_set in data:
        problem = missing(data_set, machine)
        if problem:
            problems.append(problem)
    if code != code_hash():
        problems.append(
            "its trainable/ is another version than that of the machine that runs the study"
        )
    if not (meeting / "driver").exists():
        problems.append(
            f"it does not see {meeting.parent}: choose a --results that all machines share"
        )
        return problems
    try:
        (meeting / node).touch()
    except OSError as error:
        problems.append(f"it cannot write in {meeting.parent}: {error.strerror}")
    return problems
