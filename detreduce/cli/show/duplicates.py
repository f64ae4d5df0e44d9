"""Print the results of `duplicates` in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from detreduce.cli.show import terminal

if TYPE_CHECKING:
    from detreduce.dataset.records import DetectionDataset, ImageId
    from detreduce.duplicates import Duplicates, LeakageReport


def show_duplicates(dataset: DetectionDataset, found: Duplicates, *, shown: int | None) -> None:
    """Print the groups of duplicates in a split, each with the image to keep first.

    If `shown` is None, all groups are listed.
    """
    out = terminal.console()
    content = found.by == "content"
    near = f"near-duplicates by {found.by} (similarity of at least {found.threshold:g})"
    what = "images with equal pixels" if content else near
    out.print(f"{dataset.source.path}, split {dataset.split}: {found.images} images compared")
    if not found.groups:
        out.print(f"No {what}.")
    else:
        exact = sum(pair.exact for pair in found.pairs)
        equal = f", {exact} of them equal in every pixel" if not content else ""
        out.print(f"{len(found)} groups of {what}. {len(found.pairs)} images could be left out{equal}:")
    names = {record.id: record.name for record in dataset}
    pairs_of: dict[ImageId, list[Any]] = {}
    for pair in found.pairs:
        pairs_of.setdefault(pair.kept, []).append(pair)
    for group in found.groups[:shown]:
        out.print(f"  {names[group[0]]}", soft_wrap=True)
        for pair in pairs_of[group[0]]:
            out.print(
                f"    {names[pair.copy]}: {alike(pair.exact, pair.transformation, pair.similarity)}", soft_wrap=True
            )
    if shown is not None and len(found.groups) > shown:
        out.print(f"  ... and {len(found.groups) - shown} more groups. Use --all to list all groups.")
    for problem in found.problems[:shown]:
        out.print(f"  {problem}", soft_wrap=True)


def leakage_lines(counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return lines with the number of images in each split that are also in an earlier split.

    The keys of `counts` are pairs of splits such as ``train / test``.
    """
    if not counts:
        return ["Leakage: the dataset has only one split."]
    lines = []
    for pair, count in counts.items():
        earlier, _, later = pair.partition(" / ")
        if both := count["exact"] + count["near"]:
            equal = f", {count['exact']} of them equal in every pixel" if count["exact"] else ""
            lines.append(f"  {both} of the {count['of']} images of {later} are in {earlier}{equal}.")
    return ["Leakage between splits:", *lines] if lines else ["Leakage between splits: none found."]


def show_leakage(report: LeakageReport, *, shown: int | None) -> None:
    """Print the images that are also in an earlier split. If `shown` is None, all of these images are listed."""
    out = terminal.console()
    for line in leakage_lines({f"{earlier} / {later}": count for (earlier, later), count in report.counts.items()}):
        out.print(line)
    for item in report.leaked[:shown]:
        how = alike(item.exact, item.transformation, item.similarity)
        out.print(f"    {item.split} {item.name} matches {item.other_split} {item.other_name}: {how}", soft_wrap=True)
    if shown is not None and len(report.leaked) > shown:
        out.print(f"    ... and {len(report.leaked) - shown} more. Use --all to list all images.")


def alike(exact: bool, transformation: str, similarity: float) -> str:
    """Return words for the similarity of two images."""
    return "equal pixels" if exact else f"{transformation}, similarity {similarity:.2f}"
