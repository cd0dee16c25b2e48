"""The table of a trial's samples: what each network made of each image, for the audit."""

import io

import numpy as np

from trainable.data.dataset import Dataset
from trainable.methods.base import Method
from trainable.storage.last_epochs import last_epochs

HALF_MAX = float(np.finfo(np.float16).max)


def samples_table(data: Dataset, method: Method, epochs: int) -> bytes:
    """Return the per-sample table as .npz, after this many epochs.

    Arrays:
        source_index, split, given, true: (training and validation samples,), in this order;
            `split` is 0 for training and 1 for validation samples.
        epochs: (epochs,), the recorded epochs.
        loss, clean_probability: (epochs, networks, training samples).
        ensemble_class, ensemble_probability: (epochs, training samples).
        label_margin, label_probability: (epochs, networks, training samples), means over all
            epochs before; NaN: never seen.
        validation_loss, validation_class, validation_probability: the same of the validation
            samples, which are not trained on.
        test_source_index, test_label: (test samples,); test_loss, test_class,
            test_probability: as above.
        test_classes: (last epochs, test samples), the ensemble's class after each of the last
            epochs, those of `test/accuracy_last10`.
    """
    parts = [data.train] + ([data.validation] if data.validation else [])
    table: dict[str, np.ndarray] = {
        "source_index": np.concatenate([part.source_index for part in parts]),
        "split": np.concatenate([np.full(len(part), k, np.int8) for k, part in enumerate(parts)]),
        "given": np.concatenate([part.given.cpu().numpy() for part in parts]),
        "true": np.concatenate([part.true.cpu().numpy() for part in parts]),
        "epochs": np.array(sorted(method.records), np.int64),
        "test_source_index": data.test.source_index,
        "test_label": data.test.given.cpu().numpy(),
        "test_classes": _test_classes(data, method, last_epochs(epochs)),
    }
    for name in next(iter(method.records.values()), {}):
        stacked = np.stack([method.records[epoch][name] for epoch in sorted(method.records)])
        if name.endswith("class"):
            table[name] = stacked.astype(np.int16)
        else:
            table[name] = np.clip(stacked, -HALF_MAX, HALF_MAX).astype(np.float16)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **table)
    return buffer.getvalue()


def _test_classes(data: Dataset, method: Method, count: int) -> np.ndarray:
    """Return the ensemble's test predictions after each of the last epochs, (epochs, m)."""
    found = [each.cpu().numpy() for each in method.test_classes[-count:]]
    return np.array(found, np.int16).reshape(len(found), len(data.test))
