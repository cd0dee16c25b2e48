"""Event files of TensorBoard with times of their own."""

from collections.abc import Iterable
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.summary.writer.record_writer import RecordWriter

EVENTS = "events.out.tfevents"
"""Beginning of the names of event files."""
FILE_VERSION = "brain.Event:2"
"""First content of an event file."""


def write_events(file: Path, events: Iterable[Event], begun: float = 0.0) -> None:
    """Write an event file at once.

    Its first event makes TensorBoard forget what earlier files of the folder hold.

    Args:
        file: the file to write; its folder is made.
        events: in the order of their steps.
        begun: time of the run's start, s since 1970, by which TensorBoard sorts runs.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}.tmp")
    with fresh.open("wb") as stream:
        writer = RecordWriter(stream)
        writer.write(Event(wall_time=begun, file_version=FILE_VERSION).SerializeToString())
        start = SessionLog(status=SessionLog.START)
        writer.write(Event(wall_time=begun, session_log=start).SerializeToString())
        for event in events:
            writer.write(event.SerializeToString())
    fresh.replace(file)
