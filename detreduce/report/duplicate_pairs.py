"""Images of a selection that show the same, by what was looked for: pairs of which both are kept first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from detreduce.dataset.records import DetectionDataset, ImageId
from detreduce.selection.record import Selection

PAIRS_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Twin:
    """Dataset rows of two images that show the same, whether each is kept, and how alike they are."""

    first: int
    second: int
    first_kept: bool
    second_kept: bool
    words: str


@dataclass(frozen=True, slots=True)
class TwinSearch:
    """What a search for images that show the same found.

    Attributes
    ----------
    looked_for
        In words: what counts as the same, and among which images.
    found
        How many pairs there are.
    kept_twice
        Kept images that show what another kept one shows.
    shown
        The first pairs, those of two kept images before those of one and of none.
    """

    looked_for: str
    found: int
    kept_twice: int
    shown: tuple[Twin, ...]


def twin_searches(
    selection: Selection, near: Mapping[str, Any], dataset: DetectionDataset, shown: int = PAIRS_SHOWN
) -> tuple[TwinSearch, ...]:
    """The experiment's search, and the selection's own where it left images out by another, or there is no other.

    Parameters
    ----------
    selection
        Of images of `dataset`.
    near
        As of `read_near_duplicates`.
    dataset
        Of which rows are given.
    shown
        Pairs of each search to give.
    """
    kept = {dataset.row_of[image] for image in selection.image_ids}
    searches = []
    if near and "skipped" not in near:
        words = (
            f"near-duplicates by {near['by']} from a similarity of {near['threshold']:g}, turned and mirrored ones "
            f"too, among all {near['images']} training images"
        )
        searches.append(_search(words, near.get("pairs", ()), dataset, kept, shown))
    own = selection.provenance.get("duplicates", {})
    dropped = [step for step in selection.steps if step.get("step") == "drop_duplicates"]
    if dropped or not searches:
        words = str(own.get("looked_for", "not known what"))
        if dropped:
            words += f"; {dropped[0].get('dropped')} images were left out before choosing"
        if not searches:
            why = near.get("skipped", "this ledger has no search; detreduce run, the same again, makes one")
            words += f"; near-duplicates were not looked for among all training images: {why}"
        searches.append(_search(words, own.get("pairs", ()), dataset, kept, shown))
    return tuple(searches)


def _search(
    words: str, pairs: Iterable[Mapping[str, Any]], dataset: DetectionDataset, kept: Collection[int], shown: int
) -> TwinSearch:
    groups: dict[int, dict[int, str]] = {}
    for pair in pairs:
        leader, copy = _row(dataset, pair.get("kept")), _row(dataset, pair.get("copy"))
        if leader is not None and copy is not None:
            groups.setdefault(leader, {})[copy] = pair_in_words(pair)
    twins = [twin for leader, copies in groups.items() for twin in _of_group(leader, copies, kept)]
    twins.sort(key=lambda twin: -(twin.first_kept + twin.second_kept))
    twice = sum(twin.first_kept and twin.second_kept for twin in twins)
    return TwinSearch(words, len(twins), twice, tuple(twins[:shown]))


def _of_group(leader: int, copies: Mapping[int, str], kept: Collection[int]) -> list[Twin]:
    """Each image of a group beside a kept one of it, where one is kept: else beside the group's first."""
    members = [leader, *copies]
    anchor = next((row for row in members if row in kept), leader)
    return [
        Twin(
            anchor,
            row,
            anchor in kept,
            row in kept,
            copies[row] if anchor == leader else copies[anchor] if row == leader else "both like a third image",
        )
        for row in members
        if row != anchor
    ]


def _row(dataset: DetectionDataset, image: ImageId | None) -> int | None:
    return None if image is None else dataset.row_of.get(image)


def pair_in_words(pair: Mapping[str, Any]) -> str:
    """How alike two images are: ``mirrored, similarity 0.93``."""
    if pair.get("exact"):
        return "equal pixels"
    similarity = pair.get("similarity")
    words = [str(pair["transformation"])] if pair.get("transformation") else []
    return ", ".join([*words, *([f"similarity {similarity:.2f}"] if isinstance(similarity, float) else [])])
