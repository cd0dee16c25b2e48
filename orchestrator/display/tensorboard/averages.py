"""Averaged runs for TensorBoard: one run an arm, with the interval of its mean."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_SCALAR, Summary, SummaryMetadata

from analysis.report.cells import arm_name
from analysis.results.read import Results
from analysis.results.varied_fields import Value
from analysis.stats.mean_runs import MeanRun, mean_runs
from orchestrator.display.tensorboard.event_files import EVENTS, write_events
from orchestrator.display.tensorboard.hyper_parameters import ended, started
from orchestrator.display.tensorboard.layout import INTERVALS, high_tag, low_tag
from trainable.config.test_set import UNCHECKED
from trainable.storage import names

FOLDER = "Mean"
"""Folder of the averaged runs. Names of arms and settings have no capital letters."""
Arm = tuple[str, str]
"""Setting ("" if there is none) and arm."""


def write_averages(
    results: Results,
    folder: Path,
    number: int,
    places: Mapping[Arm, int],
    fields: Mapping[Arm, dict[str, Value]],
) -> Collection[Arm]:
    """Write the averaged run of each arm with a completed trial to `folder/Mean/`.

    Runs have the tags of trials, and both ends of the interval for the metrics of INTERVALS.
    Averages that were written before are replaced.

    Args:
        results: the study.
        folder: TensorBoard's folder of the study.
        number: that of the writing, which increases.
        places: the arms to write, and the place of each in TensorBoard's list of runs.
        fields: hyper-parameters of each arm.

    Returns:
        The arms that were written.
    """
    written = []
    for run in mean_runs(results, results.metrics()):
        arm = (run.setting, run.arm)
        if arm not in places:
            continue
        target = folder / FOLDER / arm_name(*arm)
        file = target / f"{EVENTS}.{number:010}.mean"
        name = f"{arm_name(*arm)} (mean, n={run.seeds})"
        row: dict[str, Value] = {"setting": run.setting} if run.setting else {}
        row["arm"] = run.arm
        events = [
            started(row | fields.get(arm, {}), name),
            *_events(run, _times(results, run), unchecked=not results.measure.decides),
            ended(),
        ]
        # TensorBoard lists runs by the time of their first event: averages before all trials.
        write_events(file, events, begun=1.0 + places[arm])
        for older in target.glob(f"{EVENTS}.*"):
            if older != file:
                older.unlink()
        written.append(arm)
    return written


def _times(results: Results, run: MeanRun) -> np.ndarray:
    """Return the time (epochs,) at which each epoch of an average ends, s since 1970.

    It is that of a trial with average epochs that ends when the arm's first trial did.
    """
    done = results.of_arm(run.setting, run.arm)
    end = done["finished"].min() if "finished" in done else np.nan
    seconds = np.zeros(len(run.mean))
    if names.EPOCH_SECONDS in run.mean:
        seconds = run.mean[names.EPOCH_SECONDS].fillna(0).to_numpy(float)
    passed: np.ndarray = np.cumsum(seconds)
    if np.isfinite(end):
        passed = passed + end - passed[-1]
    return passed


def _events(run: MeanRun, times: np.ndarray, unchecked: bool) -> Iterator[Event]:
    """Yield one event an epoch with all known numbers."""
    columns = {str(name): run.mean[name] for name in run.mean}
    about = {tag: f"Mean over {_seeds(run)}." for tag in columns}
    for name in INTERVALS:
        if name in run.mean:
            for tag, ends in ((low_tag(name), run.low), (high_tag(name), run.high)):
                columns[tag] = ends[name]
                about[tag] = f"End of the 95 % t interval of the mean over {_seeds(run)}."
    described = {tag: _described(tag, text, unchecked) for tag, text in about.items()}
    table = pd.DataFrame(columns)
    for epoch, time, row in zip(table.index, times, table.to_dict("records"), strict=True):
        values = []
        for tag, metadata in described.items():
            if np.isfinite(row[tag]):
                values.append(Summary.Value(tag=tag, simple_value=row[tag], metadata=metadata))
        yield Event(wall_time=time, step=int(epoch), summary=Summary(value=values))


def _seeds(run: MeanRun) -> str:
    return f"{run.seeds} completed {'seed' if run.seeds == 1 else 'seeds'}"


def _described(tag: str, text: str, unchecked: bool) -> SummaryMetadata:
    """Return the description of a tag, for a test accuracy with what its labels are worth."""
    if unchecked and tag.removeprefix("interval/").startswith("test/"):
        text = f"{UNCHECKED} {text}"
    return SummaryMetadata(
        summary_description=text,
        data_class=DATA_CLASS_SCALAR,
        plugin_data=SummaryMetadata.PluginData(plugin_name="scalars"),
    )
