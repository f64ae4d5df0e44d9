from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from pictures import folder_of, photographs, save, yolo_of
from PIL import Image

from detreduce.dataset import DetectionDataset, load_dataset
from detreduce.duplicates import exact_duplicates, near_duplicates
from detreduce.duplicates.pixels.matching import CANDIDATE, FeatureComparison, star_groups
from detreduce.duplicates.search import largest_boxes
from detreduce.errors import InputError
from detreduce.features.table import FeatureTable

BENCHMARK = Path(__file__).resolve().parents[2] / "scripts" / "benchmarks" / "duplicates.py"


def names(found: object) -> list[set[str]]:
    return [{str(image).removesuffix(".png") for image in group} for group in found.groups]  # type: ignore[attr-defined]


def test_exact_duplicates_are_those_of_equal_pixels(tmp_path: Path) -> None:
    one, two, *_ = photographs()
    dataset = folder_of(tmp_path, a=one, b=two, c=one)
    save(tmp_path / "d.bmp", one)
    save(tmp_path / "e.jpg", one)  # slightly different pixels
    found = exact_duplicates(load_dataset(tmp_path))
    assert [set(group) for group in found.groups] == [{"a.png", "c.png", "d.bmp"}]
    assert all(pair.exact and pair.similarity == 1 for pair in found.pairs)
    assert len(found.redundant) == 2 and found.groups[0][0] not in found.redundant
    assert exact_duplicates(dataset).images == 3


