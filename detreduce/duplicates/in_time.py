"""Find near-duplicates in time: frames of a video that look like the last frame that was kept."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from detreduce.dataset.records import ImageRecord
from detreduce.duplicates.pixels.alignment import overlay, unaligned_similarity
from detreduce.duplicates.pixels.descriptors import describe
from detreduce.duplicates.pixels.matching import CANDIDATE, Match
from detreduce.duplicates.pixels.signatures import Bytes

TIME = "time"
"""The value of `by` for a search among neighbouring frames."""
Picture = Callable[[int], "Bytes | None"]
"""A function that returns the small grey picture of an image by its position, or None if it is not known."""


def similarity_in_time(one: Bytes, other: Bytes, threshold: float) -> float:
    """Return the similarity of two frames. They are aligned only if this may raise it to the threshold."""
    still = unaligned_similarity(one, other)
    if still >= threshold:
        return still
    first, second = describe(np.stack([one, other]))
    return max(still, overlay(one, other).similarity) if float(first @ second) >= CANDIDATE else still


@dataclass
class TimeGroups:
    """Groups of neighbouring frames, made one frame after the other.

    The first frame of a video is the leader of the first group. Each following frame joins the last leader if the two
    are similar enough. Otherwise it becomes the next leader. Therefore, a slow change over many frames starts a new
    group.

    Attributes
    ----------
    threshold
        Lowest similarity of a frame to the leader of its group.
    always_lead
        Positions of frames that always become leaders.
    matches
        The match of each frame that joined a leader, keyed by the position of the frame.
    similarities
        The similarity of each compared pair, keyed by the positions of the leader and the frame. Several objects may
        share this dict, so that no pair is compared twice.
    """

    threshold: float
    always_lead: Collection[int] = ()
    matches: dict[int, Match] = field(default_factory=dict)
    similarities: dict[tuple[int, int], float] = field(default_factory=dict)
    _leaders: dict[Path, tuple[int, Bytes]] = field(default_factory=dict)

    def add(self, video: Path, place: int, picture: Bytes) -> bool:
        """Add the next frame of a video. Return whether it becomes a leader."""
        leader = self._leaders.get(video)
        if leader is not None and place not in self.always_lead:
            pair = leader[0], place
            if pair not in self.similarities:
                self.similarities[pair] = similarity_in_time(leader[1], picture, self.threshold)
            similarity = self.similarities[pair]
            if similarity >= self.threshold:
                self.matches[place] = Match(place, leader[0], similarity)
                return False
        self._leaders[video] = place, picture
        return True


@dataclass
class FramesInOrder:
    """Adds the frames of each video to groups, in the order of their numbers.

    A frame is added after all earlier frames of its video. Frames without a picture are skipped.

    Attributes
    ----------
    groups
        The groups.
    places
        The positions of the frames of each video, sorted by the number of the frame.
    picture
        The picture of a frame by its position.
    """

    groups: TimeGroups
    places: Mapping[Path, Sequence[int]]
    picture: Picture
    _next: dict[Path, int] = field(default_factory=dict)
    _ranks: dict[Path, dict[int, int]] = field(default_factory=dict)

    def add_known(self) -> None:
        """Add the frames of each video that precede the first frame without a picture."""
        for video in self.places:
            self._add(video, len(self.places[video]), stop=True)

    def add_all(self) -> None:
        """Add all frames of all videos."""
        for video in self.places:
            self._add(video, len(self.places[video]), stop=False)

    def add_up_to(self, video: Path, place: int) -> bool:
        """Add the frames of a video up to a position. Return whether the frame at this position is a leader."""
        self._add(video, self._rank(video, place) + 1, stop=False)
        return place not in self.groups.matches

    def _rank(self, video: Path, place: int) -> int:
        ranks = self._ranks.get(video)
        if ranks is None:
            ranks = self._ranks[video] = {one: rank for rank, one in enumerate(self.places[video])}
        return ranks[place]

    def _add(self, video: Path, end: int, *, stop: bool) -> None:
        places = self.places[video]
        for rank in range(self._next.get(video, 0), end):
            picture = self.picture(places[rank])
            if picture is None and stop:
                return
            self._next[video] = rank + 1
            if picture is not None:
                self.groups.add(video, places[rank], picture)


def frames_by_video(records: Sequence[ImageRecord]) -> dict[Path, list[int]]:
    """Return the positions of the frames of each video, sorted by the number of the frame."""
    numbered: dict[Path, list[tuple[int, int]]] = {}
    for place, record in enumerate(records):
        if record.frame is not None:
            numbered.setdefault(record.frame.video, []).append((record.frame.number, place))
    return {video: [place for _, place in sorted(frames)] for video, frames in numbered.items()}
