"""Join a running Ray cluster after checking each of its nodes."""

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
from orchestrator.ray_backend.node_check import seen_from_here
from trainable.config.data import Data
from trainable.config.runtime import Machine
from trainable.storage.code_version import code_hash

ANSWER_S = 120.0
"""Longest time for a node's answer: its first process may have to unpack a working folder."""
CONNECT_S = 5.0


@contextmanager
def cluster(address: str, place: Path, data: set[Data], machine: Machine) -> Iterator[None]:
    """Join a Ray cluster, and leave it afterwards.

    Args:
        address: HOST:PORT, or `auto` for the cluster of this machine, or of this process's Ray job.
        place: folder of the results, which every node must see.
        data: data sets that every node must find.
        machine: settings of every trial.

    Raises:
        CannotRun: there is no such cluster, or one of its nodes is not suitable.
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
            "Run this on one of its nodes, with the cluster's token; docs/cluster.md shows how."
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
        raise CannotRun(f"--address {address}: no server listens there ({error})") from None


def misfits(place: Path, data: set[Data], machine: Machine) -> list[str]:
    """Problems of the cluster's nodes that would make trials fail or be lost, a sentence each."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    nodes = {node["NodeID"]: node["NodeManagerHostname"] for node in ray.nodes() if node["Alive"]}
    # A new name, which no node can have cached.
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
                found = [f"files that it writes in {place.resolve()} are not visible here"]
            problems += [f"{nodes[node]} ({node[:8]}): {problem}" for problem in found]
        return problems
    finally:
        shutil.rmtree(meeting, ignore_errors=True)


def _answered(answer: Any) -> list[str]:
    """The problems that a node reports, or why it does not answer.

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
