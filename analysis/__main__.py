"""Reports from results folders, without Ray and torch.

python -m analysis report RUN_DIR…
python -m analysis compare RUN_DIR_A RUN_DIR_B
python -m analysis unpack BUNDLE.tar.xz DIR
"""

import argparse
import sys
from pathlib import Path

from analysis.report import between_studies, formats
from analysis.report.write import write_report
from analysis.results import bundle
from analysis.results.read import Results, read_results
from analysis.results.study_plan import NoStudy
from trainable.terminal import tolerate_encoding


def main() -> int:
    """Run the command; return 0, or 2 if a folder holds no results or a file is no bundle."""
    tolerate_encoding()
    options = _parser().parse_args()
    try:
        _run(options)
    except (NoStudy, bundle.NotABundle) as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m analysis",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    write = commands.add_parser("report", help="write each study's report to its report/")
    write.add_argument("run_dirs", metavar="RUN_DIR", type=Path, nargs="+")
    compare = commands.add_parser("compare", help="join two studies on setting, arm and seed")
    compare.add_argument("first", metavar="RUN_DIR_A", type=Path)
    compare.add_argument("second", metavar="RUN_DIR_B", type=Path)
    unpack = commands.add_parser(
        "unpack", help="unpack a bundle of `orchestrator bundle` into a results folder"
    )
    unpack.add_argument("bundle", metavar="BUNDLE.tar.xz", type=Path)
    unpack.add_argument("folder", metavar="DIR", type=Path)
    return parser


def _run(options: argparse.Namespace) -> None:
    """Run the command of the parsed options."""
    if options.command == "compare":
        _compare(read_results(options.first), read_results(options.second))
    elif options.command == "unpack":
        count = bundle.unpack(options.bundle, options.folder)
        print(f"{count} files in {options.folder}")
    else:
        for run_dir in options.run_dirs:
            for path in write_report(run_dir):
                print(path)


def _compare(first: Results, second: Results) -> None:
    """Print the arms of both studies in one table; equal names are replaced by folders."""
    names = [first.study, second.study]
    if first.study == second.study:
        names = [str(first.root), str(second.root)]
    table = between_studies.join(first, second)
    print(formats.markdown(between_studies.text(table, *names)))
    measures = dict.fromkeys(study.measure.header for study in (first, second))
    print(
        f"last-10 {' or '.join(measures)}, means over the seeds that both have with the same data "
        "and noise;\n"
        f"difference: {names[1]} − {names[0]}, in points, with a 95 % t interval;\n"
        "p: exact sign-flip, Holm over all rows"
    )
    for caution in dict.fromkeys(study.measure.caution for study in (first, second)):
        if caution:
            print(caution)
    for line in between_studies.only(first, second):
        print(line)


if __name__ == "__main__":
    sys.exit(main())
