"""The embedded demo dataset: the same on every machine, correct boxes, splits without common images, a complete
cache.
"""

from __future__ import annotations

import hashlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from detreduce.dataset import demo, load_dataset, load_split
from detreduce.dataset.demo import demo_data_yaml, make_demo
from detreduce.dataset.suggested_command import inspect_command
from detreduce.errors import InputError

SMALL = {"scenes": 12, "size": 48, "digits": 3, "seed": 5}


def digest(root: Path) -> str:
    """Return one hash of all label bytes and pixels, in the order of file names. The PNG encoder does not matter."""
    total = hashlib.sha256()
    for file in sorted(root.rglob("*.*")):
        total.update(file.relative_to(root).as_posix().encode())
        if file.suffix == ".png":
            with Image.open(file) as image:
                total.update(np.asarray(image).tobytes())
        elif file.suffix == ".txt":
            total.update(file.read_bytes())
    return total.hexdigest()


def labels(root: Path, split: str) -> dict[str, np.ndarray]:
    """File stem -> (m, 5) class, centre, size."""
    files = sorted((root / "labels" / split).glob("*.txt"))
    return {
        file.stem: np.array([line.split() for line in file.read_text().splitlines()], float).reshape(-1, 5)
        for file in files
    }


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_demo(tmp_path_factory.mktemp("demo") / "many", scenes=160, size=32).parent


def test_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = (make_demo(tmp_path / name, **SMALL).parent for name in ("a", "b"))
    assert digest(first) == digest(second)
    assert (first / "data.yaml").read_bytes() == (second / "data.yaml").read_bytes()
    assert digest(first) != digest(make_demo(tmp_path / "c", **{**SMALL, "seed": 6}).parent)


def test_pixels_and_labels_are_those_of_this_version(tmp_path: Path) -> None:
    # if this hash changes on purpose, increase demo.VERSION, which is part of the key of cached datasets
    assert (demo.VERSION, digest(make_demo(tmp_path / "demo", **SMALL).parent)[:16]) == (4, "ee83c09e8a7cfa88")


def test_every_box_is_tight_around_the_ink() -> None:
    size, reach = 64, 2
    for number, ink in enumerate(demo._load_digits(8, 0)["train"][7][:20]):
        draw = demo._Draw(1, number)
        world = np.full((size + 2 * reach, size + 2 * reach, 3), 120.0)
        spot = demo.Placed(7, 5 + number % 20, 15, 28, 40)
        demo._paint_digit(draw, world, ink, spot)
        for frame in demo._film(demo._Scene(world, (spot,), size, reach, draw), 3):
            view = frame.pixels.astype(float)
            rows, columns = np.nonzero(np.abs(view - np.median(view)).max(axis=2) > 30)
            class_id, *box = (float(value) for value in frame.labels[0].split())
            x1, y1 = (np.array(box[:2]) - np.array(box[2:]) / 2) * size
            x2, y2 = (np.array(box[:2]) + np.array(box[2:]) / 2) * size
            # edges of thin strokes fade: about a cell of the 8x8 digit (5 pixels) may look empty
            assert class_id == 7
            assert -0.5 < columns.min() - x1 < 5 and -0.5 < x2 - columns.max() - 1 < 5
            assert -0.5 < rows.min() - y1 < 5 and -0.5 < y2 - rows.max() - 1 < 5


def test_labels_follow_the_trembling_camera(many: Path) -> None:
    moved = 0
    for frames in clips(many).values():
        whole = [boxes for boxes in frames if len(boxes) and inside(boxes).all()]
        for before, after in pairwise(whole):
            step = after - before
            np.testing.assert_allclose(step, np.broadcast_to(step[0], step.shape), atol=2e-6)
            np.testing.assert_allclose(step[:, [0, 3, 4]], 0, atol=2e-6)
            # one pixel of 32 to each side
            assert np.abs(step[:, 1:3]).max() < 2.01 / 32
            moved += bool(np.abs(step[:, 1:3]).max() > 0.02)
    assert moved > 30


def clips(root: Path) -> dict[str, list[np.ndarray]]:
    """Scene -> the boxes of its frames in train."""
    found: dict[str, list[np.ndarray]] = {}
    for stem, boxes in labels(root, "train").items():
        found.setdefault(stem.split("_")[0], []).append(boxes)
    return found


def inside(boxes: np.ndarray) -> np.ndarray:
    half = boxes[:, 3:] / 2
    return ((boxes[:, 1:3] - half > 1e-3) & (boxes[:, 1:3] + half < 1 - 1e-3)).all(axis=1)


def test_a_few_clips_have_most_frames_and_each_test_scene_has_one(many: Path, tmp_path: Path) -> None:
    lengths = sorted((len(frames) for frames in clips(many).values()), reverse=True)
    # half of 96 scenes, divided by 1, 2, 3, ...
    assert lengths[:6] == [48, 24, 16, 12, 10, 8] and lengths[32:] == [1] * 64
    assert sum(lengths[:10]) > 0.5 * sum(lengths)
    for split in ("val", "test"):
        assert len({stem.split("_")[0] for stem in labels(many, split)}) == len(labels(many, split)) == 32
    steep = make_demo(tmp_path / "steep", scenes=160, size=32, longest_clip=1, clip_decay=2)
    assert sorted((len(frames) for frames in clips(steep.parent).values()), reverse=True)[:5] == [96, 24, 11, 6, 4]
    # the longest clip is neither the first nor the last clip
    order = [len(frames) for _, frames in sorted(clips(many).items())]
    assert order != lengths and order != lengths[::-1]


