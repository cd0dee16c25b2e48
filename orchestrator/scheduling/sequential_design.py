"""Which trials a study that adds seeds needs: pure functions of its design and its results."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from analysis.results.looks import Look, Register
from analysis.results.study_folder import States
from analysis.results.study_plan import BASELINE, Joined, SequentialDesign, TrialRecord
from analysis.results.trial_failures import ERROR, FAILED_STATES, Outcome, outcome
from analysis.results.trial_files import Files
from analysis.stats.sequential_study import Judged, Outcomes, judge_study, seeds_needed
from orchestrator.scheduling.trial_selection import Options
from orchestrator.study.planned_trial import PlannedTrial


def outcomes(
    states: States,
    files: Files,
    again: Iterable[TrialRecord] = (),
) -> dict[tuple[str | None, str, int], Outcome]:
    """Return the results of trials that have ended; those in `again` are trained once more."""
    found = {}
    again = set(again)
    for record, state in states.items():
        place = (record.setting, record.arm, record.seed)
        if record in again:
            continue
        if state == "done":
            summary = files[record.name].summary
            assert summary is not None
            found[place] = outcome(summary)
        elif state in FAILED_STATES:
            found[place] = ERROR
    return found


def join(
    trials: Sequence[PlannedTrial], register: Register, begun: Mapping[str | None, int]
) -> list[Joined]:
    """Return the arms that take part for the first time.

    Args:
        trials: all trials of the study.
        register: which arms have joined before.
        begun: setting → number of seeds on which something may be known of the baseline.
    """
    known = {(arm.setting, arm.family, arm.id, arm.baseline) for arm in register.joined}
    last: dict[tuple[str | None, str | None, str], int] = {}
    baselines = _first_ids(trials)
    for arm in register.joined:
        family = (arm.setting, arm.family, arm.baseline)
        last[family] = max(last.get(family, 0), arm.generation)
    joining = []
    for trial in _of_first_seed(trials):
        record = trial.record
        if not record.family or not record.baseline:
            continue
        baseline = baselines[record.setting, BASELINE]
        if (record.setting, record.family, record.id, baseline) in known:
            continue
        generation = last.get((record.setting, record.family, baseline), -1) + 1
        joining.append(
            Joined(
                setting=record.setting,
                arm=record.arm,
                family=record.family,
                id=record.id,
                baseline=baseline,
                generation=generation,
                start=begun.get(record.setting, 0),
            )
        )
    return joining


def registered_design(
    trials: Sequence[PlannedTrial], design: SequentialDesign, register: Register
) -> SequentialDesign:
    """Return the design with the arms that share the error of their families.

    Arms have the names that they have in the study now. Those that left it while their question was
    open keep their part of the error.
    """
    baselines = _first_ids(trials)
    present = {}
    for trial in _of_first_seed(trials):
        record = trial.record
        present[record.setting, record.family, record.id] = record.arm
    arms = []
    for arm in register.joined:
        if arm.baseline != baselines.get((arm.setting, BASELINE)):
            continue
        name = present.get((arm.setting, arm.family, arm.id))
        if name is not None:
            arms.append(replace(arm, arm=name))
        elif not register.was_closed(arm):
            arms.append(replace(arm, arm=f"{arm.arm} (removed)"))
    return replace(design, arms=tuple(arms))


def _of_first_seed(trials: Sequence[PlannedTrial]) -> list[PlannedTrial]:
    first = trials[0].record.seed
    return [trial for trial in trials if trial.record.seed == first]


def _first_ids(trials: Sequence[PlannedTrial]) -> dict[tuple[str | None, str], str]:
    """Return (setting, arm) → id of its trial on the first seed."""
    return {
        (trial.record.setting, trial.record.arm): trial.record.id
        for trial in _of_first_seed(trials)
    }


@dataclass(frozen=True)
class Needs:
    """What a sequential study needs next.

    Attributes:
        judged: its questions and answers.
        trials: trials that are needed now, finished ones included, in the order of the study.
    """

    judged: list[Judged]
    trials: list[PlannedTrial]

    def closed(self, register: Register, margin: float, now: float) -> list[Look]:
        """Return the questions that are closed and not yet recorded so."""
        recorded = {(look.setting, look.id, look.verdict, look.margin) for look in register.looks}
        looks = []
        for each in self.judged:
            arm = each.arm
            answer = each.answer
            place = (arm.setting, arm.id, answer.verdict, margin)
            if answer.decided and place not in recorded:
                looks.append(
                    Look(arm.setting, arm.arm, arm.id, answer.verdict, answer.seeds, margin, now)
                )
        return looks


def needs(
    trials: Sequence[PlannedTrial],
    design: SequentialDesign,
    margin: float,
    found: Outcomes,
    options: Options,
) -> Needs:
    """Return the answers so far, and the trials that are needed for the open questions.

    Args:
        trials: all trials of the study.
        design: its seeds, and the arms that have joined.
        margin: equivalence margin in points.
        found: results so far.
        options: arms and settings that are not selected are not trained, and wait for nothing.
    """
    judged = judge_study(design, margin, found)
    places = {(trial.record.setting, trial.record.arm) for trial in trials}
    trained = []
    for each in judged:
        arm = each.arm
        if (arm.setting, arm.arm) in places and options.selects_arm(arm.setting, arm.arm):
            trained.append(each)
    wanted = _wanted_seeds(trials, design, seeds_needed(design, margin, trained))
    chosen = {
        trial.record.name
        for trial in trials
        if trial.record.seed in wanted[trial.record.setting, trial.record.arm]
        or (trial.record.setting, trial.record.arm, trial.record.seed) in found
    }
    sources = {trial.record.name: trial.record.source for trial in trials}
    for name in list(chosen):
        # What a trial uses is needed as well.
        source = sources[name]
        while source is not None:
            chosen.add(source)
            source = sources.get(source)
    return Needs(judged, [trial for trial in trials if trial.record.name in chosen])


def _wanted_seeds(
    trials: Sequence[PlannedTrial],
    design: SequentialDesign,
    asked: Mapping[tuple[str | None, str], range],
) -> dict[tuple[str | None, str], set[int]]:
    """Return (setting, arm) → the seeds that its questions, or those of others, need.

    Arms without a question have the seeds of the first look.
    """
    wanted: dict[tuple[str | None, str], set[int]] = {}
    for trial in _of_first_seed(trials):
        record = trial.record
        place = (record.setting, record.arm)
        first_look = design.seeds[: design.at_least]
        wanted[place] = set(asked.get(place, range(0) if record.baseline else first_look))
    for (setting, _), seeds in asked.items():
        wanted[setting, BASELINE] |= set(seeds)
    return wanted
