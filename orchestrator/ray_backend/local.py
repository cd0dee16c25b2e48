"""Start and stop a Ray of our own, without its output."""

import contextlib
import functools
import logging
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestrator.execution.socket_paths import folder_for_sockets
from orchestrator.ray_backend import old_sessions

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
    "RAY_agent_register_timeout_ms": "300000",  # without its agent, a raylet ends itself
}
"""Environment for Ray, read when it is imported.

It gives no output of its own, no loggers that nothing reads, access by token, and time to start.
"""


LONGEST_SOCKET = len("ray/session_2026-01-01_00-00-00_000000_0000000/sockets/plasma_store")
"""Length of the longest path of a socket below Ray's temporary folder, bytes."""


LONGEST_LINE = 200
"""Characters of a message of Ray's that are printed."""


class RayDidNotStart(Exception):
    """A Ray of our own did not come up; the text is one sentence."""


@contextmanager
def local_ray(dashboard: str | None) -> Iterator[str | None]:
    """A Ray of our own on this machine; yields the dashboard's address, if there is one.

    Args:
        dashboard: the host that the dashboard listens on; None for no dashboard.

    Raises:
        RayDidNotStart: it did not come up, and not without its dashboard either.
    """
    prepare()
    protect_token()
    import ray

    read_environment_again()
    context = _start(dashboard)
    hush()
    shorten_messages()
    session = Path(context.address_info["session_dir"])
    old_sessions.mark(session)
    old_sessions.remove_ended(session.parent)
    try:
        if dashboard and context.dashboard_url:
            yield f"http://{context.dashboard_url}"
        else:
            yield None
    finally:
        ray.shutdown()


def _start(dashboard: str | None) -> Any:
    """Start Ray, a second time without its dashboard if need be; return Ray's context."""
    import ray

    hosts = [dashboard, None] if dashboard else [None, None]
    for attempt, host in enumerate(hosts, start=1):
        try:
            return ray.init(
                address="local",  # never join another user's cluster
                include_dashboard=host is not None,
                dashboard_host=host or LOOPBACK,
                log_to_driver=False,
                logging_level=logging.CRITICAL,
            )
        except Exception as error:  # Ray raises whatever its parts raise
            ray.shutdown()
            if attempt == len(hosts):
                raise RayDidNotStart(f"Ray did not start ({_first_line(error)}).") from None
    raise AssertionError("each attempt returns or raises")


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def prepare() -> None:
    """Set the environment that Ray reads when it is imported; what the user has set stays."""
    for key, value in QUIET.items():
        os.environ.setdefault(key, value)
    folder = folder_for_sockets(LONGEST_SOCKET)
    if folder is not None:
        os.environ.setdefault("RAY_TMPDIR", folder)


def protect_token() -> None:
    """Let only its owner read Ray's token, which is a login; write a new one if there is none.

    Ray would write one that everybody on this machine can read.
    """
    if os.environ["RAY_AUTH_MODE"] != "token" or "RAY_AUTH_TOKEN" in os.environ:
        return
    # Ray complains itself of a home folder that does not exist or cannot be written.
    with contextlib.suppress(OSError, RuntimeError):
        path = token_file()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            if path.stat().st_mode & 0o077:
                path.chmod(0o600)
            return
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))


def read_environment_again() -> None:
    """Make Ray read its environment and its token now.

    It reads them when it is imported and keeps them. If something has imported it before, its
    servers would ask for a token, and this process would send none, or an old one.
    """
    # There is no public way; Ray itself does this where it sets RAY_AUTH_MODE.
    from ray._raylet import (  # type: ignore[attr-defined]  # Ray's stub is incomplete
        AuthenticationTokenLoader,
        Config,
    )

    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()


def hush() -> None:
    """Silence loggers that Ray has set up for itself."""
    for name in ("ray", "ray.tune", "ray.train", "ray.data"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def shorten_messages() -> None:
    """Print the first line of each message that Ray prints of itself.

    Of a machine that has died, it is the end of a log: a hundred lines of Ray's state.
    """
    from ray._private import worker  # there is no public way

    if not hasattr(worker.print_to_stdstream, "__wrapped__"):
        worker.print_to_stdstream = _first_lines_only(worker.print_to_stdstream)


def _first_lines_only(print_all: Callable[..., None]) -> Callable[..., None]:
    """Return a function that prints the first line of each of Ray's messages."""

    @functools.wraps(print_all)
    def print_first(data: dict[str, Any], *arguments: Any, **options: Any) -> None:
        lines = [message.partition("\n")[0][:LONGEST_LINE] for message in data["lines"]]
        print_all({**data, "lines": lines}, *arguments, **options)

    return print_first


def token_place() -> str:
    """Where the token that the dashboard asks for is kept."""
    if "RAY_AUTH_TOKEN" in os.environ:
        return "the environment variable RAY_AUTH_TOKEN"
    return str(token_file())


def token_file() -> Path:
    """The file of the token, as Ray looks for it."""
    if "RAY_AUTH_TOKEN_PATH" in os.environ:
        return Path(os.environ["RAY_AUTH_TOKEN_PATH"])
    return Path.home() / ".ray" / "auth_token"
