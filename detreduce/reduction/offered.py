"""The images of a pool and of earlier rounds, without labels: which of them can be offered for labelling."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from detreduce.dataset.formats.unlabelled.read import UnreadLabels
from detreduce.dataset.health.identical_files import identical_files
from detreduce.dataset.reading.loaded_files import LoadedFiles
from detreduce.dataset.records import DetectionDataset, ImageId, ImageRecord, Problem
from detreduce.duplicates.result import Duplicates
from detreduce.errors import DetreduceWarning, name_first
from detreduce.machine.untrusted.regular_files import is_regular
from detreduce.reduction.earlier import Earlier


@dataclass(frozen=True)
class Offered:
    """The images of a pool and of the earlier rounds of labelling.

    Attributes
    ----------
    together
        One dataset without labels. The images of the pool come first, in the order of the pool. The images of the
        rounds follow. If an image of a round is identical to a file of the pool, it is left out.
    known
        Ids of the images of the pool that are also in a round.
    others
        Ids of those images in `together` that come from the rounds.
    lost
        Problems of the rounds, such as missing image files. No image can be compared with a missing file.
    similar, repeated
        Ids of images of the pool. Those in `similar` are near-duplicates of an image of a round. Those in `repeated`
        are near-duplicates of another image of the pool.
    """

    together: DetectionDataset
    known: tuple[ImageId, ...]
    others: tuple[ImageId, ...]
    lost: tuple[str, ...] = ()
    similar: tuple[ImageId, ...] = ()
    repeated: tuple[ImageId, ...] = ()

    @classmethod
    def of(cls, pool: DetectionDataset, earlier: Sequence[Earlier]) -> Offered:
        """Join the images of a pool and of the rounds. Of identical images in the rounds, only the first is used."""
        own = without_labels(pool)
        row_of_path = {record.path: row for row, record in enumerate(own)}
        known: dict[ImageId, None] = {}
        rest: list[tuple[str, ImageRecord]] = []
        for number, one in enumerate(earlier):
            for place, record in enumerate(one.records):
                if record.path in row_of_path:
                    known[own[row_of_path[record.path]].id] = None
                else:
                    rest.append((f"after {number}: {place}: {record.id}", record))
        used = [True] * len(rest)
        for group in identical_files([*(record.path for record in own), *(record.path for _, record in rest)]):
            in_pool = [place for place in group if place < len(own)]
            in_rest = [place - len(own) for place in group if place >= len(own)]
            if in_rest:
                known.update(dict.fromkeys(own[place].id for place in in_pool))
            for place in in_rest if in_pool else in_rest[1:]:
                used[place] = False
        others = [
            replace(_bare(record), id=name, name=name)
            for (name, record), use in zip(rest, used, strict=True)
            if use and (record.frame is not None or is_regular(record.path))
        ]
        lost = {
            **{str(problem): None for one in earlier for part in one.parts for problem in _problems(part)},
            **{
                f"{record.path}: the image is missing": None
                for _, record in rest
                if record.frame is None and not is_regular(record.path)
            },
        }
        files = LoadedFiles()
        for part in (own, *(part for one in earlier for part in one.parts)):
            files.add_others(part.loaded)
        together = replace(own, records=(*own.records, *others), loaded=files)
        return cls(together, tuple(known), tuple(record.id for record in others), tuple(lost))

    @property
    def initial(self) -> tuple[ImageId, ...]:
        """Ids of all images of the rounds."""
        return (*self.known, *self.others)

    @property
    def taken(self) -> set[ImageId]:
        """Ids of the images that must not be offered."""
        return {*self.initial, *self.similar, *self.repeated}

    def with_similar(self, found: Duplicates) -> Offered:
        """Return a copy with `similar` and `repeated` set. `found` is the result of a search among `together`."""
        mine = set(self.initial)
        copies = {pair.copy: pair.kept for pair in found.pairs if pair.copy not in mine}
        return replace(
            self,
            similar=tuple(copy for copy, kept in copies.items() if kept in mine),
            repeated=tuple(copy for copy, kept in copies.items() if kept not in mine),
        )


def without_labels(dataset: DetectionDataset) -> DetectionDataset:
    """Return a dataset without its labels."""
    if not dataset.labelled:
        return dataset
    records = tuple(map(_bare, dataset))
    return replace(
        dataset, records=records, class_names=(), class_keys=(), box_format="cxcywhn", labelled=False, problems=()
    )


def warn_about_problems(offered: Offered) -> None:
    """Issue a warning about problems of earlier rounds, and one about problems of the pool."""
    if lost := offered.lost:
        warnings.warn(
            f"Problems of earlier rounds ({len(lost):,}): {name_first(lost)}. `next` cannot "
            "compare the pool with missing images, so it may offer them or their near-duplicates again.",
            DetreduceWarning,
            stacklevel=4,
        )
    if problems := _problems(offered.together):
        warnings.warn(
            f"Problems of the pool ({len(problems):,}): {name_first(problems)}. `detreduce inspect` lists all.",
            DetreduceWarning,
            stacklevel=4,
        )


def _problems(dataset: DetectionDataset) -> list[Problem]:
    """Return the problems of a dataset, except labels that were not read, because `next` uses no labels."""
    return [problem for problem in dataset.problems if not isinstance(problem, UnreadLabels)]


def _bare(record: ImageRecord) -> ImageRecord:
    """Return an image without its labels."""
    return replace(
        record,
        boxes=np.empty((0, 4)),
        class_ids=np.empty(0, np.int64),
        crowd=np.empty(0, bool),
        label_path=None,
        unreadable=False,
        refused=False,
    )
