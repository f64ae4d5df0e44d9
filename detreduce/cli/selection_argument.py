"""Open the selection that a user names on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from detreduce.dataset.records import DetectionDataset
    from detreduce.selection.record import Selection


class OpenedSelection(NamedTuple):
    """The file of a selection, the selection, and the dataset that the user named with `--data`, if any."""

    file: Path
    selection: Selection
    dataset: DetectionDataset | None


def open_selection(path: Path, data: Path | None, images: Path | None) -> OpenedSelection:
    """Read a selection from a file, or from selection.json in a folder. If `data` is not None, load the dataset too.

    `images` is the folder of the images, for formats that need it. Raise MissingFileError if a path does not exist, and
    InputError if the selection or the dataset cannot be read.
    """
    from detreduce.dataset.paths.finding import find, locate_dataset

    file = find(path, what="selection")
    file = file / "selection.json" if file.is_dir() else file
    place = None if data is None else locate_dataset(data)
    from detreduce.dataset import load_dataset
    from detreduce.selection.record import Selection

    made = Selection.load(file)
    if place is None:
        return OpenedSelection(file, made, None)
    made_on = made.provenance.get("dataset", {})
    dataset = load_dataset(place, split=made_on.get("split"), images=images, every=made_on.get("every"))
    return OpenedSelection(file, made, dataset)
