"""Methods compared with random subsets on made-up tables, with and without evidence of the images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from detreduce.errors import InputError
from detreduce.experiment.statistics.comparison import NO_VERDICT, TOO_FEW, Comparison, compare_methods
from detreduce.experiment.statistics.pairs import group_by_seed, random_reference
from detreduce.training.evaluation.evidence import Evidence
from detreduce.training.evaluation.resampling import mean_ap


def rows(method: str, figures: Sequence[float | None], *, keep: float | int = 0.25, **extra: object) -> list[dict]:
    return [
        {
            "key": f"{method}-{keep}-{seed}",
            "method": method,
            "label": method,
            "control": None,
            "keep": keep,
            "images": 25,
            "selection_seed": seed,
            "training_seed": seed,
            "mAP50": figure,
            "mAP50_95": None if figure is None else figure / 2,
            **extra,
        }
        for seed, figure in enumerate(figures)
    ]


def only(comparisons: list[Comparison], **wanted: object) -> Comparison:
    (found,) = [c for c in comparisons if all(getattr(c, name) == value for name, value in wanted.items())]
    return found


def detector(strength: float, seed: int, images: int = 40) -> Evidence:
    """One class, five boxes per image. The probability to find a box varies by image and grows with the strength."""
    hardness = np.random.default_rng(0).random(images)
    random = np.random.default_rng(seed)
    image = np.repeat(np.arange(images), 5).astype(np.int32)
    hit = random.random((len(image), 1)) < np.clip(strength + 0.3 * hardness[image, None] - 0.15, 0, 1)
    return Evidence(
        np.array([f"test/{row:03}.jpg" for row in range(images)]),
        np.full((images, 1), 5, np.int32),
        image,
        np.zeros(len(image), np.int32),
        random.random(len(image)),
        # some boxes match only for the thresholds up to 0.70
        hit & ((np.arange(10) < 5) | (random.random((len(image), 1)) < 0.5)),
        np.zeros((len(image), 10), bool),
    )


def test_a_table_worked_out_by_hand() -> None:
    table = rows("srs", [0.40, 0.42, 0.41]) + rows("mms", [0.43, 0.46, 0.45])
    found = compare_methods(table)
    assert [(c.method, c.measure) for c in found] == [("mms", "mAP50"), ("mms", "mAP50_95")]
    first = found[0]
    assert (first.against, first.seeds, first.over, first.methods) == ("srs", 3, "seeds", 1)
    # differences 0.03, 0.04, 0.04: mean 0.11/3, s = 0.01/sqrt(3), half-width 4.3027 s / sqrt(3)
    assert first.difference == pytest.approx(0.11 / 3)
    assert (first.low, first.high) == pytest.approx((0.11 / 3 - 0.0143422, 0.11 / 3 + 0.0143422), abs=1e-6)
    assert first.verdict == "better than random"
    assert (first.p, first.p_holm) == (None, None), "three seeds have no p below 0.25"
    assert found[1].difference == pytest.approx(first.difference / 2)
    assert "have no stored results" in first.note


def test_the_same_difference_is_worse_the_other_way_round() -> None:
    table = rows("srs", [0.43, 0.46, 0.45]) + rows("mms", [0.40, 0.42, 0.41])
    assert compare_methods(table)[0].verdict == "worse than random"


def test_a_wide_spread_shows_nothing_and_says_what_it_could_have_shown() -> None:
    found = compare_methods(rows("srs", [0.40, 0.42, 0.41]) + rows("mms", [0.44, 0.41, 0.46]))[0]
    assert found.low < 0 < found.high
    # differences 0.04, -0.01, 0.05: s = 0.03215; a non-central t with 2 degrees of freedom gives 5.65 s / sqrt(3)
    assert found.detectable == pytest.approx(0.1049, abs=0.0002)
    assert found.verdict == "no difference shown (3 seeds; could detect 0.11)"


def test_one_seed_says_nothing() -> None:
    found = compare_methods(rows("srs", [0.40]) + rows("mms", [0.60]))[0]
    assert found.verdict == f"one seed: {NO_VERDICT}"
    assert (found.low, found.high, found.detectable) == (None, None, None)


def test_two_seeds_far_apart_are_too_few() -> None:
    found = compare_methods(rows("srs", [0.40, 0.42]) + rows("mms", [0.43, 0.65]))[0]
    assert found.detectable >= 1 and found.verdict == f"2 seeds are {TOO_FEW} be sure of the difference"


def test_seeds_that_give_the_same_say_nothing() -> None:
    found = compare_methods(rows("srs", [0.40, 0.42]) + rows("mms", [0.43, 0.45]))[0]
    assert "2 seeds" in found.verdict and NO_VERDICT in found.verdict


def test_trying_many_methods_takes_more() -> None:
    """One method with six methods without effect. The interval alone excludes zero, which is not enough here."""
    table = rows("srs", [0.40, 0.42, 0.41]) + rows("mms", [0.42, 0.45, 0.44])
    for number in range(6):
        table += rows(f"m{number}", [0.40 + 0.01 * number, 0.42, 0.41 - 0.01 * number])
    found = only(compare_methods(table), method="mms", measure="mAP50")
    assert found.low > 0 and found.methods == 6, "m0 has no spread and claims nothing"
    assert found.verdict.startswith("no difference shown after adjusting for 6 methods (3 seeds; could detect 0.0")
    alone = compare_methods(rows("srs", [0.40, 0.42, 0.41]) + rows("mms", [0.42, 0.45, 0.44]))[0]
    assert (alone.low, alone.verdict) == (found.low, "better than random")
    assert found.detectable > 2 * alone.detectable


def test_p_comes_with_six_seeds_and_is_adjusted_over_the_methods() -> None:
    srs = [0.40, 0.42, 0.41, 0.43, 0.39, 0.40]
    gains = [0.03, 0.04, 0.02, 0.05, 0.03, 0.01]
    table = rows("srs", srs) + rows("mms", [a + b for a, b in zip(srs, gains, strict=True)])
    table += rows("clc", [a - b / 2 for a, b in zip(srs, gains, strict=True)])
    found = compare_methods(table)
    assert [c.p for c in found] == [2 / 64] * 4
    assert [c.p_holm for c in found] == [4 / 64] * 4
    assert only(found, method="mms", measure="mAP50").verdict == "better than random"
    assert only(found, method="clc", measure="mAP50").verdict == "worse than random"


def test_each_keep_has_its_own_equal_iterations() -> None:
    table = rows("srs", [0.40, 0.42, 0.41]) + rows("srs", [0.50, 0.53, 0.51], keep=0.5, images=50)
    for keep, figures in ((0.25, [0.45, 0.48, 0.46]), (0.5, [0.55, 0.51, 0.54])):
        table += rows("full_equal_iterations", figures, keep=keep, images=100, control="full_equal_iterations")
    table += rows("full", [0.6, 0.6, 0.6], keep=1.0, images=100, control="full")
    found = compare_methods(table)
    assert [(c.method, c.keep, c.against, c.measure) for c in found] == [
        ("srs", 0.5, "full_equal_iterations", "mAP50"),
        ("srs", 0.5, "full_equal_iterations", "mAP50_95"),
        ("srs", 0.25, "full_equal_iterations", "mAP50"),
        ("srs", 0.25, "full_equal_iterations", "mAP50_95"),
    ]
    assert found[2].difference == pytest.approx((0.41 - 0.463333), abs=1e-6)
    assert found[2].verdict == "worse than the equal-steps control"
    assert found[0].verdict.startswith("no difference shown")


def test_the_random_subsets_to_compare_with() -> None:
    srs, by, draw = rows("srs", [0.4]), rows("srs", [0.4], label="srs(by=classes)"), rows("random", [0.4])
    assert random_reference(by + draw + srs) == "srs"
    assert random_reference(draw + by) == "srs(by=classes)"
    assert random_reference(draw) == "random"
    assert random_reference(rows("mms", [0.4])) is None
    assert compare_methods(rows("mms", [0.4])) == []
    control = rows("random", [0.40, 0.42, 0.41], control="random")
    assert {(c.method, c.against) for c in compare_methods(control + rows("mms", [0.4, 0.4, 0.5]))} == {
        ("mms", "random")
    }


def test_a_count_of_one_is_not_all_images() -> None:
    table = rows("srs", [0.1, 0.2], keep=1, images=1) + rows("mms", [0.5, 0.7], keep=1.0)
    assert compare_methods(table) == []


def test_pairs_by_training_seed_then_by_selection_seed() -> None:
    def cells(*seeds: tuple[int, int]) -> list[dict]:
        return [{"selection_seed": chosen, "training_seed": trained} for chosen, trained in seeds]

    def shape(pairs: list) -> list:
        return [tuple(tuple(row["selection_seed"] for row in side) for side in pair) for pair in pairs]

    assert shape(group_by_seed(cells((0, 7), (1, 8)), cells((5, 8), (6, 9)))) == [((1,), (5,))]
    assert shape(group_by_seed(cells((0, 7), (1, 7)), cells((1, 7), (0, 7)))) == [((0, 1), (1, 0))]
    assert shape(group_by_seed(cells((0, 7)), cells((0, 7), (1, 7), (2, 7)))) == [((0,), (0, 1, 2))]
    # a method without random choices, compared with one selection per training seed, then with two alternating
    # selections
    still = cells((0, 1), (0, 2), (0, 3), (0, 4))
    assert len(group_by_seed(still, cells((0, 1), (1, 2), (2, 3), (3, 4)))) == 4
    assert shape(group_by_seed(still, cells((0, 1), (1, 2), (0, 3), (1, 4)))) == [((0, 0), (0, 0)), ((0, 0), (1, 1))]
    # one selection of a method that declares random choices
    one_draw = [{**row, "selection_deterministic": False} for row in still]
    assert len(group_by_seed(one_draw, cells((0, 1), (1, 2), (2, 3), (3, 4)))) == 1
    assert len(group_by_seed(still[:2] + one_draw[2:], cells((0, 1), (1, 2), (2, 3), (3, 4)))) == 1
    # 1 and 2 share a selection of one side, 2 and 3 share a selection of the other side
    chain = group_by_seed(cells((0, 1), (0, 2), (1, 3)), cells((5, 1), (6, 2), (6, 3)))
    assert [[row["training_seed"] for row in ours] for ours, _ in chain] == [[1, 2, 3]]


def seeded(method: str, figures: Sequence[float], seeds: Sequence[tuple[int, int]]) -> list[dict]:
    return [
        row | {"key": f"{row['key']}-{place}", "selection_seed": chosen, "training_seed": trained}
        for place, (row, (chosen, trained)) in enumerate(zip(rows(method, figures), seeds, strict=True))
    ]


@pytest.mark.parametrize("turned", [False, True])
def test_pairs_that_share_a_seed_are_no_evidence_of_their_own(turned: bool) -> None:
    """Six selections with two training seeds, or two with six. As in an experiment, the shorter list repeats."""
    seeds = [(index % 2, index) if turned else (index, index % 2) for index in range(6)]
    srs, gains = [0.40, 0.42, 0.41, 0.43, 0.39, 0.40], [0.03, 0.04, 0.02, 0.05, 0.03, 0.01]
    mms = [a + b for a, b in zip(srs, gains, strict=True)]
    found = compare_methods(seeded("srs", srs, seeds) + seeded("mms", mms, seeds))[0]
    assert (found.seeds, found.p, found.p_holm) == (2, None, None)
    assert found.difference == pytest.approx(np.mean(gains))
    # differences of the two: 0.08 / 3 and 0.10 / 3
    half = 12.7062 * np.std([0.08 / 3, 0.10 / 3], ddof=1) / np.sqrt(2)
    assert (found.low, found.high) == pytest.approx((0.03 - half, 0.03 + half), abs=1e-5)
    assert ("6 training seeds share selections and count as 2" in found.note) == turned
    apart = compare_methods(rows("srs", srs) + rows("mms", mms))[0]
    assert (apart.seeds, apart.p) == (6, 2 / 64)


def test_trainings_on_one_random_subset_say_nothing_of_random_subsets() -> None:
    one = [(0, trained) for trained in range(6)]
    found = compare_methods(
        seeded("srs", [0.40, 0.42, 0.41, 0.43, 0.39, 0.40], one) + seeded("mms", [0.5, 0.5, 0.5, 0.5, 0.5, 0.6], one)
    )[0]
    assert (found.seeds, found.p, found.low) == (1, None, None)
    assert found.verdict == f"one seed: {NO_VERDICT}" and "count as 1" in found.note


@pytest.mark.parametrize("control", ["random", "first"])
def test_controls_are_no_methods_that_were_tried(control: str) -> None:
    srs = [0.40, 0.42, 0.41, 0.43, 0.39, 0.40]
    gains = [0.03, 0.04, 0.02, 0.05, 0.03, 0.01]
    table = rows("srs", srs) + rows("mms", [a + b for a, b in zip(srs, gains, strict=True)])
    alone = only(compare_methods(table), method="mms", measure="mAP50")
    table += rows(control, [a - b / 2 for a, b in zip(srs, gains, strict=True)], control=control)
    found = compare_methods(table)
    assert only(found, method="mms", measure="mAP50") == alone and alone.methods == 1
    beside = only(found, method=control, measure="mAP50")
    assert (beside.methods, beside.p, beside.p_holm) == (1, 2 / 64, 2 / 64)
    # in the list of methods, it counts as a method
    listed = [row | {"control": None} for row in table]
    assert only(compare_methods(listed), method="mms", measure="mAP50").p_holm == 4 / 64


def test_cells_without_figures_and_seeds_without_counterpart_are_left_out() -> None:
    found = compare_methods(rows("srs", [0.40, 0.42, None]) + rows("mms", [0.44, 0.47, 0.9]))[0]
    assert found.seeds == 2
    assert found.difference == pytest.approx(0.045)
    assert "1 of 3 training seeds have no counterpart" in found.note


class TestWithEvidence:
    """Three seeds of a better and a worse detector on forty images."""

    cells = {f"srs-0.25-{seed}": detector(0.5, seed) for seed in range(3)} | {
        f"mms-0.25-{seed}": detector(0.65, 10 + seed) for seed in range(3)
    }

    def table(self) -> list[dict]:
        figures = {key: mean_ap(made, np.ones(40))[0] for key, made in self.cells.items()}
        return [
            row
            for method in ("srs", "mms")
            for row in rows(method, [figures[f"{method}-0.25-{seed}"] for seed in range(3)])
        ]

    def test_the_interval_is_over_seeds_and_images(self) -> None:
        found = compare_methods(self.table(), self.cells.get)[0]
        assert (found.over, found.note) == ("seeds and images", "")
        assert found.low < min(found.low_seeds, found.low_images)
        assert found.high > max(found.high_seeds, found.high_images)
        assert found.low_images < found.difference < found.high_images
        alone = compare_methods(self.table())[0]
        assert (alone.low, alone.high) == (found.low_seeds, found.high_seeds)
        assert alone.detectable < found.detectable

    def test_what_images_do_to_both_sides_alike_is_not_in_the_difference(self) -> None:
        twins = {key: self.cells[key.replace("mms", "srs")] for key in self.cells}
        found = compare_methods(self.table(), twins.get)[0]
        assert (found.low_images, found.high_images) == pytest.approx((found.difference, found.difference), abs=1e-12)
        assert (found.low, found.high) == pytest.approx((found.low_seeds, found.high_seeds), abs=1e-6)

    def test_each_figure_has_its_own_resamples(self) -> None:
        weights = np.random.default_rng(0).multinomial(40, np.full(40, 1 / 40), 1000)
        means = {
            method: np.mean([mean_ap(self.cells[f"{method}-0.25-{seed}"], weights) for seed in range(3)], axis=0)
            for method in ("srs", "mms")
        }
        widths = np.ptp(np.quantile(means["mms"] - means["srs"], [0.025, 0.975], axis=0), axis=0)
        found = compare_methods(self.table(), self.cells.get)
        assert [c.high_images - c.low_images for c in found] == pytest.approx(widths.tolist(), abs=1e-12)
        assert widths[0] != pytest.approx(widths[1], rel=0.1)

    def test_the_same_seed_gives_the_same_interval(self) -> None:
        first, again = (compare_methods(self.table(), self.cells.get) for _ in range(2))
        assert first == again
        assert compare_methods(self.table(), self.cells.get, seed=1)[0].low != first[0].low

    def test_the_order_of_the_images_does_not_matter(self) -> None:
        turned = dict(self.cells)
        turned["mms-0.25-1"] = turned["mms-0.25-1"].in_order_of(turned["mms-0.25-1"].images[::-1])
        assert compare_methods(self.table(), turned.get)[0].low == pytest.approx(
            compare_methods(self.table(), self.cells.get)[0].low, abs=1e-9
        )

    def test_one_seed_has_an_interval_over_images_and_no_verdict(self) -> None:
        table = [row for row in self.table() if row["training_seed"] == 0]
        found = compare_methods(table, self.cells.get)[0]
        assert found.low is None and found.low_images < found.high_images
        assert found.verdict == f"one seed: {NO_VERDICT}"

    def test_cells_without_evidence_or_on_other_images_fall_back_on_seeds(self) -> None:
        def broken(key: str) -> Evidence:
            raise InputError("half a file")

        for load, words in (
            (lambda key: None if key == "mms-0.25-2" else self.cells[key], "1 of 6 cells have no stored results"),
            (lambda key: detector(0.5, 0, 39) if key == "mms-0.25-2" else self.cells[key], "evaluated on other images"),
            (broken, "6 of 6 cells have no stored results"),
        ):
            found = compare_methods(self.table(), load)[0]
            assert found.over == "seeds" and words in found.note
            assert found.low == found.low_seeds
            assert found.low_images is None


def test_what_is_lost_beside_all_images_is_paired_by_training_seed() -> None:
    table = rows("full", [0.60, 0.50, 0.55], keep=1.0, images=100, control="full")
    table += rows("srs", [0.55, 0.47, 0.51]) + rows("mms", [0.59, 0.52, 0.55])
    # two selections of one training seed, which no other seed shares, count as their mean
    table += rows("mms", [0.61], selection_seed=7, key="mms-more")
    table += rows("full_equal_iterations", [0.5, 0.4, 0.5], images=100, control="full_equal_iterations")
    assert all(item.against != "full" for item in compare_methods(table))
    found = [item for item in compare_methods(table, full=True) if item.against == "full"]
    assert {(item.method, item.methods) for item in found} == {("srs", 2), ("mms", 2), ("full_equal_iterations", 1)}
    srs = only(found, method="srs", measure="mAP50")
    # differences -0.05, -0.03, -0.04: s = 0.01, half-width 4.3027 s / sqrt(3)
    assert (srs.difference, srs.spread, srs.seeds) == (pytest.approx(-0.04), pytest.approx(0.01), 3)
    assert (srs.low, srs.high) == pytest.approx((-0.04 - 0.0248414, -0.04 + 0.0248414), abs=1e-6)
    assert srs.verdict == "worse than all images"
    mms = only(found, method="mms", measure="mAP50")
    assert mms.difference == pytest.approx((0.0 + 0.02 + 0.0) / 3)
    assert only(compare_methods(table[:1] + table[3:4], full=True), measure="mAP50").spread is None
    assert compare_methods(table[3:6], full=True) == [], "without all images there is nothing to lose"


def test_means_of_the_common_seeds_agree_with_the_difference() -> None:
    full = rows("full", [0.6, 0.5], keep=1.0, control="full")
    one = only(compare_methods([*full, *rows("srs", [0.4])], full=True), against="full", measure="mAP50")
    assert one.common_seeds == 1 and "1 common seed" in one.common
    assert (one.own_mean, one.reference_mean) == pytest.approx((0.4, 0.6))
    assert one.own_mean - one.reference_mean == pytest.approx(one.difference)
    both = only(compare_methods([*full, *rows("srs", [0.4, 0.2])], full=True), against="full", measure="mAP50")
    assert both.common_seeds == 0 and both.common == ""
