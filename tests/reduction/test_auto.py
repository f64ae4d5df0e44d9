"""`auto` takes the method that the results support, and the cheap checks come before the long steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import detreduce as dr
from detreduce.errors import DetreduceWarning, InputError
from detreduce.features.request import Extraction
from detreduce.reduction import steps
from detreduce.reduction.auto import advise
from detreduce.reduction.request import Output, ReductionRequest
from detreduce.selection.request import CompositionRequest, SelectionRequest


def make_data(folder: Path, boxes: int, copies: int = 4, images: int = 12) -> Path:
    """Images of noise; the last `copies` images repeat the first one."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    first = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for row in range(images):
        repeated = row == 0 or row >= images - copies
        pixels = first if repeated else rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{row:02}.png")
        (folder / "labels" / f"{row:02}.txt").write_text(f"{row % 2} 0.5 0.5 0.2 0.2\n" * boxes)
    file = folder / "data.yaml"
    file.write_text("train: images\nval: images\nnames: [ant, bee]\n")
    return file


def test_the_method_follows_what_is_known_of_the_images(tmp_path: Path) -> None:
    boxes = dr.load_dataset(make_data(tmp_path / "a", 1), split="train")
    none = dr.load_dataset(make_data(tmp_path / "b", 0), split="train")
    pictures = dr.load_dataset(tmp_path / "b" / "images")
    assert advise(boxes, Extraction()).method == "herding"
    assert advise(boxes, Extraction("file:vectors.npy")).method == "class_coverage"
    assert advise(none, Extraction()).method == advise(pictures, Extraction()).method == "facility"


@pytest.mark.parametrize(("classes", "limited"), [([0, 1] * 4, True), ([0] * 7 + [1], False), ([0] * 8, False)])
def test_the_reason_names_the_limit_that_inspect_names(tmp_path: Path, classes: list[int], limited: bool) -> None:
    data = make_data(tmp_path / "set", 1, images=len(classes))
    for row, number in enumerate(classes):
        (data.parent / "labels" / f"{row:02}.txt").write_text(f"{number} 0.5 0.5 0.2 0.2\n")
    dataset = dr.load_dataset(data, split="train")
    assert ("blood cells" in advise(dataset, Extraction()).reason) == limited


def request(data: Path, keep: int, composition: CompositionRequest = CompositionRequest(), **more: Any) -> Any:  # noqa: B008
    extraction = Extraction("file:nowhere.npy")
    return ReductionRequest(
        data, Output("out"), SelectionRequest("auto", keep, 0, "none", composition), extraction, **more
    )


def test_auto_leaves_out_near_duplicates_unless_it_is_told_otherwise(tmp_path: Path) -> None:
    data = make_data(tmp_path / "set", 1)
    dataset = dr.load_dataset(data, split="train")

    def search(**more: Any) -> Any:
        return request(data, 3, **more).resolve(dataset).selection.composition.drop_duplicates

    assert search().by == "pixels"
    assert search(clean=False) is None
    assert search(composition=CompositionRequest.of(drop_duplicates="exact")).by == "exact"


def test_duplicates_stay_if_too_few_images_would_remain(tmp_path: Path) -> None:
    data = make_data(tmp_path / "set", 1)
    made = dr.reduce(data, tmp_path / "few", keep=3, backbone="file:nowhere.npy", cache=tmp_path / "cache")
    assert made.selection.method == "class_coverage" and made.reason
    assert [step["dropped"] for step in made.selection.steps if step["step"] == "drop_duplicates"] == [4]
    with pytest.warns(DetreduceWarning, match="too few"):
        made = dr.reduce(data, tmp_path / "many", keep=10, backbone="file:nowhere.npy", cache=tmp_path / "cache")
    assert len(made.selection) == 10


def test_too_few_images_are_found_before_features_are_extracted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make_data(tmp_path / "set", 1)
    monkeypatch.setattr(steps, "extract", lambda *_: pytest.fail("features were extracted first"))
    with pytest.raises(InputError, match="10 images should be kept, but only 8"):
        dr.reduce(data, tmp_path / "out", "mms", 10, drop_duplicates=True, cache=tmp_path / "cache")


def test_a_parameter_needs_its_method(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="start"):
        dr.reduce(make_data(tmp_path / "set", 1), tmp_path / "out", keep=3, start=2)


def test_splits_that_cannot_be_joined_are_found_before_features_are_extracted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_data(tmp_path, 1)
    images = [{"id": 1, "file_name": "00.png", "width": 64, "height": 64}]
    boxes = [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 9, 9]}]
    for split, ids in (("train", (1, 2)), ("val", (1, 3))):
        content = {"images": images, "annotations": boxes, "categories": [{"id": one, "name": "ant"} for one in ids]}
        (tmp_path / f"{split}.json").write_text(json.dumps(content))
    places = {split: {"annotations": f"{split}.json", "images": "images"} for split in ("train", "val")}
    (tmp_path / "coco.yaml").write_text(json.dumps({"format": "coco", **places}))
    monkeypatch.setattr(steps, "extract", lambda *_: pytest.fail("features were extracted first"))
    with pytest.raises(InputError, match="cannot be joined by class name"):
        dr.reduce(tmp_path / "coco.yaml", tmp_path / "out", "mms", 1, cache=tmp_path / "cache")


def test_all_keeps_every_image_that_remains(tmp_path: Path) -> None:
    data = make_data(tmp_path / "set", 1)
    names = {f"images/{row:02}.png" for row in range(12)}
    made = dr.reduce(data, tmp_path / "clean", keep="all", cache=tmp_path / "cache")
    # the method does not matter here, so no method runs and no features are computed
    assert made.selection.method == "srs" and "nothing to choose" in made.reason
    # of five equal images one remains
    assert len(made.selection) == 8 and {*map(str, made.selection.image_ids)} < names
    both = dr.reduce(data, tmp_path / "both", keep="all", drop_duplicates=False, exclude=["01.png", "02.png"])
    assert {*map(str, both.selection.image_ids)} == names - {"images/01.png", "images/02.png"}
    kept = dr.reduce(data, tmp_path / "kept", "srs", "all", drop_duplicates=True, must_keep=["10.png", "11.png"])
    assert len(kept.selection) == 9 and {"images/10.png", "images/11.png"} < {*map(str, kept.selection.image_ids)}
    with pytest.raises(InputError, match="'al' is not a number"):
        dr.reduce(data, tmp_path / "no", keep="al")  # type: ignore[arg-type]


def test_all_leaves_out_what_cannot_be_read(tmp_path: Path) -> None:
    data = make_data(tmp_path / "set", 1, copies=0)
    (tmp_path / "set" / "images" / "05.png").write_bytes(b"no image")
    made = dr.reduce(data, tmp_path / "clean", "mms", "all", blocks=("image",), cache=tmp_path / "cache")
    assert len(made.selection) == 11
