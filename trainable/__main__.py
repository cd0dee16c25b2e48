"""One trial without Ray: `python -m trainable CONFIG.yaml --out DIR`, with the same folder and rows as in a study."""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read by torch and scikit-learn when they are imported

from pydantic import ValidationError

from trainable import strict_yaml
from trainable.config import TrialConfig, explain, trial_id
from trainable.folder import TrialFolder
from trainable.machine import Machine


def load_config(file: Path) -> TrialConfig:
    """The `TrialConfig` of a YAML file. Raises ConfigError with every mistake in it."""
    document = strict_yaml.read(file)
    config = TrialConfig()
    try:
        config = TrialConfig.model_validate(document.data or {})
    except ValidationError as error:
        for path, message in explain(error, TrialConfig):
            document.report(path, message)
    if document.problems:
        raise strict_yaml.ConfigError(file, document.problems)
    return config


def main(arguments: list[str] | None = None) -> int:
    """Run or continue the trial. Exit code: 0 done, 1 failed, 2 wrong input."""
    parser = argparse.ArgumentParser(prog="python -m trainable", description=__doc__)
    parser.add_argument("config", type=Path, help="YAML file with the fields of trainable/config.py")
    parser.add_argument("--out", type=Path, required=True, help="the trial's folder")
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of named data sets (default: data)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    try:
        config = load_config(options.config)
    except strict_yaml.ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    known = TrialFolder(options.out).trial
    if known and known.get("id") != trial_id(config):
        print(f"{options.out} holds another trial ({known.get('id')}); choose another --out", file=sys.stderr)
        return 2

    from trainable.session import Session

    machine = Machine(options.config.parent, options.data, options.threads, options.device)
    session = Session(config, options.out, machine)
    try:
        while not session.finished:
            if row := session.advance():
                print(
                    f"epoch {row['epoch']}/{config.train.epochs} {row['phase']} "
                    f"test/accuracy {row['test/accuracy']:.2f} ({row['time/epoch_s']:.1f} s)",
                    flush=True,
                )
    finally:
        session.close()
    if failure := session.folder.failure:
        print(f"{options.out}: {failure['kind']}: {failure['message']}", file=sys.stderr)
        return 2 if failure["kind"] == "data" else 1
    print(f"done: {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
