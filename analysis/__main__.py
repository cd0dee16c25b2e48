"""`python -m analysis RUN_DIR`: write the report of a study's results, without Ray and torch."""

import argparse
import sys
from pathlib import Path

from analysis import report, results


def main() -> int:
    """Exit code 0, or 2 if the folder holds no results."""
    parser = argparse.ArgumentParser(prog="python -m analysis", description=__doc__)
    parser.add_argument("run_dir", type=Path)
    options = parser.parse_args()
    try:
        for path in report.write(options.run_dir):
            print(path)
    except results.NoResults as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
