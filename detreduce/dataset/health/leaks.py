"""Find images that occur in two splits, without decoding them. Such leaks make the measured mAP too high."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from detreduce.dataset.records import DetectionDataset, ImageId, ImageRecord
from detreduce.dataset.splits import CANONICAL
from detreduce.dataset.suggested_command import inspect_command, reduce_command, split_command
from detreduce.errors import InputError
from detreduce.machine.hashes import file_hash
from detreduce.machine.untrusted.regular_files import open_regular

TRAIN = CANONICAL[0]
MOST_RENAMED = 2000
"""The largest number of files to compare although their names differ. They must have equal sizes in two splits."""
PAIRS_NAMED = 3
_ENDS = 4096
_UNCOMPRESSED = re.compile(rb"BM|II[*+]\0|MM\0[*+]|P[1-6]\s")
"""How files begin that often have equal ends but different pixels. Their formats are BMP, TIFF and PPM."""

_Key = tuple[str, int, int]
"""The name of an image (empty if names do not matter), the size of its file, and the number of the frame or -1."""
How = Literal["same file", "same bytes", "same name and size"]


@dataclass(frozen=True, slots=True)
class Leak:
    """An image of a split that also occurs in an earlier split. The order of the splits is train, val, test.

    Attributes
    ----------
    split, image, name
        The later split, and the id and the name of the image there.
    other_split, other, other_name
        The earlier split, and the id and the name of the image there.
    how
        ``same file``: both paths lead to the same file. ``same bytes``: the files have the same size and content. For
        compressed formats, only the first and the last bytes are compared. ``same name and size``: the content differs.
    """

    split: str
    image: ImageId
    name: str
    other_split: str
    other: ImageId
    other_name: str
    how: How

    def __str__(self) -> str:
        return f"{self.split} {self.name} matches {self.other_split} {self.other_name} ({self.how})"


@dataclass(frozen=True)
class Leaks:
    """The images that occur in several splits.

    Attributes
    ----------
    splits
        The number of images in each split, keyed by the name of the split (train, val, test).
    pairs
        One entry for each image of a split that also occurs in an earlier split, as the same file or with the same
        bytes.
    alike
        Images that have the same name and file size as an image of an earlier split, but a different content. These
        images are not leaks.
    """

    splits: Mapping[str, int]
    pairs: tuple[Leak, ...] = ()
    alike: tuple[Leak, ...] = ()

    @property
    def counts(self) -> dict[tuple[str, str], int]:
        """The number of leaks between two splits, keyed by (earlier split, later split).

        For example, ``("train", "val"): 3`` means that three images of val are also in train.
        """
        counts = dict.fromkeys(combinations(self.splits, 2), 0)
        for leak in self.pairs:
            counts[leak.other_split, leak.split] += 1
        return counts

    @property
    def in_train(self) -> tuple[Leak, ...]:
        """The leaks that make a measured mAP wrong: images of val and test that are also in train."""
        return tuple(leak for leak in self.pairs if leak.other_split == TRAIN)

    @property
    def not_in_train(self) -> tuple[Leak, ...]:
        """The other leaks: images of test that are also in val."""
        return tuple(leak for leak in self.pairs if leak.other_split != TRAIN)

    @property
    def train_is_measured(self) -> bool:
        """Whether val or test consists of the same images as train.

        In this case, no image would remain in train without the leaks.
        """
        return any(self.is_whole(TRAIN, later) for later in self.splits if later != TRAIN)

    def is_whole(self, earlier: str, later: str) -> bool:
        """Return whether two splits consist of the same images."""
        found = {(leak.image, leak.other) for leak in self.pairs if (leak.other_split, leak.split) == (earlier, later)}
        same = len(found) == self.splits[later] == self.splits[earlier]
        return same and len({other for _, other in found}) == len(found)

    def sentences(self, leaks: Sequence[Leak] | None = None) -> list[str]:
        """Return one sentence for each pair of splits that occurs in `leaks`. By default, all leaks are described."""
        counts: dict[tuple[str, str], int] = {}
        for leak in self.pairs if leaks is None else leaks:
            counts[leak.other_split, leak.split] = counts.get((leak.other_split, leak.split), 0) + 1
        return [
            f"{later} is the {earlier} split: all {count} images are the same"
            if self.is_whole(earlier, later)
            else f"{count} of the {self.splits[later]} images of {later} {_be(count)} also in {earlier}"
            for (earlier, later), count in counts.items()
        ]

    def to_dict(self, most: int | None = None) -> dict[str, Any]:
        """Return the result as values that JSON can store, with at most `most` pairs."""
        return {
            "splits": dict(self.splits),
            "counts": {
                f"{earlier} / {later}": {
                    "leaked": count,
                    "of": self.splits[later],
                    "whole": self.is_whole(earlier, later),
                }
                for (earlier, later), count in self.counts.items()
            },
            "pairs": [asdict(leak) for leak in self.pairs[:most]],
        }


def find_leaks(splits: Mapping[str, DetectionDataset]) -> Leaks:
    """Find the images that train, val and test have in common. Any other split is ignored, for example ``trainval``.

    No image is decoded. Two images are the same if their paths lead to the same file. They are also the same if their
    files have equal sizes and equal first and last 4 KiB. For formats without compression (BMP, PPM, TIFF), all bytes
    must be equal.

    Bytes are compared for files with the same name and size. Files with different names are compared only if there are
    few files of equal size, so that the search stays fast. Missing files are skipped. Two frames are the same if they
    have the same number in videos with equal bytes.
    """
    parts = [_Files.of(splits[name]) for name in CANONICAL if name in splits]
    pairs: list[Leak] = []
    alike: list[Leak] = []
    for earlier, later in combinations(parts, 2):
        found, similar = _compare(earlier, later)
        pairs += found
        alike += similar
    return Leaks({part.split.split: len(part.split) for part in parts}, tuple(pairs), tuple(alike))


def refuse_leaks(dataset: DetectionDataset, leaks: Leaks, easier: str = "") -> None:
    """Raise InputError if images of val or test are also in train.

    The message names some of these images and says what to do. `easier` is another way to train without these images.
    The message suggests it first.
    """
    found = leaks.in_train
    if not found:
        return
    told = [f"{sentence}." for sentence in leaks.sentences(found)]
    whole = leaks.train_is_measured
    if not whole:
        told += [f"  {leak}" for leak in found[:PAIRS_NAMED]]
        told += [f"  ... and {len(found) - PAIRS_NAMED} more"] * (len(found) > PAIRS_NAMED)
    out = f"Hold out a part of train (`{split_command(dataset)}`)"
    if not whole:
        command = reduce_command(dataset, "--keep", "all", "--drop-leaked", suffix="without-leaks")
        out = f"Remove these images from train (`{command}`)"
        out = f"{easier}, {out[0].lower()}{out[1:]}" if easier else out
    raise InputError(
        f"{dataset.source.typed}: images of val or test are also in train, so the mAP would be too high.\n"
        + "\n".join(told)
        + f"\n{out}, or train anyway (--allow-leaks). Look at these images: `{inspect_command(dataset)}`"
    )


@dataclass(frozen=True)
class _Files:
    """The image files of a split. `states` has the status of each image's file, or None if it is missing.

    The file of a frame is its video. Two frames are the same if they have the same number in equal videos.
    """

    split: DetectionDataset
    states: list[os.stat_result | None]
    row_of_file: dict[tuple[int, int, int], int] = field(default_factory=dict)
    hashes: dict[Path, str] = field(default_factory=dict)

    @classmethod
    def of(cls, split: DetectionDataset) -> _Files:
        """Read the status of each image file of a split."""
        found = {file: _state(file) for file in dict.fromkeys(record.file for record in split)}
        states = [found[record.file] for record in split]
        files = {
            (state.st_dev, state.st_ino, _number(split[row])): row
            for row, state in enumerate(states)
            if state and state.st_ino
        }
        return cls(split, states, files)

    def by(self, rows: Iterable[int], *, named: bool) -> dict[_Key, list[int]]:
        """Group some rows by file size and number of the frame. If `named` is True, group them by name too.

        Empty files are left out.
        """
        found: dict[_Key, list[int]] = {}
        for row in rows:
            state = self.states[row]
            if state is not None and state.st_size:
                name = self.split[row].name.rpartition("/")[2] if named else ""
                found.setdefault((name, state.st_size, _number(self.split[row])), []).append(row)
        return found

    def ends(self, row: int) -> bytes | None:
        """Return the first and the last bytes of a file, or None if it cannot be read. Of a video, return the hash."""
        if self.split[row].frame is not None:
            return self.content(row).encode() or None
        try:
            with open_regular(self.split[row].path) as file:
                first = file.read(_ENDS)
                file.seek(max(len(first), file.seek(0, os.SEEK_END) - _ENDS))
                return first + file.read()
        except OSError:
            return None

    def content(self, row: int) -> str:
        """Return the hash of a file's content, or an empty string if the file cannot be read."""
        file = self.split[row].file
        if file not in self.hashes:
            try:
                self.hashes[file] = file_hash(file)
            except OSError:
                self.hashes[file] = ""
        return self.hashes[file]


