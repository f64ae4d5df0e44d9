"""The controls of recipes, and the claims of comparisons with them."""

from __future__ import annotations

from typing import Any

import pytest

from detreduce.experiment.statistics.claims import claims_of
from detreduce.experiment.statistics.comparison import compare_methods
from detreduce.experiment.statistics.pairs import random_reference, sides_of
from detreduce.experiment.statistics.ranks import rank_methods
from detreduce.experiment.statistics.summary import summarise_cells

SEEDS = (0, 1, 2)


def rows(
    label: str, values: tuple[float, ...], recipe: dict[str, Any] | None = None, *, tflops: float = 4.0, **more: Any
) -> list[dict[str, Any]]:
    return [
        {
            "key": f"{label}-{seed}", "label": label, "method": "recipe" if recipe is not None else label,
            "control": None if recipe is not None else label, "keep": 0.1, "images": 448, "images_seen": 900,
            "training_seed": seed, "selection_seed": None, "mAP50": value, "mAP50_95": value, "TFLOPs": tflops,
            "Wh": tflops, "recipe": None if recipe is None else {"name": label, **recipe}, **more,
        }
        for seed, value in zip(SEEDS, values, strict=True)
    ]  # fmt: skip


CONTROL = rows("full_equal_iterations", (0.30, 0.32, 0.31))
BATCH8 = rows("batch8", (0.40, 0.41, 0.44), {"batch": 8})
BATCH4 = rows("batch4", (0.35, 0.37, 0.33), {"batch": 4})
STREAM = rows("stream", (0.33, 0.34, 0.39), {"stream": {"by": "class_uniform"}})
STREAM8 = rows("stream8", (0.45, 0.47, 0.44), {"stream": {"by": "class_uniform"}, "batch": 8})
SMALL = rows("small", (0.50, 0.52, 0.51), {"imgsz": 224}, tflops=2.0)


def claims(*groups: list[dict[str, Any]]) -> dict[tuple[str, str], tuple[str, str]]:
    """Return (recipe, control) -> (label of the control, claim)."""
    found = claims_of([row for group in groups for row in group])
    return {(item.ours[0]["label"], item.against): (item.theirs[0]["label"], item.claim) for item in found}


def test_the_two_claims_are_kept_apart() -> None:
    found = claims(CONTROL, BATCH8, BATCH4, STREAM, STREAM8)
    equal = "full_equal_iterations"
    assert found == {
        ("batch8", equal): (equal, "recipe"),
        ("batch4", equal): (equal, "recipe"),
        ("stream", equal): (equal, "data"),
        ("stream8", equal): (equal, "recipe"),
        ("stream8", "uniform_stream"): ("batch8", "data"),
        # the best uniform recipe is the control of all other recipes
        ("batch8", "best_uniform"): ("batch4", "recipe"),
        ("batch4", "best_uniform"): ("batch8", "recipe"),
        ("stream", "best_uniform"): ("batch8", "recipe"),
        ("stream8", "best_uniform"): ("batch8", "recipe"),
    }


def test_a_recipe_that_costs_otherwise_is_not_compared() -> None:
    found = claims(CONTROL, BATCH8, SMALL)
    assert found["small", "full_equal_iterations"] == ("full_equal_iterations", "")
    assert ("small", "best_uniform") not in found
    compared = [item for item in compare_methods(CONTROL + SMALL) if item.method == "small"]
    assert {item.claim for item in compared} == {""}
    assert all(item.verdict == "not compared: TFLOPs -50%" for item in compared)


@pytest.mark.parametrize(("tflops", "claim"), [(4.079, "recipe"), (4.081, ""), (3.921, "recipe"), (3.919, "")])
def test_equal_is_within_two_percent(tflops: float, claim: str) -> None:
    found = claims(CONTROL, rows("other", (0.4, 0.4, 0.4), {"imgsz": 316}, tflops=tflops))
    assert found["other", "full_equal_iterations"][1] == claim


def test_unknown_tflops_are_no_recipe_claim() -> None:
    unknown = [{**row, "TFLOPs": None} for row in BATCH8]
    [claim] = [item for item in claims_of(CONTROL + unknown) if item.against == "full_equal_iterations"]
    assert (claim.claim, claim.verdict) == ("", "not compared: TFLOPs are not known")


def test_a_subset_is_compared_with_random_images_under_its_own_settings() -> None:
    herding = rows("mine", (0.4, 0.4, 0.5), {"subset": {"name": "herding", "keep": 0.1}, "batch": 8}, method="herding")
    random = rows("random8", (0.4, 0.4, 0.4), {"subset": {"name": "srs", "keep": 0.1}, "batch": 8}, method="srs")
    other = rows("random4", (0.4, 0.4, 0.4), {"subset": {"name": "srs", "keep": 0.1}, "batch": 4}, method="srs")
    larger = rows("random25", (0.4, 0.4, 0.4), {"subset": {"name": "srs", "keep": 0.25}, "batch": 8}, method="srs")
    found = claims(herding, other, larger, random, BATCH8)
    assert found["mine", "random_subset"] == ("random8", "data")
    assert found["mine", "uniform_stream"] == ("batch8", "data")
    assert ("random8", "random_subset") not in found


