from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detreduce.arrays.object_table import ObjectTable
from detreduce.errors import InputError
from detreduce.reducers import make_reducer


def fit(table: ObjectTable, initial: list[int] | None = None, **params: object):  # type: ignore[no-untyped-def]
    return make_reducer("csod", **params).fit(np.empty((len(table), 0)), objects=table, initial=initial)


def angles(*degrees: float) -> np.ndarray:
    radians = np.deg2rad(degrees)
    return np.column_stack([np.cos(radians), np.sin(radians)])


def test_one_class_by_hand() -> None:
    # image 1 is typical of all three images; then image 2 is the one unlike image 1
    table = ObjectTable.from_boxes([0, 1, 2], [0, 0, 0], 3, 1, vectors=angles(0, 10, 90) * [[2.0], [5.0], [0.1]])
    reducer = fit(table, keep=1.0)
    assert reducer.selected_idx_.tolist() == [1, 2, 0]
    cos = np.cos(np.deg2rad([10, 80, 90]))
    expected = [(1 + 0) / 1 - (cos[0] + 0) / 2, (cos[0] + 1 + cos[1]) / 3, (1 + 0) / 2 - cos[1]]
    np.testing.assert_allclose(reducer.criterion_, expected, atol=1e-6)
    assert reducer.scores_.tolist() == [-2, 0, -1]


def test_classes_take_turns_the_rarest_first_and_images_without_boxes_come_last() -> None:
    # class 1 is in images 2 and 3, class 0 in images 0, 1, 2 and 5, nothing is in image 4
    images, classes = [0, 1, 2, 2, 3, 5], [0, 0, 0, 1, 1, 0]
    vectors = angles(0, 20, 200, 0, 90, 10)
    order = fit(ObjectTable.from_boxes(images, classes, 6, 2, vectors=vectors), keep=1.0).selected_idx_.tolist()
    # class 1: images 2 and 3 are equally typical; class 0: image 5, between 0 and 20 degrees
    assert order[0] in (2, 3) and order[1] == 5 and order[-1] == 4
    # class 1 again; then only class 0 is left, because image 2 has been kept for class 1
    assert set(order[:3:2]) == {2, 3} and set(order[3:5]) == {0, 1}


def test_what_is_kept_for_one_class_is_kept_for_all_its_classes() -> None:
    # image 0 is kept and has class 1 too, at 0 degrees: so class 1 takes the image at 90 degrees, not the image at 1
    vectors = angles(45, 0, 1, 90)
    table = ObjectTable.from_boxes([0, 0, 1, 2], [0, 1, 1, 1], 3, 2, vectors=vectors)
    assert fit(table, keep=2, initial=[0]).selected_idx_.tolist() == [0, 2]


def test_balance_weighs_typical_against_diverse() -> None:
    # The image at 0 degrees is kept. Five images near 30 are typical of the remaining images; the image at 180 is
    # unlike the kept one.
    table = ObjectTable.from_boxes(range(7), [0] * 7, 7, 1, vectors=angles(0, 28, 29, 30, 31, 32, 180))
    assert fit(table, keep=2, initial=[0], balance=0.0).selected_idx_.tolist() == [0, 6]
    assert fit(table, keep=2, initial=[0], balance=10.0).selected_idx_.tolist()[1] in range(1, 6)


def check_against_the_definition(table: ObjectTable, balance: float) -> None:
    assert table.vectors is not None
    unit = table.vectors.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    p = {(int(i), int(c)): unit[row] for row, (i, c) in enumerate(zip(table.images, table.classes, strict=True))}
    of_class = {c: sorted(i for i, k in p if k == c) for c in range(table.n_classes)}
    reducer = fit(table, keep=1.0, balance=balance)
    order = reducer.selected_idx_.tolist()
    boxes = np.bincount(table.classes, table.counts, table.n_classes)
    turns = sorted((c for c in of_class if of_class[c]), key=lambda c: (len(of_class[c]), boxes[c], c))
    kept: list[int] = []
    while turns:
        for c in list(turns):
            rest = [i for i in of_class[c] if i not in kept]
            if not rest:
                turns.remove(c)
                continue
            held = [j for j in of_class[c] if j in kept]

            def criterion(i: int, c: int = c, rest: list[int] = rest, held: list[int] = held) -> float:
                typical = np.mean([p[i, c] @ p[j, c] for j in rest])
                return float(balance * typical - (np.mean([p[i, c] @ p[j, c] for j in held]) if held else 0.0))

            values = {i: criterion(i) for i in rest}
            pick = order[len(kept)]
            assert values[pick] == pytest.approx(max(values.values()), abs=1e-9)
            assert reducer.criterion_[pick] == pytest.approx(values[pick], abs=1e-9)
            kept.append(pick)
    assert set(order[len(kept) :]) == set(range(len(table))) - {i for i, _ in p}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 25), st.integers(1, 5), st.sampled_from([0.0, 0.5, 1.0, 3.0]))
def test_against_the_definition(seed: int, n: int, classes: int, balance: float) -> None:
    rng = np.random.default_rng(seed)
    boxes = int(rng.integers(0, 4 * n))
    vectors = rng.normal(size=(boxes, 3)) + 1
    table = ObjectTable.from_boxes(
        rng.integers(n, size=boxes), rng.integers(classes, size=boxes), n, classes, vectors=vectors
    )
    check_against_the_definition(table, balance)


def test_zero_vectors_and_huge_ones() -> None:
    vectors = np.array([[0, 0], [1e30, 0], [1e-30, 1e-30], [-1e38, 1e38]], np.float32)
    table = ObjectTable.from_boxes(range(4), [0] * 4, 4, 1, vectors=vectors)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert sorted(fit(table, keep=1.0).selected_idx_) == [0, 1, 2, 3]


@pytest.mark.parametrize("balance", [-1, float("nan"), float("inf"), "1", True])
def test_refusals(balance: object) -> None:
    with pytest.raises(InputError, match="balance="):
        make_reducer("csod", balance=balance).check_params()


def test_what_is_not_chosen_follows_by_the_criterion_after_the_last_pick() -> None:
    # image 0 is kept: of the remaining images, the farther from image 0 the better; image 4 has no boxes
    table = ObjectTable.from_boxes(range(4), [0] * 4, 5, 1, vectors=angles(0, 20, 20, 120))
    reducer = fit(table, keep=1, initial=[0])
    assert np.isnan(reducer.scores_[1:]).all(), "with no seat left nothing is looked at"
    reducer = fit(table, keep=2, initial=[0], balance=0.0)
    assert reducer.scores_.tolist() == [np.inf, -1, -1, 0, -2], "1 and 2 are alike"


def test_what_is_not_chosen_counts_by_its_best_class() -> None:
    # Images 0 and 1 are kept for classes 0 and 1. Image 2 has an object unlike image 0's and an object like image 1's.
    # Both objects of image 3 are somewhat unlike the kept ones.
    vectors = angles(0, 0, 170, 1, 60, 60)
    table = ObjectTable.from_boxes([0, 1, 2, 2, 3, 3], [0, 1, 0, 1, 0, 1], 4, 2, vectors=vectors)
    reducer = fit(table, keep=3, initial=[0, 1], balance=0.0)
    assert reducer.selected_idx_.tolist() == [0, 1, 2]
    assert reducer.scores_.tolist() == [np.inf, np.inf, 0, -1]