def test_every_way_of_changing_a_picture_is_found(tmp_path: Path) -> None:
    one, two, three, *_ = photographs()
    bright = np.clip(one * 1.2, 0, 255).astype(np.uint8)
    half = cv2.resize(one, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    dataset = folder_of(tmp_path, a=one, b=two, c=three, bright=bright, half=half, crop=one[:203, 10:], turn=one[::-1])
    save(tmp_path / "saved.jpg", one, quality=50)
    found = near_duplicates(load_dataset(tmp_path))
    assert names(found) == [{"a", "bright", "half", "crop", "turn", "saved.jpg"}]
    assert not any(pair.exact for pair in found.pairs)
    assert near_duplicates(dataset).images == 7


def test_the_transformation_is_what_was_done_to_the_kept_image(tmp_path: Path) -> None:
    image = photographs()[2]
    # the largest image is kept, because the other images were made from it
    large = cv2.resize(image, None, fx=1.5, fy=1.5)
    dataset = folder_of(tmp_path, a=large, left=np.rot90(image, 1), mirror=image[:, ::-1], right=np.rot90(image, -1))
    found = near_duplicates(dataset)
    assert {pair.kept for pair in found.pairs} == {"a.png"}
    assert {str(pair.copy): pair.transformation for pair in found.pairs} == {
        "left.png": "turned by 90 degrees counter-clockwise",
        "right.png": "turned by 90 degrees clockwise",
        "mirror.png": "mirrored",
    }


def test_kept_is_the_image_of_most_boxes_then_most_pixels(tmp_path: Path) -> None:
    one, two, *_ = photographs()
    half = cv2.resize(two, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    data = yolo_of(tmp_path, {"b": 3}, train={"a": one, "b": one[:, ::-1], "c": half, "d": two})
    found = near_duplicates(load_dataset(data))
    assert [group[0].split("/")[-1] for group in found.groups] == ["b.png", "d.png"]
    assert {pair.copy.split("/")[-1] for pair in found.pairs} == {"a.png", "c.png"}


def test_the_draw_among_equals_is_seeded_and_not_by_row_order(tmp_path: Path) -> None:
    one, *_ = photographs()
    dataset = folder_of(tmp_path, **{f"n{number}": one for number in range(8)})
    reversed_rows = replace(dataset, records=dataset.records[::-1])
    kept = [near_duplicates(dataset, seed=seed).groups[0][0] for seed in range(12)]
    assert kept == [near_duplicates(reversed_rows, seed=seed).groups[0][0] for seed in range(12)]
    assert len(set(kept)) > 2


def test_rows_permuted_give_the_same_groups(tmp_path: Path) -> None:
    pictures = photographs()
    images = {f"p{n:02}": image for n, image in enumerate(pictures)}
    images |= {f"q{n:02}": np.rot90(image) for n, image in enumerate(pictures[:5])}
    dataset = folder_of(tmp_path, **images)
    shuffled = replace(dataset, records=tuple(np.random.default_rng(3).permutation(np.array(dataset.records, object))))
    found = near_duplicates(dataset)
    assert len(found) == 5
    assert {frozenset(group) for group in found.groups} == {frozenset(g) for g in near_duplicates(shuffled).groups}
    assert set(found.redundant) == set(near_duplicates(shuffled).redundant)


def test_preferred_images_are_kept_and_never_redundant(tmp_path: Path) -> None:
    one, two, *_ = photographs()
    dataset = folder_of(tmp_path, a=one, b=one[::-1], c=one[:, ::-1], d=two, e=one)
    found = near_duplicates(dataset, prefer=["b.png", "c.png"])
    assert set(found.redundant) == {"a.png", "e.png"}
    assert all(group[0] in ("b.png", "c.png") for group in found.groups)
    assert set(near_duplicates(dataset, prefer=["e.png"]).redundant) == {"a.png", "b.png", "c.png"}
    assert set(exact_duplicates(dataset, prefer=["a.png", "e.png"]).redundant) == set()


def test_unreadable_images_are_listed_and_compared_with_none(tmp_path: Path) -> None:
    one, *_ = photographs()
    folder_of(tmp_path, a=one, b=one)
    for name in ("x.png", "y.png"):
        (tmp_path / name).write_bytes(b"\x89PNG\r\n\x1a\n broken")
    found = near_duplicates(load_dataset(tmp_path))
    assert names(found) == [{"a", "b"}] and found.images == 2
    assert [problem.file.name for problem in found.problems] == ["x.png", "y.png"]


def test_plain_pictures_are_duplicates_only_where_they_are_equal(tmp_path: Path) -> None:
    grey = {f"g{value}": np.full((40, 50, 3), value, np.uint8) for value in (0, 90, 91, 255)}
    dataset = folder_of(tmp_path, **grey, again=grey["g90"])
    assert names(near_duplicates(dataset)) == [{"g90", "again"}]


def test_an_empty_and_a_single_image_dataset_have_no_duplicates(tmp_path: Path) -> None:
    dataset = folder_of(tmp_path, a=photographs()[0])
    assert near_duplicates(dataset).groups == ()
    assert near_duplicates(replace(dataset, records=())).groups == ()
    assert exact_duplicates(replace(dataset, records=())).pairs == ()


def table_of(dataset: DetectionDataset, X: list[list[float]]) -> FeatureTable:
    return FeatureTable(dataset, np.arange(len(X)), {"image": np.array(X, np.float32)})


def test_by_features_the_cosine_decides_and_no_image_is_opened(tmp_path: Path) -> None:
    one, two, three, *_ = photographs()
    dataset = folder_of(tmp_path, a=one, b=two, c=three, d=one)
    for file in tmp_path.glob("*.png"):
        file.unlink()
    # relative to the mean 0, a and b have one direction, and c and d the opposite direction
    table = table_of(dataset, [[1, 0], [2, 0.1], [-1, 0], [-2, -0.1]])
    assert names(near_duplicates(table, by="features", threshold=0.99)) == [{"a", "b"}, {"c", "d"}]
    assert near_duplicates(table, by="features", threshold=1.0).groups == ()


def test_stars_not_chains() -> None:
    """Points 10 degrees apart on a circle: with a limit of 15 degrees, each point joins a neighbour, and no group has
    more than three points.
    """
    angles = np.deg2rad(np.arange(0, 100, 10))
    comparison = FeatureComparison(np.column_stack([np.cos(angles), np.sin(angles)]), np.cos(np.deg2rad(15)))
    matches = star_groups(comparison, np.arange(10), float(np.cos(np.deg2rad(15))))
    assert [(match.member, match.leader) for match in matches] == [(1, 0), (3, 2), (5, 4), (7, 6), (9, 8)]


def test_images_that_must_lead_are_leaders_of_others() -> None:
    """Of three points 10 degrees apart, the first two are leaders. The third is similar only to the second."""
    angles = np.deg2rad([0, 10, 20])
    comparison = FeatureComparison(np.column_stack([np.cos(angles), np.sin(angles)]), np.cos(np.deg2rad(15)))
    threshold = float(np.cos(np.deg2rad(15)))
    led = star_groups(comparison, np.arange(3), threshold, always_lead={0, 1})
    assert [(match.member, match.leader) for match in led] == [(2, 1)]


def test_equal_rows_of_features_are_within_any_threshold() -> None:
    rows = np.random.default_rng(0).normal(size=(3, 700))
    comparison = FeatureComparison(np.repeat(rows, 100, axis=0), 1.0)
    assert len(star_groups(comparison, np.arange(300), 1.0)) == 297


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 1.2}, "threshold=1.2"),
        ({"threshold": 0.1}, "threshold=0.1"),
        ({"threshold": True}, "threshold=True"),
        ({"by": "pixel"}, "Did you mean 'pixels'"),
        ({"by": "features"}, "by='features'"),
    ],
)
def test_bad_options_are_refused_before_an_image_is_read(tmp_path: Path, options: dict, message: str) -> None:
    dataset = folder_of(tmp_path, a=photographs()[0])
    (tmp_path / "a.png").unlink()
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        near_duplicates(dataset, **options)


