"""Puts the shipped studies into the wheel; everything else is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class WithStudies(build_py):
    """Copies `studies/*.yaml` below the package, where orchestrator/study/shipped.py looks."""

    def run(self) -> None:
        """Build the packages, then copy the studies."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / "orchestrator" / "studies"
        target.mkdir(parents=True, exist_ok=True)
        for study in Path("studies").glob("*.yaml"):
            shutil.copyfile(study, target / study.name)


setup(cmdclass={"build_py": WithStudies})
