"""How a command ends: its exit codes, and an exception with a sentence for the user."""

DONE = 0
FAILED = 1
WRONG = 2
REFUSED = 3

WORSE = 10
EQUIVALENT = 11
INCONCLUSIVE = 12
"""Codes of `judge`; 0 is better."""


class Ended(Exception):
    """End the command with this message and this exit code."""

    def __init__(self, message: str, code: int):
        super().__init__(message)
        self.code = code