def test_frames_of_a_scene_are_near_duplicates_and_scenes_are_not(tmp_path: Path) -> None:
    from detreduce.dataset.load import load_dataset
    from detreduce.duplicates import near_duplicates

    dataset = load_dataset(make_demo(tmp_path / "demo", scenes=30, size=128))
    found = near_duplicates(dataset)
    scene = {record.id: record.name.split("_")[0] for record in dataset}
    assert all(scene[pair.copy] == scene[pair.kept] for pair in found.pairs)
    assert len(dataset) - len(found.pairs) == len(set(scene.values())) == 18


def test_splits_share_neither_scenes_nor_handwriting(many: Path) -> None:
    scenes = {split: {stem.split("_")[0] for stem in labels(many, split)} for split in demo.SPLITS}
    assert {split: len(names) for split, names in scenes.items()} == {"train": 96, "val": 32, "test": 32}
    assert not scenes["train"] & scenes["val"] and not (scenes["train"] | scenes["val"]) & scenes["test"]
    samples = demo._load_digits(10, 0)
    seen = [{ink.tobytes() for digit in samples[split] for ink in digit} for split in demo.SPLITS]
    assert all(seen) and not seen[0] & seen[1] and not (seen[0] | seen[1]) & seen[2]


def test_some_digits_are_rare_and_some_images_are_background(many: Path) -> None:
    boxes = labels(many, "train")
    # counted in scenes, because a rare digit in a long clip has many boxes
    scenes = np.concatenate([frames[0][:, 0] for frames in clips(many).values()])
    counts = np.bincount(scenes.astype(int), minlength=5)
    assert counts.min() > 0 and counts[0] > 4 * counts[4]
    assert 0 < sum(len(rows) == 0 for rows in boxes.values()) < 0.2 * len(boxes)
    assert {len(list((many / "images" / split).iterdir())) for split in demo.SPLITS} == {
        len(labels(many, split)) for split in demo.SPLITS
    }


def test_labels_are_valid_and_digits_of_one_scene_barely_overlap(many: Path) -> None:
    for split in demo.SPLITS:
        for rows in labels(many, split).values():
            corners = np.hstack([rows[:, 1:3] - rows[:, 3:] / 2, rows[:, 1:3] + rows[:, 3:] / 2])
            assert (rows[:, 0] < 5).all() and (rows[:, 3:] > 0).all()
            assert (corners > -1e-6).all() and (corners < 1 + 1e-6).all()
    first, other = demo.Placed(0, 0, 0, 10, 10), demo.Placed(0, 8, 5, 10, 20)
    assert demo._measure_overlap(first, other) == pytest.approx(2 * 5 / 100)
    assert demo._measure_overlap(first, demo.Placed(0, 10, 0, 5, 5)) == 0


def test_it_loads_without_problems(many: Path) -> None:
    from detreduce.dataset.load import load_dataset

    for split in demo.SPLITS:
        dataset = load_dataset(many / "data.yaml", split)
        assert len(dataset) == len(labels(many, split)) and not dataset.problems
        assert dataset.class_names == ("zero", "one", "two", "three", "four")


def test_cached_under_its_parameters(tmp_path: Path) -> None:
    made = demo_data_yaml(SMALL, cache=tmp_path)
    # pages show the name of the folder
    assert made.parent.name == "demo"
    before = made.stat().st_mtime_ns
    assert demo_data_yaml(dict(reversed(SMALL.items())), cache=tmp_path) == made
    assert made.stat().st_mtime_ns == before
    assert demo_data_yaml({**SMALL, "objects": 2}, cache=tmp_path) != made
    assert yaml.safe_load(made.read_text())["names"] == {0: "zero", 1: "one", 2: "two"}


def test_cached_in_the_cache_folder_by_default() -> None:
    from detreduce.machine.cache_folder import cache_folder

    assert cache_folder() in demo_data_yaml(SMALL).parents


def test_a_killed_run_leaves_no_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "_make_scene", killed)
    with pytest.raises(KeyboardInterrupt):
        demo_data_yaml(SMALL, cache=tmp_path)
    assert not list(tmp_path.iterdir())
    monkeypatch.undo()
    assert demo_data_yaml(SMALL, cache=tmp_path).is_file()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        make_demo(tmp_path, **SMALL)
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]
    (tmp_path / "empty").mkdir()
    assert make_demo(tmp_path / "empty", **SMALL).is_file()


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"scene": 10}, "'scene'.*'scenes'"),
        ({"scenes": 3}, "scenes.*3"),
        ({"scenes": 10.0}, "scenes.*10.0"),
        ({"digits": 11}, "digits.*11"),
        ({"longest_clip": 0}, "longest_clip.*0"),
        ({"longest_clip": True}, "longest_clip.*True"),
        ({"clip_decay": float("nan")}, "clip_decay.*nan"),
        ({"digits": True}, "digits.*True"),
        ({"size": "big"}, "size.*'big'"),
        ({"background": 1.0}, "background.*1.0"),
        ({"background": float("nan")}, "background.*nan"),
        ({"seed": -1}, "seed.*-1"),
    ],
)
def test_parameters_out_of_range_are_named(parameters: dict[str, object], words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        demo_data_yaml(parameters, cache=tmp_path)
    assert not list(tmp_path.iterdir())


def test_commands_name_the_yaml_of_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DETREDUCE_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "small.yaml"
    file.write_text(yaml.safe_dump({"format": "demo", "make": SMALL}))
    train = load_dataset(file)
    for dataset in (train, load_split(train.source, "val")):
        assert dataset.source.path != dataset.source.typed == file
    assert inspect_command(train) == f"detreduce inspect {file} --all"
