"""Starting and stopping a Ray of our own, quietly."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOOPBACK = "127.0.0.1"
QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_AUTH_MODE": "token",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # ours tells SIGINT from SIGTERM
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",  # Tune's own snapshots are never read
}
"""Environment for Ray, read when it is imported.

It gives no output of its own, no loggers that nothing reads, and access by token.
"""


@contextmanager
def local_ray(dashboard: str | None, temp_dir: str | None = None) -> Iterator[str | None]:
    """A Ray of our own on this machine; yields the dashboard's address, if there is one.

    `dashboard` is the host that it listens on, None for none.
    """
    prepare()
    import ray

    context = ray.init(
        address="local",  # never join another user's cluster
        include_dashboard=dashboard is not None,
        dashboard_host=dashboard or LOOPBACK,
        log_to_driver=False,
        logging_level=logging.CRITICAL,
        _temp_dir=temp_dir,
    )
    hush()
    try:
        if dashboard and context.dashboard_url:
            yield f"http://{context.dashboard_url}"
        else:
            yield None
    finally:
        ray.shutdown()


def prepare() -> None:
    """Set the environment that Ray reads when it is imported; what the user has set stays."""
    for key, value in QUIET.items():
        os.environ.setdefault(key, value)


def hush() -> None:
    """Silence loggers that Ray has set up for itself."""
    for name in ("ray", "ray.tune", "ray.train", "ray.data"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def token_place() -> str:
    """Where the token that the dashboard asks for is kept."""
    if "RAY_AUTH_TOKEN" in os.environ:
        return "the environment variable RAY_AUTH_TOKEN"
    return os.environ.get("RAY_AUTH_TOKEN_PATH", str(Path.home() / ".ray" / "auth_token"))
