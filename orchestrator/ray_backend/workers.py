"""Prepare the processes of a Ray of our own for their first trials."""

import time

import ray

TOGETHER_S = 0.5
"""A task waits so long after its imports that each of them gets a process of its own."""


def import_ahead(count: int) -> None:
    """Let `count` processes of Ray import what trains; return at once.

    Ray makes actors of processes that are idle. An actor's first trial then begins seconds earlier.
    """
    task = ray.remote(num_cpus=0, max_retries=0)(_import)
    for _ in range(count):
        task.remote()


def _import() -> None:
    import trainable.ray_trainable
    import trainable.trial.reports  # noqa: F401

    time.sleep(TOGETHER_S)
