"""Selections as other programs read them. If FiftyOne and LightlyStudio are installed, they read the folders
themselves.
"""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO
from typer.testing import CliRunner

import detreduce as dr
from detreduce.cli.program import app
from detreduce.errors import ImageReadError, InputError, MissingFileError

LABELS = {"b/x": "0 0.5 0.5 0.25 0.5\n1 0.1 0.2 0.1 0.2\n", "c": "", "d": "1 0.5 0.5 1 1\n", "e": "1 0.5 0.5 0.5 0.5\n"}
SIZE = (80, 40)


@pytest.fixture
def dataset(tmp_path: Path) -> dr.DetectionDataset:
    """Four images of 80 x 40, one of them in a sub-folder, one without a box."""
    for name, text in LABELS.items():
        image, label = tmp_path / f"in/images/{name}.png", tmp_path / f"in/labels/{name}.txt"
        for place in (image, label):
            place.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", SIZE, (90, 90, 90)).save(image)
        label.write_text(text)
    (tmp_path / "in/data.yaml").write_text("train: images\nnames: [cat, dog]\n")
    return dr.load_dataset(tmp_path / "in/data.yaml")


@pytest.fixture
def selection(dataset: dr.DetectionDataset) -> dr.Selection:
    return dr.select(dataset, "srs", keep=2, seed=3, categories="rarest")


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_list_is_in_the_order_chosen_and_trains(dataset, selection, tmp_path):
    written = dr.export_selection(dataset, selection, tmp_path / "kept.txt", form="list")
    paths = [dataset[dataset.row_of[key]].path for key in selection.image_ids]
    assert written.read_text().splitlines() == [str(path) for path in paths]
    (tmp_path / "data.yaml").write_text("train: kept.txt\nnames: [cat, dog]\n")
    assert {record.path for record in dr.load_dataset(tmp_path / "data.yaml")} == set(paths)


def test_csv_has_every_image(dataset, selection, tmp_path):
    dr.export_selection(dataset, selection, tmp_path / "all.csv", form="csv")
    rows = read_csv((tmp_path / "all.csv").read_text())
    assert [row["image_id"] for row in rows] == dataset.image_ids
    assert [row["path"] for row in rows] == [str(record.path) for record in dataset]
    assert {row["image_id"]: row["rank"] for row in rows if row["kept"] == "1"} == {
        key: str(rank) for rank, key in enumerate(selection.image_ids, 1)
    }
    assert [row["rank"] for row in rows if row["kept"] == "0"] == ["", ""]
    np.testing.assert_array_equal([float(row["score"] or "nan") for row in rows], selection.scores)
    assert [row["category"] for row in rows] == selection.to_frame(dataset)["category"].tolist()


def test_coco_of_yolo_boxes(dataset, selection, tmp_path):
    dr.export_selection(dataset, selection, tmp_path / "kept.json", form="coco")
    coco = COCO(str(tmp_path / "kept.json"))
    again = dr.load_dataset(tmp_path / "kept.json", images=tmp_path / "in/images")
    kept = {record.path: record for record in dataset if record.id in selection.image_ids}
    assert {record.path for record in again} == set(kept)
    assert [coco.cats[number]["name"] for number in sorted(coco.cats)] == ["cat", "dog"]
    for row, record in enumerate(again):
        own = dataset.row_of[kept[record.path].id]
        np.testing.assert_allclose(
            again.boxes_xyxyn[again.box_rows == row], dataset.boxes_xyxyn[dataset.box_rows == own], atol=1e-9
        )
        np.testing.assert_array_equal(record.class_ids, kept[record.path].class_ids)
        assert record.size == SIZE


