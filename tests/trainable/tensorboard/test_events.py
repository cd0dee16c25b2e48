"""What a trial's events say of themselves."""

import pytest
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_SCALAR

from trainable.tensorboard.events import UNCHECKED, Events

ROW = {"test/accuracy": 71.0, "test/accuracy_net0": 70.0, "val/accuracy": 65.0}


@pytest.mark.parametrize(("labels", "description"), [("trusted", ""), ("unchecked", UNCHECKED)])
def test_tags_of_accuracies_on_unchecked_labels_are_described_so(tmp_path, labels, description):
    events = Events(tmp_path, 0, {"method": {}}, {}, labels)
    for epoch in (1, 2):
        events.add({"epoch": epoch, **ROW})
    events.close()
    read = EventAccumulator(str(tmp_path))
    read.Reload()
    for tag in ("test/accuracy", "test/accuracy_net0"):
        about = read.SummaryMetadata(tag)
        assert about.summary_description == description
        # TensorBoard's fast loader shows a description only with both of these.
        assert (about.plugin_data.plugin_name, about.data_class) == ("scalars", DATA_CLASS_SCALAR)
        assert len(read.Tensors(tag)) == 2
    assert read.SummaryMetadata("val/accuracy").summary_description == ""
