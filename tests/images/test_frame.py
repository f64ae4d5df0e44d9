"""Boxes are transformed like pixels: a ramp of brightness shows the origin of each pixel of an input."""

from __future__ import annotations

import io
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from detreduce.images.decode import Preprocess, decode, decode_framed
from detreduce.images.frame import WHOLE, Frame, reduced_frame

SHAPES = [(96, 128), (128, 96), (33, 500), (77, 131), (320, 320), (700, 90), (601, 999)]


def ramps(height: int, width: int) -> np.ndarray:
    """Return a picture: red is the position along x in 0..250, and green along y. Pixel i spans i to i + 1."""
    x, y = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
    red, green = np.broadcast_to(x, (height, width)), np.broadcast_to(y[:, None], (height, width))
    return np.stack([red * 250, green * 250, np.full((height, width), 200)], axis=2).round().astype(np.uint8)


def assert_pixels_are_where_the_frame_says(image: np.ndarray, frame: Frame, slack: float = 0.004) -> None:
    """Check that each pixel of the input shows the position in the picture that the frame gives for its centre."""
    height, width = image.shape[:2]
    for axis, size, low, high in ((0, width, frame.left, frame.right), (1, height, frame.top, frame.bottom)):
        centre = (np.arange(size) + 0.5) / size
        place = (centre - low) / (high - low)
        margin = 1.5 / (size * (high - low))  # resizing clamps at the border
        inner = (place > margin) & (place < 1 - margin)
        other = slice(round(frame.top * height) + 2, round(frame.bottom * height) - 2)
        seen = image[other, :, 0] if axis == 0 else image[:, round(frame.left * width) + 2, 1][None]
        seen = np.median(seen, axis=0) / 250
        assert inner.sum() > 10
        np.testing.assert_allclose(seen[inner], place[inner], atol=slack)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("imgsz", [64, 320])
def test_letterbox(shape: tuple[int, int], imgsz: int) -> None:
    preprocess = Preprocess(imgsz, "letterbox")
    # a side of two pixels shows no ramp
    if min(shape) * imgsz / max(shape) > 16:
        assert_pixels_are_where_the_frame_says(preprocess(ramps(*shape)), preprocess.frame(*shape), slack=0.02)
    grey = (preprocess(ramps(*shape)) == 114).all(axis=2)
    frame = preprocess.frame(*shape)
    height, width = grey.shape
    inside = np.zeros_like(grey)
    inside[round(frame.top * height) : round(frame.bottom * height), round(frame.left * width) :] = True
    inside[:, round(frame.right * width) :] = False
    np.testing.assert_array_equal(grey, ~inside)


@pytest.mark.parametrize("shape", SHAPES[:4])
def test_stretch(shape: tuple[int, int]) -> None:
    preprocess = Preprocess(224, "stretch")
    assert preprocess.frame(*shape) == WHOLE
    assert_pixels_are_where_the_frame_says(preprocess(ramps(*shape)), WHOLE, slack=0.02)


def turned(picture: np.ndarray, orientation: int) -> bytes:
    """Return a JPEG that decodes to the picture: the stored pixels are transformed by the inverse orientation."""
    undo: dict[int, Callable[[np.ndarray], np.ndarray]] = {
        1: lambda image: image,
        2: np.fliplr,
        3: lambda image: np.rot90(image, 2),
        4: np.flipud,
        5: lambda image: image.swapaxes(0, 1),
        6: lambda image: np.rot90(image, 1),
        7: lambda image: np.rot90(image, 2).swapaxes(0, 1),
        8: lambda image: np.rot90(image, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    stored = Image.fromarray(np.ascontiguousarray(undo[orientation](picture)))
    stored.save(buffer, "JPEG", quality=98, subsampling=0, exif=exif)
    return buffer.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_jpegs_decoded_smaller_end_in_a_part_of_a_pixel(orientation: int) -> None:
    height, width = 8 * 26 + 1, 8 * 40 + 3
    data = turned(ramps(height, width), orientation)
    assert np.abs(decode(data).astype(int) - ramps(height, width)).max() < 8, "the orientation is as meant"
    image, frame = decode_framed(data, longest=40)
    assert image.shape[:2] == (27, 41)
    assert (frame.right - frame.left, frame.bottom - frame.top) == pytest.approx((323 / 328, 209 / 216))
    assert_pixels_are_where_the_frame_says(image, frame, slack=0.01)
    with pytest.raises(AssertionError):
        assert_pixels_are_where_the_frame_says(image, WHOLE, slack=0.01)


def test_whole_where_nothing_is_cut() -> None:
    assert decode_framed(turned(ramps(208, 320), 6), longest=40)[1] == WHOLE
    assert decode_framed(turned(ramps(209, 323), 6), longest=400)[1] == WHOLE
    png = cv2.imencode(".png", ramps(209, 323))[1].tobytes()
    assert decode_framed(png, longest=40)[1] == WHOLE


def test_frames_nest_and_place_boxes() -> None:
    outer, inner = Frame(0.0, 0.25, 1.0, 0.75), Frame(0.0, 0.0, 0.5, 1.0)
    assert inner.inside(outer) == Frame(0.0, 0.25, 0.5, 0.75)
    np.testing.assert_allclose(outer.place([[0.0, 0.0, 1.0, 1.0], [0.5, 0.5, 0.5, 1.0]])[1], [0.5, 0.5, 0.5, 0.75])
    assert WHOLE.inside(outer) == outer


@given(st.integers(1, 5000), st.integers(1, 5000), st.sampled_from([1, 2, 4, 8]), st.integers(1, 8))
def test_less_than_a_pixel_is_missing(width: int, height: int, divisor: int, orientation: int) -> None:
    frame = reduced_frame(width, height, divisor, orientation)
    wide, high = -(-width // divisor), -(-height // divisor)
    if orientation > 4:
        wide, high = high, wide
    assert 0 <= 1 - (frame.right - frame.left) < 1 / wide
    assert 0 <= 1 - (frame.bottom - frame.top) < 1 / high
    assert frame.left == 0 or frame.right == 1
