"""Find exact duplicates and near-duplicates in a dataset, and images that occur in more than one split (leakage)."""

from detreduce.duplicates.leakage import LeakageReport, leakage_report, leaked_images
from detreduce.duplicates.result import DuplicatePair, Duplicates
from detreduce.duplicates.search import exact_duplicates, near_duplicates
from detreduce.duplicates.split_search import LeakedImage

__all__ = [
    "DuplicatePair",
    "Duplicates",
    "LeakageReport",
    "LeakedImage",
    "exact_duplicates",
    "leakage_report",
    "leaked_images",
    "near_duplicates",
]
