"""How a command ends: exit codes, and a sentence for people where it cannot go on."""

DONE, FAILED, WRONG, REFUSED = 0, 1, 2, 3


class Ended(Exception):
    """A run ends here, with a sentence and an exit code."""

    def __init__(self, message: str, code: int):
        super().__init__(message)
        self.code = code
