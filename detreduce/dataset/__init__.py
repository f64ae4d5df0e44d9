"""Load and check datasets on disk, assign image categories, and write subsets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detreduce.vocabulary.public_names import import_at_first_use

if TYPE_CHECKING:
    from detreduce.dataset.load import load_dataset, load_split
    from detreduce.dataset.records import DetectionDataset, ImageRecord, Problem, Source, SplitSource

# these names are imported at first use, so that a misspelt path is reported before the slow import of numpy
__getattr__ = import_at_first_use(
    __name__,
    {
        "DetectionDataset": "detreduce.dataset.records",
        "ImageRecord": "detreduce.dataset.records",
        "Problem": "detreduce.dataset.records",
        "Source": "detreduce.dataset.records",
        "SplitSource": "detreduce.dataset.records",
        "load_dataset": "detreduce.dataset.load",
        "load_split": "detreduce.dataset.load",
    },
)

__all__ = ["DetectionDataset", "ImageRecord", "Problem", "Source", "SplitSource", "load_dataset", "load_split"]
