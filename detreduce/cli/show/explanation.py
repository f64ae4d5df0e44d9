"""Print the results of the command `explain` in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from detreduce.cli.show import terminal
from detreduce.cli.show.duplicates import alike
from detreduce.cli.show.terminal import show_text

if TYPE_CHECKING:
    from detreduce.selection.explanation import Explanation
    from detreduce.selection.record import Selection

BOXES_SHOWN = 8
"""The maximum number of predicted boxes that are listed."""
STEPS = {
    "must_keep": "because must_keep names it",
    "initial": "because the earlier selection has it",
    "class_floor": "to reach class_floor",
    "method": "by the method",
}


def show_explanation(found: Explanation, selection: Selection) -> None:
    """Print why an image was kept or dropped."""
    out = terminal.console()

    def say(text: str) -> None:
        """Print a text that may contain names from the dataset."""
        show_text(out, text)

    say(f"{found.name} was {'kept' if found.kept else 'dropped'} {_reason(found, selection)}.")
    if found.category is not None:
        say(f"Category {found.category}: {found.category_kept} of {found.category_full} images were kept.")
    if not found.kept and found.group_full:
        say(f"The group {found.group} of the image was full, because max_per_group is {found.group_limit}.")
    if selection.keeps_all:
        # all images are kept in random order, so ranks and scores have no meaning
        pass
    elif found.score is not None and (found.step == "method" or not found.kept):
        for line in (*_rule(selection), *_score(found)):
            say(line)
    elif found.step == "method":
        for line in _rule(selection):
            say(line)
        say(f"The image does not have a score, because {_why_unscored(found, selection)}.")
    for pair in found.copies:
        how = alike(pair["exact"], pair["transformation"], pair["similarity"])
        say(f"The image has the duplicate {pair['copy_name']} ({how}).")
    for line in _nearest(found):
        say(line)
    if found.predicted_by is None:
        say(f"Boxes: {_counted(found.classes) or ('none' if found.labelled else 'not labelled')}.")
    elif found.labelled:
        say(f"Boxes predicted by {found.predicted_by}: {_counted(found.classes) or 'none'}.")
        for line in _predicted(found, selection):
            say(line)
    if found.alone:
        say(
            f"Without this image, no kept image would have: {_counted(found.alone)}."
            if found.kept
            else f"No kept image has: {_counted(found.alone)}."
        )
    for note in found.notes:
        say(note)


def _reason(found: Explanation, selection: Selection) -> str:
    """Return the end of the sentence that begins with "The image was kept (or dropped)"."""
    if found.kept and selection.keeps_all:
        return "with all images that remain"
    if found.kept:
        by = f"by {selection.method}" if found.step == "method" else STEPS.get(found.step, "")
        return f"{by}, number {found.rank} of {found.of} in the order of choice".strip()
    if found.step == "exclude":
        return "because exclude names it"
    before = "" if selection.keeps_all else f"before {selection.method} chose, "
    if found.step == "drop_leaked":
        return f"{before}because {_copies_in_words(found.leaked_as) or 'it is also in val or test'}"
    if found.step == "unreadable":
        return "because it could not be read"
    if found.step == "no_features":
        return f"because {selection.method} got no features of this image"
    if found.step == "drop_duplicates" and (pair := found.duplicate_of):
        how = alike(pair["exact"], pair["transformation"], pair["similarity"])
        return f"{before}because it is a duplicate of {pair['kept_name']} ({how})"
    return f"by {selection.method}, which kept {found.of} other images"


def _predicted(found: Explanation, selection: Selection) -> Iterator[str]:
    """Yield a sentence about the predicted boxes that count most for the method."""
    boxes = found.predicted[:BOXES_SHOWN]
    if not boxes:
        return
    if selection.method == "uncertainty":
        named = [f"{box['class']} ({box['confidence']:.2f}, second class {box['second_class']:.2f})" for box in boxes]
        what = "Most uncertain boxes, with the confidences of their two most likely classes"
    else:
        named = [f"{box['class']} ({box['confidence']:.2f})" for box in boxes]
        what = "Most confident boxes, with their confidences"
    more = len(found.predicted) - len(boxes)
    yield f"{what}: {', '.join(named)}{f' and {more} more' if more else ''}."


def _copies_in_words(pairs: Sequence[Mapping[str, Any]]) -> str:
    """Name the images of val and test that are copies of a leaked image.

    For example, the result is ``it is nearly the same as val a.jpg (mirrored, similarity 0.91)``. If `pairs` is empty,
    the result is an empty string.
    """
    named = []
    for pair in pairs:
        how = alike(pair["exact"], pair["transformation"], pair["similarity"])
        named.append(f"{pair['other_split']} {pair['other_name']} ({how})")
    if not named:
        return ""
    same = "the same as" if all(pair["exact"] for pair in pairs) else "nearly the same as"
    return f"it is {same} {' and '.join(named)}"


def _rule(selection: Selection) -> Iterator[str]:
    """Yield one sentence that says which images the method keeps."""
    from detreduce.errors import DetreduceError
    from detreduce.reducers.catalogue import described

    # the method may come from a package that is no longer installed
    with suppress(DetreduceError):
        yield f"{selection.method} keeps {described(selection.method).summary}."


def _score(found: Explanation) -> Iterator[str]:
    """Yield a sentence about the score of an image.

    If the score of a kept image only repeats its position in the selection, yield nothing.
    """
    if not found.score_is_place:
        yield (
            f"Score {found.score:g}: position {found.score_place} of the {found.scored} scored images of its category."
        )
    elif not found.kept:
        yield f"The image was at position {found.score_place} of the {found.scored} images in the order of the method."


def _why_unscored(found: Explanation, selection: Selection) -> str:
    if found.category_kept == 0:
        return "the selection has no images of its category"
    if parts := selection.partitions:
        return f"{selection.method} first chose in {parts} parts, and did not choose the image there"
    return f"{selection.method} scores only the images that it keeps"


def _nearest(found: Explanation) -> Iterator[str]:
    """Yield a sentence about the most similar kept image and the most similar dropped image.

    If the features describe only the boxes, the sentence says nothing about appearance, because images with similar
    boxes may look different.
    """
    boxes = found.nearest_by == ("annotations",)
    by = " with the most similar boxes" if boxes else f" by {', '.join(found.nearest_by)}" * bool(found.nearest_by)
    said = []
    for kind, near in (("kept", found.nearest_kept), ("dropped", found.nearest_dropped)):
        # without features, or if there is no other image of this kind, there is nothing to say
        if near is not None:
            words = f"{kind} image{by}" if boxes else f"nearest {kind} image{by}"
            name = near.name if boxes else f"{near.name} (distance {near.distance:.3g})"
            said.append(f"{words[0].upper()}{words[1:]}: {name}.")
    if said:
        yield " ".join(said)


def _counted(classes: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in classes.items())
