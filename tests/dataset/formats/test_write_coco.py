"""Writing COCO subsets: the text of the JSON, the result in pycocotools, and the places of the images."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detreduce.dataset import load_dataset
from detreduce.dataset.write import subset_report, write_subset
from detreduce.dataset.writing.json_text import kept_spans, read_text, to_bytes, walk
from detreduce.errors import InputError

JPEG = b"\xff\xd8 %d \xff\xd9"


def filter_text(text: str, kept: set[object]) -> str:
    wanted = {
        "images": lambda entry: entry["id"] in kept,
        "annotations": lambda entry: entry["image_id"] in kept,
    }
    return "".join(text[start:end] for start, end in kept_spans(text, wanted))


ODD = """ {
  "info": {"version": 1.50, "big": 123456789012345678901234567890, "exp": 1e3, "t": "caf\\u00e9 café"},
  "images": [
    {"id": 1, "file_name": "a.jpg", "width": 10, "height": 1.0e1, "mine": [1.50, null]},
    {"id": 2,
     "file_name": "b.jpg"},
    {"file_name": "c.jpg", "id": 3}
  ],
  "annotations": [{"id": 1, "image_id": 2, "bbox": [1.50, 2, 3E0, 4]} , {"id":2,"image_id":1},
    {"id": 3, "image_id": 99}, {"id": 4, "image_id": 2, "note": "}],{"}],
  "categories": [{"id": 7, "name": "x"}], "images_extra": [1, 2,3]
}
"""


def test_kept_elements_stay_as_they_are_written() -> None:
    assert filter_text(ODD, {2}) == ODD.replace(
        """
    {"id": 1, "file_name": "a.jpg", "width": 10, "height": 1.0e1, "mine": [1.50, null]},
    {"id": 2,
     "file_name": "b.jpg"},
    {"file_name": "c.jpg", "id": 3}
""",
        """
    {"id": 2,
     "file_name": "b.jpg"}
