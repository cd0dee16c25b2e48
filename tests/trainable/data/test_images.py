"""What each kind of image file becomes, and a sentence for those that cannot be read."""

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from torchvision import transforms

from tests.trainable.trees import picture, save
from trainable.config.data import Clothing1M, Cub200, ImageFolder, WebVision
from trainable.config.runtime import Machine
from trainable.data.images import ORIENTATION, Files, decode, dimensions
from trainable.data.registry import load
from trainable.errors import DataError


def files(root, *names: str, size=None, channels=3) -> Files:
    return Files(root, np.array([n.encode() for n in names]), size, channels, root / names[0])


def test_a_colour_image_is_its_bytes(tmp_path):
    image = picture(0, 9, 7)
    assert np.array_equal(decode(save(tmp_path / "a.png", image), None, 3), np.asarray(image))


def test_a_grey_image_is_repeated_or_stays_grey(tmp_path):
    grey = picture(0).convert("L")
    path = save(tmp_path / "a.png", grey)
    assert np.array_equal(decode(path, None, 3), np.repeat(np.asarray(grey)[..., None], 3, axis=2))
    assert np.array_equal(decode(path, None, 1)[..., 0], np.asarray(grey))


def test_a_colour_image_becomes_grey_where_one_channel_is_wanted(tmp_path):
    image = picture(0)
    assert np.array_equal(
        decode(save(tmp_path / "a.png", image), None, 1)[..., 0], np.asarray(image.convert("L"))
    )


def test_transparent_pixels_become_black_whatever_colour_they_hide(tmp_path):
    pixels = np.asarray(picture(0).convert("RGBA")).copy()
    pixels[:6, :, 3] = 0
    pixels[6:9, :, 3] = 128
    array = decode(save(tmp_path / "a.png", Image.fromarray(pixels)), None, 3)
    assert (array[:6] == 0).all()
    assert array[6:9] == pytest.approx(pixels[6:9, :, :3] * (128 / 255), abs=1)
    assert np.array_equal(array[9:], pixels[9:, :, :3])


def test_a_palette_shows_its_colours(tmp_path):
    image = picture(0).quantize(16)
    path = save(tmp_path / "a.png", image)
    assert np.array_equal(decode(path, None, 3), np.asarray(image.convert("RGB")))
    image.save(path, transparency=int(np.asarray(image)[0, 0]))
    assert (decode(path, None, 3)[0, 0] == 0).all()


def test_16_bit_pixels_keep_their_high_byte(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 2**16, (5, 6), dtype=np.uint16)
    path = save(tmp_path / "a.png", Image.fromarray(pixels))
    assert np.array_equal(decode(path, None, 1)[..., 0], pixels >> 8)
    assert np.array_equal(decode(path, None, 3)[..., 2], pixels >> 8)


