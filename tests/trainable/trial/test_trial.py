"""A trial: resumption, records, summary, state, and what DivideMix is for."""

import hashlib
import io

import numpy as np
import pytest
import torch

from tests.trainable.methods.tiny import blobs, without_time
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.errors import DataError
from trainable.trial.device import choose_device, compile_afresh, limit_memory
from trainable.trial.trial import Trial

DIVIDEMIX = {"name": "dividemix", "warmup_epochs": 2, "loss_history": 3}
METHODS = {"dividemix": DIVIDEMIX, "cross_entropy": {"name": "cross_entropy"}}
AUTOMATIC = {"name": "dividemix", "warmup_epochs": "auto", "loss_history": 2}
VARIED = {
    "name": "dividemix",
    "warmup_epochs": 2,
    "peer_update": "synchronous",
    "division": "both",
    "neighbors": 9,
}
RESUMED = {**METHODS, "auto": AUTOMATIC, "varied": VARIED}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with `tiny.npz` (a tenth of 120 images for validation) and `own.npz` (a validation set of its own)."""
    path = tmp_path_factory.mktemp("data")
    train, validation, test = blobs(120, 3, 0), blobs(30, 3, 1), blobs(60, 3, 2)
    arrays = {
        "train_images": train.images,
        "train_labels": train.labels,
        "test_images": test.images,
        "test_labels": test.labels,
    }
    np.savez(path / "tiny.npz", **arrays)
    np.savez(path / "own.npz", **arrays, val_images=validation.images, val_labels=validation.labels)
    return path


def make(
    folder, method=DIVIDEMIX, *, epochs=6, seed=0, file="tiny.npz", fraction=0.1, device="cpu"
) -> Trial:
    config = TrialConfig.model_validate(
        {
            "data": {
                "name": "npz",
                "path": file,
                "crop_padding": 1,
                "validation_fraction": fraction,
            },
            "noise": {"name": "symmetric", "rate": 0.4},
            "model": {"name": "small_cnn", "width": 4},
            "train": {"epochs": epochs, "batch_size": 8, "lr": 0.1, "lr_milestones": [3]},
            "method": method,
            "seed": seed,
        }
    )
    return Trial(config, Machine(study_dir=folder, device=device))


def load(content: bytes) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def equal(a, b) -> bool:
    """Whether two nested states are equal bit for bit."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(equal, a, b))
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


def read(state: bytes):
    return torch.load(io.BytesIO(state), weights_only=True)


# --- state ---


@pytest.fixture(scope="module", params=RESUMED)
def uninterrupted(request, folder):
    """(method, rows, weights, table of samples, state after each epoch) of a whole trial."""
    trial = make(folder, RESUMED[request.param])
    rows, states = [], []
    for row in trial:
        rows.append(row)
        states.append(trial.state())
    return RESUMED[request.param], rows, read(trial.weights()), load(trial.samples()), states


@pytest.mark.parametrize("interrupted", [1, 3, 6])
def test_a_resumed_trial_equals_an_uninterrupted_one_bit_for_bit(
    interrupted, folder, uninterrupted
):
    method, rows, weights, table, _ = uninterrupted
    first = make(folder, method)
    before = [next(first) for _ in range(interrupted)]
    state = first.state()

    second = make(folder, method)
    torch.manual_seed(99)  # a new process has other global generators
    second.restore(state, before)
    assert second.epoch == interrupted
    after = list(second)
    assert without_time(before + after) == without_time(rows)
    assert second.rows == before + after
    assert second.method.forwards == sum(row["work/forwards"] for row in rows)
    assert equal(read(second.weights()), weights)
    resumed = load(second.samples())
    assert resumed.keys() == table.keys()
    for name in table:
        assert resumed[name].dtype == table[name].dtype
        assert np.array_equal(resumed[name], table[name])


def test_rows_past_the_state_are_dropped(folder, uninterrupted):
    method, rows, *_, states = uninterrupted
    trial = make(folder, method)
    trial.restore(states[2], rows[:5])
    assert trial.rows == rows[:3]
    assert next(trial)["epoch"] == 4


def test_a_state_resumes_even_from_a_trial_that_has_trained_further(folder, uninterrupted):
    method, rows, weights, _, states = uninterrupted
    trial = make(folder, method)
    list(trial)
    trial.restore(states[3], rows)
    assert without_time(list(trial)) == without_time(rows[4:])
    assert equal(read(trial.weights()), weights)


