from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detreduce.arrays.proxy_log import MEASURES, ProxyLog
from detreduce.dataset import load_dataset
from detreduce.dataset.records import DetectionDataset, Problem
from detreduce.errors import InputError, MissingFileError
from detreduce.features.extract import extract_features
from detreduce.selection.choose import select
from detreduce.selection.explanation import explain
from detreduce.selection.named_images import find_image
from detreduce.selection.record import Selection

# images at the integers of a line; only image 5 has a bee, and only image 6 a cow
PLACES = [0, 1, 2, 10, 11, 20, 31, 32]
CLASSES = ["0", "0", "0 0", "0", "0", "0 1", "2", "0"]


@pytest.fixture
def data(tmp_path: Path) -> DetectionDataset:
    """Eight noise images whose features are positions on a line; image 7 is a mirrored copy of image 0."""
    rng = np.random.default_rng(0)
    for row, classes in enumerate(CLASSES):
        image = tmp_path / "set" / "images" / f"{row}.png"
        label = tmp_path / "set" / "labels" / f"{row}.txt"
        for file in (image, label):
            file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)).save(image)
        label.write_text("".join(f"{name} 0.5 0.5 0.2 0.{n + 2}\n" for n, name in enumerate(classes.split())))
    images = tmp_path / "set" / "images"
    Image.fromarray(np.asarray(Image.open(images / "0.png"))[:, ::-1]).save(images / "7.png")
    (tmp_path / "vectors.csv").write_text("image,x\n" + "".join(f"{n}.png,{x}\n" for n, x in enumerate(PLACES)))
    (tmp_path / "set" / "data.yaml").write_text("train: images\nnames: [ant, bee, cow]\n")
    return load_dataset(tmp_path / "set" / "data.yaml")


def choose(data: DetectionDataset, **options: object) -> Selection:
    vectors = data.source.path.parents[1] / "vectors.csv"
    table = extract_features(data, f"file:{vectors}", ("image",))
    return select(table, "mms", categories="none", **{"keep": 3, **options})  # type: ignore[arg-type]


def test_a_kept_image(data: DetectionDataset) -> None:
    """The mean is 13.4, so 11 comes first; then 32, the farthest, then 0."""
    selection = choose(data)
    assert [PLACES[row] for row in selection.indices] == [11, 32, 0]
    found = explain(selection, "7.png")
    assert (found.kept, found.rank, found.of, found.step) == (True, 2, 3, "method")
    assert (found.category, found.category_kept, found.category_full) == ("all", 3, 8)
    assert found.score_place == 2 and found.scored >= 3
    assert found.nearest_kept is not None and found.nearest_kept.image == "images/4.png"
    assert found.nearest_dropped is not None and found.nearest_dropped.image == "images/6.png"
    assert found.nearest_kept.distance == pytest.approx(21 * found.nearest_dropped.distance, rel=1e-5)
    assert (found.classes, found.alone, found.notes) == ({"ant": 1}, {}, ())


def test_a_dropped_image_says_what_it_would_have_brought(data: DetectionDataset) -> None:
    found = explain(choose(data), "images/5.png")
    assert (found.kept, found.rank, found.step) == (False, None, "method")
    assert (found.classes, found.alone) == ({"ant": 1, "bee": 1}, {"bee": 1})
    assert found.nearest_kept is not None and found.nearest_kept.image == "images/4.png"
    assert found.nearest_dropped is not None and found.nearest_dropped.image == "images/3.png"


def test_a_kept_image_says_what_would_be_lost_without_it(data: DetectionDataset) -> None:
    found = explain(choose(data, keep=1.0), "5.png")
    assert found.alone == {"bee": 1}
    assert found.nearest_dropped is None
    assert explain(choose(data, keep=1.0), "0.png").alone == {}


def test_the_step_that_took_or_dropped_it(data: DetectionDataset) -> None:
    selection = choose(data, keep=5, must_keep=["1.png"], class_floor={"bee": 1}, drop_duplicates=True)
    assert explain(selection, "1.png").step == "must_keep"
    assert explain(selection, "5.png").step == "class_floor"
    [dropped] = {"images/0.png", "images/7.png"} & {
        pair["copy"] for pair in selection.provenance["duplicates"]["pairs"]
    }
    [other] = {"images/0.png", "images/7.png"} - {dropped}
    found = explain(selection, dropped)
    assert (found.step, found.kept, found.score) == ("drop_duplicates", False, None)
    assert found.duplicate_of is not None and found.duplicate_of["kept"] == other
    assert found.duplicate_of["kept_name"] == other.removeprefix("images/")
    assert found.duplicate_of["transformation"] == "mirrored"
    assert [pair["copy"] for pair in explain(selection, other).copies] == [dropped]
    assert explain(choose(data, initial=selection, keep=6), "1.png").step == "initial"


