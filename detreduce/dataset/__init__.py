"""Load, check and categorise datasets on disk, and write subsets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detreduce.vocabulary.public_names import import_at_first_use

if TYPE_CHECKING:
    from detreduce.dataset.load import load_dataset, load_split
    from detreduce.dataset.records import DetectionDataset, ImageRecord, Problem, Source, SplitSource

# names are imported at first use, so that a misspelt path is reported before numpy is imported
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