def test_coco_of_coco_is_the_original_filtered(tmp_path):
    text = (
        '{"info": {"v": 1.50},\n "images": [{"id": 7, "file_name": "a.png", "x": 1.0},\n {"id": 8, "file_name":'
        ' "b.png"}],\n "annotations": [{"id": 1, "image_id": 8, "category_id": 3, "bbox": [1, 2, 3.000, 4]}],\n'
        ' "categories": [{"id": 3, "name": "cat"}]}'
    )
    (tmp_path / "in").mkdir()
    (tmp_path / "in/set.json").write_text(text)
    for name in ("a", "b"):
        Image.new("RGB", SIZE).save(tmp_path / f"in/{name}.png")
    dataset = dr.load_dataset(tmp_path / "in/set.json")
    selection = dr.select(dataset, "first", keep=1, categories=None)
    dr.export_selection(dataset, selection, tmp_path / "kept.json", form="coco")
    assert (tmp_path / "kept.json").read_text() == (
        '{"info": {"v": 1.50},\n "images": [{"id": 7, "file_name": "a.png", "x": 1.0}],\n "annotations": [],\n'
        ' "categories": [{"id": 3, "name": "cat"}]}'
    )
    everything = dr.export_selection(dataset, dr.select(dataset, "first", keep=2), tmp_path / "all.json", form="coco")
    assert everything.read_text() == text
    with pytest.raises(InputError, match="is a file of the dataset itself"):
        dr.export_selection(dataset, selection, tmp_path / "in/set.json", form="coco", overwrite=True)


@pytest.mark.parametrize("patched", [False, True])
def test_coco_needs_sizes(dataset, selection, tmp_path, monkeypatch, patched):
    if patched:
        # as after an import of ultralytics
        def image_open(*_: object) -> None:
            raise ModuleNotFoundError("No module named 'pi_heif'")

        monkeypatch.setattr(Image, "open", image_open)
    dataset[dataset.row_of[selection.image_ids[0]]].path.write_bytes(b"not an image")
    with pytest.raises(ImageReadError, match="COCO needs the size"):
        dr.export_selection(dataset, selection, tmp_path / "kept.json", form="coco")
    assert not (tmp_path / "kept.json").exists()


def test_fiftyone_folder(dataset, selection, tmp_path):
    folder = dr.export_selection(dataset, selection, tmp_path / "out", form="fiftyone")
    samples = json.loads((folder / "samples.json").read_text())["samples"]
    rows = read_csv((folder / "selection.csv").read_text())
    assert [sample["filepath"] for sample in samples] == [row["path"] for row in rows]
    for record, sample, score in zip(dataset, samples, selection.scores, strict=True):
        kept = record.id in selection.image_ids
        assert (folder / sample["filepath"]).samefile(record.path)
        assert (sample["tags"], sample["kept"]) == (["kept" if kept else "dropped", "train"], kept)
        assert sample.get("rank") == (selection.image_ids.index(record.id) + 1 if kept else None)
        assert sample.get("score") == (None if np.isnan(score) else score)
        assert len(sample["ground_truth"]["detections"]) == len(record.boxes)
    first = samples[dataset.row_of["images/b/x.png"]]["ground_truth"]["detections"]
    assert [detection["label"] for detection in first] == ["cat", "dog"]
    np.testing.assert_allclose(first[0]["bounding_box"], [0.375, 0.25, 0.25, 0.5])
    assert "version" not in json.loads((folder / "metadata.json").read_text())
    assert dr.Selection.load(folder / "selection.json").image_ids == selection.image_ids


def test_lightly_studio_folder(dataset, selection, tmp_path):
    folder = dr.export_selection(dataset, selection, tmp_path / "out", form="lightly-studio", link="symlink")
    coco = COCO(str(folder / "annotations.json"))
    names = {image["file_name"] for image in coco.imgs.values()}
    assert len(names) == 4
    tags = {record.path: "kept" if record.id in selection.image_ids else "dropped" for record in dataset}
    for name in names:
        source = Path(os.path.realpath(folder / "images" / name))
        assert name.split("/")[0] == tags[source]
    again = dr.load_dataset(folder / "annotations.json", images=folder / "images")
    assert sorted(again.boxes_xyxyn.round(9).tolist()) == sorted(dataset.boxes_xyxyn.round(9).tolist())


def test_images_of_one_name_get_places_of_their_own(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / f"in/{folder}/images").mkdir(parents=True)
        Image.new("RGB", SIZE).save(tmp_path / f"in/{folder}/images/a.png")
    (tmp_path / "in/data.yaml").write_text("train: [one/images, two/images]\nnames: [cat]\n")
    dataset = dr.load_dataset(tmp_path / "in")
    selection = dr.select(dataset, "first", keep=1)
    folder = dr.export_selection(dataset, selection, tmp_path / "out", form="fiftyone")
    samples = json.loads((folder / "samples.json").read_text())["samples"]
    assert [sample["filepath"] for sample in samples] == ["data/a.png", "data/a-2.png"]
    dr.export_selection(dataset, dr.select(dataset, "first", keep=2), tmp_path / "kept.json", form="coco")
    names = [image["file_name"] for image in json.loads((tmp_path / "kept.json").read_text())["images"]]
    assert names == ["one/images/a.png", "two/images/a.png"]


