from __future__ import annotations

import numpy as np
import pytest

from detreduce.duplicates.pixels.descriptors import describe, in_all_orientations
from detreduce.duplicates.pixels.orientations import ORIENTATIONS, Orientation

CLOCKWISE = {
    "same way up": lambda image: image,
    "mirrored": np.fliplr,
    "mirrored top to bottom": np.flipud,
    "turned by 180 degrees": lambda image: np.rot90(image, 2),
    "turned by 90 degrees clockwise": lambda image: np.rot90(image, -1),
    "turned by 90 degrees counter-clockwise": lambda image: np.rot90(image, 1),
    "mirrored and turned by 90 degrees counter-clockwise": lambda image: np.rot90(np.fliplr(image), 1),
    "mirrored and turned by 90 degrees clockwise": lambda image: np.rot90(np.fliplr(image), -1),
}


@pytest.mark.parametrize("orientation", ORIENTATIONS, ids=lambda orientation: orientation.words)
def test_the_words_say_what_is_done(orientation: Orientation) -> None:
    image = np.arange(12).reshape(3, 4)
    np.testing.assert_array_equal(orientation.apply(image), CLOCKWISE[orientation.words](image))
    np.testing.assert_array_equal(orientation.inverse.apply(orientation.apply(image)), image)


def test_the_eight_are_all_there_are() -> None:
    image = np.arange(9).reshape(3, 3)
    assert len({orientation.apply(image).tobytes() for orientation in ORIENTATIONS}) == 8


def test_descriptors_turn_with_the_picture() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (5, 64, 64), dtype=np.uint8)
    turned = in_all_orientations(describe(pictures))
    for number, orientation in enumerate(ORIENTATIONS):
        expected = describe(np.stack([orientation.apply(picture) for picture in pictures]))
        np.testing.assert_allclose(turned[number], expected, atol=1e-5)


def test_descriptors_are_unit_rows_blind_to_brightness_and_contrast_and_nothing_for_plain_pictures() -> None:
    picture = np.random.default_rng(1).integers(40, 120, (1, 64, 64), dtype=np.uint8)
    plain = np.full((1, 64, 64), 7, np.uint8)
    rows = describe(np.concatenate([picture, picture + 30, picture * 2, plain]))
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), [1, 1, 1, 0], atol=1e-6)
    np.testing.assert_allclose(rows[1], rows[0], atol=1e-5)
    np.testing.assert_allclose(rows[2], rows[0], atol=1e-5)
