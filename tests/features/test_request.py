"""A request for features: checked without opening anything, completed for a method, run on a dataset."""

from __future__ import annotations

import inspect
from dataclasses import fields, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hand_made import dataset_of

from detreduce.dataset.records import DetectionDataset
from detreduce.errors import InputError
from detreduce.features import extract_features
from detreduce.features.request import Extraction


@pytest.fixture
def dataset(photos: list[Path]) -> DetectionDataset:
    return dataset_of(photos, photos[0].parent.parent)


def test_its_fields_are_the_keywords_of_extract_features() -> None:
    keywords = inspect.signature(extract_features).parameters
    assert [item.name for item in fields(Extraction)] == list(keywords)[1:]
    assert {item.name: item.default for item in fields(Extraction)} == {
        name: keyword.default for name, keyword in keywords.items() if name != "dataset"
    }


def test_every_keyword_reaches_the_request(dataset: DetectionDataset) -> None:
    given = {item.name: f"a {item.name}" for item in fields(Extraction)}
    seen: list[Extraction] = []
    with patch.object(Extraction, "run", lambda request, dataset: seen.append(request)):
        extract_features(dataset, **given)  # type: ignore[arg-type]
    assert seen == [Extraction(**given)]  # type: ignore[arg-type]


def test_running_it_is_extract_features(dataset: DetectionDataset, tmp_path: Path) -> None:
    request = Extraction(blocks=("annotations",), cache=tmp_path)
    table, other = request.run(dataset), extract_features(dataset, blocks=("annotations",), cache=tmp_path)
    np.testing.assert_array_equal(table.X, other.X)
    assert table.provenance == other.provenance


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"blocks": ("imagen",)}, "'image'"),
        ({"precision": "float23"}, "'float32'"),
        ({"unreadable": "ignore"}, "'ignore'"),
        ({"batch": 0}, "batch=0"),
        ({"workers": -1}, "workers=-1"),
        ({"backbone": "file:v.npy", "blocks": ("objects",)}, "file:v"),
    ],
)
def test_it_is_checked_without_opening_a_file(
    dataset: DetectionDataset, changed: dict[str, object], named: str
) -> None:
    request = replace(Extraction(), **changed)  # type: ignore[arg-type]
    with patch.object(Path, "open", side_effect=AssertionError("a file was opened")):
        with pytest.raises(InputError, match=named):
            request.check(dataset)
        assert Extraction().check(dataset) == ("image", "objects", "annotations")
        assert Extraction("file:v.npy").check(dataset) == ("image", "annotations")
        assert Extraction(blocks=["annotations"]).check(dataset) == ("annotations",)
    with pytest.raises(InputError, match="photos"):
        Extraction().check(replace(dataset, records=(), source=replace(dataset.source, path=Path("photos"))))


def test_a_method_gets_the_blocks_that_it_needs(dataset: DetectionDataset) -> None:
    request = Extraction(imgsz=320)
    assert request.for_method("mms", ("features",), dataset).blocks == ("image", "objects", "annotations")
    assert request.for_method("csod", ("object_vectors",), dataset).blocks == ("objects",)
    assert request.for_method("gradmatch", ("gradients",), dataset) == replace(request, blocks=("gradients",))
    given = replace(request, blocks=("image",))
    assert given.for_method("mms", ("features",), dataset) == given
    with pytest.raises(InputError, match=r"'csod'.*'objects'"):
        given.for_method("csod", ("object_vectors",), dataset)


def test_its_backbone_is_made_by_name(tmp_path: Path) -> None:
    backbone = Extraction(imgsz=256).make_backbone()
    assert backbone is not None and (backbone.name, backbone.imgsz) == ("efficientnet-lite0", 256)
    assert Extraction(backbone).make_backbone() is backbone
    assert Extraction("file:v.npy").make_backbone() is None
    with pytest.raises(InputError, match="Did you mean 'efficientnet-lite0'"):
        Extraction("efficientnet-lite").make_backbone()
