"""Boxes are converted with the sizes of the image files."""

from __future__ import annotations

import json
import shlex
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from detreduce.cli import app
from detreduce.dataset import load_dataset
from detreduce.dataset.picture_sizes import with_picture_sizes
from detreduce.dataset.records import read_image_size
from detreduce.dataset.write import write_subset, write_yolo_view

BOX = (5.0, 6.0, 20.0, 15.0)


def make_coco(root: Path, pictures: list[Image.Image], given: list[tuple[int, int]], boxes: list[tuple]) -> Path:
    root.mkdir(exist_ok=True)
    for number, picture in enumerate(pictures):
        picture.save(root / f"{number}.jpg", exif=picture.getexif())
    content = {
        "images": [
            {"id": number, "file_name": f"{number}.jpg", "width": width, "height": height}
            for number, (width, height) in enumerate(given)
        ],
        "annotations": [
            {"id": number, "image_id": number, "category_id": 1, "bbox": box, "iscrowd": 0}
            for number, box in enumerate(boxes)
        ],
        "categories": [{"id": 1, "name": "cat"}],
    }
    file = root / "instances.json"
    file.write_text(json.dumps(content))
    return file


def make_voc(root: Path, given: tuple[int, int]) -> Path:
    (root / "JPEGImages").mkdir(parents=True)
    (root / "Annotations").mkdir()
    Image.new("RGB", (64, 48)).save(root / "JPEGImages" / "0.jpg")
    x, y, w, h = BOX
    (root / "Annotations" / "0.xml").write_text(
        f"<annotation><size><width>{given[0]}</width><height>{given[1]}</height></size><object><name>cat</name><bndbox>"
        f"<xmin>{x}</xmin><ymin>{y}</ymin><xmax>{x + w}</xmax><ymax>{y + h}</ymax></bndbox></object></annotation>"
    )
    return root


def make_cvat(root: Path, given: tuple[int, int]) -> Path:
    (root / "images").mkdir(parents=True)
    Image.new("RGB", (64, 48)).save(root / "images" / "0.jpg")
    x, y, w, h = BOX
    (root / "annotations.xml").write_text(
        f'<annotations><image id="0" name="0.jpg" width="{given[0]}" height="{given[1]}"><box label="cat" xtl="{x}" '
        f'ytl="{y}" xbr="{x + w}" ybr="{y + h}"/></image></annotations>'
    )
    return root / "annotations.xml"


def turned(orientation: int) -> Image.Image:
    picture = Image.new("RGB", (64, 48))
    picture.getexif()[274] = orientation
    return picture


def written_boxes(file: Path, output: Path) -> tuple[list[list[float]], list[str]]:
    """Return the lines of all written labels in the order of names, and the warnings."""
    dataset = load_dataset(file)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        write_subset(dataset, dataset.image_ids, output, format="yolo", link="copy")
    labels = sorted((output / "labels" / "train").iterdir())
    return [list(map(float, label.read_text().split()[1:])) for label in labels], [str(item.message) for item in caught]


def fractions(box: tuple[float, ...], width: int, height: int) -> list[float]:
    x, y, w, h = box
    return [(x + w / 2) / width, (y + h / 2) / height, w / width, h / height]


