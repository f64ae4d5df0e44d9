"""`split_dataset`: no image in two splits, no copies across splits, even classes, and nothing lost."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detreduce.dataset import load_dataset
from detreduce.dataset.records import DetectionDataset
from detreduce.dataset.write import write_subset
from detreduce.duplicates import leakage_report, near_duplicates
from detreduce.errors import DetreduceWarning, InputError
from detreduce.pages.write import write_selection_page
from detreduce.selection import Selection
from detreduce.splitting import split_dataset

CLIPS = r"(clip\d)_"
CLASSES = ("cat", "dog", "rare")


def class_of(image: int) -> int:
    """Class 2 is in every tenth image, the others alternate."""
    return 2 if image % 10 == 0 else image % 2


def picture(image: int) -> Image.Image:
    """Noise. Every fourth image is the mirrored image before."""
    noise = np.random.default_rng(image - (image % 4 == 3)).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    return Image.fromarray(noise[:, ::-1] if image % 4 == 3 else noise)


@pytest.fixture
def yolo(tmp_path: Path) -> Path:
    """Forty images. Val is the train split."""
    root = tmp_path / "set"
    for folder in ("images", "labels"):
        (root / folder / "train").mkdir(parents=True)
    for image in range(40):
        picture(image).save(root / "images" / "train" / f"clip{image // 8}_{image:02}.png")
        line = f"{class_of(image)} 0.5 0.5 0.25 0.125 \n"
        (root / "labels" / "train" / f"clip{image // 8}_{image:02}.txt").write_text(line)
    file = root / "data.yaml"
    file.write_text("# mine\ntrain: images/train\nval: images/train\nnames: [cat, dog, rare]\n")
    return file


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """The same images as COCO, with a polygon, a crowd region and a key of one's own."""
    root = tmp_path / "coco"
    root.mkdir()
    for image in range(40):
        picture(image).save(root / f"{image:02}.png")
    images = [{"id": image, "file_name": f"{image:02}.png", "width": 80, "height": 60} for image in range(40)]
    boxes = [
        {
            "id": image,
            "image_id": image,
            "category_id": class_of(image) + 5,
            "bbox": [10.25, 10, 20, 20],
            "area": 400,
            "iscrowd": int(image == 7),
            "segmentation": [[10.25, 10, 30, 10, 30, 30]],
            "mine": 1.10,
        }
        for image in range(40)
    ]
    categories = [{"id": place + 5, "name": name} for place, name in enumerate(CLASSES)]
    file = root / "instances_train2017.json"
    file.write_text(json.dumps({"info": {"mine": 1}, "images": images, "annotations": boxes, "categories": categories}))
    return file


def content(dataset: DetectionDataset) -> set[tuple[str, str, str]]:
    """The images of a split: hash of the file, boxes and classes."""
    return {
        (hashlib.sha256(record.path.read_bytes()).hexdigest(), str(record.boxes), str(record.class_ids))
        for record in dataset
    }


