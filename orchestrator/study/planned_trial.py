"""One trial of a study, and how arms and settings are named."""

import re
from dataclasses import dataclass

from analysis.results.study_plan import TrialRecord
from trainable.config.trial import TrialConfig

NAME = re.compile(r"[a-z0-9_][a-z0-9_.=+,-]*")
"""Allowed names of arms and settings, which become folders."""
LONGEST_NAME = 150


@dataclass(frozen=True)
class PlannedTrial:
    """One setting × arm × seed: its place in the study and what it computes."""

    record: TrialRecord
    config: TrialConfig