def test_unlabelled_images(tmp_path):
    (tmp_path / "in").mkdir()
    Image.new("RGB", SIZE).save(tmp_path / "in/a.png")
    dataset = dr.load_dataset(tmp_path / "in")
    folder = dr.export_selection(dataset, dr.select(dataset, "first", keep=1), tmp_path / "out", form="fiftyone")
    (sample,) = json.loads((folder / "samples.json").read_text())["samples"]
    assert "ground_truth" not in sample and sample["kept"] is True


def test_what_is_refused(dataset, selection, tmp_path):
    with pytest.raises(InputError, match=r"form='fiftyon' is not one of .* Did you mean 'fiftyone'\?"):
        dr.export_selection(dataset, selection, tmp_path / "out", form="fiftyon")
    with pytest.raises(InputError, match=r"link='list'.*symlink"):
        dr.export_selection(dataset, selection, tmp_path / "out", form="fiftyone", link="list")
    with pytest.raises(InputError, match="overlap"):
        dr.export_selection(dataset, selection, tmp_path / "in/images/out", form="fiftyone")
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(InputError, match=r"kept\.txt exists.*--overwrite"):
        dr.export_selection(dataset, selection, tmp_path / "kept.txt", form="list")
    assert (tmp_path / "kept.txt").read_text() == "mine"
    dr.export_selection(dataset, selection, tmp_path / "kept.txt", form="list", overwrite=True)
    with pytest.raises(InputError, match="is a folder"):
        dr.export_selection(dataset, selection, tmp_path / "in", form="csv")
    dr.export_selection(dataset, selection, tmp_path / "out", form="fiftyone")
    with pytest.raises(InputError, match="exists and is not empty"):
        dr.export_selection(dataset, selection, tmp_path / "out", form="lightly-studio")
    dr.export_selection(dataset, selection, tmp_path / "out", form="lightly-studio", overwrite=True)
    assert not (tmp_path / "out/samples.json").exists()
    (tmp_path / "in/labels/d.txt").write_text("0 0.5 0.5 1 1\n")
    with pytest.raises(InputError, match="is not the dataset of the selection"):
        dr.export_selection(dr.load_dataset(tmp_path / "in"), selection, tmp_path / "late.txt", form="list")


def test_command(dataset, selection, tmp_path):
    selection.save(tmp_path / "selection.json")
    run = CliRunner().invoke
    arguments = ["export", str(tmp_path / "selection.json"), "--output", str(tmp_path / "out")]
    result = run(app, [*arguments, "--as", "fiftyone"])
    assert result.exit_code == 0, result.output
    assert "out: 2 kept of 4 images" in result.output
    assert "dataset_type=fo.types.FiftyOneDataset" in result.output
    result = run(app, [*arguments, "--as", "fiftyone"])
    assert (result.exit_code, "exists and is not empty" in result.output) == (2, True)
    result = run(app, [*arguments, "--as", "lightly-studio", "--overwrite", "--json"])
    assert json.loads(result.stdout) == {
        "written": str(tmp_path / "out"),
        "form": "lightly-studio",
        "images": 4,
        "kept": 2,
    }
    (tmp_path / "in").rename(tmp_path / "moved")
    arguments[-1] = str(tmp_path / "kept.txt")
    result = run(app, [*arguments, "--as", "list"])
    assert (result.exit_code, "(--data)" in result.output) == (2, True)
    assert run(app, [*arguments, "--as", "list", "--data", str(tmp_path / "moved")]).exit_code == 0
    assert str(tmp_path / "moved/images") in (tmp_path / "kept.txt").read_text()


def test_missing_images_are_named(dataset, selection, tmp_path):
    dataset[0].path.unlink()
    with pytest.raises((InputError, MissingFileError), match=r"x\.png"):
        dr.export_selection(dataset, selection, tmp_path / "out", form="fiftyone")
