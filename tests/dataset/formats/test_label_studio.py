"""Label Studio's exports of one project of three tasks, in the files of tests/dataset/label_studio.

label-studio-sdk 2.1.2, which has the converter of the server, made these files from the same tasks: JSON, JSON_MIN,
COCO_WITH_IMAGES, YOLO_WITH_IMAGES and VOC. `yard` has a rectangle that is rotated by 90 degrees. `empty` has no region.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detreduce.dataset import load_dataset
from detreduce.dataset.write import write_subset
from detreduce.errors import InputError, MissingFileError
from detreduce.training.run.folder import make_run_folder

FILES = Path(__file__).parent / "label_studio"
JSON = "project-1-at-2024-01-30-02-41-3bc9da85.json"
SIZES = {"3f0c2b1a-street.jpg": (64, 48), "9ab01c2d-yard_1.png": (80, 40), "0011aabb-empty.jpg": (32, 32)}
TWO = np.array([[0.125, 0.25, 0.625, 0.75], [0, 0, 0.25, 0.25]])
# 8 x 16 pixels with the first corner (40, 20), rotated about this corner: 16 to the left, 8 down
TURNED = [0.3, 0.5, 0.5, 0.7]

pytestmark = pytest.mark.filterwarnings("ignore::detreduce.dataset.writing.subset_warnings.SubsetWarning")


def make_images(folder: Path, names: dict[str, tuple[int, int]] | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, size in (names or SIZES).items():
        Image.new("RGB", size).save(folder / name)
    return folder


def check_content(dataset, *, yard_turned):
    rows = {record.path.name: dataset.boxes_xyxyn[dataset.box_rows == row] for row, record in enumerate(dataset)}
    assert dataset.class_names == ("cat", "dog")
    np.testing.assert_allclose(rows["3f0c2b1a-street.jpg"], TWO, atol=1e-12)
    np.testing.assert_allclose(rows["9ab01c2d-yard_1.png"], [*TWO, yard_turned], atol=1e-12)
    assert len(rows.get("0011aabb-empty.jpg", ())) == 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(FILES, tmp_path / "in")
    return tmp_path / "in"


@pytest.mark.parametrize("name", [JSON, "min.json"])
def test_json_finds_uploads_below_the_images_folder(folder, tmp_path, name):
    uploads = make_images(tmp_path / "media/upload/1")
    dataset = load_dataset(folder / name, images=tmp_path / "media")
    assert (dataset.source.format, dataset.split, dataset.problems) == ("label_studio", "train", ())
    assert {record.id: record.path for record in dataset} == {
        number: uploads / file for number, file in zip((11, 12, 13), SIZES, strict=True)
    }
    assert [record.size for record in dataset if record.id != 13] == [(64, 48), (80, 40)]
    check_content(dataset, yard_turned=TURNED)


def test_json_is_found_in_its_folder_beside_images_without_the_hash(folder):
    (folder / "min.json").unlink()
    for nested in ("coco", "yolo", "voc"):
        shutil.rmtree(folder / nested)
    make_images(folder / "images", {name[9:]: size for name, size in SIZES.items()})
    dataset = load_dataset(folder)
    assert [record.name for record in dataset] == ["empty.jpg", "street.jpg", "yard_1.png"]


def test_two_exports_in_a_folder_are_not_chosen_from(folder):
    (folder / "min.json").unlink()
    for nested in ("coco", "yolo", "voc"):
        shutil.rmtree(folder / nested)
    make_images(folder / "images", {name[9:]: size for name, size in SIZES.items()})
    shutil.copyfile(folder / JSON, folder / "project-9-at-2026-02-02.json")
    with pytest.raises(InputError, match="2 files that look like a Label Studio export"):
        load_dataset(folder)


def test_json_without_images_says_where_they_were_sought(folder):
    with pytest.raises(MissingFileError, match=r"none of its images \(3; the first: /data/upload/1/3f0c.*images="):
        load_dataset(folder / JSON)
    make_images(folder / "images", {"0011aabb-empty.jpg": (32, 32)})
    dataset = load_dataset(folder / JSON)
    assert dataset.image_ids == [13]
    assert [problem.what for problem in dataset.problems] == [
        "task 11: the image '/data/upload/1/3f0c2b1a-street.jpg' does not exist; left out",
        "task 12: the image '/data/upload/1/9ab01c2d-yard_1.png' does not exist; left out",
    ]


@pytest.mark.parametrize("name", [JSON, "min.json"])
def test_subset_of_json_is_its_text_less_the_other_tasks(folder, tmp_path, name):
    make_images(folder / "images")
    dataset = load_dataset(folder / name)
    reduced = write_subset(dataset, [12, 13], tmp_path / "out")
    before, after = (folder / name).read_text(), (tmp_path / "out" / name).read_text()
    assert json.loads(after) == json.loads(before)[1:]
    # only one piece is cut out, so spaces, escapes and digits stay unchanged
    start = next(place for place, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1])
    assert after == before[:start] + before[start + len(before) - len(after) :]
    assert sorted(reduced.image_ids) == [12, 13]
    assert (tmp_path / "out/images/9ab01c2d-yard_1.png").samefile(folder / "images/9ab01c2d-yard_1.png")
    assert not (tmp_path / "out/images/3f0c2b1a-street.jpg").exists()
    write_subset(dataset, dataset.image_ids, tmp_path / "all")
    assert (tmp_path / "all" / name).read_bytes() == (folder / name).read_bytes()
    with pytest.raises(InputError, match="link='list' cannot be used for"):
        write_subset(dataset, [12], tmp_path / "list", link="list")


def test_subset_of_json_as_yolo(folder, tmp_path):
    make_images(folder / "images")
    reduced = write_subset(load_dataset(folder / JSON), [12], tmp_path / "out", format="yolo")
    assert (reduced.source.format, reduced.class_names) == ("yolo", ("cat", "dog"))
    np.testing.assert_allclose(reduced.boxes_xyxyn, [*TWO, TURNED], atol=1e-9)


def task(number: int, *annotations: dict, **data: str) -> dict:
    return {"id": number, "annotations": list(annotations), "data": data or {"image": f"{number}.jpg"}}


def region(kind: str, **value: object) -> dict:
    return {"type": kind, "original_width": 100, "original_height": 50, "value": {**value, kind: ["x"]}}


def box(x: float) -> dict:
    return region("rectanglelabels", x=x, y=0, width=10, height=10, rotation=0)


def test_which_annotation_counts(tmp_path):
    early, late = "2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z"
    tasks = [
        task(1, {"id": 1, "result": [box(1)], "updated_at": late}, {"id": 2, "result": [box(2)], "updated_at": early}),
        task(
            2,
            {"id": 3, "result": [box(1)], "updated_at": late},
            {"id": 4, "result": [box(2)], "updated_at": early, "ground_truth": True},
        ),
        task(3, {"id": 5, "result": [box(1)], "was_cancelled": True}),
        task(4),
    ]
    (tmp_path / "x.json").write_text(json.dumps(tasks))
    make_images(tmp_path, {f"{number}.jpg": (100, 50) for number in (1, 2, 3, 4)})
    dataset = load_dataset(tmp_path / "x.json")
    assert [record.boxes[:, 0].round(3).tolist() for record in dataset] == [[0.06], [0.07], [], []]
    assert [problem.what for problem in dataset.problems] == [
        "task 1: 2 annotations; only 1 (ground truth or latest) counts",
        "task 2: 2 annotations; only 4 (ground truth or latest) counts",
        "task 3: no annotation; the image counts as background",
        "task 4: no annotation; the image counts as background",
    ]


def test_other_regions(tmp_path):
    result = [
        region("polygonlabels", points=[[10, 20], [30, 20], [20, 60]]),
        region("ellipselabels", x=50, y=50, radiusX=10, radiusY=40, rotation=90),
        region("keypointlabels", x=1, y=1, width=1),
        region("rectanglelabels", x=10, y=10, width=0, height=5),
        region("rectanglelabels", x="a", y=10, width=5, height=5),
        {"type": "choices", "value": {"choices": ["blurred"]}},
    ]
    (tmp_path / "x.json").write_text(json.dumps([task(1, {"id": 1, "result": result})]))
    make_images(tmp_path, {"1.jpg": (100, 50)})
    dataset = load_dataset(tmp_path / "x.json")
    # the longer radius of the ellipse, 20 pixels, is horizontal after the rotation: 20 of 100 wide, 10 of 50 high
    around = [[0.1, 0.2, 0.3, 0.6], [0.3, 0.3, 0.7, 0.7], [0.1, 0.1, 0.1, 0.15]]
    np.testing.assert_allclose(dataset.boxes_xyxyn, around, atol=1e-12)
    assert [problem.what for problem in dataset.problems] == [
        "task 1: zero-area box (0 x 0.05); kept, but a detector cannot learn it",
        "task 1: rectanglelabels does not have four finite numbers; left out",
        "1 keypointlabels region is not a box; left out",
    ]


def unlabelled(kind: str, labels: list, **value: object) -> dict:
    return {"type": kind, "value": {**value, kind: labels}}


SIDES = {"x": 10, "y": 10, "width": 20, "height": 20}


@pytest.mark.parametrize(
    "result",
    [
        [unlabelled("rectanglelabels", [], **SIDES)],
        [{"type": "rectangle", "value": SIDES}],
        [unlabelled("rectanglelabels", [None, ""], **SIDES)],
        [unlabelled("rectanglelabels", [], **{**SIDES, "x": "nan"})],
        [unlabelled("polygonlabels", [], points=[])],
        [unlabelled("rectanglelabels", [])],
        [region("rectanglelabels")],
        [{"type": "rectanglelabels", "value": 3}],
        [3],
        5,
    ],
)
def test_regions_without_a_usable_label_are_not_background(tmp_path, result):
    good = {"id": 1, "result": [region("rectanglelabels", x=10, y=10, width=20, height=20)]}
    tasks = [task(1, good), task(2, {"id": 2, "result": result}), task(3, {"id": 3, "result": []})]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.json").write_text(json.dumps(tasks))
    make_images(tmp_path / "in", {"1.jpg": (100, 50), "2.jpg": (100, 50), "3.jpg": (100, 50)})
    dataset = load_dataset(tmp_path / "in" / "x.json")
    assert [record.unreadable for record in dataset] == [False, True, False]
    assert len(dataset.class_names) == 1 and any("task 2:" in problem.what for problem in dataset.problems)
    written = write_subset(dataset, [1, 2, 3], tmp_path / "out", format="yolo")
    assert [record.path.name for record in written] == ["1.jpg", "3.jpg"]
    view = make_run_folder(tmp_path / "in" / "x.json", tmp_path / "train", label="x").path
    assert {file.name for file in view.rglob("*.jpg")} == {"1.jpg", "3.jpg"}


@pytest.mark.parametrize(
    ("reference", "file"),
    [
        ("/data/local-files/?d=cam%201/a.jpg", "cam 1/a.jpg"),
        ("s3://bucket/cam/a.jpg", "deep/er/a.jpg"),
        ("https://example.org/x/a%20b.jpg?signature=1", "0123abcd__a b.jpg"),
        ("..\\..\\media\\upload\\1\\0123abcd-a.jpg", "a.jpg"),
    ],
)
def test_how_images_are_named(tmp_path, reference, file):
    (tmp_path / "x.json").write_text(json.dumps([task(1, {"result": []}, image=reference)]))
    make_images((tmp_path / file).parent, {Path(file).name: (8, 8)})
    assert [record.name for record in load_dataset(tmp_path / "x.json")] == [file]


def test_two_images_of_that_name_are_none(tmp_path):
    (tmp_path / "x.json").write_text(json.dumps([task(1, {"result": []}, image="s3://bucket/a.jpg")]))
    for folder in ("one", "two"):
        make_images(tmp_path / folder, {"a.jpg": (8, 8)})
    with pytest.raises(MissingFileError, match=r"none of its images \(1[;)]"):
        load_dataset(tmp_path / "x.json")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[", "1:2: not valid JSON"),
        ("[]", "list of tasks"),
        ("[1]", "list of tasks"),
        ('[{"id": 1}, {"id": 2, "data": 3}]', "no task names an image"),
    ],
)
def test_json_that_is_no_export(tmp_path, text, word):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError, match=word):
        load_dataset(tmp_path / "x.json")


def test_tasks_without_an_id_are_told_apart_by_their_image(tmp_path):
    tasks = [task(n, {"id": n, "result": [box(n)]}) for n in range(5)]
    for number in (0, 2):
        del tasks[number]["id"]
    make_images(tmp_path / "images", {f"{n}.jpg": (100, 50) for n in range(5)})
    (tmp_path / "x.json").write_text(json.dumps(tasks))
    dataset = load_dataset(tmp_path / "x.json")
    assert dataset.image_ids == ["0.jpg", 1, "2.jpg", 3, 4] and not dataset.problems
    for kept in (["2.jpg", 3], ["0.jpg", 4], dataset.image_ids):
        reduced = write_subset(dataset, kept, tmp_path / f"out{len(kept)}{kept[0]}")
        assert reduced.image_ids == kept
        rows = [dataset.image_ids.index(key) for key in kept]
        assert [record.path.name for record in reduced] == [dataset[row].path.name for row in rows]


def test_two_images_with_one_id_are_named(tmp_path):
    make_images(tmp_path / "images", {f"{n}.jpg": (8, 8) for n in range(3)})
    tasks = [task(1), task(1), task(1, image="2.jpg")]
    (tmp_path / "x.json").write_text(json.dumps(tasks))
    whats = [problem.what for problem in load_dataset(tmp_path / "x.json").problems]
    assert any("listed twice" in what for what in whats)
    assert any("'1.jpg' and '2.jpg'" in what for what in whats)


def test_a_task_without_an_image_stops_no_other(tmp_path):
    make_images(tmp_path / "images", {"1.jpg": (8, 8)})
    (tmp_path / "x.json").write_text(json.dumps([{"id": 7, "data": 8}, task(1, {"id": 1, "result": [box(1)]}), {}]))
    dataset = load_dataset(tmp_path / "x.json")
    assert [problem.what for problem in dataset.problems] == [
        f"task {number} does not name an image; left out" for number in (7, 3)
    ]
    assert write_subset(dataset, [1], tmp_path / "out").image_ids == [1]


def test_coco_is_found_by_the_names_of_uploads(folder, tmp_path):
    make_images(folder / "coco/images")
    dataset = load_dataset(folder / "coco")
    assert dataset.image_ids == [2, 0, 1]
    # for a rotated rectangle, the exporter confuses percent of the width and of the height
    check_content(dataset, yard_turned=dataset.boxes_xyxyn[-1])
    (problem,) = dataset.problems
    assert problem.what.startswith("3 images do not exist at the path in file_name")
    reduced = write_subset(dataset, [0], tmp_path / "out")
    assert [(record.id, record.path) for record in reduced] == [(0, tmp_path / "out/images/3f0c2b1a-street.jpg")]


def test_coco_without_images_says_where_they_were_sought(folder):
    with pytest.raises(MissingFileError, match=rf"none of its images .*{folder / 'coco'}, .*images="):
        load_dataset(folder / "coco")


def test_yolo_without_data_yaml(folder, tmp_path):
    make_images(folder / "yolo/images")
    dataset = load_dataset(folder / "yolo")
    assert (dataset.source.path, dataset.problems) == (folder / "yolo/classes.txt", ())
    check_content(dataset, yard_turned=dataset.boxes_xyxyn[-1])
    assert load_dataset(folder / "yolo/classes.txt").content_hash == dataset.content_hash
    reduced = write_subset(dataset, ["images/3f0c2b1a-street.jpg"], tmp_path / "out")
    assert (reduced.source.path, reduced.class_names) == (tmp_path / "out/data.yaml", ("cat", "dog"))
    for name in ("classes.txt", "notes.json", "labels/3f0c2b1a-street.txt"):
        assert (tmp_path / "out" / name).read_bytes() == (folder / "yolo" / name).read_bytes()
    assert (tmp_path / "out/data.yaml").read_text() == (
        "# made by detreduce from classes.txt\nnames:\n  0: cat\n  1: dog\ntrain: images\n"
    )


def test_yolo_numbers_that_the_project_chose(folder):
    make_images(folder / "yolo/images")
    (folder / "yolo/notes.json").write_text(
        '{"categories": [{"id": 1, "name": "dog"}, {"id": 3, "name": "cat"}], "info": {}}'
    )
    assert load_dataset(folder / "yolo").class_names == ("class_0", "dog", "class_2", "cat")


def test_voc_with_its_images_in_images(folder, tmp_path):
    make_images(folder / "voc/images")
    dataset = load_dataset(folder / "voc")
    assert dataset.source.format == "voc"
    check_content(dataset, yard_turned=dataset.boxes_xyxyn[-1])
    reduced = write_subset(dataset, ["images/9ab01c2d-yard_1.png"], tmp_path / "out")
    assert [record.path for record in reduced] == [tmp_path / "out/images/9ab01c2d-yard_1.png"]
    xml = "Annotations/9ab01c2d-yard_1.xml"
    assert (tmp_path / "out" / xml).read_bytes() == (folder / "voc" / xml).read_bytes()
