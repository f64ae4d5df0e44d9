"""The advice for a training: effective images, planned passes, and results for similar data."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detreduce.dataset.health.advice import CLEAN_FIRST, EVEN, UNEVEN, Advice, class_ratio
from detreduce.dataset.health.redundancy import Redundancy, measure_redundancy
from detreduce.errors import InputError

SIZES = st.lists(st.integers(1, 50), min_size=1, max_size=40)
DOCS = Path(__file__).parents[3] / "docs"


@given(SIZES)
def test_effective_images_are_the_inverse_chance_of_drawing_a_cluster_twice(sizes):
    found = measure_redundancy(sizes)
    images = np.repeat(np.arange(len(sizes)), sizes)
    chance = float((images[:, None] == images[None, :]).mean())
    assert found.effective == pytest.approx(1 / chance)
    assert found.images == len(images) and found.clusters == len(sizes) and found.largest == max(sizes)
    assert found.unevenness >= 1 - 1e-12
    assert (found.unevenness == pytest.approx(1)) == (len(set(sizes)) == 1)


@given(SIZES, st.integers(2, 5), st.integers(1, 30))
def test_equally_many_copies_of_every_image_change_the_passes_alone(sizes, copies, epochs):
    once, often = measure_redundancy(sizes), measure_redundancy([copies * size for size in sizes])
    assert often.effective == pytest.approx(once.effective) and often.unevenness == pytest.approx(once.unevenness)
    assert often.passes(epochs) == pytest.approx(copies * once.passes(epochs))


def test_known_numbers():
    assert measure_redundancy([4, 1, 1]) == Redundancy(6, 3, 4, 2.0)
    assert measure_redundancy([]) == Redundancy(0, 0, 0, 0.0)
    assert measure_redundancy([]).passes(3) == 0.0
    advice = Advice("train", measure_redundancy([4, 1, 1]), 1.0, 10)
    assert advice.passes == 30.0
    assert advice.to_dict()["planned_passes"] == 30.0 and advice.to_dict()["redundancy"]["unevenness"] == 1.5


@pytest.mark.parametrize(
    ("sizes", "ratio", "found"),
    [
        ([1] * 9, 1.7, EVEN),
        ([1] * 9, 7.5, UNEVEN),
        ([90, *[1] * 9], 7.5, CLEAN_FIRST),
        ([90, *[1] * 9], None, None),
        ([9] * 9, 1.7, EVEN),
        (None, 7.5, UNEVEN),
    ],
)
def test_the_evidence_is_that_of_the_most_similar_dataset(sizes, ratio, found):
    advice = Advice("train", None if sizes is None else measure_redundancy(sizes), ratio, 5)
    assert advice.evidence is found
    assert (advice.passes is None) == (sizes is None)
    assert any("--check-images" in one for one in advice.sentences) == (sizes is None)
    assert (found is None) or advice.sentences[-1].endswith(f"See {found.link}.")


def test_one_class_is_neither_even_nor_uneven():
    assert Advice("train", measure_redundancy([1] * 9), 1.0, one_class=True).evidence is None
    assert Advice("train", measure_redundancy([90, *[1] * 9]), 1.0, one_class=True).evidence is CLEAN_FIRST


def test_the_evidence_is_in_the_results():
    text = (DOCS / "results.md").read_text()
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}
    assert {one.heading for one in (CLEAN_FIRST, UNEVEN, EVEN)} <= anchors


def test_class_ratio_is_over_the_classes_that_are_used():
    assert class_ratio({"a": 12, "b": 3, "c": 0}) == 4.0
    assert class_ratio({"a": 0}) is None and class_ratio({}) is None


def test_epochs_must_be_a_number_of_epochs():
    with pytest.raises(InputError, match="epochs=0"):
        Advice("train", None, None, 0)
