"""Duplicates and leakage as a notebook shows them: a table and a pandas frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from detreduce.dataset.views import id_column, text_column
from detreduce.duplicates.leakage import LeakageReport, LeakedImage
from detreduce.duplicates.search import DuplicatePair, Duplicates
from detreduce.html import block, folded, lines, table

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 20
IDS, NAMES = ("copy", "kept", "image", "other"), ("name", "other_name")


def duplicates_html(found: Duplicates) -> str:
    """How many images are redundant, and the first pairs."""
    pairs = [(pair.copy, pair.kept, pair.transformation, f"{pair.similarity:.3f}") for pair in found.pairs]
    exact = sum(pair.exact for pair in found.pairs)
    return block(
        f"Duplicates: {len(found.pairs)} of {found.images} images are redundant",
        lines([f"{len(found)} groups by {found.by}, threshold {found.threshold:g}; {exact} of the pairs are exact."]),
        table(("copy", "kept", "transformation", "similarity"), pairs, words=3, shown=SHOWN, what="pairs")
        if pairs
        else "",
        folded("problems", found.problems),
    )


def duplicates_frame(found: Duplicates) -> pd.DataFrame:
    """One row a redundant image."""
    groups = {image: number for number, group in enumerate(found.groups) for image in group}
    frame = _frame(found.pairs, DuplicatePair)
    frame.insert(0, "group", [groups[pair.copy] for pair in found.pairs])
    return frame


def leakage_html(report: LeakageReport) -> str:
    """How many images of each split are in an earlier one, and the first of them."""
    counts = [
        (f"{later} from {earlier}", count["exact"], count["near"], count["of"])
        for (earlier, later), count in report.counts.items()
    ]
    leaked = [
        (
            f"{item.split}: {item.name}",
            f"{item.other_split}: {item.other_name}",
            item.transformation,
            f"{item.similarity:.3f}",
        )
        for item in report.leaked
    ]
    return block(
        f"LeakageReport: {len(report.leaked)} images of later splits are in an earlier one",
        table(("splits", "exact", "near", "of images"), counts),
        table(("image", "like", "transformation", "similarity"), leaked, words=3, shown=SHOWN, what="images")
        if leaked
        else "",
        folded("problems", report.problems),
    )


def leakage_frame(report: LeakageReport) -> pd.DataFrame:
    """One row a leaked image."""
    return _frame(report.leaked, LeakedImage)


def _frame(items: Sequence[Any], kind: type) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame([asdict(item) for item in items], columns=[field.name for field in fields(kind)])
    for name in frame.columns.intersection([*IDS, *NAMES]):
        frame[name] = (id_column if name in IDS else text_column)(getattr(item, name) for item in items)
    return frame
