"""Msgspec and the json module read a COCO JSON in the same way."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from detreduce.dataset import load_dataset
from detreduce.dataset.formats.coco import quick_json
from detreduce.dataset.formats.coco.quick_json import read_used_parts
from detreduce.errors import InputError

pytest.importorskip("msgspec")

USED = ("id", "image_id", "category_id", "bbox", "iscrowd")
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([2**64, -(2**70), 1e308, -0.0]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
ENTRIES = st.dictionaries(st.sampled_from([*USED, "segmentation", "keypoints", "area"]), VALUES, max_size=5)
CONTENTS = st.fixed_dictionaries(
    {"images": st.lists(VALUES, max_size=2), "annotations": st.lists(ENTRIES, max_size=3)},
    optional={"categories": st.lists(VALUES, max_size=2), "info": VALUES},
)


def parts(content: Any) -> Any:
    """Return the result of the json module, without unused parts."""
    annotations = [{key: entry[key] for key in USED if key in entry} for entry in content.get("annotations", ())]
    found = {key: content[key] for key in ("images", "annotations", "categories") if key in content}
    return found | ({"annotations": annotations} if "annotations" in content else {})


def exact(content: Any) -> str:
    """Return a text that is equal only for equal values of equal types. The order of keys does not matter."""
    return json.dumps(content, sort_keys=True)


def has_nan(text: str) -> bool:
    found: list[str] = []
    json.loads(text, parse_constant=found.append)
    return bool(found) or "\\ud" in text.lower() or "e" in text.lower()


@given(CONTENTS, st.booleans())
def test_the_same_parts_are_read(content: dict[str, Any], ascii_only: bool) -> None:
    text = json.dumps(content, ensure_ascii=ascii_only)
    found = read_used_parts(text)
    if found is None:
        # the json module reads NaN, surrogates and numbers that are too large for a float
        assert has_nan(text)
    else:
        assert exact(found) == exact(parts(json.loads(text)))


@given(CONTENTS, st.data())
@example({"images": [], "annotations": [{"segmentation": [[1.5, 2]]}]}, None)
def test_what_is_no_json_is_refused_also_where_it_is_skipped(content: dict[str, Any], data: Any) -> None:
    text = json.dumps(content)
    if data is not None:
        at = data.draw(st.integers(0, len(text) - 1))
        text = text[:at] + data.draw(st.sampled_from(["", ",", "]", '"', "0", "-", "\n", "\\", "{"])) + text[at + 1 :]
    found = read_used_parts(text)
    try:
        wanted = json.loads(text)
    except ValueError:
        assert found is None
    else:
        assert found is None or exact(found) == exact(parts(wanted))


@pytest.mark.parametrize(
    "value", ["1.2.3", "01", ".5", "[1,]", "[1 2]", '{"a" 1}', '"a\\x"', '"a\tb"', "nul", "[[[1]", "+1"]
)
def test_a_fault_in_a_polygon_is_an_error_with_its_place(tmp_path: Path, value: str) -> None:
    file = tmp_path / "set.json"
    file.write_text(f'{{"images": [],\n "annotations": [{{"id": 1, "segmentation": {value}}}]}}')
    with pytest.raises(InputError, match=r"set\.json:2:"):
        load_dataset(file)


@pytest.mark.parametrize("box", [[1, 2, 3, 4], [1, 2, math.nan, 4], [1, 2, -3, 4], "x", None, [1, 2, 3]])
def test_a_dataset_is_the_same_both_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, box: Any) -> None:
    notes: list[Any] = [
        {"id": 1, "image_id": "7", "category_id": "1", "bbox": [1, 1, 2, 2], "iscrowd": "0", "area": 4},
        {"id": 1, "image_id": 7, "category_id": 1.0, "bbox": box, "segmentation": [[1, 2, 3, 4, 5, 6]]},
        {"image_id": 8, "category_id": 1, "bbox": [0, 0, 1, 1]},
        {"image_id": 7, "category_id": 1, "bbox": [0, 0, 1, 1], "iscrowd": 1, "keypoints": [1, 2, 3]},
    ]
    image = {"id": 7, "file_name": "\u00e4.jpg", "width": 9, "height": 9}
    content = {"images": [image], "annotations": notes, "categories": [{"id": 1, "name": "a"}]}
    (tmp_path / "\u00e4.jpg").touch()
    (tmp_path / "set.json").write_text(json.dumps(content))
    quick = load_dataset(tmp_path / "set.json")
    monkeypatch.setattr(quick_json, "_decoder", lambda: None)
    assert read_used_parts("{}") is None
    slow = load_dataset(tmp_path / "set.json")
    assert quick.content_hash == slow.content_hash and quick.problems == slow.problems


def test_polygons_are_skipped() -> None:
    content = {"images": [], "annotations": [{"id": 1, "segmentation": [[1, 2]], "area": 3}], "info": {}}
    assert read_used_parts(json.dumps(content)) == {"images": [], "annotations": [{"id": 1}]}