def _number(record: ImageRecord) -> int:
    """Return the number of a frame, or -1 for an image that is a file."""
    return -1 if record.frame is None else record.frame.number


def _be(count: int) -> str:
    return "is" if count == 1 else "are"


def _state(path: os.PathLike[str]) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116 (100,000 calls)
    except OSError:
        return None


def _compare(earlier: _Files, later: _Files) -> tuple[list[Leak], list[Leak]]:
    """Return the leaks between two splits, and the images that only have the same name and size.

    Both lists are in the order of the later split.
    """
    found: dict[int, tuple[int, How]] = {}
    for row, state in enumerate(later.states):
        key = (state.st_dev, state.st_ino, _number(later.split[row])) if state else None
        other = earlier.row_of_file.get(key) if key else None
        if other is not None:
            found[row] = other, "same file"
    open_rows = [row for row in range(len(later.split)) if row not in found]
    same, different = _equal_bytes(earlier, later, open_rows, named=True)
    found |= {row: (other, "same bytes") for row, other in same.items()}
    open_rows = [row for row in open_rows if row not in found]
    renamed, _ = _equal_bytes(earlier, later, open_rows, named=False, most=MOST_RENAMED)
    found |= {row: (other, "same bytes") for row, other in renamed.items()}
    similar = {row: (other, "same name and size") for row, other in different.items() if row not in found}
    return list(_described(earlier, later, found)), list(_described(earlier, later, similar))  # type: ignore[arg-type]


