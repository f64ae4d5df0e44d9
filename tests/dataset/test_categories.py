"""Categories, by rule and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import coo_array, csr_array

from detreduce.dataset.categories import RULES, assign_categories
from detreduce.errors import InputError

NAMES = ("cat", "dog", "emu")
# images with cat: 5, dog: 3, emu: 3; boxes: 7, 6, 3
COUNTS = np.array([[1, 0, 0], [2, 1, 0], [2, 2, 1], [1, 0, 1], [0, 0, 1], [0, 0, 0], [1, 3, 0]])


def named(counts, rule, names=NAMES, **options) -> list[str]:
    found = assign_categories(counts, names, rule, **options)
    assert found.codes.dtype == np.int64
    return [found.names[code] for code in found.codes]


def test_rarest_by_images_then_boxes():
    assert named(COUNTS, "rarest") == ["cat", "dog", "emu", "emu", "emu", "background", "dog"]


def test_rarest_counts_images_not_boxes():
    """Ten boxes in one image are rarer than two boxes in two."""
    assert named([[10, 1], [0, 1]], "rarest", ("a", "b")) == ["a", "b"]


def test_dominant_with_ties_to_the_rarer():
    assert named(COUNTS, "dominant") == ["cat", "cat", "dog", "emu", "emu", "background", "dog"]


def test_combination_merges_rare_sets():
    assert named(COUNTS, "combination", min_images=1) == [
        "cat", "cat+dog", "cat+dog+emu", "cat+emu", "emu", "background", "cat+dog",
    ]  # fmt: skip
    other = "other combinations"
    assert named(COUNTS, "combination") == [other, "cat+dog", other, other, other, "background", "cat+dog"]


@pytest.mark.parametrize(("n", "least"), [(20, 2), (199, 2), (450, 5), (5000, 10)])
def test_combination_default_is_a_hundredth(n, least):
    counts = np.zeros((n, 3), int)
    counts[:, 0] = 1
    counts[:least, 1] = 1
    counts[least : 2 * least - 1, 2] = 1
    found = assign_categories(counts, NAMES, "combination")
    assert set(found.names) == {"cat", "cat+dog", "other combinations"}


def test_none_and_unlabelled():
    assert named(COUNTS, "none") == ["all"] * 7
    for rule in RULES:
        assert named(np.zeros((3, 0)), rule, ()) == ["all"] * 3
    assert named(np.zeros((3, 0)), [{"name": "x", "any": ["cat"]}], ()) == ["all"] * 3


WALK, AID = ["pedestrian", "push_wheelchair"], ["wheelchair", "crutches", "walking-frame"]
PAPER = [
    {"name": "one walking", "only": WALK, "max_boxes": 1},
    {"name": "several walking", "only": WALK, "min_boxes": 2},
    {"name": "one with an aid", "only": AID, "max_boxes": 1},
    {"name": "several with an aid", "only": AID},
    {"name": "mixed"},
]


def test_the_paper_s_categories():
    classes = ("pedestrian", "wheelchair", "push_wheelchair", "crutches", "walking-frame")
    counts = [[1, 0, 0, 0, 0], [1, 0, 1, 0, 0], [0, 0, 0, 1, 0], [0, 1, 0, 0, 1], [1, 1, 0, 0, 0], [0] * 5]
    expected = ["one walking", "several walking", "one with an aid", "several with an aid", "mixed", "background"]
    assert named(counts, PAPER, classes) == expected
    as_mapping = {rule["name"]: {k: v for k, v in rule.items() if k != "name"} for rule in PAPER}
    assert named(counts, as_mapping, classes) == expected


@pytest.mark.parametrize(
    ("conditions", "rows"),
    [
        ({"any": ["dog", "emu"]}, [1, 2, 3, 4, 6]),
        ({"any": "dog"}, [1, 2, 6]),
        ({"all": ["cat", "dog"]}, [1, 2, 6]),
        ({"all": ["cat", "dog"], "none": ["emu"]}, [1, 6]),
        ({"only": ["cat", "dog"]}, [0, 1, 6]),
        ({"none": ["cat"]}, [4]),
        ({"min_boxes": 4}, [2, 6]),
        ({"max_boxes": 2}, [0, 3, 4]),
        ({}, [0, 1, 2, 3, 4, 6]),
    ],
)
def test_conditions(conditions, rows):
    found = named(COUNTS, [{"name": "hit", **conditions}])
    assert [row for row, name in enumerate(found) if name == "hit"] == rows
    assert found[5] == "background"
    assert all(name == "other" for row, name in enumerate(found) if row not in [*rows, 5])


def test_first_match_wins_and_equal_names_are_one_category():
    rules = [{"name": "a", "any": ["emu"]}, {"name": "b", "any": ["dog"]}, {"name": "a", "any": ["cat"]}]
    found = assign_categories(COUNTS, NAMES, rules)
    assert found.names == ("a", "b", "background")
    assert found.codes.tolist() == [0, 1, 0, 0, 0, 2, 1]


@pytest.mark.parametrize(
    ("rule", "word"),
    [
        ("rarist", "Unknown category rule 'rarist'.*Did you mean 'rarest'"),
        ([{"name": "x", "any": ["dgo"]}], "no class 'dgo' in this dataset. Did you mean 'dog'"),
        ([{"name": "x", "onyl": ["dog"]}], "unknown condition 'onyl'.*Did you mean 'only'"),
        ([{"any": ["dog"]}], "rule 1 has no name"),
        ([{"name": "x", "max_boxes": 0}], "boxes >= 1, not 0"),
        ([{"name": "x", "max_boxes": "many"}], "boxes >= 1"),
        ([{"name": "x", "any": []}], "a list of class names"),
        ([{"name": "x", "any": 3}], "a list of class names"),
        ([], "Categories must be one of"),
        ([3], "Categories must be one of"),
        (None, "Categories must be one of"),
        ({"x": 3}, "Categories must be one of"),
    ],
)
def test_rules_that_cannot_be_used(rule, word):
    with pytest.raises(InputError, match=word):
        assign_categories(COUNTS, NAMES, rule)


def test_counts_that_do_not_fit():
    with pytest.raises(InputError, match="needs 3 columns"):
        assign_categories(COUNTS[:, :2], NAMES)


def test_repeated_and_reserved_class_names_stay_apart():
    counts = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]
    found = named(counts, "rarest", ("dog", "dog", "background"))
    assert found == ["dog (class 0)", "dog (class 1)", "background (class 2)", "background"]
    assert len(set(named(counts, "combination", ("dog", "dog", "background"), min_images=1))) == 4
    # a rule means every class of that name
    assert named(counts, [{"name": "d", "any": ["dog"]}], ("dog", "dog", "x"))[:2] == ["d", "d"]


counts = st.tuples(st.integers(0, 30), st.integers(0, 4)).flatmap(
    lambda shape: arrays(np.int64, shape, elements=st.integers(0, 3))
)


@given(
    counts, st.sampled_from([*RULES, [{"name": "big", "min_boxes": 3}, {"name": "one", "max_boxes": 1}]]), st.randoms()
)
def test_codes_are_dense_and_follow_the_images(values, rule, shuffler):
    names = [f"c{number}" for number in range(values.shape[1])]
    found = assign_categories(values, names, rule)
    assert sorted(set(found.codes.tolist())) == list(range(len(found.names)))
    assert len(set(found.names)) == len(found.names)
    assert len(found.codes) == len(values)
    order = list(range(len(values)))
    shuffler.shuffle(order)
    again = assign_categories(values[order], names, rule)
    assert again.names == found.names
    assert again.codes.tolist() == found.codes[order].tolist()
    if rule != "none" and values.shape[1]:
        background = [found.names[code] == "background" for code in found.codes]
        assert background == (values.sum(axis=1) == 0).tolist()


@given(counts)
def test_rarest_against_a_plain_loop(values):
    names = [f"c{number}" for number in range(values.shape[1])]
    found = assign_categories(values, names, "rarest")
    for row, code in zip(values, found.codes, strict=True):
        present = [c for c in range(len(names)) if row[c]]
        rarest = min(present, key=lambda c: (sum(values[:, c] > 0), sum(values[:, c]), c), default=None)
        expected = "all" if not names else "background" if rarest is None else names[rarest]
        assert found.names[code] == expected


def dense_categories(counts: np.ndarray, rule: str) -> list[str]:
    """The rules on a dense table, one image at a time."""
    order = sorted(range(counts.shape[1]), key=lambda c: ((counts[:, c] > 0).sum(), counts[:, c].sum(), c))
    found = []
    for row in counts.tolist():
        present = [c for c in order if row[c]]
        if not present:
            found.append("background")
        elif rule == "combination":
            found.append("+".join(str(c) for c in sorted(present)))
        else:
            found.append(str(present[0] if rule == "rarest" else max(present, key=lambda c: row[c])))
    return found


@given(
    arrays(np.int64, st.tuples(st.integers(1, 9), st.integers(1, 6)), elements=st.sampled_from([0, 0, 1, 2, 5])),
    st.sampled_from(["rarest", "dominant", "combination"]),
)
def test_sparse_and_dense_tables_have_the_categories_of_the_rule(counts: np.ndarray, rule: str) -> None:
    names = [str(number) for number in range(counts.shape[1])]
    options = {"min_images": 1} if rule == "combination" else {}
    for table in (counts, counts.tolist(), csr_array(counts), coo_array(counts)):
        assert named(table, rule, names, **options) == dense_categories(counts, rule)


@given(arrays(np.int64, st.tuples(st.integers(1, 9), st.just(3)), elements=st.sampled_from([0, 0, 1, 2])))
def test_conditions_hold_for_sparse_and_dense_tables(counts: np.ndarray) -> None:
    rules = [
        {"name": "pair", "all": ["cat", "dog"], "max_boxes": 3},
        {"name": "one", "only": ["emu"]},
        {"name": "many", "any": ["cat", "emu"], "none": ["dog"], "min_boxes": 2},
    ]
    expected = []
    for cat, dog, emu in counts.tolist():
        boxes = cat + dog + emu
        matched = ["background"] * (not boxes)
        matched += ["pair"] * bool(cat and dog and boxes <= 3) + ["one"] * bool(emu == boxes)
        matched += ["many"] * bool((cat or emu) and not dog and boxes >= 2) + ["other"]
        expected.append(matched[0])
    assert named(counts, rules) == named(csr_array(counts), rules) == expected


@given(
    arrays(np.int64, st.tuples(st.integers(1, 12), st.just(3)), elements=st.integers(0, 2)),
    st.data(),
    st.sampled_from([*RULES, [{"name": "few", "max_boxes": 2}, {"name": "no a", "none": ["a"]}]]),
)
def test_unreadable_labels_are_a_category_of_their_own(counts: np.ndarray, data: st.DataObject, rule: object) -> None:
    unreadable = np.array(data.draw(st.lists(st.booleans(), min_size=len(counts), max_size=len(counts))), bool)
    counts[unreadable] = 0
    before = assign_categories(counts, "abc", rule)
    found = assign_categories(counts, "abc", rule, unreadable=unreadable)
    if rule == "none" or not unreadable.any():
        assert found.names == before.names and (found.codes == before.codes).all()
        return
    of_image = np.array(found.names)[found.codes]
    assert ((of_image == "unreadable labels") == unreadable).all()
    assert (of_image[~unreadable] == np.array(before.names)[before.codes][~unreadable]).all()
    assert set(found.codes.tolist()) == set(range(len(found.names)))
