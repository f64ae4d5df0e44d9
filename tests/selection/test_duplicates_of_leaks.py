"""Duplicates of an image that is left out because it is also in val or test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_sample_image

from detreduce.dataset import load_dataset
from detreduce.duplicates.leakage import LeakageReport
from detreduce.duplicates.split_search import LeakedImage
from detreduce.selection.duplicate_search import duplicates_to_drop
from detreduce.selection.request import CompositionRequest, DuplicateSearch


@pytest.mark.parametrize("left_out", ["exclude", "drop_leaked"])
@pytest.mark.parametrize("image", ["a.png", "b.png", "c.png"])
def test_an_image_that_is_left_out_does_not_lead_its_duplicates(tmp_path: Path, image: str, left_out: str) -> None:
    from PIL import Image

    picture = np.ascontiguousarray(load_sample_image("china.jpg")[:200, :200])
    for name, content in {"a": picture, "b": picture[::-1], "c": picture[:, ::-1]}.items():
        Image.fromarray(content).save(tmp_path / f"{name}.png")
    leak = LeakedImage("train", image, "val", "v.png", 1.0, "same way up", True, image, "v.png")
    report = LeakageReport({"val": 1, "train": 3}, (leak,), 0.85)
    out = {"exclude": (image,)} if left_out == "exclude" else {"drop_leaked": report}
    request = CompositionRequest(drop_duplicates=DuplicateSearch(), **out)
    found = duplicates_to_drop(load_dataset(tmp_path), request)
    assert found is not None and len(found.pairs) == 1
    assert {found.pairs[0].copy, found.pairs[0].kept} == {"a.png", "b.png", "c.png"} - {image}
