"""What is shown of samples that are vectors: the image behind them, their text, or their name."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from orchestrator.audit.pictures import address_of, has_image, picture, text_of, thumbnail_of
from tests.trainable.trees import picture as drawn
from tests.trainable.trees import save
from trainable.config.embeddings import Embeddings
from trainable.data import embeddings
from trainable.data.arrays import Split
from trainable.data.images import ORIENTATION, Files
from trainable.errors import DataError

TEXTS = np.array(["<script>alert(1)</script> & so on"] * 9)


def split_of(**columns: np.ndarray) -> Split:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(9, 2)).astype(np.float32)
    np.savez("shown.npz", features=features, labels=np.arange(9) % 3, **columns)
    return embeddings.load(Path("shown.npz"), Embeddings(path="shown.npz"), None).train


def paths(first: str) -> np.ndarray:
    return np.array([first] + [f"absent{row}.png" for row in range(8)])


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


def test_the_image_behind_a_vector_is_shown_with_its_text():
    Image.new("RGB", (4, 4), (200, 0, 0)).save("red.png")
    split = split_of(paths=paths("red.png"), text=TEXTS)
    kind, content = picture(split, 0)
    assert kind == "image/png"
    assert (pixels(content) == (200, 0, 0)).all()
    assert has_image(split, 0)
    assert text_of(split, 0) == TEXTS[0]
    assert thumbnail_of(split, 0).startswith("data:image/png;base64,")


@pytest.mark.parametrize("path", ["absent.png", "speech.wav"])
def test_without_an_image_the_text_is_whole(path):
    Path("speech.wav").write_bytes(b"RIFF")
    split = split_of(paths=paths(path), text=TEXTS)
    assert not has_image(split, 0)
    assert text_of(split, 0) == TEXTS[0]
    assert thumbnail_of(split, 0) is None
    kind, content = picture(split, 0)
    assert kind == "image/svg+xml"
    assert b"&lt;script&gt;alert(1)&lt;/script&gt; &amp; so on" in content


def test_without_image_and_text_the_name_is_drawn():
    kind, content = picture(split_of(paths=paths("red.png")), 1)
    assert kind == "image/svg+xml"
    assert b"absent0.png" in content
    split = split_of()
    assert not has_image(split, 3)
    assert text_of(split, 3) is None
    address = address_of(split, 3)
    assert b"row 3" in base64.b64decode(address.partition(",")[2])


def test_a_photograph_behind_a_vector_is_upright():
    turned = Image.Exif()
    turned[ORIENTATION] = 6
    photograph = drawn(0, 6, 9)
    photograph.save("photograph.png", exif=turned)
    _, content = picture(split_of(paths=paths("photograph.png")), 0)
    assert np.array_equal(pixels(content), np.rot90(np.asarray(photograph), -1))


def damaged_tiff() -> Path:
    """A TIFF file in which the type of a number is that of texts; Pillow raises a TypeError."""
    path = save(Path("damaged.tif"), drawn(0))
    content = bytearray(path.read_bytes())
    content[72] = 2
    path.write_bytes(content)
    return path


def test_of_a_damaged_image_behind_a_vector_the_text_is_shown():
    split = split_of(paths=paths(damaged_tiff().name), text=TEXTS)
    assert not has_image(split, 0)
    assert thumbnail_of(split, 0) is None
    assert picture(split, 0)[0] == "image/svg+xml"


def test_of_an_image_that_is_too_large_the_text_is_shown(monkeypatch):
    save(Path("huge.png"), drawn(0, 40, 40))
    split = split_of(paths=paths("huge.png"), text=TEXTS)
    assert has_image(split, 0)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40 * 40 // 2 - 1)
    assert not has_image(split, 0)
    assert picture(split, 0)[0] == "image/svg+xml"


def test_a_damaged_file_of_a_data_set_is_an_error_with_its_name():
    path = damaged_tiff()
    files = Files(Path(), np.array([b"damaged.tif"]), 12, 3, path)
    with pytest.raises(DataError, match=r"damaged\.tif is"):
        picture(Split(files, np.zeros(1, np.int64), None, files.names), 0)