def test_a_lower_threshold_finds_another_frame_of_the_same_scene(tmp_path: Path) -> None:
    two, other = photographs()[9:11]
    moved = two.copy()
    for y, x in ((30, 30), (90, 120), (150, 40)):
        moved[y : y + 25, x : x + 25] = other[y : y + 25, x : x + 25]
    dataset = folder_of(tmp_path, a=two, b=moved)
    assert names(near_duplicates(dataset, threshold=0.5)) == [{"a", "b"}]
    assert near_duplicates(dataset).groups == ()


def test_results_are_ready_for_json(tmp_path: Path) -> None:
    import json

    one, *_ = photographs()
    Image.fromarray(one).save(tmp_path / "z.gif")
    found = near_duplicates(folder_of(tmp_path, a=one, b=one[::-1]))
    content = json.loads(json.dumps(found.to_dict()))
    assert content["redundant"] == 1 and content["exact"] == 0
    assert content["pairs"][0]["transformation"] == "mirrored top to bottom"
    assert 0.4 < CANDIDATE < 0.85


def test_by_boxes_an_object_is_found_turned_in_its_box_or_before_another_background(tmp_path: Path) -> None:
    one, two, three, four, *_ = photographs()
    small = cv2.resize(four, (120, 120))

    def put(background: np.ndarray, thing: np.ndarray) -> np.ndarray:
        image = background.copy()
        image[40:160, 30:150] = thing
        return image

    images = {"a": put(one, small), "b": put(one, np.rot90(small)), "c": put(two, small), "d": three, "e": one}
    data = yolo_of(tmp_path, {}, train=images)
    for name in images:
        box = "0 0.4225 0.4695 0.5634 0.5634\n" if name in "abc" else "0 0.5 0.5 0.9 0.9\n"
        (tmp_path / "train" / "labels" / f"{name}.txt").write_text(box + "0 0.1 0.1 0.05 0.05\n")
    dataset = load_dataset(data)
    found = near_duplicates(dataset, by="boxes")
    assert [{Path(image).stem for image in group} for group in found.groups] == [{"a", "b", "c"}]
    assert not any({Path(image).stem for image in group} >= {"a", "c"} for group in near_duplicates(dataset).groups)


def test_by_boxes_images_without_a_large_box_are_like_none(tmp_path: Path) -> None:
    one, *_ = photographs()
    images = {"none": one, "tiny": one, "mirrored": one[:, ::-1], "large": one}
    data = yolo_of(tmp_path, {"none": 0}, train=images)
    for name in ("tiny", "mirrored"):
        (tmp_path / "train" / "labels" / f"{name}.txt").write_text("0 0.5 0.5 0.1 0.5\n")
    found = near_duplicates(load_dataset(data), by="boxes")
    assert (found.groups, found.images, found.problems) == ((), 1, ())


def test_the_largest_box_is_taken_within_the_image_and_no_crowd(tmp_path: Path) -> None:
    dataset = load_dataset(yolo_of(tmp_path, {}, train={"a": photographs()[0]}))
    boxes = np.array([[0.5, 0.5, 0.4, 0.4], [0.0, 0.0, 0.9, 0.9], [0.5, 0.5, 1.0, 1.0]])
    crowd = np.array([False, False, True])
    record = replace(dataset[0], boxes=boxes, class_ids=np.zeros(3, np.int64), crowd=crowd)
    [found] = largest_boxes(replace(dataset, records=(record,)), np.array([0]))
    # a quarter of the second box is inside the image: 0.45 x 0.45 is more than 0.4 x 0.4
    np.testing.assert_allclose(found, [-0.45, -0.45, 0.45, 0.45])


@pytest.mark.shared
def test_planted_duplicates_of_real_photographs(shared: Path, tmp_path: Path) -> None:
    """The benchmark on a small sample: every kind of change is found, and no wrong pair."""
    specification = importlib.util.spec_from_file_location("benchmark_duplicates", BENCHMARK)
    assert specification is not None and specification.loader is not None
    benchmark = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = benchmark
    specification.loader.exec_module(benchmark)
    result = benchmark.measure(benchmark.sample(20), 0.85, tmp_path)
    assert result["precision"] == 1.0
    assert result["overall recall"] > 0.97
    assert min(result["recall"].values()) >= 0.85


@pytest.mark.shared
def test_what_is_known_of_the_wheelchair_set(shared: Path) -> None:
    """26 pairs of identical files, all in train."""
    exact = exact_duplicates(load_dataset(shared / "data" / "wheelchair", "train"))
    assert len(exact) == 26 and all(len(group) == 2 for group in exact.groups)
