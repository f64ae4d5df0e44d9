"""Print the results of `explain` in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from detreduce.cli.show import terminal
from detreduce.cli.show.duplicates import alike
from detreduce.cli.show.terminal import show_text

if TYPE_CHECKING:
    from detreduce.selection.explanation import Explanation, Neighbour
    from detreduce.selection.record import Selection

STEPS = {
    "must_keep": "because must_keep names it",
    "initial": "because the earlier selection has it",
    "class_floor": "to reach the floor of its classes",
    "method": "by the method",
}


def show_explanation(found: Explanation, selection: Selection) -> None:
    """Print why an image was kept or dropped."""
    out = terminal.console()

    def say(text: str) -> None:
        show_text(out, text)

    say(f"{found.name} was {'kept' if found.kept else 'dropped'} {_reason(found, selection)}.")
    if found.category is not None:
        say(f"Category {found.category}: {found.category_kept} of {found.category_full} images were kept.")
    if not found.kept and found.group_full:
        say(f"Its group {found.group} was full, because max_per_group is {found.group_limit}.")
    if selection.keeps_all:
        # the order and the scores are random
        pass
    elif found.score is not None and (found.step == "method" or not found.kept):
        say(f"Score {found.score:g}: position {found.score_place} of the {found.scored} scored images of its category.")
    elif found.step == "method":
        say(f"It does not have a score, because {_why_unscored(found, selection)}.")
    for pair in found.copies:
        how = alike(pair["exact"], pair["transformation"], pair["similarity"])
        say(f"It has the duplicate {pair['copy_name']} ({how}).")
    for line in _nearest(found):
        say(line)
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
    """Return the end of the sentence "The image was kept (or dropped) ..."."""
    if found.kept and selection.keeps_all:
        return "with all images that remain"
    if found.kept:
        by = f"by {selection.method}" if found.step == "method" else STEPS.get(found.step, "")
        return f"{by}, number {found.rank} of {found.of} in the order of choice".strip()
    if found.step == "exclude":
        return "because exclude names it"
    before = "" if selection.keeps_all else f"before {selection.method} chose, "
    if found.step == "drop_leaked":
        return f"{before}because it is also in val or test"
    if found.step == "unreadable":
        return "because it could not be read"
    if found.step == "no_features":
        return f"because {selection.method} got no features of this image"
    if found.step == "drop_duplicates" and (pair := found.duplicate_of):
        how = alike(pair["exact"], pair["transformation"], pair["similarity"])
        return f"{before}because it is a duplicate of {pair['kept_name']} ({how})"
    return f"by {selection.method}, which kept {found.of} other images"


def _why_unscored(found: Explanation, selection: Selection) -> str:
    if found.category_kept == 0:
        return "the selection has no images of its category"
    return f"{selection.method} scores only the images that it keeps"


def _nearest(found: Explanation) -> Iterator[str]:
    """Yield a sentence about the nearest images.

    If the features describe only boxes, the sentence does not mention the look, because images with similar boxes may
    look different.
    """
    if found.nearest_by == ("annotations",):
        names = ["not known" if one is None else one.name for one in (found.nearest_kept, found.nearest_dropped)]
        yield f"Kept image with the most similar boxes: {names[0]}. Dropped image: {names[1]}."
        return
    by = f" by {', '.join(found.nearest_by)}" if found.nearest_by else ""
    nearest = _neighbour(found.nearest_kept), _neighbour(found.nearest_dropped)
    yield f"Nearest kept image{by}: {nearest[0]}. Nearest dropped: {nearest[1]}."


def _neighbour(found: Neighbour | None) -> str:
    return "not known" if found is None else f"{found.name} (distance {found.distance:.3g})"


def _counted(classes: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in classes.items())