def test_the_state_holds_only_what_torch_loads_with_weights_only(uninterrupted):
    *_, states = uninterrupted
    for finished, state in enumerate(states, 1):
        assert (
            read(state)["epoch"] == finished
        )  # raises if anything but tensors and plain values is in it


def test_the_state_holds_the_loss_history_of_both_networks(folder):
    trial = make(folder)
    lengths = []
    for _ in trial:
        history = read(trial.state())["history"]
        assert all(loss.min() >= 0 and loss.max() <= 1 for net in history for loss in net)
        lengths.append([len(net) for net in history])
    assert lengths == [[0, 0], [0, 0], [1, 1], [2, 2], [3, 3], [3, 3]]


def test_the_state_holds_what_an_automatic_warmup_has_measured(folder):
    trial = make(folder, AUTOMATIC)
    separations = []
    for row in trial:
        separations += [row["warmup/separation"]] if row["phase"] == "warmup" else []
        assert read(trial.state())["separations"] == separations
    assert 2 <= len(separations) < 6
    assert [row["epoch"] for row in trial.rows] == [1, 2, 3, 4, 5, 6]


def test_a_state_from_before_there_was_an_automatic_warmup_still_resumes(folder):
    first = make(folder)
    rows = [next(first) for _ in range(3)]
    state = read(first.state())
    del state["separations"]
    old = io.BytesIO()
    torch.save(state, old)
    second = make(folder)
    second.restore(old.getvalue(), rows)
    assert without_time(list(second)) == without_time(list(first))


def test_reading_the_state_changes_nothing(folder, uninterrupted):
    method, rows, weights, *_ = uninterrupted
    trial = make(folder, method)
    for row in rows:
        trial.state(), trial.weights(), trial.samples(), trial.is_best
        assert without_time([next(trial)]) == without_time([row])
        trial.summary()
    assert equal(read(trial.weights()), weights)


def test_the_weights_are_a_state_dict_of_each_network(folder):
    for networks in (1, 2):
        trial = make(folder, {"name": "cross_entropy", "networks": networks})
        saved = read(trial.weights())["networks"]
        assert len(saved) == networks
        for state, learner in zip(saved, trial.method.learners, strict=True):
            assert equal(dict(state), dict(learner.network.state_dict()))


@pytest.mark.gpu
def test_a_trial_resumes_on_a_gpu(folder):
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    first = make(folder, device="cuda")
    rows = [next(first) for _ in range(4)]
    second = make(folder, device="cuda")
    second.restore(first.state(), rows)
    assert len(list(second)) == 2
    assert load(second.samples())["epochs"].tolist() == [2, 4, 6]


@pytest.mark.parametrize(("share", "allowed"), [(1.0, 1.0), (0.5, 0.45), (0.25, 0.225)])
def test_a_trial_that_shares_a_gpu_leaves_room_for_more_than_tensors(share, allowed, monkeypatch):
    limits = []
    monkeypatch.setattr(
        "torch._C._cuda_setMemoryFraction", lambda part, device: limits.append(part), raising=False
    )
    monkeypatch.setattr("torch.cuda.memory._lazy_init", lambda: None)
    monkeypatch.setattr("torch.cuda.current_device", lambda: 0)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    for name in ("auto", "cuda", "cuda:0", "cpu"):
        limit_memory(choose_device(name), share)
    assert limits == pytest.approx([allowed] * 3)


