"""Views of duplicates and leakage for notebooks: an HTML table and a pandas frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from detreduce.dataset.views.frames import id_column, text_column
from detreduce.display.html import block, folded, lines, table
from detreduce.display.numbers import counted

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
    """Return HTML with the number of redundant images and a table of the first pairs.

    Each pair is a mapping with the fields of `DuplicatePair`.
    """
    shown = [(pair["copy"], pair["kept"], pair["transformation"], f"{pair['similarity']:.3f}") for pair in pairs]
    exact = sum(pair["exact"] for pair in pairs)
    return block(
        f"Duplicates: {len(pairs)} of {images} images are redundant",
        lines(
            [
                f"{counted(groups, 'group')} by {by}, threshold {threshold:g}. "
                f"{counted(exact, 'pair is', 'pairs are')} exact."
            ]
        ),
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
    """Return HTML with the number of leaked images per split and a table of the first leaked images.

    Each leaked image is a mapping with the fields of `LeakedImage`.
    """
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
        f"LeakageReport: {counted(len(leaked), 'image of later splits is', 'images of later splits are')} in "
        "an earlier split",
        table(("splits", "exact", "near", "of images"), splits),
        table(("image", "like", "transformation", "similarity"), images, words=3, shown=SHOWN, what="images")
        if images
        else "",
        folded("problems", problems),
    )


def pairs_frame(pairs: Sequence[dict[str, Any]], columns: list[str]) -> pd.DataFrame:
    """Return a pandas frame with one row per pair of duplicates or per leaked image."""
    import pandas as pd

    frame = pd.DataFrame(pairs, columns=columns)
    for name in frame.columns.intersection([*IDS, *NAMES]):
        frame[name] = (id_column if name in IDS else text_column)(pair[name] for pair in pairs)
    return frame
