"""Output of searches: progress during a run, and state from the journal."""

from collections import Counter
from collections.abc import Hashable
from typing import Any

import optuna
from optuna.trial import TrialState
from rich.console import Console
from rich.table import Table

from analysis.report.cells import arm_name, number, signed
from analysis.results.study_plan import TrialRecord
from analysis.stats.search_journal import open_journal
from orchestrator.display.live import View, ended_badly
from orchestrator.results.store import Store
from orchestrator.search.optuna_search import N_TRIALS, REASON, SAME_AS
from orchestrator.search.pool import SearchPool
from trainable.storage.names import JOURNAL, VALIDATION_ACCURACY
from trainable.storage.trial_folder import score


class SearchView(View):
    """Progress of searches.

    It shows validation scores only, because the test set must not influence a search.
    """

    shown = (VALIDATION_ACCURACY,)

    def __init__(self, console: Console, store: Store, searches: SearchPool, events: bool = False):
        self.searches = searches
        self._total = sum(search.budget for search in searches.all)
        super().__init__(console, store, [], [], events)

    def started(self, name: str) -> None:
        """Show that a trial has started."""
        if name not in self._todo:
            record = self.searches.record(name)
            self._todo[name] = record
            self._epoch[name] = self._on_disk(record)
        super().started(name)

    def _finished(self) -> int:
        return self._total - sum(self.searches.missing.values())

    def _count(self) -> str:
        return f"{self._finished()}/{self._total}"

    def _outcome(self, record: TrialRecord) -> tuple[str, dict[str, Any]]:
        folder = self.store.folder(record)
        stopped = folder.stopped
        if stopped:
            epoch = stopped["epoch"]
            reason = stopped["reason"]
            text = f"stopped after epoch {epoch} of {record.epochs} ({reason})"
            return text, {"state": "stopped", "epoch": epoch, "reason": reason}
        if folder.summary:
            value = score(folder.rows(), VALIDATION_ACCURACY)
            text = f"{VALIDATION_ACCURACY} {value or float('nan'):.2f}"
            return text, {"state": "done", VALIDATION_ACCURACY: value}
        return ended_badly(folder) or ("interrupted", {"state": "interrupted"})

    def _left(self) -> str:
        return ""  # unknown, because trials may be stopped early

    def _progress(self) -> tuple[float, float, str]:
        """Return finished trials and the shares of running ones that are trained, and all trials.

        A trial of several seeds is as many trainings.
        """
        begun = 0.0
        for name, epoch in list(self._running.items()):
            begun += epoch / self._todo[name].epochs
        seeds = len(self.searches.plan.file.seeds)
        completed = min(self._total, self._finished() + begun / seeds)
        return completed, self._total, f"{100 * completed / self._total:.0f} %"

    def _table(self) -> Table:
        return table([search.study for search in self.searches.all])


def table(studies: list[optuna.Study]) -> Table:
    """Return a table of searches: states of their trials, and the best validation score."""
    grid = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    grid.add_column("search", overflow="fold")
    for title in ("trials", "full length", "stopped", "failed", "repeated", "best so far"):
        grid.add_column(title, justify="right", no_wrap=True)
    for study in studies:
        trials = study.get_trials(deepcopy=False)
        budget = study.user_attrs.get(N_TRIALS, len(trials))
        states = [trial.state for trial in trials]
        finished = sum(state.is_finished() for state in states)
        repeated = sum(SAME_AS in trial.user_attrs for trial in trials)
        grid.add_row(
            study.study_name,
            f"{finished}/{budget}",
            str(states.count(TrialState.COMPLETE)),
            str(states.count(TrialState.PRUNED) or ""),
            str(states.count(TrialState.FAIL) or ""),
            str(repeated or ""),
            best(study),
        )
    return grid


