"""Folders for sockets: the temporary folder of a batch job may have a path too long for them."""

import os
import tempfile

LONGEST = 107
"""Length of the longest path of a socket on Linux, bytes."""
SHORT = "/tmp"
"""Folder for the sockets of processes whose own temporary folder is too long."""


def folder_for_sockets(name: int) -> str | None:
    """Return another folder for sockets; None: the temporary folder is right.

    Args:
        name: length of the longest path of a socket below it, bytes.
    """
    fits = len(os.fsencode(tempfile.gettempdir())) + 1 + name <= LONGEST
    return None if fits or not os.access(SHORT, os.W_OK) else SHORT
