"""Find images that show the same: exact duplicates and near-duplicates in a dataset, and leakage between its splits."""

from detreduce.duplicates.leakage import LeakageReport, LeakedImage, leakage_report
from detreduce.duplicates.result import DuplicatePair, Duplicates
from detreduce.duplicates.search import exact_duplicates, near_duplicates

__all__ = [
    "DuplicatePair",
    "Duplicates",
    "LeakageReport",
    "LeakedImage",
    "exact_duplicates",
    "leakage_report",
    "near_duplicates",
]