@pytest.mark.parametrize("form", ["coco", "voc", "cvat"])
@pytest.mark.parametrize("given", [(48, 64), (64, 48), (100, 100)])
def test_the_picture_wins_and_it_is_said(tmp_path: Path, form: str, given: tuple[int, int]) -> None:
    if form == "coco":
        file = make_coco(tmp_path / "set", [Image.new("RGB", (64, 48))], [given], [BOX])
    else:
        file = (make_voc if form == "voc" else make_cvat)(tmp_path / "set", given)
    (box,), said = written_boxes(file, tmp_path / "out")
    assert box == pytest.approx(fractions(BOX, 64, 48))
    conflicts = [line for line in said if "another size" in line]
    assert len(conflicts) == (given != (64, 48))
    for line in conflicts:
        assert "1 image" in line and f"{given[0]} x {given[1]}" in line and "64 x 48" in line
        command = shlex.split(line[line.index("detreduce inspect") :])
        listed = json.loads(CliRunner().invoke(app, [*command[1:], "--json"]).stdout)["problems"]
        assert any("64 x 48" in problem["what"] for problem in listed)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_rotation_by_exif(tmp_path: Path, orientation: int) -> None:
    shown = (48, 64) if orientation >= 5 else (64, 48)
    file = make_coco(tmp_path / "set", [turned(orientation)], [shown], [BOX])
    (box,), said = written_boxes(file, tmp_path / "out")
    assert box == pytest.approx(fractions(BOX, *shown)) and not said[1:]
    # the JSON has the size without the rotation
    (tmp_path / "raw").mkdir()
    file = make_coco(tmp_path / "raw" / "set", [turned(orientation)], [(64, 48)], [BOX])
    (box,), said = written_boxes(file, tmp_path / "raw" / "out")
    assert box == pytest.approx(fractions(BOX, *shown))
    assert any("another size" in line for line in said) == (orientation >= 5)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff", "bmp", "avif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_sizes_are_those_of_ultralytics(tmp_path: Path, suffix: str, orientation: int) -> None:
    from ultralytics.data.utils import exif_size
    from ultralytics.utils.patches import imread

    file = tmp_path / f"a.{suffix}"
    exif = Image.Exif()
    exif[274] = orientation
    try:
        Image.new("RGB", (64, 48)).save(file, exif=exif)
    except (OSError, KeyError, ValueError):
        pytest.skip(f"Pillow cannot write {suffix}")
    with Image.open(file) as image:
        assert read_image_size(file) == exif_size(image)
    pixels = imread(file)
    if pixels is not None:
        assert read_image_size(file) == (pixels.shape[1], pixels.shape[0])


def test_pictures_that_were_made_smaller_keep_the_size_of_their_annotations(tmp_path: Path) -> None:
    small = Image.new("RGB", (64, 48))
    boxes = [(500.0, 300.0, 100.0, 100.0), BOX, BOX]
    file = make_coco(tmp_path / "set", [small] * 3, [(640, 480), (640, 480), (48, 64)], boxes)
    found, said = written_boxes(file, tmp_path / "out")
    assert found[0] == pytest.approx(fractions(boxes[0], 640, 480))
    # no box of this picture shows the reduced size, but other boxes of the split do
    assert found[1] == pytest.approx(fractions(BOX, 640, 480))
    assert found[2] == pytest.approx(fractions(BOX, 64, 48))
    lines = [line for line in said if "another size" in line]
    assert len(lines) == 2 and "1 image" in lines[0] and "2 images" in lines[1] and "smaller" in lines[1]
    # without such a box, the picture's size counts
    file = make_coco(tmp_path / "other", [small] * 2, [(640, 480)] * 2, [BOX] * 2)
    found, said = written_boxes(file, tmp_path / "out2")
    assert found == [pytest.approx(fractions(BOX, 64, 48))] * 2


def test_a_picture_that_cannot_be_read_keeps_its_given_size(tmp_path: Path) -> None:
    file = make_coco(tmp_path / "set", [Image.new("RGB", (64, 48))], [(10, 20)], [BOX])
    (tmp_path / "set" / "0.jpg").write_bytes(b"nothing")
    dataset, conflicts = with_picture_sizes(load_dataset(file))
    assert dataset[0].size == (10, 20) and not conflicts.corrected and not conflicts.notices("detreduce inspect x")


def test_a_training_says_it(tmp_path: Path) -> None:
    file = make_coco(tmp_path / "set", [Image.new("RGB", (64, 48))], [(48, 64)], [BOX])
    with pytest.warns(UserWarning, match="another size"):
        data = write_yolo_view(file, tmp_path / "view")
    assert np.allclose(load_dataset(data)[0].boxes, fractions(BOX, 64, 48))
