"""Describe the steps before the method in sentences, for the terminal and for pages."""

from __future__ import annotations

from collections.abc import Iterator

from detreduce.duplicates.leakage import matches_in_words
from detreduce.selection.record import Selection
from detreduce.vocabulary.keeps import keep_in_words


def steps_in_words(selection: Selection) -> Iterator[str]:
    """Yield sentences about the images that were left out or kept before the method chose, in the order of the steps.

    If images were left out, the last sentence explains what a fraction `keep` refers to.
    """
    before = "" if selection.keeps_all else " before choosing"
    for step in selection.steps:
        kind = step.get("step")
        if kind == "drop_duplicates":
            dropped = step.get("dropped", 0)
            exact = str(step.get("what", "")).startswith("equal")
            copies = f"{'copy' if dropped == 1 else 'copies'} with equal pixels" if exact else "near-duplicate"
            copies += "s" * (not exact and dropped != 1)
            yield f"{dropped:,} {copies} left out{before}." if dropped else f"No {copies} found."
        elif kind == "drop_leaked":
            pairs = step.get("pairs", ())
            words = matches_in_words(pairs, step.get("matched"))
            yield f"Left out: {words}." if pairs else f"{words[0].upper()}{words[1:]}."
        elif kind in ("must_keep", "exclude"):
            yield f"{len(step.get('images', ())):,} {'kept' if kind == 'must_keep' else 'excluded'} by name."
    remaining, full = selection.images_remaining, len(selection.scores)
    if isinstance(selection.keep, float) and remaining != full:
        fraction = keep_in_words(selection.keep)
        yield f"{fraction} of all {full:,} images is {len(selection):,} of the {remaining:,} that remain."
