"""Five thousand finished trials are counted rightly."""

import pytest

from benchmarks.many_folders import ARMS, EPOCHS, make

pytestmark = pytest.mark.nightly
TRIALS = 5000


def test_plan_and_status_count_thousands_of_trials(tmp_path, command):
    study, results = make(tmp_path, TRIALS)
    (results / "runs" / "baseline" / "seed=7" / "summary.json").unlink()
    (results / "runs" / "no_mixup" / "seed=8" / "trial.json").write_text('{"id": "another"}')
    of_arm = TRIALS // ARMS
    epochs = of_arm * EPOCHS
    for arguments in (["plan", study, "--results", results.parent], ["status", results]):
        code, out, _ = command(*arguments)
        assert code == 0
        assert f"{results}: {TRIALS} trials: {TRIALS - 2} done, 1 damaged, 1 todo" in out
        lines = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.strip()}
        assert lines["baseline"][:3] == [str(of_arm - 1), "1", f"{epochs - EPOCHS}/{epochs}"]
        assert lines["one_network"][:2] == [str(of_arm), f"{epochs}/{epochs}"]
