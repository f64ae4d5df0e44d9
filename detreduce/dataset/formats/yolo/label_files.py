"""Read YOLO label files: those with nothing but plain boxes many at once, with NumPy, and the others line by line.

Most label files are of the first kind. `parse_labels` reads the others and describes their faults.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detreduce.dataset.formats.yolo.labels import Labels, parse_labels
from detreduce.dataset.reading.box_collector import BoxCollector
from detreduce.dataset.reading.box_problems import UNREADABLE
from detreduce.machine.untrusted.regular_files import LABELS, read_regular

FILES, BYTES = 1000, 4 << 20
"""The largest number of label files, and of their bytes, that are parsed at once."""
FIELDS = 5
_SPACE, _LINE = ord(" "), ord("\n")
_ALLOWED = np.zeros(256, np.bool_)
_ALLOWED[list(b"0123456789. \n")] = True
# odd numbers that mix the bits of a line; two equal lines of a file have equal sums
_MIX = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93, 0xA0761D6478BD642F])
_MIX = _MIX.astype(np.uint64)

Bools = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


class LabelReader:
    """Reads the label files of a split, and adds their boxes to `boxes`.

    Attributes
    ----------
    boxes
        The boxes of the files so far, in the order of the files.
    odd
        The content of each file with findings, keyed by the number of the file, counted from 0.
    """

    def __init__(self, n_classes: int, kpt_shape: tuple[int, int] | None) -> None:
        self.boxes = BoxCollector()
        self.odd: dict[int, Labels] = {}
        self._n_classes, self._kpt_shape = n_classes, kpt_shape
        self._pending: list[bytes] = []
        self._bytes = self._done = 0

    def read(self, file: str | None) -> None:
        """Read the next label file, or note that the next image has none. Call `finish` after the last file."""
        data = b""
        if file is not None:
            try:
                data = read_regular(file, LABELS)
            except OSError as error:
                what = f"cannot be read ({error.strerror}); {UNREADABLE}"
                self.odd[self._done + len(self._pending)] = Labels(findings=[(None, what)], refused=True)
        self._pending.append(data)
        self._bytes += len(data)
        if len(self._pending) == FILES or self._bytes > BYTES:
            self.finish()

    def finish(self) -> None:
        """Parse the files that were read but not parsed yet."""
        found = parse_plain(self._pending, self._n_classes)
        start = 0
        for place in [*np.flatnonzero(~found.plain).tolist(), len(self._pending)]:
            self.boxes.add_images(found.boxes, found.classes, found.starts[start : place + 1])
            start = place + 1
            if place < len(self._pending):
                labels = parse_labels(self._pending[place], self._n_classes, self._kpt_shape)
                self.boxes.add(labels.boxes, labels.classes)
                if labels.findings or labels.refused:
                    self.odd[self._done + place] = labels
        self._done += len(self._pending)
        self._pending, self._bytes = [], 0


@dataclass(frozen=True, slots=True)
class PlainBoxes:
    """The boxes of m label files, without the files that have faults or other content than plain boxes.

    Attributes
    ----------
    plain
        (m,) bool: whether the file is such a file. An empty file is one too.
    starts
        (m + 1,) int64: the boxes of file i are the rows ``starts[i]:starts[i + 1]``. There are none if it is not plain.
    boxes
        (B, 4) float64: cx, cy, w, h as fractions of the image.
    classes
        (B,) int64: the class of each box.
    """

    plain: Bools
    starts: IntArray
    boxes: npt.NDArray[np.float64]
    classes: IntArray


def parse_plain(files: Sequence[bytes], n_classes: int) -> PlainBoxes:
    """Parse label files, given as their bytes. A line must be ``class cx cy w h`` in digits, without an exponent.

    A file is not plain if `parse_labels` would report anything about it, and also in some rare cases in which it would
    not.
    """
    parts = [data.replace(b"\r\n", b"\n") if b"\r" in data else data for data in files]
    plain, lines = _shapes(parts)
    values = _numbers([part for part, good in zip(parts, plain.tolist(), strict=True) if good], int(lines[plain].sum()))
    if values is None:
        # a word such as "1.2.3" is not a number
        nothing = np.zeros(len(files) + 1, np.int64)
        return PlainBoxes(np.zeros(len(files), np.bool_), nothing, np.empty((0, 4)), np.empty(0, np.int64))
    file_of = np.repeat(np.arange(len(files)), np.where(plain, lines, 0))
    plain[file_of[~_without_faults(values, n_classes)]] = False
    plain[_repeating(values, file_of)] = False
    values = values[plain[file_of]]
    starts = np.concatenate([[0], np.cumsum(np.where(plain, lines, 0))])
    return PlainBoxes(plain, starts, values[:, 1:], values[:, 0].astype(np.int64))


def _shapes(parts: Sequence[bytes]) -> tuple[Bools, IntArray]:
    """Return whether each text consists of lines of five words in allowed characters, and its number of such lines."""
    joined = np.frombuffer(b"\n".join([*parts, b""]), np.uint8)
    ends = np.cumsum([len(part) + 1 for part in parts])
    plain = np.ones(len(parts), np.bool_)
    plain[np.searchsorted(ends, np.flatnonzero(~_ALLOWED[joined]), side="right")] = False
    space = (joined == _SPACE) | (joined == _LINE)
    # a word starts where no space follows a space
    words = np.flatnonzero(~space & np.concatenate([[True], space[:-1]]))
    breaks = np.flatnonzero(joined == _LINE)
    counts = np.diff(np.searchsorted(words, breaks), prepend=0)
    file_of = np.searchsorted(ends, breaks, side="right")
    plain[file_of[(counts != 0) & (counts != FIELDS)]] = False
    return plain, np.bincount(file_of[counts == FIELDS], minlength=len(parts)).astype(np.int64)


def _numbers(parts: Sequence[bytes], lines: int) -> npt.NDArray[np.float64] | None:
    """Return the numbers in some texts, (lines, 5), or None if a word is not a number."""
    if not lines:
        return np.empty((0, FIELDS))
    with warnings.catch_warnings():
        # NumPy warns and stops at a word that is not a number
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            found = np.fromstring(b"\n".join(parts).decode("ascii"), np.float64, sep=" ")
        except ValueError:
            return None
    return found.reshape(lines, FIELDS) if len(found) == lines * FIELDS else None


def _without_faults(values: npt.NDArray[np.float64], n_classes: int) -> Bools:
    """Return whether each line has a known class, its numbers are in [0, 1] and its box has an area."""
    kinds, boxes = values[:, 0], values[:, 1:]
    return (
        (kinds < n_classes) & (kinds == np.floor(kinds)) & (boxes <= 1.0).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1)
    )


def _repeating(values: npt.NDArray[np.float64], file_of: IntArray) -> IntArray:
    """Return the files that contain a line twice. In rare cases, there may be further files."""
    bits = np.ascontiguousarray(values).view(np.uint64) * _MIX
    bits ^= bits >> np.uint64(29)
    sums = bits.sum(axis=1, dtype=np.uint64) * _MIX[0] + file_of.astype(np.uint64) * _MIX[1]
    order = np.argsort(sums)
    return file_of[order[1:][sums[order[1:]] == sums[order[:-1]]]]
