"""What one trial asks for, and where it fits."""

from pathlib import Path

import pytest

from orchestrator.execution import resources
from orchestrator.execution.resources import CannotRun, Node, requested, visible_gpus
from orchestrator.study.schema import Resources

SMALL, LARGE = Node("small", 4, 0), Node("large", 2, 1)


@pytest.mark.parametrize(
    ("cpu", "gpu", "slots"), [(1, 0, 4), (3, 0, 1), (8, 0, 0), (0.5, 0, 8), (1, 1, 0), (0.1, 0, 40)]
)
def test_trials_fit_as_often_as_their_scarcest_part(cpu, gpu, slots):
    assert SMALL.slots(cpu, gpu) == slots


@pytest.mark.parametrize(
    ("gpu", "slots"), [(1, 1), (0.5, 2), (0.25, 4), (0.1, 10), (0.3, 3), (0.6, 1)]
)
def test_parts_of_a_gpu_add_up_to_whole_ones(gpu, slots):
    assert Node("one", 16, 1).slots(0.5, gpu) == slots


@pytest.mark.parametrize(("nodes", "gpu"), [([SMALL], 0), ([SMALL, LARGE], 1)])
def test_auto_is_a_gpu_where_there_is_one(nodes, gpu):
    assert requested(Resources(cpu=2), nodes) == (2, gpu)


def test_what_two_machines_have_only_together_is_refused_with_what_there_is():
    with pytest.raises(CannotRun) as error:
        requested(Resources(cpu=4, gpu=0.5), [SMALL, LARGE])
    assert str(error.value) == (
        "resources: a trial asks for 4 CPUs and 0.5 GPUs, and no machine has that: "
        "small has 4 CPUs and 0 GPUs; large has 2 CPUs and 1 GPU"
    )


@pytest.mark.parametrize(
    ("chosen", "gpus"),
    [
        (None, ["0", "1"]),
        ("1", ["1"]),
        ("3,0", ["3", "0"]),
        ("GPU-a,GPU-b", ["GPU-a", "GPU-b"]),
        ("0,1,7", ["0", "1"]),
    ],
)
def test_gpus_are_those_that_torch_counts_by_the_names_of_the_environment(
    monkeypatch, chosen, gpus
):
    monkeypatch.setattr(resources, "DRIVERS", (Path(__file__),))
    counted = 2 if chosen is None else min(2, len(chosen.split(",")))
    monkeypatch.setattr("torch.cuda.device_count", lambda: counted)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if chosen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert visible_gpus() == gpus


def test_without_a_driver_torch_is_not_asked(monkeypatch, tmp_path):
    monkeypatch.setattr(resources, "DRIVERS", (tmp_path / "absent",))
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1 / 0)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert visible_gpus() == []
