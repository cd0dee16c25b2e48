"""The console of all commands: what is printed is shown as it is."""

from typing import Any

from rich.console import Console


def plain_console(**options: Any) -> Console:
    """Return a console that neither interprets nor colours texts, nor breaks long lines.

    Names and messages of people may contain what rich takes for markup (`[red]`) or for an emoji:
    the `:100:` of `study.yaml:100: unknown key`.

    Args:
        options: as rich's `Console` takes them; they go before.
    """
    plain = {"markup": False, "emoji": False, "highlight": False, "soft_wrap": True}
    return Console(**{**plain, **options})
