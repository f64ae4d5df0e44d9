"""Two methods that chose the same images, and two methods with equal results."""

from __future__ import annotations

from test_comparison import only, rows

from detreduce.experiment.statistics.comparison import compare_methods
from detreduce.experiment.statistics.same_images import SAME_IMAGES, same_choices, same_images_notes

FIGURES = [0.40, 0.42, 0.41]


def chosen(method: str, *hashes: str | None) -> list[dict]:
    return [row | {"selection_hash": name} for row, name in zip(rows(method, FIGURES), hashes, strict=True)]


def test_the_same_images_are_told_apart_from_the_same_result() -> None:
    table = chosen("srs", "a", "b", "c") + chosen("mms", "a", "b", "c") + chosen("clc", "d", "e", "f")
    found = compare_methods(table)
    assert only(found, method="mms", measure="mAP50").verdict == SAME_IMAGES
    assert only(found, method="clc", measure="mAP50").verdict != SAME_IMAGES
    assert same_choices(table) == [(0.25, ("mms", "srs"))]
    (note,) = same_images_notes(table)
    assert note.startswith("mms and srs chose the same images at keep 25 %")


def test_every_seed_counts_and_an_unknown_choice_is_not_the_same() -> None:
    assert same_choices(chosen("srs", "a", "b", "c") + chosen("mms", "a", "b", "x")) == []
    table = chosen("srs", None, None, None) + chosen("mms", None, None, None)
    assert same_choices(table) == [] and compare_methods(table)[0].verdict != SAME_IMAGES
