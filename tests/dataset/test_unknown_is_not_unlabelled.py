"""A folder with files that look like annotations is read, or refused with the format's name; never treated as
unlabelled.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from detreduce.dataset import load_dataset
from detreduce.dataset.health.counts import summarise
from detreduce.dataset.reading import annotation_kinds
from detreduce.dataset.reading.annotation_kinds import kind_of_file
from detreduce.dataset.write import SubsetWarning, write_subset
from detreduce.errors import InputError, MissingFileError

SIZE = (64, 48)
BOX = [5, 6, 20, 15]


def draw(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", SIZE, (len(name), 3, 4)).save(root / name)


def coco(names: list[str], **more: object) -> str:
    images = [{"id": n, "file_name": name, "width": SIZE[0], "height": SIZE[1]} for n, name in enumerate(names, 1)]
    boxes = [{"id": n, "image_id": n, "category_id": 1, "bbox": BOX} for n in range(1, len(names) + 1)]
    content = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "cat"}]}
    return json.dumps({**more, **content})


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("jsons", "images"),
    [
        ({"train": "annotations.json"}, {"train": "images"}),
        ({"train": "my labels.json"}, {"train": "."}),
        ({"train": "train.json", "val": "val.json"}, {"train": "images", "val": "images"}),
        ({"train": "annotations/train.json", "val": "annotations/val.json"}, {"train": "train", "val": "val"}),
        ({"train": "Annotations/a_train.json", "val": "Annotations/a_valid.json"}, {"train": "train", "val": "valid"}),
        ({"train": "annotations/train_2019.json", "val": "annotations/val.json"}, {"train": "images", "val": "images"}),
        ({"train": "train/labels.json", "val": "valid/labels.json"}, {"train": "train", "val": "valid"}),
        ({"train": "train/one.json", "test": "test/two.json"}, {"train": "train", "test": "test"}),
        ({"train": "images/train/x.json", "val": "images/val/x.json"}, {"train": "images/train", "val": "images/val"}),
        ({"train": "annotations/train/x.json", "val": "annotations/val/x.json"}, {"train": "train", "val": "val"}),
    ],
)
def test_coco_of_any_name_is_found(tmp_path: Path, jsons: dict[str, str], images: dict[str, str]) -> None:
    root = tmp_path / "source"
    for split, name in jsons.items():
        listed = [f"{split}{number}.png" for number in range(2)]
        draw(root / images[split], *listed)
        put(root / name, coco(listed, info={"description": "x" * 100_000}))
    if root / "images/train" in {(root / name).parent for name in jsons.values()}:
        # the folder of both splits is one level down
        root = root / "images"
    dataset = load_dataset(root)
    assert (dataset.source.format, dataset.split) == ("coco", "train")
    assert set(dataset.source.splits) == set(jsons)
    for split in jsons:
        part = load_dataset(root, split)
        assert sorted(record.name for record in part) == [f"{split}0.png", f"{split}1.png"]
        assert len(part.box_classes) == 2 and not part.problems
    reduced = write_subset(dataset, [1], tmp_path / "out")
    assert len(reduced) == 1 and set(load_dataset(tmp_path / "out").source.splits) == set(jsons)


def test_several_jsons_of_one_split_are_refused_by_name(tmp_path: Path) -> None:
    draw(tmp_path, "a.png")
    put(tmp_path / "one.json", coco(["a.png"]))
    put(tmp_path / "annotations/two.json", coco(["a.png"]))
    with pytest.raises(InputError, match=r"one\.json.*annotations/two\.json|annotations/two\.json.*one\.json"):
        load_dataset(tmp_path)
    (tmp_path / "annotations/two.json").rename(tmp_path / "captions.json")
    assert load_dataset(tmp_path).source.splits["train"].annotations == tmp_path / "one.json"


SHAPE = {"label": "cat", "points": [[5, 6], [25, 21]], "shape_type": "rectangle"}
LABELME = {"version": "5.0", "shapes": [SHAPE], "imagePath": "a.png", "imageHeight": 48, "imageWidth": 64}
VALUE = {"x": 1, "y": 1, "width": 2, "height": 2, "rectanglelabels": ["cat"]}
OTHERS: dict[str, tuple[str, str, str]] = {
    # name -> (file, text, what the message names)
    "csv": (
        "train/_annotations.csv",
        "filename,width,height,class,xmin,ymin,xmax,ymax\na.png,64,48,cat,5,5,9,9\n",
        "table",
    ),
    "csv without names": ("all.csv", "a.png,5,5,20,20,cat\n", "table"),
    "csv with semicolons": ("all.csv", "Image;X1;Y1;X2;Y2;Label\na.png;5;5;20;20;cat\n", "table"),
    "kitti": ("a.txt", "Car 0.00 0 -1.57 5.0 6.0 20.0 15.0 1 1 1 1 1 1 0.1\n", "KITTI.*labelformat"),
    "kitti apart": ("label_2/a.txt", "Car 0.00 0 -1.57 5.0 6.0 20.0 15.0 1 1 1 1 1 1 0.1\n", "KITTI"),
    "yolo": ("a.txt", "0 0.5 0.5 0.2 0.2\n", r"YOLO.*data\.yaml"),
    "yolo apart": ("labels/a.txt", "0 0.5 0.5 0.2 0.2\n", r"YOLO.*data\.yaml"),
    "dota": ("a.txt", "imagesource:x\n1.0 2.0 3.0 4.0 5.0 6.0 7.0 8.0 plane 0\n", "DOTA"),
    "via": ("via.json", json.dumps({"_via_settings": {}, "_via_img_metadata": {}}), "VIA"),
    "via regions": ("r.json", json.dumps({"a.png1": {"filename": "a.png", "size": 1, "regions": []}}), "VIA"),
    "via csv": ("v.csv", "filename,file_size,region_shape_attributes\na.png,1,{}\n", "VIA"),
    "bdd": (
        "bdd.json",
        json.dumps([{"name": "a.png", "labels": [{"category": "car", "box2d": {"x1": 1}}]}]),
        "scalabel",
    ),
    "scalabel": ("s.json", json.dumps({"frames": [{"name": "a.png", "labels": []}], "config": {}}), "scalabel"),
    "supervisely": (
        "ann/a.png.json",
        json.dumps({"description": "", "tags": [], "size": {"height": 48, "width": 64}, "objects": []}),
        "Supervisely",
    ),
    "datumaro": ("d.json", json.dumps({"info": {}, "categories": {"label": {}}, "items": []}), "Datumaro"),
    "labelbox": ("l.ndjson", json.dumps({"data_row": {"id": "x"}}) + "\n", "Labelbox"),
    "coco results": ("r.json", json.dumps([{"image_id": 1, "category_id": 1, "bbox": BOX, "score": 0.5}]), "results"),
    "voc elsewhere": ("xmls/a.xml", "<annotation><object/></annotation>", "Pascal VOC"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_others_are_refused_by_name(tmp_path: Path, case: str) -> None:
    file, text, named = OTHERS[case]
    root = tmp_path / "source"
    draw(root, "a.png", "b.png")
    put(root / file, text)
    with pytest.raises(InputError, match=rf"{Path(file).name}.*{named}|{named}.*{Path(file).name}|{named}"):
        load_dataset(root)
    # a YAML with format: images loads only the images, with a listed problem
    described = put(tmp_path / "pool.yaml", f"format: images\npath: {root}\n")
    dataset = load_dataset(described)
    assert any("not read here" in problem.what for problem in dataset.problems)
    assert any("not read here" in problem.what for problem in summarise(dataset).problems)
    with pytest.warns(SubsetWarning, match="not read here"):
        write_subset(dataset, dataset.image_ids[:1], tmp_path / "out")


@pytest.mark.parametrize("place", range(7))
def test_the_one_foreign_file_of_a_mixed_folder_is_found(
    tmp_path: Path, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(annotation_kinds, "_SAMPLES", 2)
    draw(tmp_path, *(f"{number}.jpg" for number in range(7)))
    for number in range(7):
        put(tmp_path / f"{number}.json", '{"camera": 3}')
    put(tmp_path / f"{place}.json", '{"frames": [{"name": "x", "labels": []}]}')
    with pytest.raises(InputError, match="1 file or more that look like BDD100K"):
        load_dataset(tmp_path)


def test_labelme_among_many_other_jsons_is_found(tmp_path: Path) -> None:
    draw(tmp_path, "z.jpg")
    for number in range(45):
        put(tmp_path / "notes" / f"{number:02}.json", '{"camera": 3}')
    shape = {"label": "cat", "points": [[5, 6], [25, 21]], "shape_type": "rectangle"}
    put(tmp_path / "notes" / "43_.json", json.dumps({"imagePath": "../z.jpg", "imageData": None, "shapes": [shape]}))
    dataset = load_dataset(tmp_path)
    assert dataset.source.format == "labelme" and len(dataset[0].boxes) == 1


@pytest.mark.parametrize("text", ["notes of a walk\n", "1 2\n", "", "a.png\nb.png\n", "0 0.5\n"])
def test_other_files_next_to_images_do_not_disturb(tmp_path: Path, text: str) -> None:
    draw(tmp_path, "a.png", "b.png")
    for name in ("c.txt", "README.txt", "train.txt", "weather.csv", "notes.json", "settings.xml"):
        put(tmp_path / name, text)
    put(tmp_path / "meta.json", json.dumps({"camera": "x", "image_ids": ["a.png"], "images": 2}))
    put(tmp_path / "sidecar.json", json.dumps([{"name": "x", "size": 3}]))
    dataset = load_dataset(tmp_path)
    assert (dataset.source.format, len(dataset), dataset.problems) == ("images", 2, ())


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300), suffix=st.sampled_from(["json", "xml", "csv", "txt", "ndjson"]))
def test_any_bytes_have_a_kind_or_none(tmp_path: Path, data: bytes, suffix: str) -> None:
    file = tmp_path / f"a.{suffix}"
    file.write_bytes(data)
    kind_of_file(file)


def make_createml(root: Path, splits: tuple[str, ...]) -> None:
    for folder in splits:
        names = [f"{number}.png" for number in range(3)]
        draw(root / folder, *names)
        sides = {"x": 15, "y": 13.5, "width": 20, "height": 15}
        notes = [{"image": name, "annotations": [{"label": "cat", "coordinates": sides}]} for name in names]
        notes[2]["annotations"] = []
        put(root / folder / "_annotations.createml.json", json.dumps(notes))


def make_labelme(root: Path, splits: tuple[str, ...]) -> None:
    for folder in splits:
        for number in range(3):
            draw(root / folder, f"{number}.png")
            shapes = [SHAPE] if number < 2 else []
            note = {
                **LABELME,
                "shapes": shapes,
                "imagePath": f"..\\{folder}\\{number}.png" if number else f"{number}.png",
            }
            if folder == ".":
                note["imagePath"] = f"{number}.png"
            put(root / folder / f"{number}.json", json.dumps(note))


@pytest.mark.parametrize("make", [make_createml, make_labelme])
@pytest.mark.parametrize("splits", [(".",), ("train", "valid", "test")])
@pytest.mark.parametrize("link", ["symlink", "hardlink", "copy"])
def test_createml_and_labelme_are_read_and_written(
    tmp_path: Path, make: Callable[[Path, tuple[str, ...]], None], splits: tuple[str, ...], link: str
) -> None:
    root = tmp_path / "source"
    make(root, splits)
    dataset = load_dataset(root)
    assert dataset.source.format == make.__name__.removeprefix("make_")
    assert dataset.class_names == ("cat",) and not dataset.problems
    assert [record.boxes.tolist() for record in dataset] == [[[5, 6, 25, 21]], [[5, 6, 25, 21]], []]
    known = ["train"] if splits == (".",) else ["train", "val", "test"]
    assert list(dataset.source.splits) == known
    reduced = write_subset(dataset, [dataset[1].id, dataset[2].id], tmp_path / "out", link=link)
    assert reduced.source.path == tmp_path / "out/data.yaml"
    for place in (tmp_path / "out", reduced.source.path):
        for split in known:
            part = load_dataset(place, split)
            assert len(part) == (2 if split == "train" else 3)
            assert int(part.class_counts.sum()) == len(part) - 1
    whole = write_subset(dataset, dataset.image_ids, tmp_path / "whole", link=link)
    assert whole.content_hash == dataset.content_hash
    converted = write_subset(dataset, dataset.image_ids, tmp_path / "yolo", link=link, format="yolo")
    assert converted[0].boxes.tolist() == [[15 / 64, 13.5 / 48, 20 / 64, 15 / 48]]


def test_labelme_shapes_and_faults(tmp_path: Path) -> None:
    draw(tmp_path, "a.png", "b.png", "c.png", "d.png")
    shapes = [
        {"label": "dog", "points": [[1, 2], [9, 4], [5, 8]], "shape_type": "polygon"},
        {"label": "cat", "points": [[20, 20], [23, 24]], "shape_type": "circle"},
        {"label": "cat", "points": [[1, 1]], "shape_type": "point"},
        {"label": "", "points": [[1, 1], [2, 2]], "shape_type": "rectangle"},
    ]
    put(tmp_path / "a.json", json.dumps({**LABELME, "shapes": shapes}))
    put(tmp_path / "b.json", json.dumps({**LABELME, "shapes": shapes[3:], "imagePath": "b.png"}))
    put(tmp_path / "c.json", '{"shapes": [')
    dataset = load_dataset(tmp_path)
    assert [(record.name, record.unreadable) for record in dataset] == [
        ("a.png", False),
        ("b.png", True),
        ("c.png", True),
    ]
    assert dataset[0].boxes.tolist() == [[1, 2, 9, 8], [15, 15, 25, 25]]
    found = " ".join(str(problem) for problem in dataset.problems)
    for part in ("point is not a box", "no label", "not valid JSON", "d.png: has no JSON file"):
        assert part in found


def test_a_list_of_another_tool_is_not_taken_for_label_studio(tmp_path: Path) -> None:
    draw(tmp_path, "a.png")
    bdd = put(tmp_path / "bdd.json", OTHERS["bdd"][1])
    with pytest.raises(InputError, match="BDD100K"):
        load_dataset(bdd)


@pytest.mark.parametrize(("key", "of", "kind"), [("image_id", "annotations", "text"), ("id", "images", "number")])
def test_image_ids_of_another_type_are_joined_and_said(tmp_path: Path, key: str, of: str, kind: str) -> None:
    draw(tmp_path, "a.png", "b.png", "c.png")
    content = json.loads(coco(["a.png", "b.png", "c.png"]))
    for entry in content[of]:
        entry[key] = str(entry[key])
    content["annotations"][2]["category_id"] = "1"
    file = put(tmp_path / "train.json", json.dumps(content))
    dataset = load_dataset(file)
    assert [len(record.boxes) for record in dataset] == [1, 1, 1]
    assert len(dataset.problems) == 2 and f"3 annotations have the image_id as a {kind}" in dataset.problems[0].what
    reduced = write_subset(dataset, [dataset[1].id], tmp_path / "out")
    assert [len(record.boxes) for record in reduced] == [1]
    kept = json.loads((tmp_path / "out/train.json").read_text())
    assert kept["annotations"] == content["annotations"][1:2]


def test_two_ids_that_look_alike_stay_two(tmp_path: Path) -> None:
    draw(tmp_path, "a.png", "b.png")
    content = json.loads(coco(["a.png", "b.png"]))
    content["images"][1]["id"] = "1"
    content["annotations"][1]["image_id"] = "1"
    dataset = load_dataset(put(tmp_path / "train.json", json.dumps(content)))
    assert not dataset.problems
    reduced = write_subset(dataset, ["1"], tmp_path / "out")
    assert json.loads((tmp_path / "out/train.json").read_text())["annotations"] == content["annotations"][1:]
    assert [record.name for record in reduced] == ["b.png"]


def test_repeated_annotation_ids_and_crowd_texts_are_listed(tmp_path: Path) -> None:
    draw(tmp_path, "a.png", "b.png", "c.png")
    content = json.loads(coco(["a.png", "b.png", "c.png"]))
    for box, flag in zip(content["annotations"], ("0", "1", "0"), strict=True):
        box |= {"id": 7, "iscrowd": flag}
    dataset = load_dataset(put(tmp_path / "train.json", json.dumps(content)))
    assert dataset.box_crowd.tolist() == [False, True, False]
    whats = [problem.what for problem in dataset.problems]
    assert whats[:2] == [
        "2 annotations have 'iscrowd' as the text '0'; read as 0",
        "1 annotation has 'iscrowd' as the text '1'; read as 1",
    ]
    assert len(whats) == 3 and whats[2].startswith("2 annotations have the id of an earlier annotation")


def test_lvis_names_its_images_by_url(tmp_path: Path) -> None:
    draw(tmp_path, "train2017/a.png", "train2017/b.png")
    content = json.loads(coco(["a.png", "b.png"]))
    for image in content["images"]:
        image["coco_url"] = f"http://images.example.org/train2017/{image.pop('file_name')}"
    dataset = load_dataset(put(tmp_path / "lvis_v1_train.json", json.dumps(content)))
    assert [record.name for record in dataset] == ["a.png", "b.png"] and not dataset.problems
    assert len(write_subset(dataset, [2], tmp_path / "out")) == 1
    for image in content["images"]:
        del image["coco_url"]
    with pytest.raises(MissingFileError, match="none of its images"):
        load_dataset(put(tmp_path / "lvis_v1_train.json", json.dumps(content)))


def label_studio(references: list[str]) -> str:
    result = [{"type": "rectanglelabels", "original_width": 64, "original_height": 48, "value": VALUE}]
    return json.dumps(
        [{"id": n, "data": {"image": name}, "annotations": [{"result": result}]} for n, name in enumerate(references)]
    )


def test_local_files_of_label_studio(tmp_path: Path) -> None:
    draw(tmp_path / "images", "im 0.png", "a/x.png", "b/x.png", "c/a/x.png")
    references = ["set%5Cim%200.png", "mnt/a/x.png", "mnt/b/x.png", "mnt%5Cc%5Ca%5Cx.png", "mnt/d/x.png"]
    file = put(tmp_path / "mine.json", label_studio([f"/data/local-files/?d={name}" for name in references]))
    dataset = load_dataset(tmp_path)
    assert {record.id: record.name for record in dataset} == {0: "im 0.png", 1: "a/x.png", 2: "b/x.png", 3: "c/a/x.png"}
    # two images fit the last name equally well
    [problem] = dataset.problems
    assert problem.file == file and "d/x.png" in problem.what
    assert len(write_subset(dataset, [2, 3], tmp_path / "out")) == 2
