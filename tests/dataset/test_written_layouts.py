"""Outputs can be read back: by the folder, by data.yaml, by the printed path, and with the tools for the format."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from detreduce.dataset import DetectionDataset, load_dataset
from detreduce.dataset.write import write_subset

NUMBERS = itertools.count()
SIZE = (64, 32)
CLASSES = ("cat", "dog: x", "été")
# what an image shows: (class, x, y, width, height) in pixels
Boxes = list[tuple[int, int, int, int, int]]
Images = dict[str, dict[str, Boxes]]
"""Split -> image name -> boxes."""

LOOSE = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
WORDS = st.sampled_from(
    ["a", "images", "train", "val", "2017", "null", "my data", "Bilder", "żółw", "selection", "data", "labels", "x.y"]
)
FOLDERS = st.lists(WORDS, min_size=0, max_size=3).map("/".join)
BOXES = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 30), st.integers(0, 14), st.integers(2, 30), st.integers(2, 16)),
    max_size=3,
    unique=True,
)
NAMES = st.tuples(st.sampled_from(["", "", "a/", "a/b/", "train/"]), st.sampled_from("pqrs")).map("".join)


@st.composite
def contents(draw: st.DrawFn, splits: tuple[str, ...] = ("train", "val", "test")) -> Images:
    """Return images of one to three splits. Names are unique over all splits, so that splits may share a folder."""
    chosen = [splits[0], *draw(st.sets(st.sampled_from(splits[1:])))]
    images: Images = {}
    for number, split in enumerate(chosen):
        names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
        images[split] = {f"{name}{number}.png": draw(BOXES) for name in names}
    images["train"][next(iter(images["train"]))] = [(0, 4, 4, 8, 8)]
    return images


def draw_picture(path: Path) -> None:
    """Write an image that differs from all other files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number = next(NUMBERS)
    Image.new("RGB", SIZE, (number % 256, number // 256 % 256, 7)).save(path)


def shown(dataset: DetectionDataset) -> dict[bytes, list[tuple[str, tuple[float, ...]]]]:
    """Return content of an image -> its boxes with the names of their classes."""
    corners = np.round(dataset.boxes_xyxyn, 6)
    found = {}
    for row, record in enumerate(dataset):
        mine = dataset.box_rows == row
        names = [dataset.class_names[number] for number in dataset.box_classes[mine].tolist()]
        found[record.path.read_bytes()] = sorted(zip(names, map(tuple, corners[mine].tolist()), strict=True))
    return found


def check_written(path: Path, images: Images, keep: int, link: str, format: str | None = None) -> Path:
    """Reduce the dataset at `path`, and load the output by every path. Return the output."""
    dataset = load_dataset(path, "train")
    assert set(dataset.source.splits) == set(images)
    source = {split: shown(load_dataset(path, split)) for split in images}
    assert {split: len(found) for split, found in source.items()} == {split: len(one) for split, one in images.items()}
    assert sum(map(len, source["train"].values())) == sum(map(len, images["train"].values()))
    rows = sorted({row % len(dataset) for row in range(keep, keep + 2)})
    kept = [dataset[row] for row in rows]
    wanted = {**source, "train": {r.path.read_bytes(): source["train"][r.path.read_bytes()] for r in kept}}
    output = path.parent.parent / f"out{next(NUMBERS)}" / "here"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reduced = write_subset(dataset, [record.id for record in kept], output, link=link, format=format)
    assert reduced.source.path == output / "data.yaml"
    assert shown(reduced) == wanted["train"]
    for place in (output, output / "data.yaml", reduced.source.path):
        found = load_dataset(place, "train").source.splits
        assert set(found) >= set(images)
        assert {split: shown(load_dataset(place, split)) for split in images} == wanted
    return output


def write_coco_json(file: Path, images: Mapping[str, Boxes], names: Callable[[str], str] = str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    content: dict[str, list[object]] = {"images": [], "annotations": [], "categories": []}
    for number, (name, boxes) in enumerate(images.items(), 1):
        content["images"].append({"id": number, "file_name": names(name), "width": SIZE[0], "height": SIZE[1]})
        for kind, *box in boxes:
            entry = {"id": len(content["annotations"]), "image_id": number, "category_id": kind + 5, "bbox": box}
            content["annotations"].append({**entry, "area": box[2] * box[3], "iscrowd": 0})
    content["categories"] = [{"id": number, "name": name} for number, name in enumerate(CLASSES, 5)]
    file.write_text(json.dumps(content))


def coco_truth(output: Path, split: str) -> dict[bytes, list[tuple[str, tuple[float, ...]]]]:
    """Return what pycocotools reads from an output."""
    from pycocotools.coco import COCO

    entry = yaml.safe_load((output / "data.yaml").read_text())[split]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(output / entry["annotations"])
    found = {}
    for key, image in coco.imgs.items():
        boxes = []
        for note in coco.loadAnns(coco.getAnnIds(imgIds=[key])):
            x, y, w, h = note["bbox"]
            corners = np.round(np.array([x, y, x + w, y + h]) / np.tile(SIZE, 2), 6)
            boxes.append((coco.cats[note["category_id"]]["name"], tuple(corners.tolist())))
        found[(output / entry["images"] / image["file_name"]).read_bytes()] = sorted(boxes)
    return found


@LOOSE
@given(
    images=contents(),
    folders=st.lists(FOLDERS, min_size=3, max_size=3),
    jsons=st.lists(st.tuples(FOLDERS, WORDS), min_size=3, max_size=3, unique=True),
    keep=st.integers(0, 3),
    link=st.sampled_from(["symlink", "hardlink", "copy", "list"]),
)
def test_coco_of_any_names(
    tmp_path: Path, images: Images, folders: list[str], jsons: list[tuple[str, str]], keep: int, link: str
) -> None:
    root = tmp_path / f"{next(NUMBERS)}" / "source"
    entries = {}
    for (split, listed), folder, (home, name) in zip(images.items(), folders, jsons, strict=False):
        for image in listed:
            draw_picture(root / folder / image)
        entries[split] = {"annotations": str(PurePosixPath(home, f"{name}.json")), "images": folder or "."}
        write_coco_json(root / entries[split]["annotations"], listed)
    (root / "set.yaml").write_text(yaml.safe_dump({"format": "coco", **entries}))
    output = check_written(root / "set.yaml", images, keep, link)
    for split in images:
        assert coco_truth(output, split) == shown(load_dataset(output, split))
    if link != "list":
        check_ultralytics(check_written(root / "set.yaml", images, keep, link, "yolo"), images)


def check_ultralytics(output: Path, images: Images) -> None:
    """Check that ultralytics' own loader reads the same images, boxes and classes."""
    from ultralytics.data.dataset import YOLODataset
    from ultralytics.data.utils import check_det_dataset
    from ultralytics.utils import LOGGER

    LOGGER.setLevel("ERROR")
    data = check_det_dataset(str(output / "data.yaml"), autodownload=False)
    for split in images:
        theirs = YOLODataset(img_path=data[split], data=data, task="detect", augment=False, imgsz=32, rect=False)
        found = {}
        for label in theirs.labels:
            cx, cy, w, h = label["bboxes"].astype(np.float64).reshape(-1, 4).T
            corners = np.round(np.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], axis=1), 4)
            names = [data["names"][int(number)] for number in label["cls"].ravel()]
            found[Path(label["im_file"]).read_bytes()] = sorted(zip(names, map(tuple, corners.tolist()), strict=True))
        ours = shown(load_dataset(output, split))
        rounded = {
            key: sorted((name, tuple(np.round(box, 4).tolist())) for name, box in boxes) for key, boxes in ours.items()
        }
        assert found.keys() == rounded.keys()
        for key, boxes in found.items():
            assert [name for name, _ in boxes] == [name for name, _ in rounded[key]]
            mine = [box for _, box in rounded[key]]
            assert np.allclose(np.array([box for _, box in boxes]), np.array(mine), atol=2e-4)


@LOOSE
@given(
    images=contents(),
    folders=st.lists(FOLDERS, min_size=3, max_size=3),
    as_lists=st.booleans(),
    keep=st.integers(0, 3),
    link=st.sampled_from(["symlink", "hardlink", "copy", "list"]),
)
def test_yolo_of_any_names(
    tmp_path: Path, images: Images, folders: list[str], as_lists: bool, keep: int, link: str
) -> None:
    root = tmp_path / f"{next(NUMBERS)}" / "source"
    entries: dict[str, object] = {"names": list(CLASSES), "owner": "Ada"}
    for (split, listed), folder in zip(images.items(), folders, strict=False):
        place = PurePosixPath("images", split, folder)
        for name, boxes in listed.items():
            draw_picture(root / place / name)
            # ultralytics replaces the last folder called images
            parts = list((place / name).parts)
            last = len(parts) - 1 - parts[::-1].index("images")
            label = PurePosixPath(*parts[:last], "labels", *parts[last + 1 :]).with_suffix(".txt")
            (root / label).parent.mkdir(parents=True, exist_ok=True)
            rows = [
                (k, (x + w / 2) / SIZE[0], (y + h / 2) / SIZE[1], w / SIZE[0], h / SIZE[1]) for k, x, y, w, h in boxes
            ]
            (root / label).write_text("".join(" ".join(map(str, row)) + "\n" for row in rows))
        entries[split] = str(place)
        if as_lists:
            entries[split] = f"lists/{split}.txt"
            (root / "lists").mkdir(exist_ok=True)
            (root / "lists" / f"{split}.txt").write_text("".join(f"{root / place / name}\n" for name in listed))
    (root / "data.yaml").write_text(yaml.safe_dump(entries))
    output = check_written(root / "data.yaml", images, keep, link)
    assert yaml.safe_load((output / "data.yaml").read_text())["owner"] == "Ada"
    if "val" in images and link != "list":
        check_ultralytics(output, images)


@LOOSE
@given(
    images=contents(),
    lists=st.booleans(),
    folder=st.sampled_from(["JPEGImages", "images"]),
    keep=st.integers(0, 3),
    link=st.sampled_from(["symlink", "hardlink", "copy"]),
    renamed=st.booleans(),
)
def test_voc_of_any_lists(
    tmp_path: Path, images: Images, lists: bool, folder: str, keep: int, link: str, renamed: bool
) -> None:
    root = tmp_path / f"{next(NUMBERS)}" / "source"
    if not lists:
        images = {"train": images["train"]}
    for split, listed in images.items():
        for name, boxes in listed.items():
            draw_picture(root / folder / name)
            note = (root / "Annotations" / name).with_suffix(".xml")
            note.parent.mkdir(parents=True, exist_ok=True)
            objects = "".join(
                f"<object><name>{CLASSES[k]}</name><bndbox><xmin>{x}</xmin><ymin>{y}</ymin><xmax>{x + w}</xmax>"
                f"<ymax>{y + h}</ymax></bndbox></object>"
                for k, x, y, w, h in boxes
            )
            size = f"<size><width>{SIZE[0]}</width><height>{SIZE[1]}</height></size>"
            note.write_text(f"<annotation>{size}{objects}</annotation>", encoding="utf-8")
        if lists:
            stem = f"list-{split}" if renamed else split
            (root / "ImageSets/Main").mkdir(parents=True, exist_ok=True)
            lines = "".join(f"{name.removesuffix('.png')}\n" for name in listed)
            (root / f"ImageSets/Main/{stem}.txt").write_text(lines)
    # without keys, every list is a split
    keys = {split: f"list-{split}" for split in images} if lists and renamed else {}
    (root / "set.yaml").write_text(yaml.safe_dump({"format": "voc", **keys}))
    check_written(root / "set.yaml", images, keep, link)
    check_ultralytics(check_written(root / "set.yaml", images, keep, link, "yolo"), images)


@LOOSE
@given(
    images=contents(),
    together=st.booleans(),
    folder=FOLDERS,
    name=WORDS,
    keep=st.integers(0, 3),
    link=st.sampled_from(["symlink", "hardlink", "copy"]),
)
def test_cvat_of_any_names(
    tmp_path: Path, images: Images, together: bool, folder: str, name: str, keep: int, link: str
) -> None:
    from xml.sax.saxutils import quoteattr

    root = tmp_path / f"{next(NUMBERS)}" / "source"
    root.mkdir(parents=True)
    texts: dict[str, list[str]] = {}
    for split, listed in images.items():
        for image, boxes in listed.items():
            draw_picture(root / folder / image)
            shapes = "".join(
                f"<box label={quoteattr(CLASSES[k])} xtl='{x}' ytl='{y}' xbr='{x + w}' ybr='{y + h}'/>"
                for k, x, y, w, h in boxes
            )
            subset = f" subset={quoteattr(split.title())}" if together else ""
            start = f"<image id='1' name={quoteattr(image)}{subset} width='{SIZE[0]}' height='{SIZE[1]}'>"
            texts.setdefault("all" if together else split, []).append(f"{start}{shapes}</image>\n")
    entries = {}
    for split in images:
        file = f"{name}.xml" if together else f"{name}-{split}.xml"
        text = "".join(texts["all" if together else split])
        (root / file).write_text(f"<?xml version='1.0' encoding='utf-8'?>\n<annotations>{text}</annotations>")
        entries[split] = {"annotations": file, "images": folder or "."}
    (root / "set.yaml").write_text(yaml.safe_dump({"format": "cvat", **entries}))
    check_written(root / "set.yaml", images, keep, link)
    check_ultralytics(check_written(root / "set.yaml", images, keep, link, "yolo"), images)


@LOOSE
@given(
    images=contents(),
    folders=st.lists(FOLDERS, min_size=3, max_size=3),
    name=WORDS,
    keep=st.integers(0, 3),
    link=st.sampled_from(["symlink", "hardlink", "copy"]),
)
def test_label_studio_of_any_names(
    tmp_path: Path, images: Images, folders: list[str], name: str, keep: int, link: str
) -> None:
    root = tmp_path / f"{next(NUMBERS)}" / "source"
    root.mkdir(parents=True)
    entries = {}
    for (split, listed), folder in zip(images.items(), folders, strict=False):
        tasks = []
        for number, (image, boxes) in enumerate(listed.items()):
            draw_picture(root / folder / image)
            results = [
                {
                    "type": "rectanglelabels",
                    "original_width": SIZE[0],
                    "original_height": SIZE[1],
                    "value": {
                        "x": 100 * x / SIZE[0],
                        "y": 100 * y / SIZE[1],
                        "width": 100 * w / SIZE[0],
                        "height": 100 * h / SIZE[1],
                        "rectanglelabels": [CLASSES[k]],
                    },
                }
                for k, x, y, w, h in boxes
            ]
            tasks.append({"id": number, "data": {"image": image}, "annotations": [{"id": 1, "result": results}]})
        (root / f"{name}-{split}.json").write_text(json.dumps(tasks))
        entries[split] = {"annotations": f"{name}-{split}.json", "images": folder or "."}
    (root / "set.yaml").write_text(yaml.safe_dump({"format": "label_studio", **entries}))
    check_written(root / "set.yaml", images, keep, link)
    check_ultralytics(check_written(root / "set.yaml", images, keep, link, "yolo"), images)


@LOOSE
@given(
    images=contents(),
    folders=st.lists(FOLDERS, min_size=3, max_size=3, unique=True),
    keep=st.integers(0, 3),
    link=st.sampled_from(["symlink", "hardlink", "copy", "list"]),
)
def test_unlabelled_of_any_names(tmp_path: Path, images: Images, folders: list[str], keep: int, link: str) -> None:
    root = tmp_path / f"{next(NUMBERS)}" / "source"
    entries = {}
    for (split, listed), folder in zip(images.items(), folders, strict=False):
        for image in listed:
            draw_picture(root / folder / image)
        entries[split] = folder or "."
    (root / "set.yaml").write_text(yaml.safe_dump({"format": "images", **entries}))
    # folders may be nested, so that a split contains images of another split
    counts = {split: {str(i): [] for i in range(len(load_dataset(root / "set.yaml", split)))} for split in images}
    dataset = load_dataset(root / "set.yaml")
    chosen = {record.path for record in (dataset[row % len(dataset)] for row in (keep, keep + 1))}
    shared = any(
        record.path in {other.path for other in dataset} - chosen
        for split in images
        if split != "train"
        for record in load_dataset(root / "set.yaml", split)
    )
    if not shared:
        check_written(root / "set.yaml", counts, keep, link)


@pytest.mark.parametrize("link", ["symlink", "copy"])
def test_a_json_of_two_splits_stays_whole_for_the_other(tmp_path: Path, link: str) -> None:
    listed = {"a.png": [(0, 1, 1, 5, 5)], "b.png": [(1, 1, 1, 5, 5)]}
    root = tmp_path / "in" / "source"
    for name in listed:
        draw_picture(root / name)
    write_coco_json(root / "all.json", listed)
    entry = {"annotations": "all.json", "images": "."}
    (root / "set.yaml").write_text(yaml.safe_dump({"format": "coco", "train": entry, "val": entry}))
    dataset = load_dataset(root / "set.yaml")
    write_subset(dataset, [1], tmp_path / "out", link=link)
    assert len(load_dataset(tmp_path / "out")) == 1
    assert shown(load_dataset(tmp_path / "out", "val")) == shown(dataset)


def test_output_is_found_from_any_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "in" / "source"
    draw_picture(root / "train2017/a.png")
    write_coco_json(root / "annotations/any_name.json", {"a.png": [(0, 1, 1, 5, 5)]})
    entry = {"annotations": "annotations/any_name.json", "images": "train2017"}
    (root / "set.yaml").write_text(yaml.safe_dump({"format": "coco", "train": entry}))
    monkeypatch.chdir(tmp_path)
    reduced = write_subset(load_dataset("in/source/set.yaml"), [1], "out")
    Path("out").rename("moved")
    monkeypatch.chdir(root)
    assert shown(load_dataset(tmp_path / "moved")) == shown(load_dataset(tmp_path / "moved/data.yaml"))
    assert len(reduced) == 1