def best(study: optuna.Study) -> str:
    """Return `93.20 (trial-0007)`; with two metrics, the size of the Pareto front."""
    if len(study.directions) > 1:
        front = study.best_trials
        return f"front of {len(front)}" if front else ""
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if not done:
        return ""
    first = max(done, key=lambda trial: (trial.value, -trial.number))
    return f"{first.value:.2f} (trial-{first.number:04})"


def show_status(store: Store, console: Console) -> None:
    """Print the state of a study's searches from its journal, and reasons of failures."""
    studies = _studies(store)
    console.print(table(studies))
    show_failures(studies, console)


def searches_as_data(store: Store) -> list[dict[str, Any]]:
    """Return the state of a study's searches from its journal, for scripts.

    `states` counts Optuna's states; a stopped trial is `PRUNED`. `best` has the best trials:
    one with the best validation score, or those on the Pareto front of two metrics.
    """
    found = []
    for study in _studies(store):
        trials = study.get_trials(deepcopy=False)
        complete = any(trial.state == TrialState.COMPLETE for trial in trials)
        best = []
        for trial in study.best_trials if complete else []:
            best.append(
                {
                    "name": f"trial-{trial.number:04}",
                    "values": trial.values,
                    "parameters": trial.params,
                }
            )
        found.append(
            {
                "name": study.study_name,
                "trials": study.user_attrs.get(N_TRIALS, len(trials)),
                "states": dict(Counter(trial.state.name for trial in trials)),
                "best": best,
            }
        )
    return found


def _studies(store: Store) -> list[optuna.Study]:
    """Return the searches in a study's journal."""
    storage = open_journal(store.root / JOURNAL)
    names = optuna.get_all_study_names(storage)
    return [optuna.load_study(study_name=name, storage=storage) for name in names]


def show_failures(studies: list[optuna.Study], console: Console) -> None:
    """Print one line per failed trial.

    A failure counts as the trial's result in a search; the trial is not run again.
    """
    for study in studies:
        for trial in study.get_trials(deepcopy=False, states=(TrialState.FAIL,)):
            if SAME_AS not in trial.user_attrs:
                reason = trial.user_attrs.get(REASON, "unknown")
                console.print(f"failed: {study.study_name} trial-{trial.number:04}: {reason}")


def show_optimism(store: Store, console: Console) -> None:
    """Print search scores next to the same metric on fresh seeds."""
    from analysis.stats import search

    promises = search.optimism(store.root).to_dict("records")
    if not promises:
        return
    console.print(_promises(promises))
    for name, parameters in search.confirmed(store.root).items():
        listed = ", ".join(f"{path}={_digits(value)}" for path, value in parameters.items())
        console.print(f"{name}: {listed}")
    console.print(
        "noisy val/accuracy, mean of the last epochs; "
        "optimism: search score − mean over fresh seeds;\n"
        "gain: over the baseline, in the search and on fresh seeds. "
        "Search scores are biased upwards\n"
        "by the selection and are not results.",
        style="dim",
    )


def show_ranks(store: Store, console: Console) -> None:
    """Print which trials the validation labels do not tell apart from the best one."""
    from analysis.report.search import rank_sentences

    for line in rank_sentences(store.root):
        console.print(f"note: {line}")


def _promises(rows: list[dict[Hashable, Any]]) -> Table:
    """Return a table of confirmed configurations: search score, fresh seeds, gains."""
    grid = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    grid.add_column("confirmed")
    for title in ("n", "search score", "fresh seeds", "optimism", "gain promised", "gained"):
        grid.add_column(title, justify="right")
    for row in rows:
        fresh = f"{row['confirmed']:.2f}"
        if row["n"] > 1:
            fresh += f" ± {row['sd']:.2f}"
        grid.add_row(
            arm_name(row["setting"], row["arm"]),
            str(row["n"]),
            number(row["score"]),
            fresh,
            signed(row["optimism"]),
            signed(row["promised"]),
            signed(row["gained"]),
        )
    return grid


def _digits(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
