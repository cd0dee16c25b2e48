"""One run of a search: propose and train missing trials, confirm the best on fresh seeds."""

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from rich.console import Console

from orchestrator.display.live import View
from orchestrator.display.search_live import (
    SearchView,
    show_failures,
    show_optimism,
    show_ranks,
    table,
)
from orchestrator.exit_codes import DONE, FAILED, REFUSED, WRONG, Ended
from orchestrator.results.store import Store
from orchestrator.run.executor import Execute
from orchestrator.run.registration import register
from orchestrator.run.run_study import show_end, started, train
from orchestrator.scheduling.dependency_queue import DependencyQueue
from orchestrator.scheduling.requirements import absent
from orchestrator.scheduling.run_plan import apply_plan, check_plan, plan_run
from orchestrator.scheduling.trial_selection import Options, check_selection, check_useful
from orchestrator.search.pool import SearchPool
from orchestrator.study.load import Study
from orchestrator.study.planned_trial import PlannedTrial
from orchestrator.study.search_definition import FIXED, SearchPlan
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.storage.code_version import code_hash


def run_search(
    study: Study, store: Store, machine: Machine, options: Options, console: Console
) -> int:
    """Search, confirm, show the result, and return the exit code: that of the confirmation.

    Raises:
        Ended: refused, or the data is wrong, or there is no space.
        Locked: another process runs the study.
    """
    assert study.search is not None
    check_selection(options, study)
    check_useful(options, study)
    lacking = absent(list(study.search.expected({})), machine)
    if lacking:
        raise Ended("\n".join(lacking), WRONG)
    tell = console.print
    with store.lock(tell):
        searches = SearchPool(study.name, study.search, store, tell)
        run = _Run(study, study.search, store, machine, options, console, searches)
        run.settle_changed()
        searches.reconcile()
        run.plan_confirmation(run.confirmed_before())
        signal = run.search_and_confirm()
    return run.end(signal)


@dataclass
class _Run:
    """State that the steps of one run share."""

    study: Study
    plan: SearchPlan
    store: Store
    machine: Machine
    options: Options
    console: Console
    searches: SearchPool

    def search_and_confirm(self) -> int | None:
        """Run what is missing; the number of the signal that stopped it, if one did."""
        searching = not self.searches.finished
        todo = [] if searching else self.unconfirmed()
        if not searching and not todo:
            self.console.print(
                f"Nothing to do: the search and the confirmation of {self.store.root} have ended."
            )
            return None
        headline = self.headline(todo)
        with started(
            self.study, self.store, self.machine, self.options, self.console, headline
        ) as execute:
            signal = self.search(execute) if searching else None
            if signal is None and self.searches.finished:
                signal = self.confirm(execute, todo or self.unconfirmed())
        return signal

    def settle_changed(self) -> None:
        """Refuse, or archive, searches that the study (with --same-code: the code) has changed."""
        code = code_hash() if self.options.same_code else None
        changed = self.searches.changed(code)
        if changed and self.options.stale == "refuse":
            raise self.refusal(changed)
        register(self.study, self.store)
        if changed:
            target = self.searches.archive(changed)
            self.console.print(f"{', '.join(changed)}: moved to {target}")

    def refusal(self, changed: Mapping[str, Iterable[str]]) -> Ended:
        """Why the run ends at once, and the options of the user."""
        parts_changed = [f"  {name}: {', '.join(parts)}\n" for name, parts in changed.items()]
        return Ended(
            f"searches in {self.store.root} were started with another definition "
            "than the study has now:\n"
            f"{''.join(parts_changed)}"
            "Only n_trials may grow. Archive them and search again with --stale archive, "
            "or choose another --results folder or another study name.",
            REFUSED,
        )

    def plan_confirmation(self, winners: dict[str, TrialConfig]) -> None:
        """Make the confirmation the study's plan: it is what the comparison reads."""
        self.study = replace(self.study, trials=self.plan.confirmations(winners))
        self.store.write_plan(self.study.text, self.study.plan)

    def confirmed_before(self) -> dict[str, TrialConfig]:
        """Winners so far that an earlier run has begun to confirm.

        They stay in the result for now.
        """
        winners = self.searches.winners()
        records = [trial.record for trial in self.plan.confirmations(winners)]
        states = self.store.states(records, self.study.file.run.max_failures)
        done = set()
        for record, state in states.items():
            if state == "done" and record.setting != FIXED:
                done.add(record.arm)
        return {name: config for name, config in winners.items() if name in done}

    def unconfirmed(self) -> list[PlannedTrial]:
        """Choose what is confirmed, and archive confirmations of earlier winners.

        Returns:
            What has to be trained.
        """
        self.plan_confirmation(self.searches.winners())
        trials = self.study.trials
        snapshot = self.store.snapshot(trial.record for trial in trials)
        # What is stale here is a confirmation of an earlier winner.
        options = Options(stale="archive", retry_failed=self.options.retry_failed)
        plan = plan_run(trials, snapshot, self.study.file.run.max_failures, options)
        check_plan(plan, self.store, self.machine)
        return apply_plan(plan, self.store, self.machine, self.console)

    def headline(self, todo: list[PlannedTrial]) -> str:
        """What this run is going to do first."""
        missing = sum(self.searches.missing.values())
        if missing:
            total = sum(search.budget for search in self.searches.all)
            what = f"{missing} of {total} trials of the search"
        else:
            what = f"{len(todo)} trials of the confirmation"
        return f"{self.study.name}: {what} to run, results in {self.store.root}"

    def search(self, execute: Execute) -> int | None:
        """Run what the searches propose; the number of the signal that stopped it, if one did."""
        journal = shlex.quote(str(self.searches.path))
        self.console.print(f"Optuna:        optuna-dashboard {journal}")
        view = SearchView(self.console, self.store, self.searches, self.options.events)
        return train(execute, self.study, self.store, self.searches, self.machine, view)

    def confirm(self, execute: Execute, todo: list[PlannedTrial]) -> int | None:
        """Run the best, and the baseline, on fresh seeds.

        Returns:
            The number of the signal that stopped it, if one did.
        """
        records = [trial.record for trial in self.study.trials]
        to_train = [trial.record for trial in todo]
        self.console.print(
            f"confirmation: {len(todo)} of {len(records)} trials to run on fresh seeds"
        )
        view = View(self.console, self.store, records, to_train, self.options.events)
        if not todo:
            return None
        source = DependencyQueue(todo, self.store)
        return train(execute, self.study, self.store, source, self.machine, view)

    def end(self, signal: int | None) -> int:
        """Show the result; return the exit code."""
        records = [trial.record for trial in self.study.trials]
        states = self.store.states(records, self.study.file.run.max_failures)
        studies = [search.study for search in self.searches.all]
        self.console.print(table(studies))
        show_failures(studies, self.console)
        show_end(self.store, records, states, self.console, self.searches.records)
        show_optimism(self.store, self.console)
        show_ranks(self.store, self.console)
        if signal is not None:
            return 128 + signal
        if not self.searches.finished:
            return FAILED
        return DONE if all(state == "done" for state in states.values()) else FAILED
