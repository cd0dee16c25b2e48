"""Train one trial without Ray: `python -m trainable CONFIG.yaml --out DIR`.

The trial's folder and its rows are the same as in a study.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Literal

# torch and scikit-learn read it when they are imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from pydantic import ValidationError

from trainable.config import strict_yaml
from trainable.config.messages import explain
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig, trial_id
from trainable.storage import names
from trainable.storage.trial_folder import TrialFolder
from trainable.terminal import tolerate_encoding


def load_config(file: Path) -> TrialConfig:
    """Read a `TrialConfig` from a YAML file.

    Raises:
        ConfigError: the file has mistakes; the error lists all of them.
    """
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
    """Write the given labels of a trial to `folder` and return the exit code."""
    from trainable.config.data import CorruptedNoise
    from trainable.data import registry, splits
    from trainable.data.noise_files import write_labels
    from trainable.errors import DataError
    from trainable.random_streams import Streams

    if isinstance(config.noise, CorruptedNoise):
        print(
            "noise.name: corrupted also changes images, which no file of labels has",
            file=sys.stderr,
        )
        return 2
    try:
        arrays = registry.load(config.data, machine)
        parts = splits.divide(
            arrays, config.data, config.noise, Streams(config.seed), machine.study_dir
        )
    except DataError as error:
        print(error, file=sys.stderr)
        return 2
    print(write_labels(folder, config, parts.train.given, arrays.class_names))
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(prog="python -m trainable", description=__doc__)
    found.add_argument(
        "config", type=Path, help="YAML file with the fields of trainable/config/trial.py"
    )
    found.add_argument("--out", type=Path, help="the trial's folder")
    found.add_argument(
        "--data", type=Path, default=Path("data"), help="folder of data sets (default: data)"
    )
    found.add_argument(
        "--source",
        type=Path,
        metavar="DIR",
        help="folder of the completed trial that `from_arm` names",
    )
    found.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    found.add_argument("--threads", type=int, default=1)
    found.add_argument(
        "--compile", action="store_true", help="on a GPU: use torch.compile and CUDA graphs"
    )
    found.add_argument(
        "--resident",
        choices=["auto", "true", "false"],
        default="auto",
        help="keep all decoded images in memory; auto: if they fit",
    )
    found.add_argument(
        "--noise-file",
        type=Path,
        metavar="DIR",
        help="write the given labels there in the format of the authors' code, and exit",
    )
    return found


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """Return the options; wrong ones end the program with exit code 2."""
    found = parser()
    options = found.parse_args(arguments)
    if options.threads < 1:
        found.error(f"--threads: {options.threads} is not right: it should be 1 or more")
    place = options.noise_file or options.out
    if not place:
        found.error("--out is missing: the trial's folder")
    for folder in (place, *place.parents):
        if folder.exists() and not folder.is_dir():
            option = "--noise-file" if options.noise_file else "--out"
            found.error(f"{option}: {folder} is a file; a folder is needed")
    return options


def machine_of(options: argparse.Namespace) -> Machine:
    """Return where and how the trial runs."""
    resident: bool | Literal["auto"] = "auto"
    if options.resident != "auto":
        resident = options.resident == "true"
    return Machine(
        study_dir=options.config.parent,
        data_dir=options.data,
        threads=options.threads,
        device=options.device,
        compile=options.compile,
        resident=resident,
        source_dir=options.source,
    )


def train(config: TrialConfig, out: Path, machine: Machine) -> int:
    """Run or resume a trial in the folder `out`, print its epochs, and return the exit code."""
    known = TrialFolder(out).trial
    if known and known.get("id") != trial_id(config):
        print(
            f"{out} holds another trial ({known.get('id')}); pass another --out folder",
            file=sys.stderr,
        )
        return 2

    from trainable.trial.session import Session

    session = Session(config, out, machine)
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
        print(f"{out}: {failure['kind']}: {failure['message']}", file=sys.stderr)
        return 2 if failure["kind"] == "data" else 1
    print(f"done: {out}")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run or resume the trial and return the exit code.

    Exit codes: 0 done, 1 failed, 2 wrong input, 3 the disk is full or not writable.
    """
    tolerate_encoding()
    options = parsed(arguments)
    try:
        config = load_config(options.config)
    except strict_yaml.ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    machine = machine_of(options)
    if options.noise_file:
        return write_noise(config, machine, options.noise_file)
    return train(config, options.out, machine)


if __name__ == "__main__":
    sys.exit(main())
