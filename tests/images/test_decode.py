"""Decoding: every usual kind of image becomes RGB, and every broken image is an error."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from detreduce.errors import ImageReadError
from detreduce.images.decode import Preprocess, decode


def scene(height: int = 96, width: int = 128) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) % 256], axis=2).astype(np.uint8)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


WHOLE = {
    "jpeg": encoded(Image.fromarray(scene()), "JPEG", quality=95, subsampling=0),
    "progressive": encoded(Image.fromarray(scene()), "JPEG", quality=95, subsampling=0, progressive=True),
    "png": encoded(Image.fromarray(scene()), "PNG"),
    "webp": encoded(Image.fromarray(scene()), "WEBP", lossless=True),
    "bmp": encoded(Image.fromarray(scene()), "BMP"),
    "tiff": encoded(Image.fromarray(scene()), "TIFF"),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_formats(kind: str) -> None:
    image = decode(WHOLE[kind])
    assert image.dtype == np.uint8
    assert np.abs(image.astype(int) - scene()).mean() < 3


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_truncated(kind: str, kept: float) -> None:
    data = WHOLE[kind]
    with pytest.raises(ImageReadError):
        decode(data[: int(kept * len(data))])


def test_truncated_jpeg_whose_thumbnail_is_whole() -> None:
    exif = Image.Exif()
    data = encoded(Image.fromarray(scene()), "JPEG", exif=exif)
    thumbnail = encoded(Image.fromarray(scene(8, 8)), "JPEG")
    segment = b"\xff\xe2" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    assert decode(data[:2] + segment + data[2:]).shape == (96, 128, 3)
    with pytest.raises(ImageReadError, match="truncated"):
        decode(data[:2] + segment + data[2:-40])


def test_truncated_jpeg_filled_up_with_zeros() -> None:
    data = WHOLE["jpeg"]
    with pytest.raises(ImageReadError, match="truncated"):
        decode(data[: len(data) // 2] + bytes(len(data) // 2))


def test_bytes_after_the_end_marker_are_fine() -> None:
    np.testing.assert_array_equal(decode(WHOLE["jpeg"] + b"trailer"), decode(WHOLE["jpeg"]))


@pytest.mark.parametrize(
    "data", [b"", b"hello, this is no image", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xd9"]
)
def test_not_an_image(data: bytes) -> None:
    with pytest.raises(ImageReadError):
        decode(data)


def test_kinds_of_pixels() -> None:
    grey = Image.fromarray(scene()[..., 0])
    for image in (grey, grey.convert("P"), Image.fromarray(scene()[..., 0].astype(np.uint16) * 256)):
        rgb = decode(encoded(image, "PNG"))
        assert rgb.shape == (96, 128, 3)
        assert np.abs(rgb[..., 0].astype(int) - scene()[..., 0]).max() <= 1
        np.testing.assert_array_equal(rgb[..., 0], rgb[..., 2])
    with_alpha = np.dstack([scene(), np.full(scene().shape[:2], 7, np.uint8)])
    np.testing.assert_array_equal(decode(encoded(Image.fromarray(with_alpha), "PNG")), scene())
    assert decode(encoded(Image.fromarray(scene()).convert("CMYK"), "JPEG")).shape == (96, 128, 3)


def test_exif_rotation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.fromarray(scene()), "JPEG", exif=exif, quality=95, subsampling=0)
    turned = np.rot90(scene(), k=3)
    assert np.abs(decode(data).astype(int) - turned).mean() < 3


def test_large_jpegs_are_decoded_smaller_and_alike() -> None:
    large = scene(600, 1000)
    data = encoded(Image.fromarray(large), "JPEG", quality=95, subsampling=0)
    assert decode(data, longest=320).shape == (300, 500, 3)
    assert decode(data, longest=120).shape == (75, 125, 3)
    assert decode(data, longest=501).shape == (600, 1000, 3)
    assert decode(data, longest=224, shortest=224).shape == (300, 500, 3)
    preprocess = Preprocess(320, "letterbox")
    difference = preprocess(decode(data, longest=320)).astype(int) - preprocess(decode(data))
    assert np.abs(difference).mean() < 3


@pytest.mark.parametrize("shape", [(96, 128), (128, 96), (33, 500), (77, 131), (320, 320), (1, 700)])
def test_letterbox_is_ultralytics_own(shape: tuple[int, int]) -> None:
    from ultralytics.data.augment import LetterBox

    image = scene(*shape)
    np.testing.assert_array_equal(
        Preprocess(320, "letterbox")(image), LetterBox((320, 320), auto=True, stride=32)(image=image)
    )


def test_stretch_and_keys() -> None:
    assert Preprocess(224, "stretch")(scene(50, 300)).shape == (224, 224, 3)
    keys = {
        Preprocess(224, "stretch").key,
        Preprocess(256, "stretch").key,
        Preprocess(224, "letterbox").key,
        Preprocess(224, "stretch", mean=(127.0,) * 3).key,
        Preprocess(224, "stretch", std=(128.0,) * 3).key,
    }
    assert len(keys) == 5


def test_a_file_written_by_opencv(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), scene()[..., ::-1])
    np.testing.assert_array_equal(decode((tmp_path / "a.png").read_bytes()), scene())


def test_no_package_is_installed_for_a_file_that_is_no_image(monkeypatch: pytest.MonkeyPatch) -> None:
    from ultralytics.utils import checks

    def refuse(*args: object, **options: object) -> None:
        raise AssertionError("ultralytics was asked to install something")

    monkeypatch.setattr(checks, "check_requirements", refuse)
    with pytest.raises(ImageReadError, match="not an image"):
        decode(b"ftyp, but no picture")
