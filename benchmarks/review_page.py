"""How quick the review page is, in a real Chromium: `python benchmarks/review_page.py`.

A study of small random images is trained for three epochs. Then `audit --review` serves its page
three times, each with the decisions of those before. Printed are the seconds until the address is
printed, until the first image is in sight, and from a key press to the next image.
"""

import argparse
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tests.browser import Browser, browser

STUDY = """
name: many
seeds: [0]
base:
  data: {name: npz, path: images.npz, validation_fraction: 0.1, crop_padding: 0}
  noise: {name: none}
  model: {name: small_cnn, width: 4}
  train: {epochs: 3, batch_size: 512, lr: 0.05}
  method: {name: dividemix, warmup_epochs: 2}
"""
PROGRAM = (sys.executable, "-u", "-m", "orchestrator")
CLASSES = 10
PATIENCE_S = 120


def write_study(folder: Path, images: int) -> None:
    """Write images, of which 5 % have the next class's label, and a study of them."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, CLASSES, images)
    pixels = rng.integers(0, 255, (images, 8, 8, 1), dtype=np.uint8)
    given = np.where(rng.random(images) < 0.05, (true + 1) % CLASSES, true)
    np.savez(
        folder / "images.npz",
        train_images=pixels,
        train_labels=given,
        test_images=pixels[:50],
        test_labels=true[:50],
    )
    (folder / "many.yaml").write_text(STUDY)


def shown(page: Browser) -> str:
    """Return the image that is in sight and loaded; empty: none."""
    loaded = "document.getElementById('image')"
    return str(page.run(f"{loaded}?.complete && {loaded}.naturalWidth ? {loaded}.alt : ''") or "")


def seconds_until_another(page: Browser, before: str) -> float:
    """Wait until another image is in sight than before; return how long it took."""
    start = time.perf_counter()
    while shown(page) in ("", before):
        if time.perf_counter() - start > PATIENCE_S:
            raise TimeoutError(f"the page stays at {before or 'nothing'}")
        time.sleep(0.002)
    return time.perf_counter() - start


def time_page(page: Browser, folder: Path, keys: str, mode: str) -> str:
    """Serve the page, press keys one after the other, and return the figures."""
    start = time.perf_counter()
    command = [*PROGRAM, "audit", "results/many", "--review"]
    server = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        address = server.stdout.readline().split()[1]
        ready = time.perf_counter() - start
        page.open(address)
        opened = seconds_until_another(page, "")
        page.run("document.querySelector('input[name=reviewer]').value = 'Ann'")
        page.run("document.activeElement.blur()")
        if mode != "suspicious":
            before = shown(page)
            choice = "document.querySelector('select[name=mode]')"
            page.run(f"{choice}.value = '{mode}'; {choice}.dispatchEvent(new Event('change'))")
            seconds_until_another(page, before)
        waits = []
        for key in keys:
            before = shown(page)
            page.press(key)
            waits.append(seconds_until_another(page, before))
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=PATIENCE_S)
    return (
        f"address after {ready:.1f} s, first image after {opened:.2f} s, {len(keys)} keys: median "
        f"{statistics.median(waits):.3f} s, longest {max(waits):.3f} s"
    )


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--keys", type=int, default=300, help="Decisions in each order.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, browser() as page:
        folder = Path(name)
        write_study(folder, given.images)
        command = [*PROGRAM, "run", "many.yaml", "--no-ray"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        print(f"{given.images} images", flush=True)
        keys = ("kkkkx" * given.keys)[: given.keys]
        for mode in ("suspicious", "certificate", "suspicious"):
            print(f"  {mode} first: {time_page(page, folder, keys, mode)}", flush=True)


if __name__ == "__main__":
    main()
