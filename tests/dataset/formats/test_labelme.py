"""LabelMe files whose image is not clear."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from detreduce.dataset import load_dataset

SHAPE = {"label": "cat", "points": [[5, 6], [25, 21]], "shape_type": "rectangle"}


def note(file: Path, image: str | None) -> None:
    file.write_text(json.dumps({"shapes": [SHAPE], **({} if image is None else {"imagePath": image})}))


def draw(folder: Path, *names: str) -> None:
    for name in names:
        Image.new("RGB", (64, 48), (len(name), 3, 4)).save(folder / name)


def test_of_two_images_with_one_json_only_the_named_one_is_labelled(tmp_path: Path) -> None:
    draw(tmp_path, "a.jpg", "a.png")
    note(tmp_path / "a.json", "a.png")
    data = load_dataset(tmp_path)
    assert [record.name for record in data] == ["a.png"] and len(data[0].boxes) == 1
    (problem,) = data.problems
    assert problem.file.name == "a.jpg" and "a.png" in problem.what


@pytest.mark.parametrize("image", [None, "gone.jpg", ""])
@pytest.mark.parametrize("suffixes", [("jpg", "png"), ("bmp", "JPG", "tif")])
def test_labels_of_one_of_several_images_are_not_guessed(
    tmp_path: Path, image: str | None, suffixes: tuple[str, ...]
) -> None:
    names = [f"a.{suffix}" for suffix in suffixes]
    draw(tmp_path, *names, "b.jpg")
    note(tmp_path / "a.json", image)
    note(tmp_path / "b.json", image)
    data = load_dataset(tmp_path)
    assert [record.name for record in data] == ["b.jpg"]
    found = {problem.file.name: problem.what for problem in data.problems}
    assert set(found) == {"a.json", *names} and all(name in found["a.json"] for name in names)
