"""Load, check and categorise datasets on disk, and write subsets. Does not import features, reducers or training."""

from detreduce.dataset.load import load_dataset, load_split
from detreduce.dataset.records import DetectionDataset, ImageRecord, Problem, Source, SplitSource

__all__ = ["DetectionDataset", "ImageRecord", "Problem", "Source", "SplitSource", "load_dataset", "load_split"]
