"""The pairs of duplicate images that a page shows together with a selection. Pairs of two kept images come first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from detreduce.dataset.records import DetectionDataset, ImageId
from detreduce.display.numbers import counted
from detreduce.selection.record import Selection

PAIRS_SHOWN = 8


@dataclass(frozen=True, slots=True)
class ShownPair:
    """Two images that are duplicates of each other.

    Attributes
    ----------
    first, second
        The rows of the two images in the dataset.
    first_kept, second_kept
        Whether each of them is kept.
    words
        How similar the images are, in words.
    """

    first: int
    second: int
    first_kept: bool
    second_kept: bool
    words: str


@dataclass(frozen=True, slots=True)
class ShownDuplicates:
    """The result of a search for duplicate images.

    Attributes
    ----------
    looked_for
        A description of the search: what counts as a duplicate, and which images were searched.
    found
        The number of pairs that were found.
    kept_twice
        The number of kept images that are duplicates of another kept image.
    shown
        The pairs to show. Pairs of two kept images come first, then pairs with one kept image, then all others.
    """

    looked_for: str
    found: int
    kept_twice: int
    shown: tuple[ShownPair, ...]


def duplicate_searches(
    selection: Selection, near: Mapping[str, Any] | None, dataset: DetectionDataset, shown: int = PAIRS_SHOWN
) -> tuple[ShownDuplicates, ...]:
    """Return the searches for duplicates whose results are shown together with a selection.

    There are at most two searches. The first is the experiment's search for near-duplicates. The second is the search
    that was part of the selection. If the first is shown and the second dropped no images, the second is left out.

    Parameters
    ----------
    selection
        A selection from `dataset`.
    near
        The experiment's search for near-duplicates, as `read_near_duplicates` returns it. None if there is no
        experiment.
    dataset
        The dataset that rows refer to.
    shown
        The maximum number of pairs to show for each search.
    """
    kept = {dataset.row_of[image] for image in selection.image_ids}
    searches = []
    if near and "skipped" not in near:
        words = (
            f"near-duplicates by {near['by']} with a similarity of at least {near['threshold']:g}, rotated and "
            f"mirrored copies too, among all {near['images']} training images"
        )
        searches.append(_search(words, near.get("pairs", ()), dataset, kept, shown))
    own = selection.provenance.get("duplicates", {})
    dropped = [step for step in selection.steps if step.get("step") == "drop_duplicates"]
    if dropped or not searches:
        words = str(own.get("looked_for", "an unknown kind of duplicate"))
        if dropped:
            words += f"; {counted(dropped[0].get('dropped', 0), 'image was', 'images were')} dropped before choosing"
        elif near is None:
            words += "; there was no search for near-duplicates (--drop-duplicates)"
        if near is not None and not searches:
            why = near.get("skipped", "this ledger has no result of this search; run `detreduce run` again to search")
            words += f"; there was no search for near-duplicates among all training images: {why}"
        searches.append(_search(words, own.get("pairs", ()), dataset, kept, shown))
    return tuple(searches)


def _search(
    words: str, pairs: Iterable[Mapping[str, Any]], dataset: DetectionDataset, kept: Collection[int], shown: int
) -> ShownDuplicates:
    """Make a `ShownDuplicates` from pairs of duplicates.

    `words` describes the search, and `kept` contains the rows of the kept images.
    """
    groups: dict[int, dict[int, str]] = {}
    for pair in pairs:
        leader, copy = _row(dataset, pair.get("kept")), _row(dataset, pair.get("copy"))
        if leader is not None and copy is not None:
            groups.setdefault(leader, {})[copy] = pair_in_words(pair)
    duplicates = [pair for leader, copies in groups.items() for pair in _of_group(leader, copies, kept)]
    duplicates.sort(key=lambda pair: -(pair.first_kept + pair.second_kept))
    twice = sum(pair.first_kept and pair.second_kept for pair in duplicates)
    return ShownDuplicates(words, len(duplicates), twice, tuple(duplicates[:shown]))


def _of_group(leader: int, copies: Mapping[int, str], kept: Collection[int]) -> list[ShownPair]:
    """Return the pairs to show for a group of duplicates.

    All pairs have the same first image: a kept image of the group. If no image of the group is kept, the first image is
    `leader`. `copies` maps the row of each other image to words that describe its similarity to `leader`.
    """
    members = [leader, *copies]
    anchor = next((row for row in members if row in kept), leader)
    return [
        ShownPair(
            anchor,
            row,
            anchor in kept,
            row in kept,
            copies[row] if anchor == leader else copies[anchor] if row == leader else "both similar to a third image",
        )
        for row in members
        if row != anchor
    ]


def _row(dataset: DetectionDataset, image: ImageId | None) -> int | None:
    """Return the row of an image in the dataset, or None if the dataset does not contain the image."""
    return None if image is None else dataset.row_of.get(image)


def pair_in_words(pair: Mapping[str, Any]) -> str:
    """Describe in words how similar two images are, for example ``mirrored, similarity 0.93``."""
    if pair.get("exact"):
        return "equal pixels"
    similarity = pair.get("similarity")
    words = [str(pair["transformation"])] if pair.get("transformation") else []
    return ", ".join([*words, *([f"similarity {similarity:.2f}"] if isinstance(similarity, float) else [])])