def test_a_dropped_image_says_whether_its_group_was_full(data: DetectionDataset) -> None:
    folder = str(data.source.path.parent / "images")
    for limit, full in ((3, True), (4, False)):
        found = explain(choose(data, groups="folder", max_per_group=limit), "5.png")
        assert (found.group, found.group_kept, found.group_limit) == (folder, 3, limit)
        assert (found.kept, found.group_full, found.to_dict()["group_kept"]) == (False, full, 3)
    # 4 and 7 come first: with a group for each image, the group of 5 has room
    found = explain(choose(data, groups=r"(\d)\.png", max_per_group=1, keep=2), "5.png")
    assert (found.group, found.group_kept, found.group_full) == ("5", 0, False)
    assert explain(choose(data), "5.png").group_limit is None
    given = explain(choose(data, groups=[0, 1] * 4, max_per_group=3), "5.png")
    assert (given.group, given.group_limit, given.group_full) == (None, 3, False)
    assert "not known whether the group was full" in given.notes[0]


def test_places_by_score_are_within_the_category(data: DetectionDataset) -> None:
    vectors = data.source.path.parents[1] / "vectors.csv"
    table = extract_features(data, f"file:{vectors}", ("image",))
    selection = select(table, "nrmd", keep=4, categories=list("aaaabbbb"))
    places = {explain(selection, record.id).score_place for record in list(data)[4:]}
    assert places <= {1, 2, 3, 4} and 1 in places
    found = explain(selection, "4.png")
    assert (found.category, found.category_full, found.scored) == ("b", 4, 4)


def test_without_features_the_boxes_say_what_is_near(data: DetectionDataset) -> None:
    selection = select(data, "class_coverage", keep=4)
    found = explain(selection, "2.png")
    assert found.nearest_by == ("annotations",) and found.notes == ()
    assert found.nearest_kept is not None and found.nearest_dropped is not None
    table = extract_features(data, blocks=("annotations",))
    assert explain(selection, "2.png", features=table) == found


def test_without_features_the_vectors_in_the_cache_say_what_is_near(data: DetectionDataset, tmp_path: Path) -> None:
    selection = select(data, "srs", keep=4)
    # the cache knows a file by its time, and keeps nothing of a file that was written a moment ago
    time.sleep(0.1)
    table = extract_features(data, blocks=("image",), cache=tmp_path / "cache")
    found = explain(selection, "2.png", cache=tmp_path / "cache")
    assert found.nearest_by == ("image",) and found == explain(selection, "2.png", features=table)
    (tmp_path / "set" / "images" / "5.png").write_bytes((tmp_path / "set" / "images" / "6.png").read_bytes())
    assert explain(selection, "2.png", cache=tmp_path / "cache").nearest_by == ("annotations",)


def test_without_features_and_labels_a_note_says_why(data: DetectionDataset) -> None:
    found = explain(select(load_dataset(data.source.path.parent / "images"), "srs", keep=3), "0.png")
    assert found.nearest_kept is None and found.nearest_dropped is None and found.nearest_by == ()
    assert found.notes == (
        "The nearest images are not known. The method 'srs' did not use features, and the dataset does not have boxes.",
    )


@pytest.mark.parametrize(("beside", "by"), [(("image",), ("image",)), ((), ("annotations",))])
def test_what_a_proxy_left_says_nothing_of_who_is_near(
    data: DetectionDataset, tmp_path: Path, beside: tuple[str, ...], by: tuple[str, ...]
) -> None:
    boxes = len(data.box_rows)
    arrays = {name: np.linspace(0, 1, 2 * boxes).reshape(2, boxes) for name in MEASURES}
    corners = data.boxes_xyxyn.astype(np.float16)
    log = ProxyLog(tuple(data.image_ids), data.box_rows, data.box_classes, corners, **arrays)  # type: ignore[arg-type]
    log.save(tmp_path / "proxy.npz")
    blocks = (*beside, "dynamics")
    table = extract_features(data, f"file:{tmp_path / 'vectors.csv'}", blocks, proxy=tmp_path / "proxy.npz")
    found = explain(select(table, "vps", keep=3), "0.png")
    assert found.notes == () and found.nearest_by == by
    assert found.nearest_kept is not None and found.nearest_dropped is not None


def test_features_that_changed_are_not_taken_for_the_same(data: DetectionDataset) -> None:
    selection = choose(data)
    vectors = data.source.path.parents[1] / "vectors.csv"
    vectors.write_text(vectors.read_text().replace("7.png,32", "7.png,5"))
    found = explain(selection, "7.png")
    assert found.nearest_kept is None
    assert "(vectors_sha256 of file:" in found.notes[0]
    vectors.unlink()
    assert "vectors.csv" in explain(selection, "7.png").notes[0]


def test_features_given_are_used(data: DetectionDataset) -> None:
    selection = select(data, "srs", keep=3, seed=1)
    vectors = data.source.path.parents[1] / "vectors.csv"
    table = extract_features(data, f"file:{vectors}", ("image",))
    assert explain(selection, "0.png", features=table).nearest_kept is not None


