"""One trial without Ray: `python -m trainable CONFIG.yaml --out DIR`, with the same folder and rows
as in a study."""

import argparse
import os
import sys
from pathlib import Path
from typing import Literal

os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # read by torch and scikit-learn when they are imported

from pydantic import ValidationError

from trainable.config import strict_yaml
from trainable.config.messages import explain
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig, trial_id
from trainable.storage import names
from trainable.storage.trial_folder import TrialFolder


def load_config(file: Path) -> TrialConfig:
    """The `TrialConfig` of a YAML file. Raises ConfigError with every mistake in it."""
    document = strict_yaml.read(file)
    config = TrialConfig()
    try:
        config = TrialConfig.model_validate(document.data or {}, context={"study_dir": file.parent})
    except ValidationError as error:
        for path, message in explain(error, TrialConfig):
            document.report(path, message)
    if document.problems:
        raise strict_yaml.ConfigError(file, document.problems)
    return config


def write_noise(config: TrialConfig, machine: Machine, folder: Path) -> int:
    """Write the labels that a trial is given; its exit code."""
    from trainable.data import registry, splits
    from trainable.data.noise_files import write_labels
    from trainable.errors import DataError
    from trainable.random_streams import Streams

    try:
        arrays = registry.load(config.data, machine)
        parts = splits.divide(
            arrays, config.data, config.noise, Streams(config.seed), machine.study_dir
        )
    except DataError as error:
        print(error, file=sys.stderr)
        return 2
    print(write_labels(folder, config, parts.train.given))
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run or continue the trial. Exit code: 0 done, 1 failed, 2 wrong input, 3 nothing can be
    written."""
    parser = argparse.ArgumentParser(prog="python -m trainable", description=__doc__)
    parser.add_argument(
        "config", type=Path, help="YAML file with the fields of trainable/config/trial.py"
    )
    parser.add_argument("--out", type=Path, help="the trial's folder")
    parser.add_argument(
        "--data", type=Path, default=Path("data"), help="folder of named data sets (default: data)"
    )
    parser.add_argument(
        "--source",
        type=Path,
        metavar="DIR",
        help="folder of the finished trial that `from_arm` names",
    )
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--compile", action="store_true", help="on a GPU: compiled steps, replayed as CUDA graphs"
    )
    parser.add_argument(
        "--resident",
        choices=["auto", "true", "false"],
        default="auto",
        help="image files in memory?",
    )
    parser.add_argument(
        "--noise-file",
        type=Path,
        metavar="DIR",
        help="write the given labels there, as the authors' code does, and end",
    )
    options = parser.parse_args(arguments)
    if not (options.out or options.noise_file):
        parser.error("--out is missing: the trial's folder")
    try:
        config = load_config(options.config)
    except strict_yaml.ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    resident: bool | Literal["auto"] = "auto"
    if options.resident != "auto":
        resident = options.resident == "true"
    machine = Machine(
        study_dir=options.config.parent,
        data_dir=options.data,
        threads=options.threads,
        device=options.device,
        compile=options.compile,
        resident=resident,
        source_dir=options.source,
    )
    if options.noise_file:
        return write_noise(config, machine, options.noise_file)
    if options.out.exists() and not options.out.is_dir():
        parser.error(f"--out: {options.out} is a file; the trial needs a folder")
    known = TrialFolder(options.out).trial
    if known and known.get("id") != trial_id(config):
        print(
            f"{options.out} holds another trial ({known.get('id')}); choose another --out",
            file=sys.stderr,
        )
        return 2

    from trainable.trial.session import Session

    session = Session(config, options.out, machine)
    try:
        while not session.finished:
            if row := session.advance():
                print(
                    f"epoch {row['epoch']}/{config.train.epochs} {row['phase']} "
                    f"{names.TEST_ACCURACY} {row[names.TEST_ACCURACY]:.2f} "
                    f"({row[names.EPOCH_SECONDS]:.1f} s)",
                    flush=True,
                )
    finally:
        session.close()
    if session.no_space:
        print(f"stopped: {session.no_space}", file=sys.stderr)
        return 3
    if failure := session.folder.failure:
        print(f"{options.out}: {failure['kind']}: {failure['message']}", file=sys.stderr)
        return 2 if failure["kind"] == "data" else 1
    print(f"done: {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
