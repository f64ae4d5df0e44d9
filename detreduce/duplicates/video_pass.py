"""Find near-duplicates in time while videos are decoded for features, so that each video is decoded only once.

No features are computed for a frame that is a near-duplicate.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.dataset.records import DetectionDataset
from detreduce.duplicates.in_time import FramesInOrder, TimeGroups, frames_by_video
from detreduce.duplicates.pixels.matching import Match
from detreduce.duplicates.pixels.signatures import SIGNATURE_BYTES, Bytes, SignatureStore, picture_of, sign
from detreduce.images.decode import RGB
from detreduce.images.job import ImageVectors


class SignaturesInPass:
    """Signatures of frames, computed in the same pass as the features. See `Alongside`.

    Parameters
    ----------
    dataset
        The dataset of the frames.
    rows
        The rows that take part in the search for near-duplicates.
    prefer
        Rows of images that are always kept.
    threshold
        Lowest similarity of near-duplicates.
    folder
        The cache folder.
    """

    def __init__(
        self,
        dataset: DetectionDataset,
        rows: npt.NDArray[np.int64],
        prefer: Collection[int],
        threshold: float,
        folder: Path,
    ) -> None:
        self.vectors = ImageVectors(SignatureStore(folder), np.arange(len(dataset) + 1))
        searched = set(rows.tolist())
        places = frames_by_video(dataset.records)
        self._places: Mapping[Path, list[int]] = {
            video: [row for row in frames if row in searched] for video, frames in places.items()
        }
        self._video = {row: video for video, frames in self._places.items() for row in frames}
        for row in range(len(dataset)):
            self.vectors.filled[row] = row not in self._video
        self.failures: dict[int, str] = {}
        """Why a frame could not be compared, keyed by its row."""
        self._pending: dict[int, Bytes] = {}
        self._groups = partial(TimeGroups, threshold, prefer, similarities={})
        self._order = self._fresh()

    def _fresh(self) -> FramesInOrder:
        return FramesInOrder(self._groups(), self._places, self._picture)

    def _picture(self, row: int) -> Bytes | None:
        """Return the small grey picture of a frame, or None if it could not be decoded or is not decoded yet."""
        if row in self._pending:
            if not self.vectors.filled[row]:
                return self._pending[row]
            del self._pending[row]
        return picture_of(self.vectors.array(SIGNATURE_BYTES)[row]) if self.vectors.filled[row] else None

    def prepare(self, row: int, data: bytes | RGB) -> npt.NDArray[Any]:
        """Return the (1, 4136) uint8 signature of a frame."""
        if row not in self._video or isinstance(data, bytes):
            return np.empty((1, 0), np.uint8)
        return sign(data)[None]

    def start(self) -> None:
        """Find the near-duplicates among the first frames of each video that have a stored signature."""
        self._order.add_known()

    def needed(self, row: int, vector: npt.NDArray[Any]) -> bool:
        """Return whether a frame is kept, because it is not a near-duplicate."""
        if row not in self._video:
            return True
        self._pending[row] = picture_of(vector[0])
        return self._order.add_up_to(self._video[row], row)

    def finish(self, failures: Mapping[int, str]) -> None:
        """Find the near-duplicates again, from all signatures. Remember the frames that have none."""
        self.failures = {
            row: reason for row, reason in failures.items() if row in self._video and not self.vectors.filled[row]
        }
        self._order = self._fresh()
        self._order.add_all()

    @property
    def left_out(self) -> Collection[int]:
        """The rows of near-duplicates."""
        return self._order.groups.matches.keys()

    @property
    def matches(self) -> list[Match]:
        """The rows of each near-duplicate and of the frame that is kept instead."""
        return list(self._order.groups.matches.values())
