"""Labelling tasks go out, labels come back, and the rounds are joined: once for each tool."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

import numpy as np
import pytest
import yaml
from made_videos import make_video
from PIL import Image
from typer.testing import CliRunner

import detreduce as dr
from detreduce.arrays.predictions import PredictedBoxes, Predictions
from detreduce.cli.program import app
from detreduce.dataset.writing.subset_warnings import SubsetWarning
from detreduce.errors import InputError

SIZE = (96, 72)
NAMES = [f"{folder}{number}.png" for folder in ("", "a b/") for number in range(4)]


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    """Eight different images. A folder has a space in its name, and names repeat in it."""
    rng = np.random.default_rng(0)
    for name in NAMES:
        file = tmp_path / "pool" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize(SIZE).save(file)
    return tmp_path / "pool"


# each function labels a folder of tasks as a person with the tool would, and returns the arguments of load_dataset
def by_label_studio(tasks: Path, export: Path) -> tuple[Path, Path | None]:
    content = json.loads((tasks / "tasks.json").read_text())
    for number, task in enumerate(content):
        value = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": ["cat"]}
        region = {"type": "rectanglelabels", "original_width": SIZE[0], "original_height": SIZE[1], "value": value}
        task.update(id=number + 1, annotations=[{"id": number, "result": [region], "was_cancelled": False}])
    export.mkdir()
    (export / "export.json").write_text(json.dumps(content))
    return export / "export.json", tasks / "images"


def by_cvat(tasks: Path, export: Path) -> tuple[Path, Path | None]:
    lines = []
    for number, name in enumerate((tasks / "files.txt").read_text().splitlines()):
        box = '<box label="cat" source="manual" occluded="0" xtl="9.6" ytl="14.4" xbr="38.4" ybr="43.2" z_order="0"/>'
        lines.append(f'<image id="{number}" name={quoteattr(name)} width="{SIZE[0]}" height="{SIZE[1]}">{box}</image>')
    export.mkdir()
    (export / "annotations.xml").write_text(f"<annotations><version>1.1</version>{''.join(lines)}</annotations>")
    return export / "annotations.xml", tasks / "images"


def by_labelme(tasks: Path, export: Path) -> tuple[Path, Path | None]:
    shutil.copytree(tasks / "images", export)
    for image in export.rglob("*.png"):
        shape = {"label": "cat", "points": [[9.6, 14.4], [38.4, 43.2]], "shape_type": "rectangle", "flags": {}}
        content = {"version": "5.5.0", "flags": {}, "shapes": [shape], "imagePath": image.name, "imageData": None}
        image.with_suffix(".json").write_text(json.dumps({**content, "imageHeight": SIZE[1], "imageWidth": SIZE[0]}))
    return export, None


def by_roboflow(tasks: Path, export: Path) -> tuple[Path, Path | None]:
    for image in (tasks / "images").iterdir():
        name = f"{image.stem}_png.rf.0123456789abcdef"
        for place in ("images", "labels"):
            (export / "train" / place).mkdir(parents=True, exist_ok=True)
        Image.open(image).convert("RGB").save(export / "train/images" / f"{name}.jpg", quality=95)
        (export / "train/labels" / f"{name}.txt").write_text("0 0.25 0.4 0.3 0.4\n")
    (export / "data.yaml").write_text(yaml.safe_dump({"train": "../train/images", "nc": 1, "names": ["cat"]}))
    return export / "data.yaml", None


TOOLS: dict[str, Callable[[Path, Path], tuple[Path, Path | None]]] = {
    "label-studio": by_label_studio,
    "cvat": by_cvat,
    "labelme": by_labelme,
    "roboflow": by_roboflow,
}


@pytest.mark.parametrize("form", TOOLS)
def test_tasks_go_out_and_labels_come_back(pool: Path, tmp_path: Path, form: str) -> None:
    labelled = []
    for number in (1, 2):
        output = tmp_path / f"round{number}"
        if number == 1:
            dr.reduce(pool, output, method="srs", keep=3, page=False)
        else:
            after, images = labelled[0]
            options = {"after_images": images} if images is not None else {}
            dr.next_round(pool, output, after=[after], count=3, method="srs", page=False, **options)
        result = CliRunner().invoke(app, ["export", str(output), "--as", form, "-o", str(tmp_path / f"tasks{number}")])
        assert result.exit_code == 0, result.output
        assert f"tasks{number}/images" in result.output
        labelled.append(TOOLS[form](tmp_path / f"tasks{number}", tmp_path / f"labelled{number}"))
    datasets = [dr.load_dataset(path, images=images) for path, images in labelled]
    assert [len(dataset) for dataset in datasets] == [3, 3]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SubsetWarning)
        merged = dr.merge(datasets, tmp_path / "all", format="yolo")
    assert (merged.format, merged.images, merged.boxes, merged.class_names) == ("yolo", 6, 6, ("cat",))
    assert not merged.repeated
    assert np.allclose(merged.dataset.boxes_xyxyn, [[0.1, 0.2, 0.4, 0.6]] * 6, atol=1e-3)
    # what ultralytics trains on
    lines = yaml.safe_load((tmp_path / "all/data.yaml").read_text())
    listed = sorted((tmp_path / "all" / lines["train"]).rglob("*.*g"))
    assert len(listed) == 6
    assert all(
        (tmp_path / "all/labels/train" / file.relative_to(tmp_path / "all/images/train")).with_suffix(".txt").is_file()
        for file in listed
    )
    last = dr.next_round(pool, tmp_path / "round3", after=[tmp_path / "all"], count=2, method="srs", page=False)
    assert last.remaining == 0


def guesses(dataset: dr.DetectionDataset) -> Predictions:
    boxes = PredictedBoxes(
        np.array([[0.1, 0.2, 0.4, 0.6], [0.5, 0.5, 1.1, 0.9]]), np.array([1, 0]), np.array([0.875, 0.25])
    )
    return Predictions(("zebra", "d&g"), [boxes if row else None for row in range(len(dataset))], "best.pt")


@pytest.mark.parametrize("form", TOOLS)
def test_predictions_are_written_only_if_asked_and_marked(pool: Path, tmp_path: Path, form: str) -> None:
    dataset = dr.load_dataset(pool)
    selection = dr.select(dataset, "first", keep=8, categories=None)
    plain = dr.export_selection(dataset, selection, tmp_path / "plain", form=form)
    texts = [file.read_text() for file in plain.rglob("*") if file.suffix in (".json", ".xml", ".txt", ".yaml")]
    assert not any("zebra" in text for text in texts)
    out = dr.export_selection(dataset, selection, tmp_path / "out", form=form, predictions=guesses(dataset))
    if form == "label-studio":
        tasks = json.loads((out / "tasks.json").read_text())
        assert all("annotations" not in task for task in tasks)
        assert sorted(len(task["predictions"][0]["result"]) for task in tasks) == [0, *[2] * 7]
        regions = tasks[1]["predictions"][0]["result"]
        assert [region["score"] for region in regions] == [0.875, 0.25]
        assert regions[1]["value"]["x"] + regions[1]["value"]["width"] <= 100
        assert tasks[1]["predictions"][0]["model_version"] == "best.pt"
        labels = ElementTree.parse(out / "label-config.xml").getroot().iter("Label")
        assert [label.get("value") for label in labels] == ["zebra", "d&g"]
    elif form == "cvat":
        images = ElementTree.parse(out / "annotations.xml").getroot().findall("image")
        assert [image.get("name") for image in images] == (out / "files.txt").read_text().splitlines()
        boxes = [box for image in images for box in image]
        assert len(boxes) == 14 and {box.get("source") for box in boxes} == {"auto"}
    elif form == "roboflow":
        coco = json.loads((out / "images" / "_annotations.coco.json").read_text())
        assert "not labels" in coco["info"]["description"] and len(coco["annotations"]) == 14
        assert {box["score"] for box in coco["annotations"]} == {0.875, 0.25}
        assert sorted(image["file_name"] for image in coco["images"]) == sorted(
            file.name for file in (out / "images").iterdir() if file.suffix != ".json"
        )
        x, _, width, _ = coco["annotations"][1]["bbox"]
        assert coco["categories"] == [{"id": 1, "name": "d&g"}, {"id": 0, "name": "zebra"}] and x + width <= SIZE[0]
    else:
        contents = [json.loads(file.read_text()) for file in (out / "images").rglob("*.json")]
        assert len(contents) == 8 and all(content["flags"] == {"prediction": True} for content in contents)
        shapes = [shape for content in contents for shape in content["shapes"]]
        assert all(shape["flags"]["prediction"] for shape in shapes) and len(shapes) == 14
        assert "confidence 0.875" in shapes[0]["description"]
    with pytest.raises(InputError, match="labelling tasks"):
        dr.export_selection(dataset, selection, tmp_path / "x.csv", form="csv", predictions=guesses(dataset))


def test_tasks_are_in_the_order_chosen(pool: Path, tmp_path: Path) -> None:
    dataset = dr.load_dataset(pool)
    selection = dr.select(dataset, "srs", keep=5, seed=4, categories=None)
    out = dr.export_selection(dataset, selection, tmp_path / "tasks", form="cvat")
    assert (out / "files.txt").read_text().splitlines() == list(selection.image_ids)
    flat = dr.export_selection(dataset, selection, tmp_path / "flat", form="roboflow")
    assert all(file.is_file() for file in (flat / "images").iterdir())
    assert len(list((flat / "images").iterdir())) == 5


@pytest.mark.parametrize("form", TOOLS)
def test_boxes_that_are_not_in_tasks_are_counted(
    form: str, pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(pool, tmp_path / "set/images")
    for name in NAMES:
        file = (tmp_path / "set/labels" / name).with_suffix(".txt")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("0 0.5 0.5 0.1 0.1\n0 0.2 0.2 0.1 0.1\n")
    (tmp_path / "set/data.yaml").write_text("train: images\nval: images\nnames: [a]\n")
    made = dr.reduce(tmp_path / "set", tmp_path / "small", method="srs", keep=4, page=False)
    boxes = sum(len(record.boxes) for record in made.dataset)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["export", "small", "--as", form, "-o", "a b"])
    assert result.exit_code == 0, result.output
    assert boxes == 8 and f"{boxes} boxes of labelled images are not written" in result.output


def test_label_studio_gets_absolute_paths(pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    dr.reduce(pool, "round1", method="srs", keep=3, page=False)
    result = CliRunner().invoke(app, ["export", "round1", "--as", "label-studio", "-o", "tasks"])
    assert result.exit_code == 0, result.output
    assert f"DOCUMENT_ROOT={tmp_path}, add {tmp_path}/tasks/images as" in result.output
    assert "not written" not in result.output


def test_frames_of_a_video_become_tasks(tmp_path: Path) -> None:
    make_video(tmp_path / "drive.mp4", 24)
    chosen = dr.reduce(tmp_path / "drive.mp4", tmp_path / "round1", method="srs", keep=3, every="2", page=False)
    arguments = ["export", str(tmp_path / "round1"), "--as", "label-studio", "-o", str(tmp_path / "tasks")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    tasks = json.loads((tmp_path / "tasks/tasks.json").read_text())
    assert [Path(task["data"]["name"]).stem for task in tasks] == [
        Path(str(image)).stem for image in chosen.selection.image_ids
    ]
    path, images = by_label_studio(tmp_path / "tasks", tmp_path / "labelled")
    assert len(dr.load_dataset(path, images=images)) == 3
    moved = tmp_path / "elsewhere.json"
    shutil.copy(tmp_path / "round1/selection.json", moved)
    result = CliRunner().invoke(app, ["export", str(moved), "--as", "cvat", "-o", str(tmp_path / "none")])
    assert result.exit_code == 2
    assert "Pass the output folder" in " ".join(result.output.split())


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A folder with a video, and two images whose names differ in the suffix only."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    make_video(folder / "drive.mp4", 3)
    for number, name in enumerate(("x.jpg", "x.png")):
        Image.new("RGB", SIZE, (90 * number, 40, 90)).save(folder / name)
    return folder


@pytest.mark.parametrize("frames", ["jpg", "png"])
def test_every_chosen_image_of_videos_and_images_becomes_a_task(mixed: Path, tmp_path: Path, frames: str) -> None:
    out = tmp_path / "round1"
    chosen = dr.reduce(mixed, out, method="first", keep="all", every="1", page=False, frames=frames).selection
    result = CliRunner().invoke(app, ["export", str(out), "--as", "label-studio", "-o", str(tmp_path / "tasks")])
    assert result.exit_code == 0, result.output
    names = [task["data"]["name"] for task in json.loads((tmp_path / "tasks/tasks.json").read_text())]
    assert len(set(names)) == len(names) == len(chosen) == 5
    for name, image in zip(names, chosen.image_ids, strict=True):
        assert name == str(image) or (Path(name).suffix, Path(name).stem) == (f".{frames}", Path(str(image)).stem)


@pytest.mark.parametrize("lost", ["drive_000001.jpg", "x.png"])
def test_images_deleted_from_the_output_are_named(mixed: Path, tmp_path: Path, lost: str) -> None:
    out = tmp_path / "round1"
    dr.reduce(mixed, out, method="first", keep="all", every="1", page=False)
    next((out / "images").rglob(lost)).unlink()
    result = CliRunner().invoke(app, ["export", str(out), "--as", "cvat", "-o", str(tmp_path / "tasks")])
    assert result.exit_code == 2, result.output
    assert lost in result.output and "missing" in result.output
    assert not (tmp_path / "tasks").exists()


def test_a_damaged_table_of_frames_is_named(mixed: Path, tmp_path: Path) -> None:
    out = tmp_path / "round1"
    dr.reduce(mixed, out, method="first", keep="all", every="1", page=False)
    (out / "frames.csv").write_text("image\nx.png\n")
    result = CliRunner().invoke(app, ["export", str(out), "--as", "cvat", "-o", str(tmp_path / "tasks")])
    assert result.exit_code == 2 and "frames.csv" in result.output


@pytest.mark.parametrize("form", ["list", "coco", "fiftyone", "lightly-studio", *TOOLS])
def test_every_form_has_the_written_frames(mixed: Path, tmp_path: Path, form: str) -> None:
    out = tmp_path / "round1"
    dr.reduce(mixed, out, method="srs", keep=3, every="1", page=False)
    result = CliRunner().invoke(app, ["export", str(out), "--as", form, "-o", str(tmp_path / "made")])
    assert result.exit_code == 0, result.output
    assert "3 kept of 3 images" in " ".join(result.output.split())


def test_names_that_are_not_utf8_become_tasks_and_a_page(tmp_path: Path) -> None:
    (tmp_path / "pool").mkdir()
    Image.new("RGB", SIZE).save(tmp_path / "pool" / os.fsdecode(b"caf\xe9.png"))
    dr.reduce(tmp_path / "pool", tmp_path / "round1", method="first", keep="all")
    assert (tmp_path / "round1/selection.html").is_file()
    result = CliRunner().invoke(
        app, ["export", str(tmp_path / "round1"), "--as", "label-studio", "-o", str(tmp_path / "t")]
    )
    assert result.exit_code == 0, result.output
    (task,) = json.loads((tmp_path / "t/tasks.json").read_text())
    assert "caf%E9.png" in task["data"]["image"]


def test_the_printed_command_for_labelme_is_quoted(pool: Path, tmp_path: Path) -> None:
    dr.reduce(pool, tmp_path / "round1", method="first", keep=2, page=False)
    arguments = ["export", str(tmp_path / "round1"), "--as", "labelme", "-o", str(tmp_path / "my tasks")]
    result = CliRunner().invoke(app, arguments)
    assert f"labelme '{tmp_path / 'my tasks/images'}'" in result.output


def test_images_that_differ_in_their_suffix_get_own_labelme_files(tmp_path: Path) -> None:
    names = ["a.jpg", "a.png", "a-2.jpg", "b/a.png", "a.bmp", "a-3.png"]
    rng = np.random.default_rng(0)
    for name in names:
        (tmp_path / "pool" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize(SIZE).save(tmp_path / "pool" / name)
    dataset = dr.load_dataset(tmp_path / "pool")
    selection = dr.select(dataset, "first", keep=len(names), categories=None)
    out = dr.export_selection(dataset, selection, tmp_path / "out", form="labelme", predictions=guesses(dataset))
    images = [file for file in (out / "images").rglob("*") if file.suffix not in (".json", "")]
    notes = {file: json.loads(file.read_text()) for file in (out / "images").rglob("*.json")}
    assert len(images) == len(notes) == len(names)
    assert {file.parent / content["imagePath"] for file, content in notes.items()} == set(images)
    assert all(file.stem == Path(content["imagePath"]).stem for file, content in notes.items())
    # the others keep their names
    kept = {str(file.relative_to(out / "images")) for file in images}
    assert {"a-2.jpg", "b/a.png", "a-3.png"} <= kept and len(kept & set(names)) == 4
    assert len(dr.load_dataset(out / "images")) == len(names)