@pytest.mark.parametrize(
    ("damaged", "step", "note"), [(True, "unreadable", "read"), (False, "no_features", "features")]
)
def test_an_image_without_features_is_explained(data: DetectionDataset, damaged: bool, step: str, note: str) -> None:
    vectors = data.source.path.parents[1] / "vectors.csv"
    table = extract_features(data, f"file:{vectors}", ("image",)).take(np.array([0, 1, 3, 4, 5, 6, 7]))
    if damaged:
        table = replace(table, problems=(Problem(data[2].path, "skipped: the file is empty"),))
    selection = select(table, "mms", keep=2)
    found = explain(selection, "2.png", features=table)
    assert (found.step, found.score, found.category) == (step, None, None)
    assert note in found.notes[0].rpartition("because")[2]


def test_a_dataset_that_moved_is_looked_for_and_can_be_given(data: DetectionDataset, tmp_path: Path) -> None:
    selection = choose(data)
    (tmp_path / "set").rename(tmp_path / "moved")
    with pytest.raises(MissingFileError, match=r"set/data\.yaml.*--data"):
        explain(selection, "0.png")
    moved = load_dataset(tmp_path / "moved" / "data.yaml")
    assert explain(selection, "0.png", dataset=moved).kept


def test_a_dataset_that_changed_is_refused(data: DetectionDataset) -> None:
    selection = choose(data)
    (data.source.path.parent / "labels" / "3.txt").write_text("1 0.5 0.5 0.1 0.1\n")
    with pytest.raises(InputError, match=r"8 images, 10 boxes\) is not the dataset .*"):
        explain(selection, "0.png")


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("77.png", "no image '77.png'"),
        ("7.pngg", "Did you mean '7.png'"),
        ("p… g", r"Did you mean one of '0.png'"),
        ("PNG", r"Did you mean one of '0.png', .*'4.png' \(and 3 more\)"),
    ],
)
def test_an_image_that_is_not_there_is_named_with_its_nearest(data: DetectionDataset, image: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        explain(choose(data), image)


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """Write a COCO JSON of four images, a separate image folder, and a dataset YAML that names both; return the
    YAML.
    """
    images = [{"id": 7 + row, "file_name": f"{row}.png", "width": 30, "height": 20} for row in range(4)]
    boxes = [{"id": row, "image_id": 7 + row, "category_id": 1, "bbox": [1, 2, 3 + row, 4]} for row in range(4)]
    content = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "ant"}]}
    (tmp_path / "pictures").mkdir()
    for row in range(4):
        Image.new("RGB", (30, 20), (60 * row, 9, 9)).save(tmp_path / "pictures" / f"{row}.png")
    (tmp_path / "boxes.json").write_text(json.dumps(content))
    file = tmp_path / "coco.yaml"
    file.write_text("format: coco\npath: .\ntrain: {annotations: boxes.json, images: pictures}\n")
    return file


def test_a_coco_dataset_is_found_again_by_its_yaml_or_its_json(coco: Path) -> None:
    by_yaml = select(load_dataset(coco), "srs", keep=2)
    by_json = select(load_dataset(coco.parent / "boxes.json", images=coco.parent / "pictures"), "srs", keep=2)
    assert "image_folder" not in by_yaml.provenance["dataset"]
    assert by_json.provenance["dataset"]["image_folder"] == str(coco.parent / "pictures")
    for selection in (by_yaml, by_json):
        found = explain(selection, "2.png")
        assert found.image == 9
        assert {near.name[1:] for near in (found.nearest_kept, found.nearest_dropped) if near} == {".png"}


def test_images_are_found_by_id_name_or_the_end_of_their_path(data: DetectionDataset) -> None:
    numbered = replace(data, records=tuple(replace(record, id=row + 40) for row, record in enumerate(data)))
    assert [find_image(numbered, wanted) for wanted in (43, "43", "3.png", "images/3.png")] == [3] * 4
    folders = [f"{'ab'[row % 2]}/same.png" for row in range(8)]
    twins = replace(
        data,
        records=tuple(
            replace(record, name=name, path=Path("/d") / name) for record, name in zip(data, folders, strict=True)
        ),
    )
    with pytest.raises(InputError, match="8 images have the name"):
        find_image(twins, "same.png")


def test_old_selections_without_categories_of_images_are_explained(data: DetectionDataset, tmp_path: Path) -> None:
    file = choose(data).save(tmp_path / "s.json")
    content = json.loads(file.read_text())
    for key in ("category_codes", "steps"):
        del content[key]
    del content["provenance"]["duplicates"]
    file.write_text(json.dumps(content))
    found = explain(Selection.load(file), "7.png")
    assert found.kept and found.category is None and found.score_place == 2


def test_it_is_ready_for_json(data: DetectionDataset) -> None:
    content = json.loads(json.dumps(explain(choose(data), "4.png").to_dict()))
    assert content["score"] == "inf" and content["nearest_kept"]["image"] == "images/0.png"