def test_a_device_that_is_not_there_is_a_sentence(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert choose_device("auto") == torch.device("cpu")
    with pytest.raises(DataError, match=r"--device cuda.*--device cpu"):
        choose_device("cuda")


@pytest.mark.parametrize(
    "error", [PermissionError(13, "Permission denied", "b"), NotADirectoryError(20, "Not", "b")]
)
def test_data_that_may_not_be_read_are_wrong_data_and_no_full_disk(error, monkeypatch):
    def load(*arguments):
        raise error

    monkeypatch.setattr("trainable.data.registry.load", load)
    with pytest.raises(DataError, match="b cannot be read: "):
        Trial(TrialConfig(), Machine())


def test_what_runs_compiled_does_not_depend_on_earlier_trials():
    """Nine shapes a trial, one more than torch compiles by itself in a process before it gives up."""
    import torch._dynamo

    compiled = []
    with torch._dynamo.config.patch(recompile_limit=torch._dynamo.config.recompile_limit):
        for k in range(3):
            compile_afresh()
            layer = torch.compile(
                torch.nn.Linear(4, 2),
                backend=lambda graph, inputs: compiled.append(1) or graph.forward,
                dynamic=False,
            )
            for size in range(1, 10):
                layer(torch.ones(size, 4))
            assert len(compiled) == 9 * (k + 1)


@pytest.mark.gpu
def test_a_trial_cannot_take_more_than_its_share_of_a_gpu():
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    device, size = torch.device("cuda"), torch.cuda.get_device_properties(0).total_memory
    try:
        limit_memory(device, 0.1)
        with pytest.raises(torch.OutOfMemoryError):
            torch.empty(size // 5, dtype=torch.uint8, device=device)
    finally:
        limit_memory(device, 1.0)


@pytest.mark.parametrize(
    ("gpu", "device", "share"), [(0, "cpu", 1.0), (0.5, "auto", 0.5), (1, "auto", 1.0)]
)
def test_a_trial_without_a_gpu_of_its_own_stays_on_the_cpu(gpu, device, share):
    machine = Machine().sharing(gpu)
    assert (machine.device, machine.gpu_share) == (device, share)


# --- iteration ---


def test_a_trial_ends_after_its_epochs(uninterrupted, folder):
    method, rows, *_ = uninterrupted
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5, 6]
    trial = make(folder, method, epochs=2)
    assert len(list(trial)) == 2
    assert trial.epoch == 2
    with pytest.raises(StopIteration):
        next(trial)
    assert len(trial.rows) == 2


def test_rows_name_their_phase_and_the_learning_rate_of_the_schedule(folder):
    rows = list(make(folder))
    assert [row["phase"] for row in rows] == ["warmup"] * 2 + ["dividemix"] * 4
    assert [row["schedule/lr"] for row in rows] == pytest.approx([0.1] * 3 + [0.01] * 3)


def test_networks_and_noise_depend_on_the_seed_and_on_nothing_of_the_method(folder):
    trials = [make(folder, method, seed=seed) for method in METHODS.values() for seed in (0, 1)]
    hashes = [trial.weight_hashes for trial in trials]
    noise = [trial.data.noise_hash for trial in trials]
    assert hashes[:2] == hashes[2:]
    assert noise[:2] == noise[2:]
    assert len({one for pair in hashes[:2] for one in pair}) == 4
    assert noise[0] != noise[1]


def test_missing_data_is_a_data_error(folder):
    with pytest.raises(DataError, match="absent"):
        make(folder, file="absent.npz")


def test_the_device_is_the_named_one_and_auto_is_cuda_where_there_is_one():
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


# --- the table of samples ---


def test_the_table_has_a_column_a_sample_and_the_networks_opinions_at_three_epochs(folder):
    trial = make(folder)
    list(trial)
    table = load(trial.samples())
    assert {name: (array.shape, array.dtype) for name, array in table.items()} == {
        "source_index": ((120,), np.int64),
        "split": ((120,), np.int8),
        "given": ((120,), np.int64),
        "true": ((120,), np.int64),
        "epochs": ((3,), np.int64),
        "loss": ((3, 2, 108), np.float16),
        "clean_probability": ((3, 2, 108), np.float16),
        "ensemble_class": ((3, 108), np.int16),
        "ensemble_probability": ((3, 108), np.float16),
        "label_margin": ((3, 2, 108), np.float16),
        "label_probability": ((3, 2, 108), np.float16),
        "validation_loss": ((3, 2, 12), np.float16),
        "validation_class": ((3, 12), np.int16),
        "validation_probability": ((3, 12), np.float16),
        "test_source_index": ((60,), np.int64),
        "test_label": ((60,), np.int64),
        "test_loss": ((3, 2, 60), np.float16),
        "test_class": ((3, 60), np.int16),
        "test_probability": ((3, 60), np.float16),
        "test_classes": ((2, 60), np.int16),
    }
    assert table["epochs"].tolist() == [2, 4, 6]
    assert table["split"].tolist() == [0] * 108 + [1] * 12
    assert sorted(table["source_index"]) == list(range(120))
    assert np.array_equal(table["true"], blobs(120, 3, 0).labels[table["source_index"]])
    assert 0.1 < (table["given"] != table["true"]).mean() < 0.5
    assert (table["clean_probability"] >= 0).all()
    assert (table["clean_probability"] <= 1).all()
    assert (table["loss"] >= 0).all()
    assert set(np.unique(table["ensemble_class"])) <= {0, 1, 2}
    assert (table["ensemble_probability"] >= np.float16(1 / 3 - 0.001)).all()


def test_the_last_record_is_of_the_final_weights(folder):
    trial = make(folder)
    list(trial)
    table, train = load(trial.samples()), trial.data.train
    logits = [learner.network.eval()(train.plain(slice(None))) for learner in trial.method.learners]
    for k, each in enumerate(logits):
        loss = each.logsumexp(1) - each.gather(1, train.given[:, None])[:, 0]
        np.testing.assert_allclose(table["loss"][-1, k], loss.detach(), rtol=2e-3, atol=1e-3)
    chosen = (logits[0] + logits[1]).argmax(1)
    assert table["ensemble_class"][-1].tolist() == chosen.tolist()
    mean = (logits[0].softmax(1) + logits[1].softmax(1)) / 2
    expected = mean.gather(1, chosen[:, None])[:, 0].detach()
    np.testing.assert_allclose(table["ensemble_probability"][-1], expected, rtol=2e-3, atol=1e-3)


def test_the_first_record_is_of_the_end_of_the_warmup(folder):
    trial = make(folder)
    next(trial), next(trial)
    _, losses = trial.method.judge_logits(trial.method.learners[1], trial.data.train)
    next(trial)
    table = load(trial.samples())
    assert table["epochs"].tolist() == [2]
    assert np.array_equal(table["loss"][0, 1], losses.numpy().astype(np.float16))


def test_plain_cross_entropy_records_losses_but_no_clean_probability(folder):
    trial = make(folder, METHODS["cross_entropy"])
    list(trial)
    table = load(trial.samples())
    assert table["epochs"].tolist() == [3, 6]
    assert table["loss"].shape == (2, 2, 108)
    assert "clean_probability" not in table


def test_a_validation_set_of_its_own_has_its_own_source_indices(folder):
    trial = make(folder, {**DIVIDEMIX, "networks": 1}, file="own.npz")
    list(trial)
    table = load(trial.samples())
    assert table["split"].tolist() == [0] * 120 + [1] * 30
    assert table["source_index"].tolist() == [*range(120), *range(30)]
    assert table["loss"].shape == (3, 1, 120)
    assert np.array_equal(table["true"][120:], blobs(30, 3, 1).labels)


def test_the_table_before_any_record_has_the_samples_and_an_integer_column_of_no_epochs(folder):
    trial = make(folder, file="tiny.npz", fraction=0.0)
    table = load(trial.samples())
    assert table["split"].tolist() == [0] * 120
    assert "loss" not in table
    assert table["epochs"].shape == (0,)
    assert table["epochs"].dtype == np.int64


# --- summary ---


def with_rows(folder, test: list[float], validation: list[float] | None) -> Trial:
    """A trial that claims to have had these accuracies."""
    trial = make(folder)
    trial.rows = [
        {"epoch": k + 1, "test/accuracy": value, "time/epoch_s": 2.0}
        for k, value in enumerate(test)
    ]
    for row, value in zip(trial.rows, validation or [], strict=False):
        row["val/accuracy"] = value
    return trial


def test_the_last_ten_epochs_of_thirty_are_averaged(folder):
    last = [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 91.0]
    summary = with_rows(folder, [99.0] * 20 + last, None).summary()
    mean = sum(last) / 10
    assert summary["test/accuracy_last10"] == pytest.approx(mean)
    assert summary["test/accuracy_last10_sd"] == pytest.approx(
        (sum((v - mean) ** 2 for v in last) / 9) ** 0.5
    )
    assert summary["test/accuracy_best"] == 99
    assert summary["test/accuracy"] == 91
    assert summary["epochs"] == 30
    assert summary["time/epoch_s"] == 60


def test_the_last_third_of_a_short_trial_is_averaged(folder):
    summary = with_rows(folder, [0.0, 0.0, 0.0, 0.0, 10.0, 20.0, 60.0], None).summary()
    assert summary["test/accuracy_last10"] == pytest.approx(30)
    assert summary["test/accuracy_last10_sd"] == pytest.approx(700**0.5)


def test_one_epoch_has_no_spread(folder):
    assert with_rows(folder, [10.0], None).summary()["test/accuracy_last10_sd"] == 0


def test_the_selected_epoch_is_the_earliest_of_those_with_the_best_validation_accuracy(folder):
    summary = with_rows(folder, [10.0, 20.0, 30.0, 40.0], [50.0, 70.0, 60.0, 70.0]).summary()
    assert summary["test/accuracy_selected"] == 20
    assert summary["selected_epoch"] == 2


def test_label_wave_gives_the_test_accuracy_of_the_epoch_with_the_fewest_changes(folder):
    trial = with_rows(folder, [10.0, 20.0, 30.0, 40.0, 50.0, 60.0], None)
    for row, changed in zip(trial.rows[1:], [30.0, 20.0, 10.0, 40.0, 50.0], strict=True):
        row["train/changed"] = changed
    summary = trial.summary()
    assert summary["test/accuracy_label_wave"] == 40
    assert summary["label_wave_epoch"] == 4


def test_without_validation_samples_nothing_is_selected(folder):
    trial = make(folder, epochs=3, fraction=0.0)
    rows = []
    for row in trial:
        rows.append(row)
        assert not trial.is_best
    assert not any("val/accuracy" in row for row in rows)
    summary = trial.summary()
    assert "test/accuracy_selected" not in summary
    assert "selected_epoch" not in summary


def test_the_last_row_is_best_if_no_earlier_one_is_as_good(folder):
    trial = with_rows(folder, [1.0] * 6, [50.0, 60.0, 60.0, 55.0, 70.0, 70.0])
    rows, best = trial.rows, []
    for k in range(1, 7):
        trial.rows = rows[:k]
        best.append(trial.is_best)
    assert best == [True, True, False, False, True, False]
    trial.rows = []
    assert not trial.is_best


def test_a_real_summary_sums_the_work_and_repeats_the_last_row(folder, uninterrupted):
    method, rows, *_ = uninterrupted
    trial = make(folder, method)
    list(trial)
    summary = trial.summary()
    assert summary["work/forwards"] == sum(row["work/forwards"] for row in rows)
    for name in ("test/accuracy", "test/accuracy_net0", "test/accuracy_net1", "val/accuracy"):
        assert summary[name] == rows[-1][name]
    assert summary["time/train_s"] <= summary["time/epoch_s"]
    assert summary["noise_rate"] == trial.data.noise_rate
    assert summary["noise_hash"] == trial.data.noise_hash
    assert summary["noise_rate_nominal"] == trial.config.noise.rate
    classes = trial.data.classes
    wrong = (trial.data.train.given != trial.data.train.true).numpy()
    shares = np.bincount(trial.data.train.true.numpy(), minlength=classes) / len(wrong)
    assert 1 - shares @ np.diag(summary["noise_transition"]) == pytest.approx(
        wrong.mean(), abs=1e-4
    )
    digest = hashlib.sha256()
    first = make(folder, method).method.learners[0].network
    for tensor in first.state_dict().values():
        digest.update(tensor.contiguous().numpy().tobytes())
    assert summary["weight_hashes"][0] == digest.hexdigest()[:16]


# --- what it is for ---


@pytest.fixture(scope="module")
def digits_rows():
    """Rows of DivideMix and of plain cross-entropy on the digits under 40 % symmetric noise."""

    def rows(method):
        config = TrialConfig.model_validate(
            {
                "noise": {"name": "symmetric", "rate": 0.4},
                "train": {"epochs": 15, "lr": 0.05},
                "method": method,
                "seed": 1,
            }
        )
        return list(Trial(config, Machine(device="cpu")))

    return rows({"name": "dividemix", "warmup_epochs": 4}), rows({"name": "cross_entropy"})


def test_after_warmup_the_losses_tell_clean_from_noisy_digits(digits_rows):
    dividemix, _ = digits_rows
    first = next(row for row in dividemix if row["phase"] == "dividemix")
    assert first["division/auc_net0"] > 0.9
    assert first["division/auc_net1"] > 0.9
    assert first["division/precision_net0"] > 1 - 0.36 + 0.2  # 36 % of the labels are wrong


def test_on_noisy_digits_dividemix_ends_above_cross_entropy(digits_rows):
    dividemix, plain = ([row["test/accuracy"] for row in rows] for rows in digits_rows)
    assert dividemix[-1] > plain[-1]


def test_on_noisy_digits_cross_entropy_falls_from_its_best_epoch(digits_rows):
    _, plain = ([row["test/accuracy"] for row in rows] for rows in digits_rows)
    assert max(plain) - plain[-1] > 1


def test_on_noisy_digits_the_ensemble_is_no_worse_than_its_networks(digits_rows):
    for rows in digits_rows:
        last = rows[-1]
        assert (
            last["test/accuracy"]
            >= (last["test/accuracy_net0"] + last["test/accuracy_net1"]) / 2 - 0.5
        )