def _equal_bytes(
    earlier: _Files, later: _Files, rows: Iterable[int], *, named: bool, most: int | None = None
) -> tuple[dict[int, int], dict[int, int]]:
    """Compare files of the two splits that have the same size.

    Return two dicts from rows of the later split to rows of the earlier split: files with equal bytes, and files with
    different bytes. If more than `most` files would have to be opened, both dicts are empty and no file is opened.
    """
    wanted = later.by(rows, named=named)
    offered = {
        key: others for key, others in earlier.by(range(len(earlier.split)), named=named).items() if key in wanted
    }
    if most is not None:
        opened = {later.split[row].file for key in offered for row in wanted[key]}
        if len(opened | {earlier.split[row].file for others in offered.values() for row in others}) > most:
            return {}, {}
    same: dict[int, int] = {}
    different: dict[int, int] = {}
    for key, others in offered.items():
        by_ends: dict[bytes | None, list[int]] = {}
        for other in others:
            by_ends.setdefault(earlier.ends(other), []).append(other)
        for row in wanted[key]:
            ends = later.ends(row)
            equal = by_ends.get(ends, []) if ends is not None else []
            if equal and _UNCOMPRESSED.match(ends or b""):
                content = later.content(row)
                equal = [other for other in equal if content and content == earlier.content(other)]
            if equal:
                same[row] = equal[0]
            else:
                different[row] = others[0]
    return same, different


def _described(earlier: _Files, later: _Files, found: Mapping[int, tuple[int, How]]) -> Iterator[Leak]:
    for row in sorted(found):
        other, how = found[row]
        image, source = later.split[row], earlier.split[other]
        yield Leak(later.split.split, image.id, image.name, earlier.split.split, source.id, source.name, how)
