"""TensorBoard for studies: write the layout of its pages, and start it."""

import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import summary_v2 as hparams
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from analysis.results.study_plan import TrialRecord
from trainable.storage import names

METRICS = (
    names.TEST_ACCURACY,
    names.VALIDATION_ACCURACY,
    names.AUC.format(k=0),
    names.LABELED_FRACTION.format(k=0),
)
"""Columns of the table of hyper-parameters."""
NETWORK = r"\d"
"""Regular expression of a network's number."""
CHARTS = {
    "accuracy": {
        "test": rf"{names.TEST_ACCURACY}(_net\d)?$",
        "validation": f"{names.VALIDATION_ACCURACY}$",
    },
    "division": {
        "AUC": names.AUC.format(k=NETWORK),
        "labeled fraction": names.LABELED_FRACTION.format(k=NETWORK),
        "precision": names.PRECISION.format(k=NETWORK),
        "recall": names.RECALL.format(k=NETWORK),
    },
    "loss": {"loss": r"loss/"},
}
"""Custom scalars: page → chart → tags. A chart shows both networks and the ensemble."""
SUFFIX = ".study"


def write_layout(runs: Path, records: Iterable[TrialRecord]) -> None:
    """Write the layout of TensorBoard's pages to an event file in `runs`.

    It replaces an earlier one. The table of hyper-parameters has check boxes for setting, arm and
    seed, and the columns METRICS.
    """
    runs.mkdir(parents=True, exist_ok=True)
    for old in runs.glob(f"events.out.tfevents.*{SUFFIX}"):
        old.unlink()
    records = list(records)
    domains = {
        "setting": sorted({record.setting or "" for record in records}),
        "arm": list(dict.fromkeys(record.arm for record in records)),
        "seed": sorted({record.seed for record in records}),
    }
    parameters = []
    for name, values in domains.items():
        parameters.append(hparams.HParam(name, hparams.Discrete(values)))
    metrics = [hparams.Metric(name, display_name=name) for name in METRICS]
    writer = EventFileWriter(str(runs), filename_suffix=SUFFIX)
    writer.add_event(Event(summary=hparams.hparams_config_pb(parameters, metrics)))
    writer.add_event(Event(summary=_charts()))
    writer.close()


def _charts() -> Summary:
    """Return the pages of custom scalars as a summary that the plugin reads."""
    layout = layout_pb2.Layout(category=[_page(title) for title in CHARTS])
    tensor = TensorProto(
        dtype="DT_STRING", string_val=[layout.SerializeToString()], tensor_shape=TensorShapeProto()
    )
    about = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="custom_scalars"))
    return Summary(
        value=[Summary.Value(tag="custom_scalars__config__", tensor=tensor, metadata=about)]
    )


def _page(title: str) -> layout_pb2.Category:
    charts = []
    for chart, tag in CHARTS[title].items():
        lines = layout_pb2.MultilineChartContent(tag=[tag])
        charts.append(layout_pb2.Chart(title=chart, multiline=lines))
    return layout_pb2.Category(title=title, chart=charts)


def open_tensorboard(run_dirs: Sequence[Path], arguments: Sequence[str]) -> None:
    """Replace this process by TensorBoard for the studies in `run_dirs`.

    Runs are called `arm/seed=n`, or `study/arm/seed=n` for several studies. Does not return.
    """
    logdir = run_dirs[0] / names.RUNS
    if len(run_dirs) > 1:
        # With a list of folders TensorBoard has no table of hyper-parameters, so links are used.
        logdir = Path(tempfile.mkdtemp(prefix="tensorboard-"))
        labels = distinct([run_dir.absolute().name for run_dir in run_dirs])
        for label, run_dir in zip(labels, run_dirs, strict=True):
            runs = (run_dir / names.RUNS).resolve()
            (logdir / label).symlink_to(runs, target_is_directory=True)
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(logdir), *arguments]
    os.execv(sys.executable, command)


def distinct(labels: Sequence[str]) -> list[str]:
    """Return the labels; number repeated ones."""
    found = []
    for k, label in enumerate(labels):
        earlier = labels[:k].count(label)
        found.append(f"{label}-{earlier + 1}" if earlier else label)
    return found
