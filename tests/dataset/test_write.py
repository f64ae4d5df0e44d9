"""Rules for every format: complete outputs or none, never over a person's files, never into the source."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path

import numpy as np
import pytest

from detreduce.dataset import DetectionDataset, load_dataset
from detreduce.dataset.records import ImageRecord, Source, SplitSource
from detreduce.dataset.write import SubsetWarning, subset_report, write_subset
from detreduce.errors import InputError


@pytest.fixture
def photos(tmp_path: Path) -> DetectionDataset:
    root = tmp_path / "photos"
    for name in ("b.jpg", "a.jpg", "sub/a.jpg", "sub/deep/c.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"\xff\xd8 " + name.encode() + b" \xff\xd9")
    return load_dataset(root)


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


WRITTEN = {"a.jpg", "sub/a.jpg", "train.txt", "data.yaml", "selection.json", ".detreduce-files"}


def test_unlabelled_images_and_their_list(photos: DetectionDataset, tmp_path: Path) -> None:
    reduced = write_subset(photos, ["sub/a.jpg", "a.jpg"], tmp_path / "out")
    assert names(tmp_path / "out") == WRITTEN
    assert (tmp_path / "out/train.txt").read_text() == "./sub/a.jpg\n./a.jpg\n"
    assert reduced.image_ids == ["a.jpg", "sub/a.jpg"] and not reduced.labelled
    listed = write_subset(photos, ["sub/a.jpg", "a.jpg"], tmp_path / "list", link="list")
    assert (tmp_path / "list/train.txt").read_text() == "".join(
        f"{photos.source.root / n}\n" for n in ("sub/a.jpg", "a.jpg")
    )
    assert [record.path for record in listed] == [photos.source.root / n for n in ("a.jpg", "sub/a.jpg")]


def test_selection_json_is_the_selections_own(photos: DetectionDataset, tmp_path: Path) -> None:
    class Chosen:
        image_ids = ("b.jpg",)

        def to_json(self) -> str:
            return '{"mine": "é"}'

    write_subset(photos, Chosen(), tmp_path / "one")
    assert (tmp_path / "one/selection.json").read_text(encoding="utf-8") == '{"mine": "é"}'
    write_subset(photos, iter(["b.jpg"]), tmp_path / "two")
    assert json.loads((tmp_path / "two/selection.json").read_text())["image_ids"] == ["b.jpg"]


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["a.jpgg"], "'a.jpgg'.*Did you mean 'a.jpg'"),
        (["a.jpg", "b.jpg", "a.jpg"], "'a.jpg' is in the selection twice"),
        ([], "empty"),
    ],
)
def test_ids_that_cannot_be_used(photos: DetectionDataset, tmp_path: Path, ids: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        write_subset(photos, ids, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_chosen_image_that_is_gone(photos: DetectionDataset, tmp_path: Path) -> None:
    photos[0].path.unlink()
    with pytest.raises(InputError, match=r"a\.jpg is missing"):
        write_subset(photos, photos.image_ids, tmp_path / "out")
    write_subset(photos, photos.image_ids[1:], tmp_path / "out")


def test_unknown_link(photos: DetectionDataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Did you mean 'symlink'"):
        write_subset(photos, photos.image_ids, tmp_path / "out", link="softlink")  # type: ignore[arg-type]


def test_output_that_is_taken(photos: DetectionDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = photos.image_ids[:1]
    out = tmp_path / "out"
    out.mkdir()
    write_subset(photos, ids, out)
    with pytest.raises(InputError, match="not empty"):
        write_subset(photos, ids, out)
    with pytest.raises(InputError, match="not a folder"):
        write_subset(photos, ids, out / "selection.json")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("years of work")
    for _ in range(2):
        with pytest.raises(InputError, match="not written by detreduce"):
            write_subset(photos, ids, mine, overwrite=True)
        (mine / "selection.json").write_text("{}")
    assert (mine / "thesis.tex").read_text() == "years of work"
    (out / "inner").mkdir()
    for here in (out, out / "inner"):
        monkeypatch.chdir(here)
        with pytest.raises(InputError, match="working or home folder"):
            write_subset(photos, ids, out, overwrite=True)
    monkeypatch.chdir("/")
    monkeypatch.setenv("HOME", str(out))
    with pytest.raises(InputError, match="working or home folder"):
        write_subset(photos, ids, out, overwrite=True)


def test_overwrite_replaces_what_detreduce_wrote(photos: DetectionDataset, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_subset(photos, ["b.jpg"], out)
    write_subset(photos, ["a.jpg", "sub/a.jpg"], out, overwrite=True)
    assert names(out) == WRITTEN
    assert {path.name for path in tmp_path.iterdir()} == {"photos", "out"}


@pytest.mark.parametrize("place", ["photos", "photos/new", "photos/sub", "."])
@pytest.mark.parametrize("overwrite", [False, True])
def test_output_may_not_overlap_the_source(
    photos: DetectionDataset, tmp_path: Path, place: str, overwrite: bool
) -> None:
    before = names(tmp_path)
    with pytest.raises(InputError, match=r"overlap|of the source"):
        write_subset(photos, photos.image_ids, tmp_path / place, overwrite=overwrite)
    (tmp_path / "link").symlink_to(tmp_path / "photos")
    with pytest.raises(InputError, match="overlap"):
        write_subset(photos, photos.image_ids, tmp_path / "link", overwrite=overwrite)
    (tmp_path / "link").unlink()
    assert names(tmp_path) == before


def test_a_place_that_cannot_be_written(photos: DetectionDataset, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file/out"):
        write_subset(photos, photos.image_ids, tmp_path / "file" / "out")


def counted(rows: list[list[int]], classes: int) -> DetectionDataset:
    records = tuple(
        ImageRecord(
            i, str(i), Path(f"{i}.jpg"), np.zeros((len(row), 4)), np.array(row, np.int64), np.zeros(len(row), bool)
        )
        for i, row in enumerate(rows)
    )
    source = Source("images", Path("x"), Path("x"), {"train": SplitSource((Path("x"),))})
    return DetectionDataset(records, tuple("abcdef"[:classes]), tuple(range(classes)), "cxcywhn", "train", source)


def test_report_of_classes() -> None:
    # one of four images is kept; a class is far below its share with less than 1/16 of its boxes
    # Kept boxes: a 2 of 2; b 0 of 1; c 1 of 20; d 1 of 16 (exactly 1/16); e has no boxes; f 5 of 100.
    dataset = counted([[0, 0, 2, 3] + [5] * 5, [1] + [2] * 19, [3] * 15, [5] * 95], 6)
    report = subset_report(dataset, [0])
    assert (report.images_full, report.images_kept) == (4, 1)
    kept = [(c.boxes_kept, c.boxes_full, c.images_kept, c.images_full) for c in report.classes]
    assert kept == [(2, 2, 1, 1), (0, 1, 0, 1), (1, 20, 1, 2), (1, 16, 1, 2), (0, 0, 0, 0), (5, 100, 1, 2)]
    assert [c.name for c in report.classes if c.lost] == ["b"]
    assert [c.name for c in report.far_below_share] == ["c", "f"]
    assert [("b (1)" in line, "1 of 20 boxes of c" in line) for line in report.warnings] == [
        (True, False),
        (False, True),
    ]


def test_no_class_is_far_below_its_share_because_few_images_are_kept() -> None:
    # 25 of 448 images: a quarter of the share of 175 boxes is 2.4 boxes
    for boxes, found in ((4, []), (3, []), (2, ["a"])):
        dataset = counted([[0] * boxes, *[[]] * 24, [0] * (175 - boxes), *[[]] * 422], 1)
        report = subset_report(dataset, range(25))
        assert (report.images_kept, report.images_full) == (25, 448)
        assert [c.name for c in report.far_below_share] == found and len(report.warnings) == len(found)


def test_licences_of_counted_images_are_unknown() -> None:
    dataset = counted([[0], [0]], 1)
    report = subset_report(dataset, [0])
    assert report.licences == ()
    with pytest.raises(InputError, match="Image 9"):
        subset_report(dataset, [9])


@pytest.mark.parametrize(
    ("text", "licences"),
    [("license: MIT\n", (("MIT", 1),)), ("roboflow: {license: CC BY 4.0}\n", (("CC BY 4.0", 1),)), ("", ())],
)
def test_licence_of_a_data_yaml(photos: DetectionDataset, text: str, licences: tuple) -> None:
    file = photos.source.root / "data.yaml"
    file.write_text(f"train: .\nnames: [a]\n{text}")
    assert subset_report(load_dataset(file), ["a.jpg"]).licences == licences


def test_lost_classes_are_named(photos: DetectionDataset, tmp_path: Path) -> None:
    root = photos.source.root
    (root / "a.txt").write_text("1 0.5 0.5 0.1 0.1\n")
    (root / "data.yaml").write_text("train: .\nval: .\nnames: [owl, kite]\n")
    dataset = load_dataset(root / "data.yaml")
    with pytest.warns(SubsetWarning, match=r"kite \(1\)"):
        write_subset(dataset, ["b.jpg"], tmp_path / "out")


@pytest.mark.parametrize("link", ["hardlink", "symlink", "list"])
def test_names_that_are_not_utf8(tmp_path: Path, link: str) -> None:
    odd = os.fsdecode(b"caf\xe9.jpg")
    root = tmp_path / "photos"
    (root / "images").mkdir(parents=True)
    (root / "labels").mkdir()
    for name in (odd, "b.jpg"):
        (root / "images" / name).write_bytes(b"\xff\xd8 x \xff\xd9")
        (root / "labels" / name).with_suffix(".txt").write_text("0 0.5 0.5 0.1 0.1\n")
    (root / "list.txt").write_bytes(b"./images/caf\xe9.jpg\n./images/b.jpg\n")
    (root / "data.yaml").write_text("train: list.txt\nval: images\nnames: [x]\n")
    dataset = load_dataset(root)
    assert not dataset.problems and len(dataset) == 2
    chosen = [image for image in dataset.image_ids if image != "images/b.jpg"]
    if link == "list":
        # ultralytics could not read the list
        with pytest.raises(InputError, match="not UTF-8"):
            write_subset(dataset, chosen, tmp_path / "out", link=link)
    else:
        reduced = write_subset(dataset, chosen, tmp_path / "out", link=link)
        assert [record.name for record in reduced] == [odd] and reduced.box_classes.tolist() == [0]
        assert load_dataset(tmp_path / "out").image_ids == reduced.image_ids
        content = json.loads((tmp_path / "out/selection.json").read_text(encoding="utf-8"))
        assert content["image_ids"] == chosen
    images = load_dataset(root / "images")
    write_subset(images, [odd], tmp_path / "plain", link=link)
    assert b"caf\xe9.jpg\n" in (tmp_path / "plain/train.txt").read_bytes()


def test_a_selection_of_another_dataset_is_told(photos: DetectionDataset, tmp_path: Path) -> None:
    class Chosen:
        image_ids = ("b.jpg",)

        def __init__(self, content_hash: str) -> None:
            self.provenance = {"dataset": {"path": "/elsewhere", "content_hash": content_hash}}

    with pytest.warns(SubsetWarning, match="another dataset or another version .*elsewhere.*photos"):
        write_subset(photos, Chosen("0" * 64), tmp_path / "one")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_subset(photos, Chosen(photos.content_hash), tmp_path / "two")


def test_formats_are_named_once(birds_yaml: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Use yolo\\."):
        write_subset(load_dataset(birds_yaml), ["images/a.jpg"], tmp_path / "out", format="coko")


@pytest.fixture
def birds_yaml(tmp_path: Path) -> Path:
    (tmp_path / "birds/images").mkdir(parents=True)
    (tmp_path / "birds/images/a.jpg").write_bytes(b"\xff\xd8 x \xff\xd9")
    (tmp_path / "birds/data.yaml").write_text("train: images\nnames: [x]\n")
    return tmp_path / "birds/data.yaml"


def test_open_jpegs_are_known_by_content(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    root.mkdir()
    (root / "a.png").write_bytes(b"\xff\xd8 a JPEG, cut short")
    (root / "b.jpg").write_bytes(b"\x89PNG no JPEG")
    with pytest.warns(SubsetWarning, match="1 JPEG files without an end marker"):
        write_subset(load_dataset(root), ["a.png", "b.jpg"], tmp_path / "out")
    assert not (tmp_path / "out/a.png").samefile(root / "a.png")
    assert (tmp_path / "out/b.jpg").samefile(root / "b.jpg")