def png(pixels: np.ndarray, bits: int, colour: int) -> bytes:
    """A PNG of any depth, which Pillow does not write."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return len(content).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")

    height, width = pixels.shape[:2]
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([bits, colour, 0, 0, 0])
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


def test_16_bit_colours_keep_their_high_bytes_too(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 2**16, (5, 6, 3), dtype=np.uint16)
    (tmp_path / "a.png").write_bytes(png(pixels, 16, 2))
    assert np.array_equal(decode(tmp_path / "a.png", None, 3), pixels >> 8)


def test_32_bit_pixels_are_refused(tmp_path):
    path = tmp_path / "a.jpg"  # the content decides, not the name
    Image.fromarray(np.ones((4, 4), np.float32)).save(path, format="TIFF")
    with pytest.raises(DataError, match=r"/a\.jpg .*32-bit .*8 or 16 bits"):
        decode(path, None, 3)


@pytest.mark.parametrize(("height", "width"), [(40, 61), (61, 40), (16, 16), (10, 23), (33, 33)])
def test_scaling_is_torchvisions_resize_and_centre_crop(tmp_path, height, width):
    image = picture(0, height, width)
    expected = transforms.Compose([transforms.Resize(16), transforms.CenterCrop(16)])(image)
    assert np.array_equal(decode(save(tmp_path / "a.png", image), 16, 3), np.asarray(expected))


def damaged(kind: str) -> bytes:
    buffer = io.BytesIO()
    picture(0, 40, 40).save(buffer, format="JPEG")
    whole = buffer.getvalue()
    return {"empty": b"", "text": b"hello", "cut": whole[:-400], "header only": whole[:300]}[kind]


@pytest.mark.parametrize("kind", ["empty", "text", "cut", "header only"])
def test_a_damaged_image_is_refused_with_its_name(tmp_path, kind):
    (tmp_path / "a.jpg").write_bytes(damaged(kind))
    with pytest.raises(DataError, match=r"/a\.jpg "):
        decode(tmp_path / "a.jpg", None, 3)


@pytest.mark.parametrize("threads", [1, 3])
def test_all_bad_files_of_a_load_are_named_up_to_five(tmp_path, threads):
    for k in range(9):
        save(tmp_path / f"{k}.png", picture(k))
    for k in range(2, 9):
        (tmp_path / f"{k}.png").write_bytes(b"no")
    some = files(tmp_path, *(f"{k}.png" for k in range(9)))
    assert np.array_equal(some.load(np.array([1, 0]), threads)[1], np.asarray(picture(0)))
    with pytest.raises(DataError) as error:
        some.load(np.arange(9), threads)
    lines = str(error.value).splitlines()
    assert [f"{k}.png" in line for k, line in zip(range(2, 7), lines, strict=False)] == [True] * 5
    assert "2" in lines[5]


def test_images_of_different_sizes_need_a_size(tmp_path):
    save(tmp_path / "a.png", picture(0, 12, 12))
    save(tmp_path / "b.png", picture(1, 12, 20))
    with pytest.raises(DataError, match=r"/b\.png .*20×12 .*/a\.png 12×12.*`data\.size`"):
        files(tmp_path, "a.png", "b.png").load(np.arange(2))
    assert files(tmp_path, "a.png", "b.png", size=8).load(np.arange(2)).shape == (2, 8, 8, 3)


def test_the_hash_follows_names_sizes_and_form(tmp_path):
    for name in ("a.png", "b.png"):
        save(tmp_path / name, picture(0))
    hashes = [
        files(tmp_path, "a.png").hash,
        files(tmp_path, "b.png").hash,
        files(tmp_path, "a.png", size=8).hash,
        files(tmp_path, "a.png", channels=1).hash,
    ]
    save(tmp_path / "a.png", picture(0).convert("L").convert("RGB"))
    assert len({*hashes, files(tmp_path, "a.png").hash}) == 5


# --- EXIF orientation ---


def photograph(path: Path, orientation: int, seed: int = 3) -> Path:
    """A photograph of 9×6 pixels as a camera in that position stores it."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(seed, 6, 9).save(path, exif=exif)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_are_upright_as_viewers_show_them_or_as_they_are_stored(tmp_path, orientation):
    path = photograph(tmp_path / "a.png", orientation)
    stored = decode(path, None, 3)
    assert np.array_equal(stored, np.asarray(picture(3, 6, 9)))
    with Image.open(path) as image:
        seen = np.asarray(ImageOps.exif_transpose(image))
    upright = decode(path, None, 3, upright=True)
    assert np.array_equal(upright, seen)
    assert dimensions(path, upright=True) == upright.shape[:2]
    assert (upright.shape[:2] == (9, 6)) == (orientation >= 5)


def test_a_file_without_a_mark_is_the_same_either_way(tmp_path):
    path = save(tmp_path / "a.png", picture(0, 6, 9))
    assert np.array_equal(decode(path, None, 3, upright=True), decode(path, None, 3))


def test_a_folder_of_photographs_follows_its_switch_and_published_sets_do_not_turn_them(tmp_path):
    for seed, split in enumerate(("train", "test")):
        for name in ("a", "b"):
            photograph(tmp_path / "t" / split / name / "0.png", 6, seed)
    machine = Machine(study_dir=tmp_path)
    assert load(ImageFolder(path="t"), machine).train.images.shape == (9, 6, 3)
    stored = ImageFolder(path="t", exif_orientation=False)
    assert load(stored, machine).train.images.shape == (6, 9, 3)
    assert not any(data().exif_orientation for data in (Cub200, Clothing1M, WebVision))
