"""Images that a person names: in a list, in a file, or wrongly."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from detreduce.dataset import load_dataset
from detreduce.errors import InputError, MissingFileError
from detreduce.selection.choose import select
from detreduce.selection.named_images import read_names
from detreduce.selection.request import CompositionRequest


def test_a_list_that_does_not_exist_is_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=rf"Looked in: {tmp_path}\. .*downloads"):
        read_names(tmp_path / "keep.txt")
    (tmp_path / "keep.txt").write_text("a.jpg\n\n b.jpg \n", encoding="utf-8-sig")
    assert read_names(tmp_path / "keep.txt") == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize("option", ["must_keep", "initial"])
@pytest.mark.parametrize("value", [3, 1.5, True])
def test_what_is_no_list_of_images_is_an_input_error(option: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"{option}={value!r}"):
        CompositionRequest.of(**{option: value})


def test_one_name_is_a_list_of_one() -> None:
    assert CompositionRequest.of(must_keep="a.jpg").must_keep == ("a.jpg",)
    assert CompositionRequest.of(must_keep=["a", 3], initial=(1, 2)).initial == (1, 2)
    assert CompositionRequest.of().must_keep == ()


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_images_to_keep_may_be_named_by_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, relative: bool
) -> None:
    for name in ("train/a b.jpg", "train/\u00e9.jpg", "val/a b.jpg", "train/c.jpg"):
        file = tmp_path / "images" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32)).save(file)
    data = tmp_path / "data.yaml"
    data.write_text("train: images\nval: images/val\nnames: [a]\n")
    dataset = load_dataset(data)
    first = select(dataset, "srs", keep=3, seed=1)
    listed = [str(dataset[row].path) for row in first.indices]
    monkeypatch.chdir(tmp_path)
    if relative:
        listed = [str(Path(path).relative_to(tmp_path)) for path in listed]
    (tmp_path / "keep.txt").write_text("".join(f"{path}\n" for path in listed), encoding=encoding)
    again = select(dataset, "srs", keep=3, seed=2, must_keep=read_names(tmp_path / "keep.txt"))
    assert list(again.image_ids) == list(first.image_ids)


def test_names_that_are_not_utf8_are_read(tmp_path: Path) -> None:
    (tmp_path / "keep.txt").write_bytes(b"\xe9.jpg\n")
    assert read_names(tmp_path / "keep.txt") == [os.fsdecode(b"\xe9.jpg")]
