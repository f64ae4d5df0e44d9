"""The hash of a selection: the chosen images and the method count, the time and the place do not."""

from __future__ import annotations

import json
from pathlib import Path

from edits import edits

from detreduce.training.facts import selection_hash

SELECTION = {"method": "mms", "parameters": {"start": "center"}, "keep": 0.5, "seed": 0, "image_ids": [3, 1]}


def write(folder: Path, **changes: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "selection.json").write_text(json.dumps({**SELECTION, **changes}))
    return folder / "data.yaml"


def test_equal_selections_hash_alike(tmp_path: Path) -> None:
    one = selection_hash(write(tmp_path / "a", provenance={"seconds": 1.0}), [1, 3])
    assert one is not None
    assert one == selection_hash(write(tmp_path / "b", provenance={"seconds": 2.0, "path": "/b"}), [1, 3])
    assert one == selection_hash(tmp_path / "b", [1, 3]), "a folder as well as a file in it"
    for changes in ({"method": "srs"}, {"parameters": {}}, {"keep": 2}, {"seed": 1}, {"image_ids": [1, 3]}):
        assert selection_hash(write(tmp_path / "c", **changes), []) != one


def test_it_is_found_above_a_json_only_where_it_is_of_these_images(tmp_path: Path) -> None:
    write(tmp_path / "reduced")
    data = tmp_path / "reduced/annotations/instances_train2017.json"
    data.parent.mkdir()
    assert selection_hash(data, [1, 3]) == selection_hash(tmp_path / "reduced", [])
    assert selection_hash(data, [1, 2]) is None
    assert selection_hash(data.parent / "far/further/x.json", [1, 3]) is None


def test_a_file_that_is_no_selection_has_no_hash(tmp_path: Path) -> None:
    for text in ("{", "[]", "{}"):
        (tmp_path / "selection.json").write_text(text)
        assert selection_hash(tmp_path, []) is None


def test_a_selection_above_the_data_that_was_edited_is_no_selection(tmp_path: Path) -> None:
    data = tmp_path / "set" / "data.yaml"
    data.parent.mkdir()
    content = {"method": "srs", "parameters": {}, "keep": 2, "seed": 0, "image_ids": ["a", "b"]}
    for what, edited in edits(content):
        (tmp_path / "selection.json").write_text(json.dumps(edited))
        assert isinstance(selection_hash(data, ["a", "b"]), str | None), what
