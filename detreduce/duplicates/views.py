"""Duplicates and leakage as a notebook shows them: a table and a pandas frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from detreduce.dataset.views.frames import id_column, text_column
from detreduce.display.html import block, folded, lines, table

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 20
IDS, NAMES = ("copy", "kept", "image", "other"), ("name", "other_name")


def duplicates_html(
    pairs: Sequence[Mapping[str, Any]],
    *,
    images: int,
    groups: int,
    by: str,
    threshold: float,
    problems: Sequence[object],
) -> str:
    """Return the number of redundant images and the first pairs; a pair has the fields of `DuplicatePair`."""
    shown = [(pair["copy"], pair["kept"], pair["transformation"], f"{pair['similarity']:.3f}") for pair in pairs]
    exact = sum(pair["exact"] for pair in pairs)
    return block(
        f"Duplicates: {len(pairs)} of {images} images are redundant",
        lines([f"{groups} groups by {by}, threshold {threshold:g}; {exact} of the pairs are exact."]),
        table(("copy", "kept", "transformation", "similarity"), shown, words=3, shown=SHOWN, what="pairs")
        if shown
        else "",
        folded("problems", problems),
    )


def leakage_html(
    leaked: Sequence[Mapping[str, Any]],
    counts: Mapping[tuple[str, str], Mapping[str, int]],
    problems: Sequence[object],
) -> str:
    """Return how many images of each split leak, and the first; an image has the fields of `LeakedImage`."""
    splits = [
        (f"{later} from {earlier}", count["exact"], count["near"], count["of"])
        for (earlier, later), count in counts.items()
    ]
    images = [
        (
            f"{item['split']}: {item['name']}",
            f"{item['other_split']}: {item['other_name']}",
            item["transformation"],
            f"{item['similarity']:.3f}",
        )
        for item in leaked
    ]
    return block(
        f"LeakageReport: {len(leaked)} images of later splits are in an earlier one",
        table(("splits", "exact", "near", "of images"), splits),
        table(("image", "like", "transformation", "similarity"), images, words=3, shown=SHOWN, what="images")
        if images
        else "",
        folded("problems", problems),
    )


def pairs_frame(pairs: Sequence[dict[str, Any]], columns: list[str]) -> pd.DataFrame:
    """Return one row per pair of images, of duplicates or of leaked images."""
    import pandas as pd

    frame = pd.DataFrame(pairs, columns=columns)
    for name in frame.columns.intersection([*IDS, *NAMES]):
        frame[name] = (id_column if name in IDS else text_column)(pair[name] for pair in pairs)
    return frame
