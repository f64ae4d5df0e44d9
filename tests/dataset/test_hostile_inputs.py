"""Small hostile files that once hung, filled the memory or gave a traceback. Now each gives one error or a problem."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import detreduce as dr
from detreduce.cli.values import parse_class_floor
from detreduce.dataset import groups
from detreduce.dataset.box_sizes import inside_sides
from detreduce.dataset.groups import assign_groups
from detreduce.dataset.health.counts import summarise
from detreduce.dataset.load import load_split
from detreduce.dataset.reading.image_finder import path_in
from detreduce.dataset.writing.list_lines import list_line, utf8_line
from detreduce.display.spreadsheet import spreadsheet_cell
from detreduce.errors import InputError

BOX = "0 0.5 0.5 0.5 0.5\n"


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (20, 10)).save(path)
    return path


def yolo(folder: Path, **values: str) -> Path:
    """A YOLO dataset of one image."""
    picture(folder / "images/a.png")
    (folder / "labels").mkdir(exist_ok=True)
    (folder / "labels/a.txt").write_text(BOX)
    lines = {"train": "images", "names": "[ant]", **values}
    (folder / "data.yaml").write_text("".join(f"{key}: {value}\n" for key, value in lines.items() if value))
    return folder / "data.yaml"


@pytest.mark.parametrize("nc", ["1000000000", "50000", ".inf", "-.inf", ".nan", "1e30", "[]", "&a [*a]"])
def test_a_number_of_classes_that_cannot_be_is_an_error(tmp_path: Path, nc: str) -> None:
    with pytest.raises(InputError, match=r"data\.yaml"):
        dr.load_dataset(yolo(tmp_path, names="", nc=nc))


def test_keys_of_names_that_cannot_be_are_an_error(tmp_path: Path) -> None:
    for names in ("{.inf: a}", "{1000000000: a}", "{.nan: a}", "&a {0: *a}"):
        with pytest.raises(InputError, match=r"data\.yaml"):
            dr.load_dataset(yolo(tmp_path, names=names))


def test_names_of_other_splits_that_are_too_long_are_no_traceback(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.png")
    image, kind = {"id": 1, "file_name": "a.png", "width": 20, "height": 10}, {"id": 1, "name": "ant"}
    content = json.dumps({"images": [image], "annotations": [], "categories": [kind]})
    (tmp_path / "all.json").write_text(content)
    folders = {"train": "images", "val": "x" * 5000}
    lines = [f"{split}: {{annotations: all.json, images: {folder}}}\n" for split, folder in folders.items()]
    (tmp_path / "data.yaml").write_text("".join(["format: coco\n", *lines]))
    dataset = dr.load_dataset(tmp_path / "data.yaml")
    with pytest.raises(InputError):
        load_split(dataset.source, "val")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("box_format", ["xyxy", "xywh", "cxcywhn"])
def test_sides_of_boxes_of_any_size_are_numbers(box_format: str) -> None:
    largest = np.finfo(float).max
    boxes = np.array([[-largest, -largest, largest, largest], [largest, 0, 1, largest], [0, 0, 4, 4]])
    for images in (np.full((3, 2), 8.0), np.full((3, 2), np.nan)):
        sides = inside_sides(boxes, box_format, images)
        assert np.isfinite(sides).all()


HUGE = 10**400  # too large for a float


@pytest.mark.parametrize("shape_type", [["x"], {"x": 1}, None, "point", 7])
def test_labelme_shapes_of_any_type_and_size_are_listed(tmp_path: Path, shape_type: Any) -> None:
    picture(tmp_path / "a.png")
    shapes = [
        {"label": "ant", "shape_type": shape_type, "points": [[1, 1], [9, 9]]},
        {"label": "ant", "shape_type": "rectangle", "points": [[1, 1], [HUGE, 9]]},
        {"label": "ant", "shape_type": "rectangle", "points": [[2, 2], [8, 8]]},
    ]
    (tmp_path / "a.json").write_text(json.dumps({"version": "5", "shapes": shapes, "imagePath": "a.png"}))
    dataset = dr.load_dataset(tmp_path)
    assert len(dataset[0].boxes) == 1 + (shape_type != "point")
    assert any("shape 2" in str(problem) for problem in dataset.problems)


def test_createml_coordinates_too_large_for_a_float_are_listed(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    notes = [
        {"label": "ant", "coordinates": {"x": 5, "y": 5, "width": 4, "height": 4}},
        {"label": "ant", "coordinates": {"x": 5, "y": 5, "width": HUGE, "height": 4}},
    ]
    file = tmp_path / "_annotations.createml.json"
    file.write_text(json.dumps([{"image": "a.png", "annotations": notes}]))
    dataset = dr.load_dataset(file)
    assert len(dataset[0].boxes) == 1
    assert any("four numbers" in str(problem) for problem in dataset.problems)


def test_coco_ids_of_thousands_of_digits_are_unknown_ids(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    box = {"image_id": 1, "bbox": [1, 1, 5, 5]}
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 20, "height": 10}],
        "annotations": [{**box, "id": 1, "category_id": 1}, {**box, "id": 2, "category_id": "9" * 5000}],
        "categories": [{"id": 1, "name": "ant"}],
    }
    (tmp_path / "all.json").write_text(json.dumps(content))
    dataset = dr.load_dataset(tmp_path / "all.json")
    assert len(dataset[0].boxes) == 1 and dataset.problems


@pytest.mark.parametrize("count", ["\u00b2", "9" * 5000])
def test_floors_that_python_cannot_convert_are_an_error(count: str) -> None:
    for texts in ([count], [f"bus={count}"]):
        with pytest.raises(InputError, match="class-floor"):
            parse_class_floor(texts)


def test_kpt_shape_null_is_no_shape(tmp_path: Path) -> None:
    assert len(dr.load_dataset(yolo(tmp_path, kpt_shape="null"))[0].boxes) == 1


def test_a_summary_of_many_classes_needs_no_table_of_images_and_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = yolo(tmp_path, names=json.dumps([f"c{number}" for number in range(3000)]))
    picture(tmp_path / "images/b.png")
    (tmp_path / "labels/a.txt").write_text(BOX + BOX.replace("0 ", "7 ", 1) + "7 0.5 0.5 0.1 0.1\n")
    dataset = dr.load_dataset(path)
    counts = dataset.class_counts
    del dataset.__dict__["class_counts"]
    monkeypatch.setattr(type(dataset), "class_counts", property(lambda self: pytest.fail("a table was made")))
    summary = summarise(dataset)
    assert [row.boxes for row in summary.classes] == counts.sum(axis=0).tolist()
    assert [row.images for row in summary.classes] == (counts > 0).sum(axis=0).tolist()
    assert (summary.boxes, summary.background) == (counts.sum(), int((~counts.any(axis=1)).sum()))


@pytest.mark.parametrize("number", [10**9, 10**30])
def test_a_class_id_of_a_billion_in_notes_is_an_error(tmp_path: Path, number: int) -> None:
    yolo(tmp_path).unlink()
    (tmp_path / "classes.txt").write_text("ant\n")
    (tmp_path / "notes.json").write_text(json.dumps({"categories": [{"id": number, "name": "ant"}]}))
    with pytest.raises(InputError, match=r"notes\.json"):
        dr.load_dataset(tmp_path / "classes.txt")


def darknet(folder: Path, text: str) -> Path:
    picture(folder / "set/obj/a.png").with_suffix(".txt").write_text(BOX)
    (folder / "set/obj.names").write_text("ant\n")
    (folder / "set/train.txt").write_text("obj/a.png\n")
    (folder / "secret.names").write_text("private\n")
    (folder / "set/linked.names").symlink_to("../secret.names")
    (folder / "set/obj.data").write_text(text)
    return folder / "set/obj.data"


def test_an_obj_data_takes_nothing_from_outside(tmp_path: Path) -> None:
    good = "names = data/obj.names\ntrain = train.txt\n"
    assert dr.load_dataset(darknet(tmp_path, good)).class_names == ("ant",)
    for names in ("../secret.names", str(tmp_path / "secret.names"), "linked.names", "obj\0.names", "\0"):
        (tmp_path / "set/obj.data").write_text(good.replace("data/obj.names", names))
        with pytest.raises(InputError, match=r"obj\.data"):
            dr.load_dataset(tmp_path / "set/obj.data")
    for train in ("../secret.names", "/etc/passwd", "x\0.txt"):
        (tmp_path / "set/obj.data").write_text(good.replace("train.txt", train))
        with pytest.raises(InputError, match=r"obj\.data"):
            dr.load_dataset(tmp_path / "set/obj.data")


def cvat(folder: Path, body: str, head: str = "") -> Path:
    picture(folder / "set/images/a.png")
    picture(folder / "outside/a.png")
    (folder / "set/annotations.xml").write_text(f"{head}<annotations>{body}</annotations>")
    return folder / "set/annotations.xml"


BOX_TAG = '<box label="ant" xtl="1" ytl="1" xbr="3" ybr="3"/>'
IMAGE = f'<image id="0" name="a.png" subset="{{}}" width="{{}}" height="10">{BOX_TAG}'


@pytest.mark.parametrize("subset", ["../../outside", "..", "/etc", "C:/x", ""])
def test_a_cvat_subset_takes_nothing_from_outside(tmp_path: Path, subset: str) -> None:
    body = IMAGE.format(subset, 20) + "</image>"
    dataset = dr.load_dataset(cvat(tmp_path, body), split=subset or "train")
    assert [record.path for record in dataset] == [tmp_path / "set/images/a.png"]


@pytest.mark.parametrize("width", ["²", "٣", "1" * 5000, "-1", "1e3", ""])
def test_a_width_that_is_no_number_is_unknown(tmp_path: Path, width: str) -> None:
    dataset = dr.load_dataset(cvat(tmp_path, IMAGE.format("", width) + "</image>"))
    assert dataset[0].width is None


@pytest.mark.parametrize("encoding", ["nonsense", "rot13", "zlib", "utf-7", "shift_jis", "unicode_escape"])
def test_an_encoding_that_does_not_exist_is_an_error(tmp_path: Path, encoding: str) -> None:
    body, head = IMAGE.format("", 20) + "</image>", f'<?xml version="1.0" encoding="{encoding}"?>'
    try:
        assert len(dr.load_dataset(cvat(tmp_path, body, head))) == 1
    except InputError as error:
        assert "annotations.xml" in str(error)


def test_a_cvat_file_of_unclosed_tags_ends(tmp_path: Path) -> None:
    for unclosed in ("<image " * 60_000, '<image id="' * 40_000, "<image><box " * 40_000, "<image>" * 60_000):
        with pytest.raises(InputError, match=r"annotations\.xml"):
            dr.load_dataset(cvat(tmp_path, unclosed))


def task(**changes: Any) -> dict[str, Any]:
    value = {"x": 10, "y": 10, "width": 20, "height": 20, "rectanglelabels": ["ant"]}
    region = {"type": "rectanglelabels", "original_width": 20, "original_height": 10, "value": value}
    made = {"id": 1, "data": {"image": "/data/upload/a.png"}, "annotations": [{"id": 1, "result": [region]}]}
    for place, change in changes.items():
        inside: Any = made
        *way, last = place.split("__")
        for part in way:
            inside = inside[int(part) if part.isdigit() else part]
        inside[last] = change
    return made


@pytest.mark.parametrize(
    "changes",
    [
        {"annotations": 5},
        {"annotations": "x"},
        {"annotations": {"x": 1}},
        {"annotations__0__result": 5},
        {"annotations__0__result": {"x": 1}},
        {"annotations__0__result__0__original_width": math.inf},
        {"annotations__0__result__0__original_height": 1e300},
        {"annotations__0__result__0__original_height": 10**400},
        {"annotations__0__result__0__value__x": 10**400},
        {"annotations__0__result__0__value__rotation": math.inf},
        {"annotations__0__result__0__value__points": 5},
        {"annotations__0__result__0__value__rectanglelabels": [[]]},
        {"annotations__0__result__0__type": []},
        {"id": {}},
        {"data__image": "http://[bad/a.png"},
        {"data__image": "http://[::1/a.png?d=x"},
        {"data__other": "http://]/b.png"},
    ],
)
def test_odd_tasks_are_errors_or_problems(tmp_path: Path, changes: dict[str, Any]) -> None:
    picture(tmp_path / "images/a.png")
    file = tmp_path / "tasks.json"
    file.write_text(json.dumps([task(**changes), task(id=2)]))
    try:
        assert len(dr.load_dataset(file)) == 1
    except InputError as error:
        assert "tasks.json" in str(error)


def test_an_address_that_is_none_is_a_name() -> None:
    assert path_in("http://[bad/a.png") == "http://[bad/a.png"


def test_an_expression_that_never_ends_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "SECONDS", 1)
    records: Any = [SimpleNamespace(name="a" * 60 + "!", path=Path("a"))]
    with pytest.raises(InputError, match="does not finish"):
        assign_groups(records, "(a+)+b")
    for rule in ("(" * 5000, "(a{1,99999999999999999999})", "(?P<x", "(a)(?:" + "b" * 10 + "){99999999999}"):
        with pytest.raises(InputError):
            assign_groups(records, rule)


def test_groups_are_those_that_the_expression_matches() -> None:
    names = ["video7_00012.jpg", "ß_1\udcff.jpg", "x/é_3.png"]
    records: Any = [SimpleNamespace(name=name, path=Path(name)) for name in names]
    assert assign_groups(records, r"(.+?)_(\d)") == ["video7 0", "ß 1", "x/é 3"]
    assert assign_groups([], "(a)") == []


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_a_name_with_a_line_end_is_refused_by_a_list(end: str) -> None:
    for name in (f"a{end}b.jpg", f"a.jpg{end}", f"{end}a.jpg"):
        with pytest.raises(InputError, match="line break"):
            list_line(name)
    assert list_line("a b.jpg") == "a b.jpg\n"


def test_a_name_that_is_not_utf_8_is_refused_by_a_list() -> None:
    # ultralytics decodes the whole list as UTF-8
    with pytest.raises(InputError, match="not UTF-8"):
        utf8_line("ok/caf\udce9.jpg")
    assert utf8_line("ok/café.jpg") == "ok/café.jpg\n"


@pytest.mark.filterwarnings("ignore")
def test_a_name_with_a_line_end_is_written_only_where_no_list_is_needed(tmp_path: Path) -> None:
    picture(tmp_path / "set/a.png")
    picture(tmp_path / "set/b\nc.png")
    dataset = dr.load_dataset(tmp_path / "set")
    with pytest.raises(InputError, match="line break"):
        dr.write_subset(dataset, dataset.image_ids, tmp_path / "out", link="list")
    assert not (tmp_path / "out").exists()


def test_texts_that_are_formulas_are_marked() -> None:
    for text in ("=1+1", "@x", "+1", "-1", "\t=1", "\r=1"):
        assert spreadsheet_cell(text) == f"'{text}"
    for value in ("a=1", "", 1, -1.5, None, True, np.float64(-2)):
        assert spreadsheet_cell(value) is value


def test_an_exported_table_runs_no_formula(tmp_path: Path) -> None:
    from detreduce.exports.rows import image_rows
    from detreduce.exports.text import csv_text

    picture(tmp_path / "set/=1+1.png")
    picture(tmp_path / "set/b.png")
    dataset = dr.load_dataset(tmp_path / "set")
    table = csv_text(image_rows(dataset, dr.select(dataset, "srs", keep=1))).decode()
    cells = [cell for row in csv.reader(io.StringIO(table)) for cell in row]
    assert "'=1+1.png" in cells and not any(cell[:1] in ("=", "@", "+", "-") for cell in cells)
