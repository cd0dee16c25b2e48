"""What trials need and is missing: data sets, packages, trials that a selection excludes."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

from analysis.results.study_folder import State, States
from analysis.results.study_plan import TrialRecord, trial_name
from orchestrator.study.planned_trial import PlannedTrial
from trainable.config.data import Data, ImageFolder, Npz
from trainable.config.embeddings import Embeddings
from trainable.config.given_labels import LabelFile
from trainable.config.initialization import Start
from trainable.config.models import missing_package
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.data import embeddings, image_folder, npz
from trainable.data.held_out import too_small
from trainable.data.image_folder import unread
from trainable.data.paths import labels_of, missing, missing_labels
from trainable.data.registry import load
from trainable.errors import DataError

SOURCES_SHOWN = 3
"""Maximum number of trials listed in a message about one dependency."""


def absent(trials: Sequence[PlannedTrial], machine: Machine) -> list[str]:
    """Return sentences about what trials lack: data, given labels, packages, weights that fit.

    Files of embeddings are read for it: a row that cannot be used is told before anything starts.
    """
    sources = {trial.config.data for trial in trials}
    noises = [trial.config.noise for trial in trials]
    label_files = {noise.path for noise in noises if isinstance(noise, LabelFile) and noise.path}
    models = {trial.config.model.name for trial in trials}
    sentences = [missing(data, machine) for data in sources]
    sentences += [missing_labels(path, machine) for path in label_files]
    sentences += [missing_package(model) or _unknown_model(model) for model in models]
    found = sorted(set(filter(None, sentences)))
    return found or _unusable(sources, machine) or _misfits(trials, machine)


def _unusable(sources: Iterable[Data], machine: Machine) -> list[str]:
    """Return sentences about files of embeddings that cannot be used."""
    found = set()
    for data in sources:
        if isinstance(data, Embeddings):
            try:
                load(data, machine)
            except DataError as error:
                found.add(str(error))
    return sorted(found)


def _unknown_model(name: str) -> str | None:
    """Return a message about a network that an optional package does not have."""
    if not name.startswith("timm:"):
        return None
    # Imported here, because it imports torch.
    from trainable.models.from_timm import unknown_name

    return unknown_name(name)


def _misfits(trials: Sequence[PlannedTrial], machine: Machine) -> list[str]:
    """Return sentences about files of initial weights that do not fit the networks."""
    tried: dict[Hashable, TrialConfig] = {}
    for trial in trials:
        config = trial.config
        if isinstance(config.method, Start) and config.method.init == "pretrained":
            key = (config.method.weights_hash, config.model.model_dump_json(), config.data)
            tried.setdefault(key, config)
    if not tried:
        return []
    # Imported here, because it imports torch.
    from trainable.engine.pretrained import misfit

    return sorted(filter(None, {misfit(config, machine) for config in tried.values()}))


def unread_files(trials: Sequence[PlannedTrial], machine: Machine) -> list[str]:
    """Return sentences about files in the trials' folders of images that are not read."""
    folders = {trial.config.data for trial in trials if isinstance(trial.config.data, ImageFolder)}
    return sorted(sentence for data in folders for sentence in unread(data, machine))


def test_sets(trials: Sequence[PlannedTrial], machine: Machine) -> tuple[list[str], list[str]]:
    """Return what the test sets of users' own data are, and warnings of small ones."""
    said = []
    warnings = []
    for data in {trial.config.data for trial in trials}:
        if not isinstance(data, ImageFolder | Npz | Embeddings):
            continue
        place = machine.study_dir / data.path
        try:
            if isinstance(data, Npz):
                found = npz.tested(place, data)
            elif isinstance(data, Embeddings):
                found = embeddings.tested(place, data, labels_of(data, machine))
            else:
                found = image_folder.tested(place, data)
        except (DataError, OSError):  # `absent` or the trials tell what is wrong
            continue
        said.append(f"{data.path}: {found}")
        if small := too_small(found.count, found.unit):
            warnings.append(f"{data.path}: {small}")
    return sorted(set(said)), sorted(set(warnings))


def absent_sources(todo: list[PlannedTrial], states: States) -> Iterator[str]:
    """Yield sentences about arms that the selection excludes and that its trials depend on."""
    left_out = _left_out(todo, states, lambda record: record.source, ("done",))
    for (arm, source), names in left_out.items():
        yield (
            f"--arms: {arm} uses the trials of {source}, "
            f"and not all are done ({names}): add {source}"
        )


def absent_baselines(todo: list[PlannedTrial], states: States) -> Iterator[str]:
    """Yield sentences about arms that will lack pairs.

    The selection excludes their baseline, which is not completed.
    """
    settled: tuple[State, ...] = ("done", "failed", "blocked", "running")
    left_out = _left_out(todo, states, _baseline_name, settled)
    for (arm, baseline), names in left_out.items():
        yield (
            f"--arms: {arm} is compared with {baseline}, "
            f"of which {names} is not done; add {baseline}"
        )


def _baseline_name(record: TrialRecord) -> str | None:
    """Return the name of the trial that a trial is paired with."""
    if not record.baseline:
        return None
    return trial_name(record.setting, record.baseline, record.seed)


def _left_out(
    todo: list[PlannedTrial],
    states: States,
    needed: Callable[[TrialRecord], str | None],
    settled: tuple[State, ...],
) -> dict[tuple[str, str], str]:
    """Find trials that others need and that are neither run nor settled.

    Returns:
        (arm, arm that it needs) → names of these trials, the first ones only.
    """
    chosen = {trial.record.name for trial in todo}
    by_name = {record.name: record for record in states}
    lacking: dict[tuple[str, str], list[str]] = {}
    for trial in todo:
        name = needed(trial.record)
        if name is None or name in chosen or name not in by_name:
            continue
        other = by_name[name]
        if states[other] not in settled:
            arms = (trial.record.arm, other.arm)
            lacking.setdefault(arms, []).append(name)
    return {arms: _first_names(names) for arms, names in lacking.items()}


def _first_names(names: list[str]) -> str:
    shown = ", ".join(names[:SOURCES_SHOWN])
    if len(names) > SOURCES_SHOWN:
        shown += ", …"
    return shown
