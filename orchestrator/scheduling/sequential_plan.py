"""Decide what a run of a study that adds seeds does first: `plan` prints it, `run` applies it."""

from dataclasses import dataclass, replace

from analysis.results.looks import Register
from analysis.results.study_plan import BASELINE, Joined, SequentialDesign, TrialRecord
from analysis.results.trial_failures import Outcome
from analysis.results.trial_files import Files
from orchestrator.exit_codes import REFUSED, Ended
from orchestrator.results.store import Snapshot
from orchestrator.scheduling.renamed_trials import held, moved
from orchestrator.scheduling.run_plan import RunPlan, plan_run
from orchestrator.scheduling.sequential_design import (
    Needs,
    join,
    needs,
    outcomes,
    registered_design,
)
from orchestrator.scheduling.trial_selection import Options
from orchestrator.study.load import Study
from orchestrator.study.schema import SequentialFile


@dataclass(frozen=True)
class SequentialPlan:
    """What a run does first; the next trials depend on the results.

    Attributes:
        run: the actions of the run; `todo` has the trials that are needed now.
        design: the study's seeds, with all arms that have joined.
        joining: the arms of these that join now.
        needs: the questions, and the trials that they need.
        found: results so far.
    """

    run: RunPlan
    design: SequentialDesign
    joining: list[Joined]
    needs: Needs
    found: dict[tuple[str | None, str, int], Outcome]


def plan_sequential(
    study: Study, snapshot: Snapshot, register: Register, looked_at: bool, options: Options
) -> SequentialPlan:
    """Decide what a run does first.

    Args:
        study: the study, with the trials of all its seeds.
        snapshot: contents of their folders and of others on disk.
        register: which arms have joined before, and what was closed.
        looked_at: whether results of the baseline may be known to those who wrote the study.
        options: options of the run.
    """
    file = study.file
    assert isinstance(file, SequentialFile)
    run = plan_run(study.trials, snapshot, file.run.max_failures, options)
    files = moved(snapshot.files, run.moves)
    begun: dict[str | None, int] = {}
    if looked_at:
        begun = _begun_seeds(study, files, file.seeds.first)
    joining = join(study.trials, register, begun)
    register = replace(register, joined=[*register.joined, *joining])
    empty = SequentialDesign(file.seeds.at_least, file.seeds.at_most, file.seeds.first)
    design = registered_design(study.trials, empty, register)
    found = outcomes(run.states, files, run.forget)
    needed = needs(study.trials, design, file.analysis.margin, found, options)
    names = {trial.record.name for trial in needed.trials}
    todo = [trial for trial in run.todo if trial.record.name in names]
    return SequentialPlan(replace(run, todo=todo), design, joining, needed, found)


def _begun_seeds(study: Study, files: Files, first: int) -> dict[str | None, int]:
    """Return setting → number of seeds up to the last one that its baseline has begun."""
    begun: dict[str | None, int] = {}
    for trial in study.trials:
        record = trial.record
        if record.arm == BASELINE and held(files, record.name).id == record.id:
            begun[record.setting] = record.seed - first + 1
    return begun


def refuse_fixed_results(study: Study, snapshot: Snapshot, folder: str) -> None:
    """Refuse a study that adds seeds to results of a fixed list that have been looked at.

    Raises:
        Ended: with the ways out.
    """
    done = [trial.record for trial in study.trials if _is_done(snapshot, trial.record)]
    if not done:
        return
    raise Ended(
        f"{len(done)} trials in {folder} are of a fixed list of seeds and have been reported on: "
        "to add seeds because of what they show would raise the error of all verdicts. Choose "
        "seeds that begin elsewhere (seeds.first), another --results folder or another study name",
        REFUSED,
    )


def _is_done(snapshot: Snapshot, record: TrialRecord) -> bool:
    files = snapshot.files[record.name]
    return files.summary is not None and files.id == record.id
