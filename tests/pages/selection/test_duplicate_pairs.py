"""Which pairs of duplicate images are shown, and in which order."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from detreduce.pages.selection.duplicate_pairs import duplicate_searches

# a to f, ids of rows 0 to 5
DATASET: Any = SimpleNamespace(row_of={name: row for row, name in enumerate("abcdef")})


def pair(copy: str, kept: str, **more: Any) -> dict[str, Any]:
    return {"copy": copy, "kept": kept, "similarity": 0.9, "transformation": "mirrored", "exact": False, **more}


def selection(images: str, *, own: list[dict[str, Any]] | None = None, steps: tuple[Any, ...] = ()) -> Any:
    report = {"looked_for": "identical files", "pairs": own or []}
    return SimpleNamespace(image_ids=tuple(images), steps=steps, provenance={"duplicates": report})


def near(*pairs: dict[str, Any]) -> dict[str, Any]:
    return {"by": "pixels", "threshold": 0.85, "images": 6, "pairs": list(pairs)}


def test_two_kept_ones_come_first_then_one_then_none() -> None:
    found = near(pair("b", "a"), pair("d", "c"), pair("f", "e", exact=True))
    (search,) = duplicate_searches(selection("cef"), found, DATASET)
    assert [(pair.first, pair.second, pair.first_kept, pair.second_kept) for pair in search.shown] == [
        (4, 5, True, True),
        (2, 3, True, False),
        (0, 1, False, False),
    ]
    like = "mirrored, similarity 0.90"
    assert [pair.words for pair in search.shown] == ["equal pixels", like, like]
    assert (search.found, search.kept_twice) == (3, 1)
    (search,) = duplicate_searches(selection("cef"), found, DATASET, shown=1)
    assert (search.found, len(search.shown)) == (3, 1)


def test_two_kept_copies_of_a_dropped_image_are_a_pair() -> None:
    (search,) = duplicate_searches(selection("bc"), near(pair("b", "a"), pair("c", "a"), pair("d", "a")), DATASET)
    first, *others = search.shown
    assert (first.first, first.second, first.words) == (1, 2, "both similar to a third image")
    assert {(pair.first, pair.second, pair.words) for pair in others} == {
        (1, 0, "mirrored, similarity 0.90"),
        (1, 3, "both similar to a third image"),
    }
    assert search.kept_twice == 1


def test_images_that_are_gone_are_no_pairs() -> None:
    (search,) = duplicate_searches(selection("a"), near(pair("z", "a"), {"copy": "a"}), DATASET)
    assert search.found == 0


def test_the_selections_own_search_stands_where_there_is_no_other_or_it_left_images_out() -> None:
    own = [pair("b", "a", exact=True)]
    (search,) = duplicate_searches(selection("ab", own=own), {}, DATASET)
    assert search.looked_for.startswith("identical files; ") and search.found == 1
    (search,) = duplicate_searches(selection("ab", own=own), {"skipped": "there are more than 9 images"}, DATASET)
    assert search.looked_for.endswith("there are more than 9 images")
    step = {"step": "drop_duplicates", "what": "identical files", "dropped": 4}
    first, second = duplicate_searches(selection("ab", own=own, steps=(step,)), near(), DATASET)
    assert "by pixels" in first.looked_for and "0.85" in first.looked_for and first.found == 0
    assert second.looked_for.startswith("identical files; 4 images") and second.found == 1
