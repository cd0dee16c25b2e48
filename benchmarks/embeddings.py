"""What embeddings cost: `python benchmarks/embeddings.py data|trial|audit|memory`.

The features are made from a fixed generator: each of 10 classes is 10 Gaussians in 32 dimensions,
in a random subspace of 768 features with a little noise in all of them. 40 % of the labels are
replaced at random.

- `data`: writes `embeddings.npz`, the data of studies/embeddings.yaml, to `--folder`.
- `trial`: one DivideMix trial and one of plain training, 50,000 rows, `mlp` of width 128, 10
  epochs, one core: accuracy, wall seconds and CPU seconds of the process.
- `audit`: `python -m orchestrator audit` of such a DivideMix trial.
- `memory`: 1,000,000 float16 rows, a warm-up epoch, and a division with a training epoch: the
  largest resident memory of the process, its mapped file included.

`trial` and `audit` take other features by `--features FILE`, for example those of Fashion-MNIST:
`python -m orchestrator embed fashion_mnist --model random --out fashion.npz`.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
CLASSES = 10
PARTS = 10
"""Gaussians of a class."""
DIMENSIONS = 32
FEATURES = 768
SPREAD = 0.8
"""Standard deviation of the means; that of each Gaussian is 1."""
NOISE = 0.1
"""Standard deviation of the noise on each feature."""
CHUNK = 10_000

BASE = """
data: {{name: embeddings, path: '{path}', validation_fraction: 0.02}}
noise: {{name: symmetric, rate: 0.4}}
model: {{name: mlp, width: 128}}
train: {{epochs: {epochs}, batch_size: 512, lr: 0.4, lr_schedule: cosine}}
method: {method}
"""
DIVIDEMIX = "{{name: dividemix, warmup_epochs: {}, lambda_u: 10, rampup_epochs: 3}}"
EPOCHS = 10
WARMUP_EPOCHS = 3


class Generator:
    """The fixed generator of features and classes."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self._means = SPREAD * rng.standard_normal((CLASSES * PARTS, DIMENSIONS))
        basis = np.linalg.qr(rng.standard_normal((FEATURES, DIMENSIONS)))[0].T
        self._basis = basis.astype(np.float32)

    def draw(self, rows: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return features (rows, 768) float16 and classes (rows,)."""
        part = rng.integers(0, len(self._means), rows)
        inner = self._means[part] + rng.standard_normal((rows, DIMENSIONS))
        noise = NOISE * rng.standard_normal((rows, FEATURES), dtype=np.float32)
        features = inner.astype(np.float32) @ self._basis + noise
        return features.astype(np.float16), part % CLASSES

    def bayes_error(self, rows: int = 20_000) -> float:
        """Estimate the error of the best possible classifier, as a mean over random rows."""
        rng = np.random.default_rng(1)
        part = rng.integers(0, len(self._means), rows)
        # The noise adds its variance in each direction of the subspace, and tells nothing else.
        spread = 1 + NOISE**2
        inner = self._means[part] + np.sqrt(spread) * rng.standard_normal((rows, DIMENSIONS))
        distance = (
            (inner**2).sum(1)[:, None] - 2 * inner @ self._means.T + (self._means**2).sum(1)
        ) / spread
        weight = np.exp(-(distance - distance.min(1, keepdims=True)) / 2)
        of_class = weight.reshape(rows, PARTS, CLASSES).sum(1)
        return float(1 - (of_class.max(1) / of_class.sum(1)).mean())


def write_features(folder: Path, train: int, tests: int) -> Path:
    """Write an `.npz` file with `train` + `tests` rows; memory does not grow with their number."""
    rows = train + tests
    generator = Generator()
    rng = np.random.default_rng(2)
    place = folder / "features.npy"
    features = np.lib.format.open_memmap(place, "w+", np.float16, (rows, FEATURES))
    labels = np.empty(rows, np.int64)
    for start in range(0, rows, CHUNK):
        stop = min(rows, start + CHUNK)
        features[start:stop], labels[start:stop] = generator.draw(stop - start, rng)
    split = np.where(np.arange(rows) < train, "train", "test")
    np.savez(folder / "features.npz", features=features, labels=labels, split=split)
    place.unlink()
    return folder / "features.npz"


def run(*command: str, folder: Path) -> tuple[str, float, float]:
    """Run a Python module on one core; return its output, wall seconds and CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    wall = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.stdout, wall, cpu


def trial(folder: Path, path: Path) -> None:
    """Print what trials of DivideMix and of plain training cost and reach."""
    methods = {
        "dividemix": DIVIDEMIX.format(WARMUP_EPOCHS),
        "cross_entropy": "{name: cross_entropy}",
    }
    for name, method in methods.items():
        config = folder / f"{name}.yaml"
        config.write_text(BASE.format(path=path, epochs=EPOCHS, method=method))
        output, wall, cpu = run("trainable", config.name, "--out", name, folder=folder)
        last = output.splitlines()[-2]
        print(f"{name}: {wall:.0f} s, {cpu:.0f} s of CPU; {last}", flush=True)


def audit(folder: Path, path: Path) -> None:
    """Print what the audit of one trial costs."""
    method = DIVIDEMIX.format(WARMUP_EPOCHS)
    lines = BASE.format(path=path, epochs=EPOCHS, method=method).strip().splitlines()
    base = "".join(f"  {line}\n" for line in lines)
    study = folder / "embeddings.yaml"
    study.write_text(f"name: embeddings\nkind: ablation\nseeds: [0]\nbase:\n{base}")
    run("orchestrator", "run", study.name, "--no-ray", folder=folder)
    output, wall, cpu = run("orchestrator", "audit", "results/embeddings", folder=folder)
    print(output.strip())
    print(f"audit of 1 trial: {wall:.0f} s, {cpu:.0f} s of CPU", flush=True)


def memory(folder: Path, path: Path) -> None:
    """Print the largest memory of a trial with one epoch of each phase."""
    method = DIVIDEMIX.format(1)
    config = folder / "memory.yaml"
    config.write_text(BASE.format(path=path, epochs=2, method=method))
    output, wall, cpu = run("trainable", config.name, "--out", "memory", folder=folder)
    print(output.strip())
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    size = path.stat().st_size / 2**30
    print(
        f"a file of {size:.2f} GiB: largest resident memory {largest:.2f} GiB, {wall:.0f} s, "
        f"{cpu:.0f} s of CPU",
        flush=True,
    )


def main() -> None:
    """Read the command line, and run one measurement in a temporary folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["data", "trial", "audit", "memory"])
    parser.add_argument("--rows", type=int, help="training rows; 50,000, and 1,000,000 of memory")
    parser.add_argument("--folder", type=Path, help="where data are written")
    parser.add_argument("--features", type=Path, help="file of features, instead of made ones")
    options = parser.parse_args()
    rows = options.rows or (1_000_000 if options.what == "memory" else 50_000)
    if options.what == "data":
        path = write_features(options.folder or Path(), rows, rows // 10)
        print(path.replace(path.with_name("embeddings.npz")))
        return
    measure = {"trial": trial, "audit": audit, "memory": memory}[options.what]
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        folder = Path(place)
        if options.features is None:
            path = write_features(folder, rows, rows // (50 if options.what == "memory" else 10))
            error = 100 * Generator().bayes_error()
            print(f"{rows} training rows; Bayes error of the generator: {error:.1f} %", flush=True)
        else:
            path = options.features.resolve()
            print(path.name, flush=True)
        measure(folder, path)


if __name__ == "__main__":
    main()
