"""What the commands `duplicates` and `explain` print: plain sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from detreduce.terminal import console

if TYPE_CHECKING:
    from detreduce.dataset.records import DetectionDataset, ImageId
    from detreduce.duplicates import Duplicates, LeakageReport
    from detreduce.explanation import Explanation, Neighbour
    from detreduce.selection import Selection

STEPS = {
    "must_keep": "since it must be kept",
    "initial": "with the selection that this one continues",
    "class_floor": "for the floor of its classes",
    "method": "by the method",
}


def show_duplicates(dataset: DetectionDataset, found: Duplicates, *, shown: int | None) -> None:
    """Show the groups of a split, the image to keep first; `shown` None lists every group."""
    out = console()
    content = found.by == "content"
    near = f"near-duplicates by {found.by} (similarity from {found.threshold:g})"
    what = "images of equal pixels" if content else near
    out.print(f"{dataset.source.path}, split {dataset.split}: {found.images} images compared")
    if not found.groups:
        out.print(f"No {what}.")
    else:
        exact = sum(pair.exact for pair in found.pairs)
        of_which = f", {exact} of them equal in every pixel" if not content else ""
        out.print(f"{len(found)} groups of {what}; {len(found.pairs)} images could be left out{of_which}:")
    names = {record.id: record.name for record in dataset}
    pairs_of: dict[ImageId, list[Any]] = {}
    for pair in found.pairs:
        pairs_of.setdefault(pair.kept, []).append(pair)
    for group in found.groups[:shown]:
        out.print(f"  {names[group[0]]}", soft_wrap=True)
        for pair in pairs_of[group[0]]:
            out.print(
                f"    {names[pair.copy]}: {_alike(pair.exact, pair.transformation, pair.similarity)}", soft_wrap=True
            )
    if shown is not None and len(found.groups) > shown:
        out.print(f"  ... and {len(found.groups) - shown} more groups; --all lists them.")
    for problem in found.problems[:shown]:
        out.print(f"  {problem}", soft_wrap=True)


def leakage_lines(counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """In words how many images of a split are in an earlier one; keys are ``train / test``."""
    if not counts:
        return ["Leakage: the dataset has one split only."]
    lines = []
    for pair, count in counts.items():
        earlier, _, later = pair.partition(" / ")
        if both := count["exact"] + count["near"]:
            of_which = f", {count['exact']} of them equal in every pixel" if count["exact"] else ""
            lines.append(f"  {both} of the {count['of']} images of {later} are in {earlier}{of_which}.")
    return ["Leakage between splits:", *lines] if lines else ["Leakage between splits: none found."]


def show_leakage(report: LeakageReport, *, shown: int | None) -> None:
    """Show which images of val and test are in an earlier split too."""
    out = console()
    for line in leakage_lines({f"{earlier} / {later}": count for (earlier, later), count in report.counts.items()}):
        out.print(line)
    for item in report.leaked[:shown]:
        alike = _alike(item.exact, item.transformation, item.similarity)
        out.print(f"    {item.split} {item.name} is {item.other_split} {item.other_name}: {alike}", soft_wrap=True)
    if shown is not None and len(report.leaked) > shown:
        out.print(f"    ... and {len(report.leaked) - shown} more; --all lists them.")


def show_explanation(found: Explanation, selection: Selection) -> None:
    """Show why an image was kept or dropped."""
    out = console()

    def say(text: str) -> None:
        out.print(text, soft_wrap=True)

    say(f"{found.name} was {'kept' if found.kept else 'dropped'} {_reason(found, selection)}.")
    if found.category is not None:
        say(f"Category {found.category}: {found.category_kept} of {found.category_full} images were kept.")
    if found.score is not None and (found.step == "method" or not found.kept):
        say(f"Score {found.score:g}: place {found.score_place} of the {found.scored} scored images of its category.")
    elif found.step == "method":
        say("It has no score: the method never looked at it.")
    for pair in found.copies:
        say(f"It stands for {pair['copy_name']} ({_alike(pair['exact'], pair['transformation'], pair['similarity'])}).")
    by = f" by {', '.join(found.nearest_by)}" if found.nearest_by else ""
    nearest = _neighbour(found.nearest_kept), _neighbour(found.nearest_dropped)
    say(f"Nearest kept image{by}: {nearest[0]}. Nearest dropped: {nearest[1]}.")
    say(f"Boxes: {_counted(found.classes) or 'none'}.")
    if found.alone:
        say(
            f"Without it, no kept image would have: {_counted(found.alone)}."
            if found.kept
            else f"No kept image has: {_counted(found.alone)}."
        )
    for note in found.notes:
        say(note)


def _reason(found: Explanation, selection: Selection) -> str:
    if found.kept:
        by = f"by {selection.method}" if found.step == "method" else STEPS.get(found.step, "")
        return f"{by}, {found.rank} of {found.of} in the order chosen".strip()
    if found.step == "unreadable":
        return "since it could not be read"
    if found.step == "drop_duplicates" and (pair := found.duplicate_of):
        alike = _alike(pair["exact"], pair["transformation"], pair["similarity"])
        return f"before {selection.method} chose, since {pair['kept_name']} shows the same ({alike})"
    return f"by {selection.method}, which chose {found.of} others"


def _alike(exact: bool, transformation: str, similarity: float) -> str:
    return "equal pixels" if exact else f"{transformation}, similarity {similarity:.2f}"


def _neighbour(found: Neighbour | None) -> str:
    return "not known" if found is None else f"{found.name} (distance {found.distance:.3g})"


def _counted(classes: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in classes.items())
