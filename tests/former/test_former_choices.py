"""Every method chooses the images that the former version chose."""

from __future__ import annotations

import json

import pytest
from choices import CHOICES, choose
from former_files import DATA, FILES

import detreduce as dr
from detreduce.reducers.registry import BUILT_IN

EXPECTED = json.loads((FILES / "choices.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def table() -> dr.FeatureTable:
    return dr.extract_features(
        dr.load_dataset(DATA),
        backbone=f"file:{FILES / 'vectors.csv'}",
        blocks=("image", "annotations", "dynamics"),
        proxy=FILES / "proxy.npz",
    )


@pytest.mark.parametrize("name", EXPECTED)
def test_the_same_images_are_chosen(name: str, table: dr.FeatureTable) -> None:
    assert choose(name, table) == EXPECTED[name]


def test_no_method_is_left_out() -> None:
    former = set(EXPECTED) & set(BUILT_IN)
    assert len(former) == 22
    assert set(EXPECTED) <= set(CHOICES)