@pytest.mark.parametrize("form", ["yolo", "coco"])
def test_every_image_is_in_exactly_one_split_with_its_labels(
    form: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    source = load_dataset(request.getfixturevalue(form))
    result = split_dataset(source, tmp_path / "out", 0.2, 5)
    splits = {name: load_dataset(tmp_path / "out", split=name) for name in ("train", "val", "test")}
    assert {name: len(split) for name, split in splits.items()} == dict(result.images)
    # pairs of copies cannot fill a split with an odd number of images
    assert result.images["val"] in (7, 8)
    assert result.images["test"] in (4, 5)
    assert not set.intersection(*(content(split) for split in splits.values()))
    assert set.union(*(content(split) for split in splits.values())) == content(source)
    assert sum(len(split.box_crowd[split.box_crowd]) for split in splits.values()) == source.box_crowd.sum()
    assert not any(split.problems for split in splits.values())


@pytest.mark.parametrize("form", ["yolo", "coco"])
@pytest.mark.parametrize("seed", range(3))
def test_no_copy_is_in_two_splits_and_every_class_is_in_each_split(
    form: str, seed: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    result = split_dataset(load_dataset(request.getfixturevalue(form)), tmp_path / "out", 0.25, seed=seed)
    assert leakage_report(load_dataset(tmp_path / "out")).leaked == ()
    counts = {split: tuple(kinds.values()) for split, kinds in result.classes.items()}
    assert (counts["train"][2], counts["val"][2]) == (3, 1)
    assert all(abs(one - 3 * other) <= 4 for one, other in zip(counts["train"], counts["val"], strict=True))


def test_a_group_is_never_divided(yolo: Path, tmp_path: Path) -> None:
    result = split_dataset(load_dataset(yolo), tmp_path / "out", 0.2, groups=r"(clip\d)_")
    splits = [load_dataset(tmp_path / "out", split=name) for name in ("train", "val")]
    clips = [{record.path.name[:5] for record in split} for split in splits]
    assert not clips[0] & clips[1]
    assert dict(result.images) == {"train": 32, "val": 8}
    assert result.together == 40


def test_the_text_of_a_coco_json_stays_as_it_was(coco: Path, tmp_path: Path) -> None:
    split_dataset(load_dataset(coco), tmp_path / "out", 0.2)
    parts = [json.loads(file.read_text()) for file in sorted((tmp_path / "out").glob("instances_*2017.json"))]
    before = json.loads(coco.read_text())
    assert len(parts) == 2
    for part in parts:
        assert (part["info"], part["categories"]) == (before["info"], before["categories"])
        ids = {image["id"] for image in part["images"]}
        assert part["annotations"] == [box for box in before["annotations"] if box["image_id"] in ids]


def test_a_comment_of_a_data_yaml_stays(yolo: Path, tmp_path: Path) -> None:
    split_dataset(load_dataset(yolo), tmp_path / "out", 0.2)
    assert (tmp_path / "out" / "data.yaml").read_text().startswith("# mine\n")


def test_the_same_seed_gives_the_same_split_and_another_seed_another(yolo: Path, tmp_path: Path) -> None:
    found = []
    for place, seed in enumerate((0, 0, 1)):
        split_dataset(load_dataset(yolo), tmp_path / str(place), 0.2, seed=seed)
        found.append(load_dataset(tmp_path / str(place), split="val").image_ids)
    assert found[0] == found[1] != found[2]


def test_a_voc_dataset_is_written_as_yolo(yolo: Path, tmp_path: Path) -> None:
    voc = tmp_path / "voc"
    for folder in ("Annotations", "JPEGImages"):
        (voc / folder).mkdir(parents=True)
    for image in range(12):
        picture(image).save(voc / "JPEGImages" / f"{image}.png")
        box = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>30</xmax><ymax>30</ymax></bndbox>"
        thing = f"<object><name>{CLASSES[class_of(image)]}</name>{box}</object>"
        size = "<size><width>80</width><height>60</height><depth>3</depth></size>"
        text = f"<annotation><filename>{image}.png</filename>{size}{thing}</annotation>"
        (voc / "Annotations" / f"{image}.xml").write_text(text)
    source = load_dataset(voc)
    result = split_dataset(source, tmp_path / "out", 3)
    assert result.dataset.source.format == "yolo"
    assert [len(load_dataset(tmp_path / "out", split=name)) for name in ("train", "val")] == [9, 3]


def test_ultralytics_reads_the_new_splits(yolo: Path, tmp_path: Path) -> None:
    from ultralytics.data.dataset import YOLODataset
    from ultralytics.data.utils import check_det_dataset

    result = split_dataset(load_dataset(yolo), tmp_path / "out", 0.2)
    data = check_det_dataset(str(tmp_path / "out" / "data.yaml"), autodownload=False)
    for split in ("train", "val"):
        read = YOLODataset(img_path=data[split], data=data, imgsz=32)
        assert len(read) == result.images[split]
        assert all(len(label["cls"]) == 1 for label in read.labels)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"val": 40}, "no image of the 40 in train"),
        ({"val": 0.5, "test": 20}, "no image of the 40 in train"),
        ({"val": 41}, "val=41 is more than the 40 images"),
        ({"val": 2.0}, "val=2.0 is neither"),
        ({"val": 5, "groups": "folder"}, "all 40 images belong together .*use another rule for groups"),
        ({"val": 5, "groups": CLIPS}, "at least 8 images belong together .*Hold out at least 8 images as val"),
        ({"val": 8, "test": 5, "groups": CLIPS}, "at least 8 images belong together .*at least 8 images as test"),
    ],
)
def test_what_cannot_be_held_out_is_named(yolo: Path, tmp_path: Path, sizes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        split_dataset(load_dataset(yolo), tmp_path / "out", **sizes)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_a_val_split_of_its_own_is_never_replaced(yolo: Path, tmp_path: Path) -> None:
    split_dataset(load_dataset(yolo), tmp_path / "out", 0.2)
    with pytest.raises(InputError, match=r"a val split of 8 images already\. To hold out another split, use --test"):
        split_dataset(load_dataset(tmp_path / "out"), tmp_path / "again")
    result = split_dataset(load_dataset(tmp_path / "out"), tmp_path / "again", test=4)
    assert dict(result.images) == {"train": 28, "test": 4}
    assert len(load_dataset(tmp_path / "again", split="val")) == 8


def test_images_without_boxes_cannot_be_split(yolo: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there are no boxes"):
        split_dataset(load_dataset(yolo.parent / "images" / "train"), tmp_path / "out")


def test_an_image_with_an_unreadable_label_stays_in_train(yolo: Path, tmp_path: Path) -> None:
    for file in sorted((yolo.parent / "labels" / "train").iterdir())[:20]:
        file.write_text("0 0.5 0.5 nonsense 0.1\n")
    result = split_dataset(load_dataset(yolo), tmp_path / "out", 0.25)
    assert result.images["val"] <= 10
    assert all(record.trainable for record in load_dataset(tmp_path / "out", split="val"))


def test_copies_that_the_search_for_duplicates_does_not_name_are_joined_too(
    yolo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # two images of different groups of duplicates may be similar; the search names one pair for each image
    found = near_duplicates(load_dataset(yolo))
    monkeypatch.setattr("detreduce.splitting.run.near_duplicates", lambda *_, **__: replace(found, groups=(), pairs=()))
    split_dataset(load_dataset(yolo), tmp_path / "out", 0.25)
    assert leakage_report(load_dataset(tmp_path / "out")).leaked == ()


@pytest.mark.parametrize("lists", [("all.txt",), ("images/train", "all.txt")])
def test_a_yolo_list_keeps_only_the_lines_of_train(yolo: Path, tmp_path: Path, lists: tuple[str, ...]) -> None:
    names = sorted(file.name for file in (yolo.parent / "images" / "train").iterdir())
    (yolo.parent / "all.txt").write_text("".join(f"./images/train/{name}\n" for name in names))
    yolo.write_text(f"train: [{', '.join(lists)}]\nval: [{', '.join(lists)}]\nnames: [cat, dog, rare]\n")
    result = split_dataset(load_dataset(yolo), tmp_path / "out", 0.2)
    splits = [load_dataset(tmp_path / "out", split=name) for name in ("train", "val")]
    assert [len(split) for split in splits] == list(result.images.values())
    assert set.union(*map(content, splits)) == content(load_dataset(yolo))


def test_a_split_has_a_record_of_its_own_and_is_no_selection(yolo: Path, tmp_path: Path) -> None:
    dataset = load_dataset(yolo)
    split_dataset(dataset, tmp_path / "out", val=0.2)
    splits = json.loads((tmp_path / "out" / "split.json").read_text())["splits"]
    assert splits.keys() == {"train", "val"}
    assert sorted(image for ids in splits.values() for image in ids) == sorted(dataset.image_ids)
    with pytest.raises(InputError, match="no selection"):
        write_selection_page(tmp_path / "out")
    split_dataset(dataset, tmp_path / "out", val=0.4, overwrite=True)  # its record shows that detreduce wrote it


def test_a_list_of_images_that_no_method_chose_is_not_called_damaged(yolo: Path, tmp_path: Path) -> None:
    dataset = load_dataset(yolo)
    write_subset(dataset, dataset.image_ids[:5], tmp_path / "out")
    with pytest.raises(InputError, match="no method chose them"):
        Selection.load(tmp_path / "out" / "selection.json")


def test_files_that_cannot_be_compared_or_read_are_named(yolo: Path, tmp_path: Path) -> None:
    root = yolo.parent
    (root / "images" / "train" / "clip0_05.png").write_bytes(b"no image")
    (root / "labels" / "train" / "clip1_10.txt").write_text("cat here\n")
    with pytest.warns(DetreduceWarning) as found:
        split_dataset(load_dataset(yolo), tmp_path / "out", 0.2)
    words = [str(warning.message) for warning in found]
    assert any("cannot be decoded" in text and "clip0_05.png" in text for text in words)
    assert any("Problems in the files of train" in text and "clip1_10.txt" in text for text in words)


def test_a_list_that_ultralytics_cannot_read_is_not_written(yolo: Path, tmp_path: Path) -> None:
    folder = yolo.parent / "images" / "train"
    # `caf\xe9.png` in Latin-1
    (folder / "clip0_00.png").rename(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.png"))
    with pytest.raises(InputError, match="not UTF-8"):
        split_dataset(load_dataset(yolo), tmp_path / "out", 0.2)
    assert not (tmp_path / "out").exists()
