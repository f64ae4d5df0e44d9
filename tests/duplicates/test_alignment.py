from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from pictures import photographs

from detreduce.duplicates.pixels.alignment import overlay
from detreduce.duplicates.pixels.signatures import small_grey


def test_a_picture_lies_over_itself() -> None:
    for image in photographs():
        found = overlay(small_grey(image), small_grey(image))
        assert found.similarity == pytest.approx(1, abs=1e-3)
        assert found.overlap == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(("top", "left"), [(0, 0), (0, 10), (10, 0), (10, 10), (5, 5)])
def test_a_crop_is_found_wherever_it_was_cut(top: int, left: int) -> None:
    for image in photographs():
        crop = image[top : top + 203, left : left + 203]
        for pair in itertools.permutations([small_grey(image), small_grey(crop)]):
            found = overlay(*pair)
            assert found.similarity > 0.85
            assert 0.8 < found.overlap <= 1.02


def test_different_pictures_do_not_lie_over_each_other() -> None:
    pictures = [small_grey(image) for image in photographs()]
    highest = max(overlay(a, b).similarity for a, b in itertools.combinations(pictures, 2))
    assert highest < 0.5


def test_shared_light_and_shade_is_no_likeness() -> None:
    """Two unrelated textures under the same strong gradient: their plain correlation is above 0.9."""
    rng = np.random.default_rng(0)
    shade = np.linspace(0, 200, 64)[:, None]
    one, other = (np.uint8(np.clip(shade + rng.normal(0, 12, (64, 64)) + 25, 0, 255)) for _ in range(2))
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.9
    assert overlay(one, other).similarity < 0.3


def test_the_sides_may_be_squeezed_but_not_far() -> None:
    picture = small_grey(photographs()[1])
    far = cv2.resize(picture[:, :40], (64, 64), interpolation=cv2.INTER_AREA)
    assert overlay(picture, np.asarray(far)).similarity < 0.6


def test_plain_and_tiny_contrast_pictures_raise_nothing() -> None:
    plain = np.full((64, 64), 9, np.uint8)
    assert overlay(plain, plain).similarity == 0
    assert overlay(plain, small_grey(photographs()[0])).similarity <= 0.01
