from __future__ import annotations

import pickle
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detreduce.training.streams.draw import WeightedDraws
from detreduce.training.streams.partners import draw_partners_from_stream

WEIGHTS = np.array([6.0, 3, 1, 1, 1, 0])


@pytest.fixture
def dataset(tiny: Path) -> Any:
    """Ultralytics' dataset of six of the images."""
    from ultralytics.cfg import get_cfg
    from ultralytics.data import build_yolo_dataset

    arguments = get_cfg(overrides={"imgsz": 64, "mixup": 0.5, "copy_paste": 0.5, "copy_paste_mode": "mixup"})
    files = sorted((tiny.parent / "train/images").iterdir())[:6]
    listed = tiny.parent / "six.txt"
    listed.write_text("".join(f"{file}\n" for file in files))
    return build_yolo_dataset(arguments, str(listed), 8, {"names": {0: "a", 1: "b"}, "channels": 3})


def mosaic(dataset: Any) -> Any:
    return dataset.transforms.transforms[0].transforms[0]


def test_partners_follow_the_weights_of_the_stream(dataset: Any) -> None:
    draw_partners_from_stream(dataset)
    dataset.max_buffer_length = 48
    draw_partners_from_stream(dataset)
    draws = WeightedDraws(WEIGHTS)
    random.seed(0)
    counts: Counter[int] = Counter()
    for first in range(0, 2400, 8):
        dataset.__getitems__.recent.extend(draws.image(place) for place in range(first, first + 8))
        partners = mosaic(dataset).get_indexes()
        assert len(partners) == 3
        counts.update(partners)
    shares = np.array([counts[image] for image in range(6)]) / counts.total()
    np.testing.assert_allclose(shares, WEIGHTS / 12, atol=0.05)
    assert not counts[5]


def test_every_transform_that_mixes_draws_from_the_stream(dataset: Any) -> None:
    draw_partners_from_stream(dataset)
    names = []

    def look(transform: Any) -> None:
        for part in [*getattr(transform, "transforms", []), getattr(transform, "pre_transform", None)]:
            if hasattr(part, "get_indexes"):
                names.append(type(part).__name__)
                dataset.__getitems__.recent.append(4)
                found = part.get_indexes()
                assert found == [4, 4, 4] if names[-1] == "Mosaic" else found == 4
            if part is not None and not isinstance(part, (list, tuple)):
                look(part)

    look(dataset.transforms)
    assert {"Mosaic", "MixUp", "CutMix", "CopyPaste"} <= set(names)


def test_a_batch_is_remembered_before_it_is_mixed(dataset: Any) -> None:
    draw_partners_from_stream(dataset)
    images = dataset.__getitems__([2, 2, 1])
    assert [Path(image["im_file"]).name for image in images] == ["002.jpg", "002.jpg", "001.jpg"]
    assert list(dataset.__getitems__.recent) == [2, 2, 1]


def test_workers_that_are_started_anew_get_a_copy(dataset: Any) -> None:
    draw_partners_from_stream(dataset)
    copy = pickle.loads(pickle.dumps(dataset))
    copy.__getitems__([3])
    assert mosaic(copy).get_indexes() == [3, 3, 3]
    assert copy.__getitems__.dataset is copy
    assert not dataset.__getitems__.recent