""",
    ).replace(
        """ , {"id":2,"image_id":1},
    {"id": 3, "image_id": 99}, {"id": 4""",
        """, {"id": 4""",
    )


def test_all_or_nothing() -> None:
    assert filter_text(ODD, {1, 2, 3, 99}) == ODD
    nothing = json.loads(filter_text(ODD, set()))
    assert nothing["images"] == [] and nothing["annotations"] == []
    assert nothing["images_extra"] == [1, 2, 3]


def test_bytes_that_are_no_utf8_survive(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(b'{"images": [{"id": 1, "who": "\xe9"}, {"id": 2}]}')
    spans = kept_spans(read_text(file), {"images": lambda entry: entry["id"] == 1})
    text = read_text(file)
    assert b"".join(to_bytes(text[a:b]) for a, b in spans) == b'{"images": [{"id": 1, "who": "\xe9"}]}'


@pytest.mark.parametrize(
    "text", ["", "[]", '{"images": [1, 2', '{"images": [1 2]}', '{"a" 1}', '{"a": 1} x', '{"a": 1,}', "{1: 2}"]
)
def test_broken_json_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):
        list(walk(text, ("images",)))


spaces = st.text(" \t\r\n", max_size=3)
scalars = (
    st.sampled_from(
        ["1.50", "1e3", "-0.0", "123456789012345678901234567890", "null", "true", '"\\u00e9"', '"é"', '"]}"']
    )
    | st.integers().map(str)
    | st.text(max_size=5).map(lambda t: json.dumps(t, ensure_ascii=False))
)


@st.composite
def json_objects(draw: st.DrawFn, key: str, ids: st.SearchStrategy[int]) -> tuple[int, str]:
    number = draw(ids)
    pairs = [(f'"{key}"', str(number))]
    pairs += [(json.dumps(f"x{i}"), draw(scalars)) for i in range(draw(st.integers(0, 3)))]
    pairs = draw(st.permutations(pairs))
    body = ",".join(f"{draw(spaces)}{k}{draw(spaces)}:{draw(spaces)}{v}{draw(spaces)}" for k, v in pairs)
    return number, "{" + body + "}"


@st.composite
def documents(draw: st.DrawFn) -> str:
    images = draw(st.lists(json_objects("id", st.integers(0, 6)), max_size=6, unique_by=lambda pair: pair[0]))
    boxes = draw(st.lists(json_objects("image_id", st.integers(0, 7)), max_size=8))

    def array(items: list[tuple[int, str]]) -> str:
        parts = [f"{draw(spaces)}{text}{draw(spaces)}" for _, text in items]
        return "[" + (",".join(parts) if parts else draw(spaces)) + "]"

    members = [('"images"', array(images)), ('"annotations"', array(boxes))]
    members += [(json.dumps(f"o{i}"), draw(scalars)) for i in range(draw(st.integers(0, 3)))]
    members = draw(st.permutations(members))
    body = ",".join(f"{draw(spaces)}{k}{draw(spaces)}:{draw(spaces)}{v}{draw(spaces)}" for k, v in members)
    return f"{draw(spaces)}{{{body}}}{draw(spaces)}"


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=documents(), kept=st.sets(st.integers(0, 7)))
def test_filtered_text_is_the_filtered_json(text: str, kept: set[int]) -> None:
    """Return the expected text, with the json module and the unchanged text of each element."""
    before = json.loads(text)
    filtered = filter_text(text, kept)  # type: ignore[arg-type]
    after = json.loads(filtered)
    assert list(after) == list(before)
    expected = dict(before)
    expected["images"] = [entry for entry in before["images"] if entry["id"] in kept]
    expected["annotations"] = [entry for entry in before["annotations"] if entry["image_id"] in kept]
    assert after == expected
    for event in walk(text, ("images", "annotations")):
        if event.kind == "element" and event.value.get("id", event.value.get("image_id")) in kept:
            assert text[event.start : event.end] in filtered
    assert filter_text(text, set(range(9))) == text


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    """Official layout, ids with gaps, a crowd, equal names in folders, an image without annotation, odd formatting."""
    root = tmp_path / "zoo"
    for split, names in {"train2017": ["a/1.jpg", "b/1.jpg", "2.jpg", "3.jpg"], "val2017": ["9.jpg"]}.items():
        for number, name in enumerate(names):
            path = root / split / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(JPEG % number)
        images = ",\n  ".join(
            json.dumps({"id": 10 + 5 * i, "file_name": name, "width": 100, "height": 50, "license": 1 + i % 2})
            for i, name in enumerate(names)
        )
        boxes = ", ".join(
            f'{{"id": {i}, "image_id": {10 + 5 * (i % 2)}, "bbox": [1.50, {i}e0, 20, 3.0], '
            f'"category_id": {(3, 8)[i % 2]}, "iscrowd": {int(i == 3)}, '
            f'"segmentation": [[1.0, 2.00, 3, 4, 5, 6]], "area": 60.0}}'
            for i in range(4 if split == "train2017" else 1)
        )
        text = (
            f'{{"info": {{"version": 1.50}}, "licenses": [{{"id": 1, "name": "CC BY"}}, {{"id": 2, "name": "NC"}}],\n'
            f' "images": [\n  {images}\n ], "annotations": [{boxes}],\n'
            ' "categories": [{"id": 8, "name": "lion"}, {"id": 3, "name": "gnu"}], "mine": 1e3}\n'
        )
        (root / "annotations").mkdir(exist_ok=True)
        (root / "annotations" / f"instances_{split}.json").write_text(text)
    return root


def files(folder: Path) -> dict[str, bytes]:
    extra = {"data.yaml", "selection.json", ".detreduce-files"}
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in extra
    }


def test_everything_kept_gives_the_same_files(zoo: Path, tmp_path: Path) -> None:
    file = zoo / "annotations/instances_train2017.json"
    orphan = '"annotations": [{"id": 77, "image_id": 404, "category_id": 3, "bbox": [1, 1, 1, 1]}, '
    file.write_text(file.read_text().replace('"annotations": [', orphan))
    dataset = load_dataset(zoo / "annotations/instances_train2017.json")
    write_subset(dataset, dataset.image_ids, tmp_path / "out")
    assert files(tmp_path / "out") == files(zoo)


def test_subset_mirrors_the_layout(zoo: Path, tmp_path: Path) -> None:
    dataset = load_dataset(zoo / "annotations/instances_train2017.json")
    reduced = write_subset(dataset, [25, 10], tmp_path / "out")
    written = files(tmp_path / "out")
    assert set(written) == {
        "annotations/instances_train2017.json",
        "annotations/instances_val2017.json",
        "train2017/a/1.jpg",
        "train2017/3.jpg",
        "val2017/9.jpg",
    }
    text = written["annotations/instances_train2017.json"].decode()
    assert '"bbox": [1.50, 0e0, 20, 3.0]' in text and text.endswith('"mine": 1e3}\n')
    content = json.loads(text)
    assert [image["id"] for image in content["images"]] == [10, 25]
    assert [box["id"] for box in content["annotations"]] == [0, 2]
    assert reduced.class_keys == dataset.class_keys and set(reduced.image_ids) == {10, 25}


def test_list_filters_the_json_and_links_nothing(zoo: Path, tmp_path: Path) -> None:
    dataset = load_dataset(zoo / "annotations/instances_train2017.json")
    reduced = write_subset(dataset, [10], tmp_path / "out", link="list")
    assert {Path(name).suffix for name in files(tmp_path / "out")} == {".json"}
    assert [record.path for record in reduced] == [zoo / "train2017/a/1.jpg"]
    assert reduced.source.path == tmp_path / "out/data.yaml"
    for place in (reduced.source.path, tmp_path / "out"):
        again = load_dataset(place)
        assert [record.path for record in again] == [zoo / "train2017/a/1.jpg"]
        assert again.content_hash == reduced.content_hash
        full = load_dataset(zoo / "annotations/instances_train2017.json", split="val")
        assert load_dataset(place, split="val").content_hash == full.content_hash


def test_images_far_from_the_json(zoo: Path, tmp_path: Path) -> None:
    far = tmp_path / "far/away/photos"
    far.parent.mkdir(parents=True)
    (zoo / "train2017").rename(far)
    (zoo / "annotations/instances_val2017.json").unlink()
    dataset = load_dataset(zoo / "annotations/instances_train2017.json", images=far)
    reduced = write_subset(dataset, [10, 15], tmp_path / "out")
    assert {record.path for record in reduced} == {tmp_path / "out/images/a/1.jpg", tmp_path / "out/images/b/1.jpg"}
    assert len(load_dataset(tmp_path / "out/annotations/instances_train2017.json")) == 2


def test_licences_of_the_kept_images(zoo: Path) -> None:
    dataset = load_dataset(zoo / "annotations/instances_train2017.json")
    assert subset_report(dataset, [10, 20, 15]).licences == (("CC BY", 2), ("NC", 1))


def test_crowds_are_not_boxes_in_the_report(zoo: Path) -> None:
    report = subset_report(load_dataset(zoo / "annotations/instances_train2017.json"), [10])
    counts = {
        item.name: (item.boxes_full, item.boxes_kept, item.images_full, item.images_kept) for item in report.classes
    }
    assert counts == {"gnu": (2, 2, 1, 1), "lion": (1, 0, 1, 0)}
    assert [item.name for item in report.classes if item.lost] == ["lion"]
    assert "lion (1)" in report.warnings[0]


def test_json_that_changed_since_loading_is_an_input_error(zoo: Path, tmp_path: Path) -> None:
    dataset = load_dataset(zoo / "annotations/instances_train2017.json")
    (zoo / "annotations/instances_train2017.json").write_text('{"images": [')
    with pytest.raises(InputError, match=r"instances_train2017\.json"):
        write_subset(dataset, [10], tmp_path / "out")
    assert not (tmp_path / "out").exists()


REAL = {
    "wheelchair": "wheelchair/train/_annotations.coco.json",
    "coco128": "coco128/annotations/instances_train2017.json",
}


@pytest.mark.shared
@pytest.mark.parametrize("name", REAL)
def test_real_coco_datasets(shared: Path, tmp_path: Path, name: str) -> None:
    from pycocotools.coco import COCO

    source = shared / "data" / REAL[name]
    root = shared / "data" / name
    dataset = load_dataset(source)
    write_subset(dataset, dataset.image_ids, tmp_path / "full", link="symlink")
    relative = source.relative_to(root)
    assert (tmp_path / "full" / relative).read_bytes() == source.read_bytes()
    chosen = dataset.image_ids[::3]
    reduced = write_subset(dataset, chosen, tmp_path / "third", link="symlink")
    assert sorted(reduced.image_ids) == sorted(chosen)
    for json_file in root.rglob("*.json"):
        if json_file != source:
            assert (tmp_path / "third" / json_file.relative_to(root)).read_bytes() == json_file.read_bytes()
    with contextlib.redirect_stdout(io.StringIO()):
        full, third = COCO(str(source)), COCO(str(tmp_path / "third" / relative))
    assert set(third.getImgIds()) == set(chosen)
    assert third.dataset["annotations"] == [a for a in full.dataset["annotations"] if a["image_id"] in set(chosen)]
    assert third.dataset["images"] == [i for i in full.dataset["images"] if i["id"] in set(chosen)]
    rest = [key for key in full.dataset if key not in ("images", "annotations")]
    assert list(third.dataset) == list(full.dataset)
    assert all(third.dataset[key] == full.dataset[key] for key in rest)
    assert all(
        (tmp_path / "third" / record.path.relative_to(root)).is_file() for record in dataset if record.id in set(chosen)
    )
