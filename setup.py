"""Puts the shipped studies into the wheel; everything else is in pyproject.toml."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

MODELINE = "# yaml-language-server:"


class WithStudies(build_py):
    """Copies `studies/*.yaml` below the package, where orchestrator/study/shipped.py looks.

    The first line names the schema of the checkout for editors; it is left out, because there is no
    such file next to the package or next to a user's copy of a study.
    """

    def run(self) -> None:
        """Build the packages, then copy the studies."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / "orchestrator" / "studies"
        target.mkdir(parents=True, exist_ok=True)
        for study in Path("studies").glob("*.yaml"):
            first, _, rest = study.read_text(encoding="utf-8").partition("\n")
            text = rest if first.startswith(MODELINE) else f"{first}\n{rest}"
            (target / study.name).write_text(text, encoding="utf-8")


setup(cmdclass={"build_py": WithStudies})
