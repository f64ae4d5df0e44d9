"""Datasets on disk: load, check, categorise, write subsets. Knows no features, no reducers and no training."""

from detreduce.dataset.load import load_dataset, load_split
from detreduce.dataset.records import DetectionDataset, ImageRecord, Problem, Source, SplitSource

__all__ = ["DetectionDataset", "ImageRecord", "Problem", "Source", "SplitSource", "load_dataset", "load_split"]
