"""What commands cost on a study with thousands of trials: `python benchmarks/many_trials.py`.

Printed are wall seconds, CPU seconds and the largest memory. `status` is called twice: the first
checks every file (the disk's cache is not emptied), the second finds what the first has noted.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.command_cost import command_cost  # noqa: E402


def main() -> None:
    """Make the folders; print what each command costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=5000)
    parser.add_argument(
        "--folder", type=Path, help="keep the folders here, and use those that are there"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="many-trials-") as temporary:
        folder = (given.folder or Path(temporary)).resolve()
        results = folder / "results" / "many"
        if not results.exists():
            # In a process of its own: the memory of this one would be counted for the commands.
            make = [sys.executable, "-m", "benchmarks.many_folders", str(folder)]
            subprocess.run([*make, "--trials", str(given.trials)], cwd=ROOT, check=True)
        print(f"{given.trials} finished trials")
        plan = ("plan", folder / "many.yaml", "--results", results.parent)
        print("status, first:", command_cost(folder, "status", results))
        print("status, again:", command_cost(folder, "status", results))
        print("plan:", command_cost(folder, *plan))
        print("report:", command_cost(folder, "report", results))


if __name__ == "__main__":
    main()
