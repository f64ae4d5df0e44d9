"""The order of the pictures does not decide whether two of them are near-duplicates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from pictures import folder_of, photographs

from detreduce.duplicates import near_duplicates
from detreduce.duplicates.pixels import matching
from detreduce.duplicates.pixels.matching import INVERSES, PixelComparison, star_groups
from detreduce.duplicates.pixels.orientations import ORIENTATIONS
from detreduce.duplicates.pixels.signatures import SIDE, small_grey
from detreduce.errors import DetreduceWarning


def changed(image: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Return a crop of a photograph in one of eight orientations, with a new brightness and noise."""
    side = int(draw.integers(165, 205))
    y, x = draw.integers(0, len(image) - side, 2)
    part = image[y : y + side, x : x + side] * draw.uniform(0.7, 1.1) + draw.normal(0, 12, (side, side, 3))
    return ORIENTATIONS[draw.integers(8)].apply(np.clip(part, 0, 255).astype(np.uint8))


def pictures(seed: int, each: int = 5) -> np.ndarray:
    """Return the small grey pictures of some changed copies of each of six photographs."""
    draw = np.random.default_rng(seed)
    return np.array([small_grey(changed(image, draw)) for image in photographs()[::2] for _ in range(each)])


@pytest.mark.parametrize("seed", range(3))
def test_a_pair_has_one_similarity_in_both_directions(seed: int) -> None:
    comparison = PixelComparison(pictures(seed, each=3))
    draw = np.random.default_rng(seed)
    for _ in range(60):
        query, place, orientation = int(draw.integers(18)), int(draw.integers(18)), int(draw.integers(8))
        if query != place:
            there = comparison.confirm(query, place, orientation)
            assert there == comparison.confirm(place, query, int(INVERSES[orientation]))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("threshold", [0.6, 0.75, 0.85])
def test_what_remains_has_no_near_duplicates_in_any_order(seed: int, threshold: float) -> None:
    comparison = PixelComparison(pictures(seed))
    draw = np.random.default_rng(seed)
    order = draw.permutation(len(comparison.rows))
    redundant = [match.member for match in star_groups(comparison, order, threshold)]
    assert 0 < len(redundant) < len(order), "the pictures test nothing"
    remaining = np.setdiff1d(order, redundant)
    for again in (remaining, remaining[::-1], draw.permutation(remaining), draw.permutation(remaining)):
        assert star_groups(comparison, again, threshold) == []


def test_a_cut_of_the_candidates_is_said_and_does_not_depend_on_the_order_of_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = np.random.default_rng(3)
    images = {f"p{n:02}": changed(image, draw) for n, image in enumerate(photographs()[:4] * 6)}
    folders = tmp_path / "first", tmp_path / "second"
    datasets = [
        folder_of(folder, **dict(list(images.items())[::step])) for folder, step in zip(folders, (1, -1), strict=True)
    ]
    whole = near_duplicates(datasets[0])
    monkeypatch.setattr(matching, "MOST_CANDIDATES", 1)
    monkeypatch.setattr(matching, "CANDIDATE", -1.0)
    with pytest.warns(DetreduceWarning, match="only the 1 most similar"):
        found = [near_duplicates(dataset) for dataset in datasets]
    assert found[0].pairs == found[1].pairs and found[0].pairs != whole.pairs
    with pytest.warns(DetreduceWarning, match=r"\d images look roughly like more than 1 others"):
        matching.nearest_matches(PixelComparison(pictures(0)), np.arange(15), np.arange(15, 30), 0.99)


def test_other_names_and_another_order_of_the_files_change_nothing_in_what_remains(tmp_path: Path) -> None:
    draw = np.random.default_rng(7)
    images = {f"p{n:02}": changed(image, draw) for n, image in enumerate(photographs()[:6] * 4)}
    # turned by 90 degrees and resized to another shape, as a photograph that was exported again
    images |= {f"q{n}": cv2.resize(np.rot90(images[f"p{n:02}"]), (3 * SIDE, 2 * SIDE)) for n in range(6)}
    dataset = folder_of(tmp_path / "first", **images)
    redundant = set(near_duplicates(dataset).redundant)
    left = {name: image for name, image in images.items() if f"{name}.png" not in redundant}
    assert len(left) < len(images)
    renamed = folder_of(tmp_path / "second", **{f"x{len(left) - n:02}": left[name] for n, name in enumerate(left)})
    for seed in range(3):
        assert near_duplicates(renamed, seed=seed).pairs == ()
    shuffled = replace(renamed, records=renamed.records[::-1])
    assert near_duplicates(shuffled).pairs == ()
