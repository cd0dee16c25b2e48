"""A run in local processes whose parent is the test itself."""

import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.cli import app
from tests.orchestrator.runs import assert_quiet

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Call `run STUDY --no-ray` in this process, without its report: (exit code, output).

    `during` is called meanwhile in a thread; what it raises is raised here.
    """
    monkeypatch.setattr("analysis.report.write.write_report", lambda root: [])

    def _run(
        study: Path,
        *options: str,
        results: Path = tmp_path,
        during: Callable[[], object] = lambda: None,
    ) -> tuple[int, str]:
        arguments = ["run", str(study), "--no-ray", "--results", str(results), *options]
        monkeypatch.setattr(sys, "argv", ["orchestrator", *arguments])
        raised: list[BaseException] = []

        def disturb() -> None:
            try:
                during()
            except BaseException as error:
                raised.append(error)

        thread = threading.Thread(target=disturb)
        capsys.readouterr()
        thread.start()
        with pytest.raises(SystemExit) as end:
            app.main()
        thread.join()
        if raised:
            raise raised[0]
        output = capsys.readouterr()
        assert_quiet(output.out + output.err)
        return int(end.value.code or 0), output.out + output.err

    return _run
