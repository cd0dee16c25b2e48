"""A report of thousands of trials stays within two gigabytes."""

import os
import subprocess
import sys

import pytest

from tests.analysis.material import METRICS, write_study

pytestmark = pytest.mark.nightly

SETTINGS = ("sym20", "sym50", "sym80", "asym40")
NAMED = [
    "no_co_divide",
    "no_co_refine",
    "no_co_guess",
    "no_mixup",
    "one_network",
    "no_prior",
    "no_augment",
    "cross_entropy",
]
FACTORS = ["lambda_u", "p_threshold", "alpha", "temperature"]
ARMS = dict.fromkeys(NAMED, "arms") | {
    f"{f}={k}": f"method.{f}" for f in FACTORS for k in (2, 3, 4, 5)
}
SEEDS, EPOCHS = 20, 300


def test_a_report_of_2000_trials_of_300_epochs_takes_two_gigabytes_at_most(tmp_path):
    assert len(METRICS) + 3 > 40
    trials = write_study(tmp_path / "sized", ARMS, SEEDS, EPOCHS, SETTINGS)
    assert trials == 2000
    process = subprocess.Popen(
        [sys.executable, "-m", "analysis", "report", str(tmp_path / "sized")]
    )
    _, status, used = os.wait4(process.pid, 0)  # what this process alone has used
    process.returncode = os.waitstatus_to_exitcode(status)
    peak, busy = used.ru_maxrss / 2**20, used.ru_utime + used.ru_stime
    print(f"\na report of {trials} trials of {EPOCHS} epochs: {busy:.1f} s of CPU, {peak:.2f} GiB")
    assert process.returncode == 0
    page = tmp_path / "sized" / "report" / "index.html"
    assert f"{trials} of {trials} trials completed" in page.read_text(encoding="utf-8")
    assert peak <= 2
