"""Small videos whose frames show their own numbers, and edits of MP4 files."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT, BITS = 192, 96, 12
BAND = 8
"""Rows with the number. Its grey values are alike, so that two frames of a scene are near-duplicates."""


def picture(number: int, scene: int = 0) -> npt.NDArray[np.uint8]:
    """A frame: its number as dark and bright blocks at the top, and below a pattern that depends on the scene."""
    rng = np.random.default_rng(scene)
    pattern = rng.integers(40, 220, (6, 12, 3), np.uint8)
    image = cv2.resize(pattern, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    image[:BAND] = 108
    for bit in range(BITS):
        if number >> bit & 1:
            image[:BAND, bit * WIDTH // BITS : (bit + 1) * WIDTH // BITS] = 148
    return np.asarray(image)


def number_in(image: npt.NDArray[np.uint8]) -> int:
    """The number that a frame shows."""
    row = image[BAND // 2]
    return sum(int(row[bit * WIDTH // BITS + WIDTH // BITS // 2].mean() > 128) << bit for bit in range(BITS))


def make_video(
    file: Path, frames: int = 40, rate: float = 10.0, codec: str = "mp4v", scenes: Sequence[int] | None = None
) -> Path:
    """Write a video. `scenes` has the scene of each frame; default: a new scene every eight frames."""
    file.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter_fourcc(*codec), rate, (WIDTH, HEIGHT))  # type: ignore[attr-defined]
    assert writer.isOpened()
    for number in range(frames):
        writer.write(picture(number, number // 8 if scenes is None else scenes[number]))
    writer.release()
    return file


def turn(file: Path) -> Path:
    """Mark an MP4 as turned by 90 degrees, as phones do."""
    data = bytearray(file.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 4 + 36
    data[matrix : matrix + 36] = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    file.write_bytes(data)
    return file


def vary_rate(file: Path, durations: Sequence[int]) -> Path:
    """Give the frames of an MP4 other durations, in frames of the former rate. The last box of the file must be moov.

    The table of times gets one entry for each frame.
    """
    # the list of edits would cut the longer video
    data = file.read_bytes().replace(b"edts", b"free")
    start = data.index(b"stts") - 4
    size, _, _, entries, _, unit = struct.unpack(">I4sIIII", data[start : start + 24])
    assert entries == 1
    table = struct.pack(">I4sII", 16 + 8 * len(durations), b"stts", 0, len(durations))
    table += b"".join(struct.pack(">II", 1, one * unit) for one in durations)
    longer = bytearray(data[:start] + table + data[start + size :])
    for box in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        place = longer.index(box) - 4
        longer[place : place + 4] = struct.pack(">I", int.from_bytes(longer[place : place + 4]) + len(table) - size)
    file.write_bytes(longer)
    return file


def read_all(file: Path) -> list[npt.NDArray[np.uint8]]:
    """Every frame of a video, as OpenCV decodes it from the start, in RGB."""
    capture, found = cv2.VideoCapture(str(file)), []
    while (read := capture.read())[0]:
        found.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
    return found
