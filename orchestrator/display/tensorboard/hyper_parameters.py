"""Rows of TensorBoard's table of hyper-parameters."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import metadata
from tensorboard.plugins.hparams import summary_v2 as hparams
from tensorboard.plugins.hparams.api_pb2 import Status
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo

from analysis.results.varied_fields import Value
from trainable.storage import names


def started(values: Mapping[str, Value], name: str) -> Event:
    """Return the event of a row's values; `name` is shown as its trial."""
    return Event(summary=hparams.hparams_pb(dict(values), trial_id=name, start_time_secs=0))


def ended() -> Event:
    """Return the event that a row is complete."""
    end = SessionEndInfo(status=Status.Value("STATUS_SUCCESS"))
    about = metadata.create_summary_metadata(HParamsPluginData(session_end_info=end))
    value = Summary.Value(
        tag=metadata.SESSION_END_INFO_TAG, metadata=about, tensor=metadata.NULL_TENSOR
    )
    return Event(summary=Summary(value=[value]))


def config_of(folder: Path) -> dict[str, Any]:
    """Return the configuration of the trial in a folder; {}: none can be read."""
    try:
        content = json.loads((folder / names.TRIAL).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    config = content.get("config") if isinstance(content, dict) else None
    return config if isinstance(config, dict) else {}