def test_a_subset_without_other_settings_is_compared_with_the_random_subsets_of_the_methods() -> None:
    herding = rows("mine", (0.4, 0.4, 0.5), {"subset": {"name": "herding", "keep": 0.1}}, method="herding")
    srs = [{**row, "control": None, "recipe": None} for row in rows("srs", (0.4, 0.4, 0.4))]
    assert claims(herding, srs)["mine", "random_subset"] == ("srs", "data")


def test_recipes_are_no_methods() -> None:
    found = CONTROL + BATCH8 + rows("r", (0.1, 0.2, 0.3), {"subset": {"name": "srs", "keep": 0.1}}, method="srs")
    assert random_reference(found) is None
    assert list(sides_of(found)) == []
    assert rank_methods(found + STREAM) is None
    assert [item.is_recipe for item in summarise_cells(found)] == [False, True, True]


def test_verdicts_and_holm_go_by_claim() -> None:
    found = compare_methods(CONTROL + BATCH8 + BATCH4 + STREAM + STREAM8)
    families = {(item.against, item.claim): item.methods for item in found if item.measure == "mAP50_95"}
    assert families == {
        ("full_equal_iterations", "recipe"): 3,
        ("full_equal_iterations", "data"): 1,
        ("uniform_stream", "data"): 1,
        # batch 8 and batch 4 are the best other recipes of each other: one hypothesis
        ("best_uniform", "recipe"): 3,
    }
    [batch8] = [
        item for item in found if (item.method, item.measure) == ("batch8", "mAP50") and "equal_it" in item.against
    ]
    assert batch8.difference == pytest.approx(0.32 / 3)
    assert batch8.verdict == "better than the equal-steps control"
    assert "equal TFLOPs" in batch8.note and "Wh +0%" in batch8.note

    pair = [item for item in found if item.against == "best_uniform" and item.method in ("batch8", "batch4")]
    for measure in ("mAP50", "mAP50_95"):
        one, other = (item for item in pair if item.measure == measure)
        assert one.difference == pytest.approx(-other.difference) and one.p_holm == other.p_holm
        assert {one.verdict.partition(" ")[0], other.verdict.partition(" ")[0]} in ({"better", "worse"}, {"no"})


def test_recipes_of_equal_tflops_are_one_family_also_if_they_see_different_numbers_of_images() -> None:
    # half the operations per image and twice the images, and twice the operations and half the images
    fine = rows("fine", (0.36, 0.34, 0.35), {"imgsz": 448}, keep=0.05, images_seen=450, tflops=4.02)
    coarse = rows("coarse", (0.34, 0.33, 0.35), {"imgsz": 224}, keep=0.2, images_seen=1800, tflops=3.96)
    dear = rows("dear", (0.5, 0.52, 0.51), {"batch": 2}, keep=0.4, images_seen=3600, tflops=16.0)
    dearer = rows("dearer", (0.4, 0.42, 0.45), {"batch": 1}, keep=0.4, images_seen=3600, tflops=16.1)
    found = compare_methods(CONTROL + BATCH8 + fine + coarse + dear + dearer)
    best = {item.method: item.methods for item in found if (item.against, item.measure) == ("best_uniform", "mAP50_95")}
    # each pair of recipes that are the best of each other counts once
    assert best == {"batch8": 2, "fine": 2, "coarse": 2, "dear": 1, "dearer": 1}


def test_wh_of_a_recipe_claim_include_choosing() -> None:
    costly = [{**row, "stream_Wh": 1.0, "stream_seconds": 9.0} for row in STREAM8]
    [claim] = [item for item in claims_of(CONTROL + costly) if item.against == "full_equal_iterations"]
    assert claim.note == "equal TFLOPs, Wh +25%"
    unknown = [{**row, "stream_Wh": None} for row in costly]
    [claim] = [item for item in claims_of(CONTROL + unknown) if item.against == "full_equal_iterations"]
    assert claim.note == "equal TFLOPs"


def test_a_default_that_is_written_down_changes_nothing() -> None:
    def used(group: list[dict[str, Any]], settings: str) -> list[dict[str, Any]]:
        return [{**row, "settings_hash": settings} for row in group]

    control, plain = used(CONTROL, "a"), used(rows("plain", (0.33, 0.34, 0.39), {"batch": 16}), "a")
    stream = used(rows("stream16", (0.4, 0.4, 0.4), {"stream": {"by": "class_uniform"}, "batch": 16}), "a")
    found = claims(control, plain, stream, used(BATCH8, "b"))
    assert found["plain", "full_equal_iterations"][1] == found["stream16", "full_equal_iterations"][1] == "data"
    assert found["stream16", "uniform_stream"] == ("plain", "data")
    assert found["batch8", "full_equal_iterations"][1] == "recipe"
