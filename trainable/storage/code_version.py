"""Hash of this package's code.

The module imports the standard library only, so a run can compare hashes without loading torch.
"""

import hashlib
from pathlib import Path


def code_hash() -> str:
    """Return 16 hex digits, a hash of the package's source files."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        digest.update(
            file.relative_to(package).as_posix().encode() + b"\0" + file.read_bytes() + b"\0"
        )
    return digest.hexdigest()[:16]
