"""Read the images that were chosen in earlier rounds of labelling.

A round can be a labelled dataset, a folder of images for labelling, or a selection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from detreduce.dataset.health.counts import load_all_splits
from detreduce.dataset.load import load_any_split
from detreduce.dataset.records import DetectionDataset, ImageRecord
from detreduce.errors import InputError
from detreduce.machine.untrusted.regular_files import is_regular, open_regular
from detreduce.selection.record import Selection
from detreduce.selection.saved.dataset import find_dataset

_MARK, _START = b'"detreduce_selection"', 400
"""A selection.json contains this key within this number of bytes from its start."""


@dataclass(frozen=True)
class Earlier:
    """The images of one earlier round of labelling.

    Attributes
    ----------
    path
        The dataset or the selection, as the caller passed it.
    records
        For a dataset, the images of all splits. For a selection, the chosen images.
    labelled
        Whether the images have labels.
    parts
        The datasets that the images were read from.
    """

    path: Path
    records: tuple[ImageRecord, ...]
    labelled: bool
    parts: tuple[DetectionDataset, ...]


def load_earlier(after: Sequence[str | Path], images: str | Path | None = None) -> list[Earlier]:
    """Read the images of earlier rounds of labelling. `after` contains the path of each round.

    `images` is the image folder of a round whose annotation file does not name an image folder.

    Raise InputError if `after` is empty or if a round cannot be read.
    """
    if isinstance(after, str | Path):
        after = [after]
    if not after:
        raise InputError(
            "Name the rounds so far (--after): a labelled dataset, a folder of images, or a selection.json."
        )
    return [_load_one(Path(path).expanduser(), images) for path in after]


def _load_one(path: Path, images: str | Path | None) -> Earlier:
    """Read the images of one earlier round."""
    if is_selection(path):
        selection = Selection.load(path)
        dataset = find_dataset(selection.provenance)
        missing = [one for one in selection.image_ids if one not in dataset.row_of]
        if missing:
            raise InputError(f"{path}: the image {missing[0]!r} is not in {dataset.source.typed} any more.")
        chosen = tuple(dataset[dataset.row_of[one]] for one in selection.image_ids)
        return Earlier(path, chosen, False, (dataset,))
    first = load_any_split(path, images if is_regular(path) else None)
    splits, unloaded = load_all_splits(first)
    for problem in unloaded:
        raise InputError(str(problem))
    parts = tuple(splits.values())
    return Earlier(path, tuple(record for part in parts for record in part), first.labelled, parts)


def is_selection(path: Path) -> bool:
    """Return whether a file is a selection.json."""
    if path.suffix.lower() != ".json" or not is_regular(path):
        return False
    with open_regular(path) as file:
        return _MARK in file.read(_START)
