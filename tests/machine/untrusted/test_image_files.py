"""Images from untrusted sources: known formats, and at most the limit of pixels, for every decoder."""

from __future__ import annotations

import io
import struct
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import detreduce as dr
from detreduce.dataset.health.counts import check_images
from detreduce.dataset.views.thumbnails import small_image
from detreduce.duplicates.pixels.signatures import read_signatures
from detreduce.errors import DetreduceWarning, ImageReadError, InputError
from detreduce.images.decode import decode, why_unreadable
from detreduce.machine.untrusted import image_files
from detreduce.machine.untrusted.image_files import (
    HEAD,
    LONGEST_SIDE,
    MAX_PIXELS,
    VARIABLE,
    check_limit,
    check_pixels,
    decoding,
    opened_image,
    pixel_limit,
    starts_like_image,
)

FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "JPEG2000", "GIF", "PPM", "AVIF")


def png_header(width: int, height: int) -> bytes:
    """A PNG with this size in its header and without pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def encoded(kind: str, size: tuple[int, int] = (40, 20), **more: object) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", size, (200, 100, 50)).save(content, kind, **more)
    return content.getvalue()


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "799")


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("more", [{}, {"progressive": True}])
def test_every_decoder_keeps_to_the_limit(
    tmp_path: Path, small_limit: None, monkeypatch: pytest.MonkeyPatch, kind: str, more: dict[str, object]
) -> None:
    path = tmp_path / "images/a.png"
    path.parent.mkdir()
    path.write_bytes(encoded(kind, **more))
    dataset = dr.load_dataset(path.parent)
    for longest in (None, 8):
        with pytest.raises(ImageReadError, match="40 x 20 pixels"):
            decode(path.read_bytes(), longest=longest)
    assert "limit" in why_unreadable(path)
    assert small_image(path) is None
    assert "limit" in check_images(dataset)[0].what
    assert "limit" in read_signatures([path], tmp_path / "cache").failures[0]
    assert dataset[0].size == (40, 20)  # a header is never too large
    monkeypatch.setenv(VARIABLE, "800")
    assert decode(path.read_bytes()).shape == (20, 40, 3)
    assert small_image(path) is not None and check_images(dataset) == ()


@pytest.mark.parametrize("size", [(30_000, 30_000), (MAX_PIXELS, 2), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_refused_by_its_header(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png_header(*size))
    assert "limit" in why_unreadable(path)
    with pytest.raises(OSError):
        dr.load_dataset(tmp_path)[0].size  # noqa: B018


def test_the_limit_is_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert pixel_limit() == MAX_PIXELS
    monkeypatch.setenv(VARIABLE, "5")
    assert pixel_limit() == 5
    for text in ("0", "-1", "many", "1.5", "inf"):
        monkeypatch.setenv(VARIABLE, text)
        with pytest.raises(InputError):
            pixel_limit()
    with pytest.raises(InputError):
        check_limit(0)


def test_a_higher_limit_is_one_of_pillow_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300)
    monkeypatch.setenv(VARIABLE, "800")
    with opened_image(encoded("TIFF")) as image:
        assert image.size == (40, 20)


@pytest.mark.parametrize("kind", FORMATS)
def test_first_bytes_tell_an_image(kind: str) -> None:
    assert starts_like_image(encoded(kind)[:HEAD])


@pytest.mark.parametrize("text", [b"", b"root:x:0:0:root:/root:/bin/bash\n", b"BM is short for", b"P4ssword", b"RIFF"])
def test_first_bytes_tell_another_file(text: bytes) -> None:
    assert not starts_like_image(text)


def test_a_format_that_starts_a_program_is_not_opened(tmp_path: Path) -> None:
    eps = io.BytesIO()
    Image.new("RGB", (4, 4)).save(eps, "EPS")
    with pytest.raises(OSError), opened_image(eps.getvalue()):
        pass


def test_threads_together_keep_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "100")
    now, most, lock = 0, 0, threading.Lock()

    def work(pixels: int) -> None:
        nonlocal now, most
        for _ in range(20):
            with decoding(pixels):
                with lock:
                    now += pixels
                    most = max(most, now)
                with lock:
                    now -= pixels

    workers = [threading.Thread(target=work, args=(pixels,)) for pixels in (100, 60, 50, 30, 10, 10)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert now == 0 and most <= 100
    with decoding(1000):  # larger than the limit, but alone
        pass


def test_silence_ends_with_the_last_thread() -> None:
    """With overlapping threads, catch_warnings would silence the process forever."""
    before = list(warnings.filters)
    first, second = image_files._quiet(), image_files._quiet()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    with pytest.warns(DetreduceWarning):
        warnings.warn("heard", DetreduceWarning, stacklevel=1)
    second.__exit__(None, None, None)
    assert list(warnings.filters) == before


def test_pixels_are_those_of_before() -> None:
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (30, 50, 3), np.uint8))
    for kind in ("PNG", "BMP", "TIFF", "PPM"):
        content = io.BytesIO()
        picture.save(content, kind)
        assert np.array_equal(decode(content.getvalue()), np.asarray(picture))


def test_a_side_that_ultralytics_cannot_read_is_above_the_limit() -> None:
    check_pixels(1, LONGEST_SIDE)
    with pytest.raises(ImageReadError, match="a side is above"):
        check_pixels(LONGEST_SIDE + 1, 1)
