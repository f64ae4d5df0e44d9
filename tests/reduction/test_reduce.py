from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import detreduce as dr
from detreduce.cli import app
from detreduce.errors import InputError, MissingFileError
from detreduce.selection.record import Selection


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Twelve images of noise with vectors in a CSV. By the vectors, 7 is like 3 and 11 is like 2. Image 5 is a copy of
    4.
    """
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(12, 6))
    vectors[7], vectors[11] = vectors[3] * 1.001, vectors[2] * 0.999
    for row in range(12):
        image = tmp_path / "set" / "images" / f"{row:02}.png"
        label = tmp_path / "set" / "labels" / f"{row:02}.txt"
        for file in (image, label):
            file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (40, 48, 3), dtype=np.uint8)).save(image)
        label.write_text("".join(f"{(row + box) % 3} 0.5 0.5 0.2 0.{2 + box}\n" for box in range(1 + row % 2)))
    images = tmp_path / "set" / "images"
    (images / "05.png").write_bytes((images / "04.png").read_bytes())
    lines = [f"{row:02}.png,{','.join(map(str, vector))}" for row, vector in enumerate(vectors.tolist())]
    (tmp_path / "vectors.csv").write_text("\n".join(["image,a,b,c,d,e,f", *lines]) + "\n")
    file = tmp_path / "set" / "data.yaml"
    file.write_text("train: images\nval: images\nnames: [ant, bee, cow]\n")
    return file


def command(*arguments: object) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["reduce", *map(str, arguments), "--json"])
    assert result.exit_code == 0, result.output
    content: dict[str, Any] = json.loads(result.stdout)
    return content


def test_the_result_has_all_that_was_made(data: Path, tmp_path: Path) -> None:
    said: list[str] = []
    backbone = f"file:{tmp_path / 'vectors.csv'}"
    made = dr.reduce(data, tmp_path / "out", "mms", 5, backbone=backbone, blocks=["image"], start=2, say=said.append)
    saved = Selection.load(tmp_path / "out" / "selection.json")
    assert made.selection.image_ids == saved.image_ids and len(made.selection) == 5
    assert made.selection.parameters == {"start": 2}
    assert saved.representativeness == made.representativeness.to_dict()
    assert made.representativeness.epsilon is not None
    assert len(made.dataset) == 5 and made.report.images_kept == 5
    # val is the train split
    assert [line.partition(":")[0] for line in said] == ["Features", "Leaks"]
    assert "all 12 images" in said[1]
    by_command = command(
        data, "-o", tmp_path / "too", "-m", "mms", "-k", 5, "--backbone", backbone, "--blocks", "image", "start=2"
    )
    found = json.loads(json.dumps(made.to_dict()))
    assert found.keys() == by_command.keys() and found["classes"] == by_command["classes"]


def test_a_dataset_and_labels_for_each_image(data: Path, tmp_path: Path) -> None:
    dataset = dr.load_dataset(data, split="train")
    labels = list("aabbccaabbcc")
    made = dr.reduce(dataset, tmp_path / "out", keep=3, categories=labels, groups=labels, max_per_group=1)
    assert made.selection.categories["kept"] == {"a": 1, "b": 1, "c": 1}
    broken = tmp_path / "set" / "images" / "00.png"
    broken.write_bytes(broken.read_bytes()[:50])
    dataset = dr.load_dataset(data, split="train")
    made = dr.reduce(dataset, tmp_path / "more", "mms", 3, 0, labels, blocks=["image"], groups=labels, max_per_group=1)
    assert made.selection.categories["full"] == {"a": 3, "b": 4, "c": 4}, "the labels of those that could be read"
    with pytest.raises(InputError, match="split, images and every"):
        dr.reduce(dataset, tmp_path / "other", split="train")


def test_must_keep_and_initial_may_be_files(data: Path, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("09.png\n")
    first = dr.reduce(data, tmp_path / "first", keep=2, must_keep=tmp_path / "names.txt")
    assert first.selection.image_ids[0] == "images/09.png"
    for exclude in (tmp_path / "names.txt", "09.png"):
        made = dr.reduce(data, tmp_path / "without", keep=1.0 - 1 / 12, exclude=exclude, overwrite=True)
        assert "images/09.png" not in made.selection.image_ids
    for initial in (tmp_path / "first" / "selection.json", str(tmp_path / "first" / "selection.json"), first.selection):
        made = dr.reduce(data, tmp_path / "out", keep=4, initial=initial, overwrite=True)
        assert made.selection.image_ids[:2] == first.selection.image_ids
    with pytest.raises(MissingFileError):
        dr.reduce(data, tmp_path / "out", keep=4, initial=tmp_path / "none.json")


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"unreadable": "ignore"}, "'ignore'"),
        ({"backbone": "foo"}, "'foo'"),
        ({"data": None}, "None"),
        ({"output": None}, "None"),
        ({"categories": "rarst"}, "rarst"),
        ({"split": 3}, "no split '3'"),
        ({"cache": 3}, "cache=3"),
        ({"proxy": 3, "method": "vps"}, "proxy=3"),
        ({"blocks": 3, "method": "mms"}, "blocks=3"),
        ({"say": 3}, "say=3"),
    ],
)
def test_what_is_wrong_for_every_dataset_is_refused_before_anything_is_written(
    data: Path, tmp_path: Path, wrong: dict[str, Any], named: str
) -> None:
    given: dict[str, Any] = {"data": data, "output": tmp_path / "out", "method": "srs", "keep": 3} | wrong
    with pytest.raises(InputError, match=named):
        dr.reduce(**given)
    assert not (tmp_path / "out").exists()


def test_each_split_is_loaded_once(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from detreduce.dataset import load

    splits = []
    remembered = load._remembered

    def watched(*arguments: Any) -> dr.DetectionDataset:
        dataset = remembered(*arguments)
        splits.append(dataset.split)
        return dataset

    monkeypatch.setattr(load, "_remembered", watched)
    dr.reduce(data, tmp_path / "out", "srs", keep=0.5)
    assert sorted(splits) == ["train", "val"]
