"""Layout of TensorBoard's pages: pinned cards, custom scalars, the table of hyper-parameters."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import summary_v2 as hparams

from orchestrator.display.tensorboard.event_files import EVENTS, write_events
from trainable.storage import names

INTERVALS = {
    names.TEST_ACCURACY: "test accuracy",
    names.VALIDATION_ACCURACY: "validation accuracy",
    names.AUC.format(k=0): "AUC of the division",
    names.LABELED_FRACTION.format(k=0): "labeled fraction",
}
"""Metrics whose averages have an interval, with their titles. They are also the columns of the
table of hyper-parameters."""
CARDS = json.dumps([{"plugin": "scalars", "tag": names.TEST_ACCURACY}], separators=(",", ":"))
PINNED = f"?{urlencode({'pinnedCards': CARDS})}#timeseries"
"""End of an address that puts the test accuracy before the groups, which are sorted by name."""
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
MARGINS = "mean and 95 % interval"
"""Title of the page with averages and their bands."""


def low_tag(metric: str) -> str:
    """Return the tag of the lower end of an average's interval."""
    return f"interval/{metric}/low"


def high_tag(metric: str) -> str:
    """Return the tag of the upper end of an average's interval."""
    return f"interval/{metric}/high"


def write_layout(folder: Path, number: int, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write the layout of TensorBoard's pages to an event file, which replaces the one before.

    Args:
        folder: TensorBoard's folder.
        number: that of the writing, which increases.
        rows: the hyper-parameters of each trial, with `setting`, `arm` and `seed`. They become
            columns of the table, with check boxes where they have few values.
    """
    domains: dict[str, dict[Any, None]] = {}
    for row in rows:
        for name, value in row.items():
            domains.setdefault(name, {})[value] = None
    last_parts = [name.rsplit(".", 1)[-1] for name in domains]
    parameters = []
    for name, last_part, values in zip(domains, last_parts, domains.values(), strict=True):
        clear = last_part != "name" and last_parts.count(last_part) == 1
        shown = last_part if clear else name
        parameters.append(hparams.HParam(name, _domain(list(values)), display_name=shown))
    metrics = [hparams.Metric(name, display_name=name) for name in INTERVALS]
    pages = hparams.hparams_config_pb(parameters, metrics)
    file = folder / f"{EVENTS}.{number:010}.layout"
    write_events(file, [Event(summary=pages), Event(summary=_charts())])
    for older in folder.glob(f"{EVENTS}.*"):
        if older != file:
            older.unlink()


def _domain(values: Sequence[Any]) -> Any:
    """Return the values of a hyper-parameter: numbers in their order, others as they come."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        # All must have one type.
        numbers = sorted(values)
        if any(isinstance(value, float) for value in values):
            numbers = [float(value) for value in numbers]
        return hparams.Discrete(numbers, dtype=type(numbers[0]))
    return hparams.Discrete(values, dtype=type(values[0]))


def _charts() -> Summary:
    """Return the pages of custom scalars as a summary that the plugin reads."""
    pages = [_margins(), *(_page(title) for title in CHARTS)]
    layout = layout_pb2.Layout(category=pages)
    tensor = TensorProto(
        dtype="DT_STRING", string_val=[layout.SerializeToString()], tensor_shape=TensorShapeProto()
    )
    about = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="custom_scalars"))
    return Summary(
        value=[Summary.Value(tag="custom_scalars__config__", tensor=tensor, metadata=about)]
    )


def _margins() -> layout_pb2.Category:
    """Return the page of averages, a chart a metric."""
    charts = []
    # TensorBoard shows charts of this kind in reverse.
    for metric, title in reversed(INTERVALS.items()):
        series = layout_pb2.MarginChartContent.Series(
            value=metric, lower=low_tag(metric), upper=high_tag(metric)
        )
        content = layout_pb2.MarginChartContent(series=[series])
        charts.append(layout_pb2.Chart(title=title, margin=content))
    return layout_pb2.Category(title=MARGINS, chart=charts)


def _page(title: str) -> layout_pb2.Category:
    charts = []
    for chart, tag in CHARTS[title].items():
        lines = layout_pb2.MultilineChartContent(tag=[tag])
        charts.append(layout_pb2.Chart(title=chart, multiline=lines))
    return layout_pb2.Category(title=title, chart=charts)
