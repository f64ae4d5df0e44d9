"""The advice follows the statistics, and names the next run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from detreduce.experiment.results.cleaning import only_cleans
from detreduce.experiment.results.conclude import conclude
from detreduce.experiment.results.outcome import Outcome
from detreduce.experiment.results.verdicts import ranked_subsets
from detreduce.experiment.searches.leaks import leak_warning
from detreduce.experiment.statistics.comparison import TOO_FEW, compare_methods
from detreduce.experiment.statistics.pairs import random_reference
from detreduce.experiment.statistics.summary import summarise_cells
from detreduce.report.headline import headline

EQUAL = "full_equal_iterations"
JITTER = (0.000, 0.002, -0.001, 0.001, -0.002, 0.0015)


def outcome(levels: dict[tuple[str, float], float], seeds: int = 6, *, cleaned: bool = False) -> Outcome:
    """The outcome of trainings with these levels of mAP, by label and keep."""
    rows: list[dict[str, Any]] = []
    for number, ((label, keep), level) in enumerate(levels.items()):
        control = label if label in ("full", EQUAL, "first", "random") else None
        for seed in range(seeds):
            value = level + JITTER[(seed + number) % len(JITTER)]
            rows.append(
                {
                    "key": f"{label}-{keep}-{seed}",
                    "label": label,
                    "method": label.partition("(")[0],
                    "control": control,
                    "parameters": {"match": "class_means"} if "(" in label else {},
                    "keep": keep,
                    "composition": {"drop_duplicates": True} if cleaned else {},
                    "images": round(200 * keep),
                    "training_seed": seed,
                    "selection_seed": seed,
                    "mAP50": value,
                    "mAP50_95": value,
                    "TFLOPs": 4.0,
                    "recipe": {"name": label, "batch": 4} if label.startswith("batch") else None,
                }
            )
    compared = compare_methods(rows, full=True)
    return Outcome(
        cells=[SimpleNamespace(cell=row, selection={"set_hash": "the same"}) for row in rows],  # type: ignore[misc]
        rows=rows,
        summaries=summarise_cells(rows),
        comparisons=[item for item in compared if item.against != "full"],
        lost=[item for item in compared if item.against == "full"],
        ranking=None,
        paid=[],
        random=random_reference(rows),
        leakage={},
        notes=[],
    )


RANDOM = {("srs", 0.1): 0.3}


def test_a_method_that_is_shown_better_is_advised_with_the_equal_steps_control_beside_it() -> None:
    found = conclude(outcome({**RANDOM, ("csod", 0.1): 0.4, (EQUAL, 0.1): 0.5, ("full", 1.0): 0.6}))
    assert found.kind == "better" and found.verdict == "better than random"
    assert found.best is not None and found.best.method == "csod"
    assert "keep the 20 images (10 %) that csod chose" in found.sentence and "(+0.1" in found.sentence
    assert "train on all images for fewer steps" in found.sentence and not found.next


@pytest.mark.parametrize(
    ("equal", "said"),
    [
        (0.2, "Train on the 20 images"),
        (0.4, "all images with the same steps: no difference is shown"),
        (None, "training on all images for fewer steps was not tried"),
    ],
)
def test_the_advice_differs_by_the_equal_steps_control(equal: float | None, said: str) -> None:
    levels = {**RANDOM, ("csod", 0.1): 0.4}
    found = conclude(outcome(levels if equal is None else {**levels, (EQUAL, 0.1): equal}))
    assert said in found.sentence
    assert found.overrides == (() if equal else ("controls=[full,full_equal_iterations]",))


def test_one_seed_says_nothing_and_asks_for_more_seeds() -> None:
    found = conclude(outcome({**RANDOM, ("csod", 0.1): 0.9}, seeds=1))
    assert found.kind == "unknown" and "csod" not in found.sentence
    assert found.command(Path("runs/a")) == (
        "detreduce run runs/a/config.yaml 'reduce.seeds=[0,1,2]' 'train.seeds=[0,1,2]' --output runs/a"
    )


def test_a_lead_that_is_not_shown_has_a_number_unless_it_is_tiny() -> None:
    lead = conclude(outcome({**RANDOM, ("csod", 0.1): 0.306}, seeds=3)).sentence
    tiny = conclude(outcome({**RANDOM, ("csod", 0.1): 0.3005}, seeds=3)).sentence
    assert "csod at 10 % leads by 0.006 mAP50-95, which may be chance" in lead
    assert "csod at 10 % and random images are about the same in mAP50-95" in tiny


def test_a_small_lead_with_a_wide_interval_is_not_about_the_same() -> None:
    narrow = outcome({**RANDOM, ("csod", 0.1): 0.3005}, seeds=3)
    for half, same in ((0.019, True), (0.29, False)):
        ends = [replace(item, low=item.difference - half, high=item.difference + half) for item in narrow.comparisons]
        found = replace(narrow, comparisons=ends)
        said = conclude(found).sentence
        assert ("about the same" in said) == same
        assert ("too few seeds to tell (difference between -0.2" in said) != same
        assert any("too few seeds to tell (difference between -0.2" in one for one in headline(found)) != same


def test_the_next_run_leaves_out_the_leaks_in_a_ledger_of_its_own() -> None:
    few = outcome({**RANDOM, ("csod", 0.1): 0.9}, seeds=1)
    leaks = leak_warning({"counts": {"train / val": {"exact": 1, "near": 2, "of": 9}}}, {})
    assert leaks is not None
    found = conclude(replace(few, leaks=leaks))
    assert found.command(Path("runs/a")).endswith("reduce.drop_leaked=true --output runs/a-confirm")
    assert "used again" not in found.next and "repeats all trainings" in found.next
    for kept in (None, replace(leaks, dropped=True)):
        assert "drop_leaked" not in conclude(replace(few, leaks=kept)).command(Path("runs/a"))


def test_a_lead_that_is_not_shown_is_compared_again_with_new_seeds_in_another_ledger() -> None:
    found = conclude(outcome({**RANDOM, ("herding(match=class_means)", 0.1): 0.3005, ("mms", 0.1): 0.2998}))
    assert found.kind == "open" and "no difference shown" in found.verdict
    command = found.command(Path("runs/a"))
    assert "'reduce.methods=[srs,{name: herding, match: class_means}]'" in command
    assert "'train.seeds=[6,7,8,9,10,11,12]'" in command and command.endswith("--output runs/a-confirm")


def test_seeds_that_could_show_nothing_give_no_advice() -> None:
    found = outcome({**RANDOM, ("csod", 0.1): 0.2995, ("mms", 0.1): 0.2998}, seeds=2)
    few = [replace(item, verdict=f"no difference shown (2 seeds; {TOO_FEW})") for item in found.comparisons]
    said = conclude(replace(found, comparisons=few))
    assert said.kind == "unknown" and said.sentence.startswith("2 seeds are too few")
    assert "choose at random" not in said.sentence and "train.seeds=[0,1,2,3]" in said.overrides


def test_methods_that_are_worse_than_random_are_advised_against() -> None:
    found = conclude(outcome({**RANDOM, ("mms", 0.1): 0.1, ("des", 0.1): 0.1}))
    assert found.kind == "worse" and found.best is not None and found.best.method == "srs"
    assert "Every method is shown to be worse than random" in found.sentence and not found.overrides


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        ({("full", 1.0): 0.5}, "No training on fewer images"),
        ({("csod", 0.1): 0.5}, "no random subsets to compare with"),
        (RANDOM, "Only random images are finished"),
        ({**RANDOM, ("csod", 0.5): 0.5}, "No method has random images with the same keep"),
    ],
)
def test_what_cannot_be_judged_is_said(levels: dict[tuple[str, float], float], said: str) -> None:
    found = conclude(outcome(levels))
    assert found.kind == "unknown" and said in found.sentence


@pytest.mark.parametrize(
    ("equal", "full", "kind", "said"),
    [
        (0.2, 0.5, "better", "Leave the near-duplicates out to save computation"),
        (0.2, 0.1, "better", "higher than on all images (+0.2"),
        (0.4, 0.5, "worse", "Keep the near-duplicates"),
        (0.3, 0.3, "open", "no difference is shown between the 20 images without near-duplicates and all images"),
    ],
)
def test_the_cleaned_images_are_compared_with_all_images(equal: float, full: float, kind: str, said: str) -> None:
    levels = {("srs(drop_duplicates)", 0.1): 0.3, (EQUAL, 0.1): equal, ("full", 1.0): full}
    found = conclude(outcome(levels, cleaned=True))
    assert found.kind == kind and said in found.sentence and found.against == "all images"
    assert only_cleans(outcome(levels, cleaned=True)) and not only_cleans(outcome(levels))
    (without,) = [line for line in headline(outcome(levels, cleaned=True)) if "without near-duplicates" in line]
    assert "random" not in without
    assert bool(found.overrides) == (kind == "open")


def test_one_seed_says_nothing_about_cleaning() -> None:
    made = outcome({("srs(drop_duplicates)", 0.1): 0.3, ("full", 1.0): 0.5}, seeds=1, cleaned=True)
    found = conclude(replace(made, near_duplicates={"images": 200, "redundant": 180}))
    assert found.kind == "unknown"
    assert found.overrides[1] == "train.seeds=[0,1,2]"


def test_evidence_ranks_before_a_higher_mean_and_the_first_images_do_not_rank() -> None:
    made = outcome({("srs", 0.5): 0.6, ("mms", 0.5): 0.1, **RANDOM, ("csod", 0.1): 0.4, ("first", 0.5): 0.9})
    assert [(item.method, item.keep) for item in ranked_subsets(made)] == [
        ("csod", 0.1),
        ("srs", 0.5),
        ("srs", 0.1),
        ("mms", 0.5),
    ]


@pytest.mark.parametrize(
    ("level", "kind", "said"),
    [
        (
            0.6,
            "better",
            "Train with the recipe batch4: mAP50-95 is shown to be higher at equal TFLOPs than with",
        ),
        (0.4, "worse", "No recipe helps: batch4, the best, is shown to be worse at equal TFLOPs"),
        (0.5, "open", "No recipe is shown to be better"),
    ],
)
def test_the_best_recipe_is_advised_by_its_control(level: float, kind: str, said: str) -> None:
    found = conclude(outcome({(EQUAL, 0.1): 0.5, ("batch4", 0.1): level, ("batch2", 0.1): level - 0.1}))
    assert found.kind == kind
    assert said in found.sentence
    assert found.best is not None and found.best.method == "batch4"
    assert bool(found.next) == (kind == "open")


def test_recipes_are_no_subsets_and_their_advice_comes_after_that_on_subsets() -> None:
    both = outcome({**RANDOM, ("csod", 0.1): 0.4, (EQUAL, 0.1): 0.5, ("batch4", 0.1): 0.6})
    assert [item.method for item in ranked_subsets(both)] == ["csod", "srs"]
    found = conclude(both)
    assert found.best is not None and found.best.method == "csod"
    assert "that csod chose" in found.sentence and "Train with the recipe batch4" in found.sentence
    assert "Train with the recipe batch4" in " ".join(headline(both))


def test_unfinished_trainings_are_the_reason_for_no_verdict() -> None:
    found = outcome({("full", 1.0): 0.5, ("srs", 0.5): 0.4, ("mms", 0.5): 0.42}, seeds=1)
    assert "seeds=" in conclude(found).command(Path("runs/a"))
    stopped = conclude(replace(found, unfinished=(3, 10)))
    assert stopped.kind == "unknown" and "3 of 10" in stopped.sentence and "not finished" in stopped.verdict
    assert stopped.command(Path("runs/a")) == "detreduce run runs/a/config.yaml --output runs/a"


def test_a_finding_over_fewer_seeds_says_so() -> None:
    found = outcome({("full", 1.0): 0.5, ("srs", 0.5): 0.4}, seeds=2)
    assert not any("common seed" in line for line in headline(found))
    rows = [row for row in found.rows if row["label"] == "full" or row["training_seed"] == 0]
    lost = [item for item in compare_methods(rows, full=True) if item.against == "full"]
    fewer = replace(found, rows=rows, summaries=summarise_cells(rows), lost=lost)
    assert any("1 common seed" in line for line in headline(fewer))
    row = next(row for row in fewer.table.rows if row.method.text == "srs")
    assert "1 common seed" in fewer.table.cells(row, ["mAP50_95"])[1]
