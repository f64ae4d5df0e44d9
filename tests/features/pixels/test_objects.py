"""The objects block end to end, on a backbone whose map is the picture itself."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
import pytest
import torch
from hand_made import dataset_of

from detreduce.arrays.object_table import ObjectTable
from detreduce.dataset import load_dataset
from detreduce.dataset.records import DetectionDataset, ImageRecord, Source
from detreduce.errors import InputError
from detreduce.features import Backbone, extract_features, register
from detreduce.features import backbones as registry
from detreduce.features.pixels.objects import PairedBoxes, objects_block
from detreduce.features.table import FeatureTable
from detreduce.images.decode import Preprocess

GREY = (114, 114, 114)
Boxes = Sequence[tuple[int, tuple[float, float, float, float]]]


class _Picture(torch.nn.Module):
    passes = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        type(self).passes += len(x)
        return x


@pytest.fixture(autouse=True)
def picture(tmp_path: Path) -> Iterator[None]:
    """``picture``: images are letterboxed to 64 pixels. The map is the input, so a vector is a mean colour."""
    weights = tmp_path / "none.bin"
    weights.write_bytes(b"0")

    class Picture(Backbone):
        family = "picture"
        default_imgsz = 64
        layers = "none"

        @property
        def preprocess(self) -> Preprocess:
            return Preprocess(self.imgsz, "letterbox", std=(1.0, 1.0, 1.0))

        @property
        def weights(self) -> Path:
            return weights

        def build(self) -> torch.nn.Module:
            return _Picture()

    class OneVector(Picture):
        family = "one-vector"
        has_map = False

    _Picture.passes = 0
    register(OneVector)
    yield register(Picture)
    del registry.REGISTRY["picture"], registry.REGISTRY["one-vector"]


def save(path: Path, height: int, width: int, patches: Sequence[tuple[tuple[int, int, int, int], object]]) -> Path:
    """Write a grey PNG with rectangles x1, y1, x2, y2, each in one RGB colour."""
    pixels = np.full((height, width, 3), GREY, np.uint8)
    for (x1, y1, x2, y2), colour in patches:
        pixels[y1:y2, x1:x2] = colour
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels[..., ::-1])
    return path


def dataset(
    paths: Sequence[Path], boxes: Sequence[Boxes], classes: int = 3, crowd: frozenset[tuple[int, int]] = frozenset()
) -> DetectionDataset:
    """Return a dataset. Boxes are (class, (x1, y1, x2, y2) in pixels), and `crowd` has (image, box) numbers."""
    records = []
    for row, (path, mine) in enumerate(zip(paths, boxes, strict=True)):
        image = cv2.imread(str(path))
        size = (None, None) if image is None else image.shape[1::-1]
        corners = np.array([box for _, box in mine], np.float64).reshape(-1, 4)
        kinds = np.array([kind for kind, _ in mine], np.int64)
        flags = np.array([(row, number) in crowd for number in range(len(mine))], bool)
        records.append(ImageRecord(path.name, path.name, path, corners, kinds, flags, *size))
    names = tuple("abcdefghij"[:classes])
    source = Source("voc", paths[0].parent, paths[0].parent)
    return DetectionDataset(tuple(records), names, names, "xyxy", "train", source)


def extract(data: DetectionDataset, cache: Path, **options: object) -> FeatureTable:
    options = {"blocks": ("image", "objects"), "precision": "float32", **options}
    return extract_features(data, "picture", cache=cache, **options)  # type: ignore[arg-type]


def vectors(table: FeatureTable) -> np.ndarray:
    assert table.objects is not None and table.objects.vectors is not None
    return table.objects.vectors


def pairs(table: FeatureTable) -> list[tuple[int, int, int]]:
    assert table.objects is not None
    return list(zip(*(a.tolist() for a in (table.objects.images, table.objects.classes, table.objects.counts))))  # noqa: B905


def colour(number: int) -> tuple[int, int, int]:
    return (10 * number) % 256, (200 - 10 * number) % 256, number


def scene(folder: Path, count: int = 12) -> tuple[list[Path], list[Boxes]]:
    """Images of many shapes. Each has one patch with its own colour and class, and a box inside the patch."""
    paths, boxes = [], []
    for i in range(count):
        height, width = [(64, 40), (40, 64), (64, 64), (100, 170), (300, 201)][i % 5]
        x, y = (5 * i) % (width // 2), (3 * i) % (height // 2)
        patch_ = (x, y, x + width // 3, y + height // 3)
        paths.append(save(folder / f"{i:02}.png", height, width, [(patch_, colour(i))]))
        margin = max(height, width) / 32
        boxes.append([(i % 3, (x + margin, y + margin, patch_[2] - margin, patch_[3] - margin))])
    return paths, boxes


def test_an_objects_vector_is_its_colour_wherever_it_lies(tmp_path: Path) -> None:
    paths, boxes = scene(tmp_path / "images")
    table = extract(dataset(paths, boxes), tmp_path / "cache", batch=4)
    assert pairs(table) == [(i, i % 3, 1) for i in range(12)]
    np.testing.assert_allclose(vectors(table), [colour(i) for i in range(12)], atol=1e-3)
    # with one class per image, the block is the vector
    np.testing.assert_array_equal(table.blocks["objects"], vectors(table))
    assert table.X.shape == (12, 6)


def test_rows_in_any_order_give_the_same_vectors(tmp_path: Path) -> None:
    paths, boxes = scene(tmp_path / "images")
    order = np.random.default_rng(0).permutation(12)
    one = extract(dataset(paths, boxes), tmp_path / "a", batch=5)
    other = extract(dataset([paths[i] for i in order], [boxes[i] for i in order]), tmp_path / "b", batch=2)
    np.testing.assert_array_equal(vectors(one)[order], vectors(other))
    np.testing.assert_array_equal(one.blocks["objects"][order], other.blocks["objects"])


def test_padding_changes_no_vector(tmp_path: Path) -> None:
    """The same picture: letterboxed by detreduce, letterboxed by hand, and cut so that no padding is needed."""
    content = np.random.default_rng(0).integers(0, 256, (40, 64, 3), dtype=np.uint8)
    files = {name: tmp_path / "images" / f"{name}.png" for name in ("padded", "square", "cut")}
    save(files["square"], 64, 64, [((0, 12, 64, 52), content)])
    save(files["padded"], 40, 64, [((0, 0, 64, 40), content)])
    save(files["cut"], 32, 64, [((0, 0, 64, 32), content[4:36])])
    box = np.array([10.3, 8.9, 41.7, 27.1])
    moved = [box + np.array([0, dy, 0, dy]) for dy in (0, 12, -4)]
    paths = [files[name] for name in ("padded", "square", "cut")]
    found = vectors(extract(dataset(paths, [[(0, tuple(b))] for b in moved]), tmp_path / "cache"))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-5)
    np.testing.assert_allclose(found[2], found[0], rtol=1e-5)


def test_a_ramp_through_letterbox_and_resize(tmp_path: Path) -> None:
    """Colour values grow with the position in the picture, so the vector of a box is the position of its centre."""
    paths, boxes, centres = [], [], []
    for number, (height, width) in enumerate([(200, 320), (320, 200), (96, 250), (250, 250)]):
        x, y = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
        pixels = np.zeros((height, width, 3), np.uint8)
        pixels[..., 0], pixels[..., 1] = (250 * x).round(), (250 * y).round()[:, None]
        path = save(tmp_path / "images" / f"{number}.png", height, width, [((0, 0, width, height), pixels)])
        for corners in ((0.1, 0.1, 0.3, 0.9), (0.5, 0.4, 0.9, 0.6), (0.62, 0.7, 0.62, 0.7)):
            paths.append(path)
            boxes.append([(0, tuple(np.multiply(corners, [width, height] * 2)))])
            centres.append((125 * (corners[0] + corners[2]), 125 * (corners[1] + corners[3])))
    found = vectors(extract(dataset(paths, boxes), tmp_path / "cache"))
    np.testing.assert_allclose(found[:, :2], centres, atol=1.0)


def test_means_of_classes_and_of_images(tmp_path: Path) -> None:
    """The first image has two boxes of a and one box of b. b has only one box in the dataset, so its weight is four
    times higher.
    """
    patches = [((0, 0, 10, 10), (40, 0, 0)), ((20, 0, 30, 10), (80, 0, 0)), ((0, 20, 10, 30), (0, 100, 0))]
    first = save(tmp_path / "images" / "0.png", 64, 64, patches)
    second = save(tmp_path / "images" / "1.png", 64, 64, patches)
    third = save(tmp_path / "images" / "2.png", 64, 64, [])
    inner = [(0, (2, 2, 8, 8)), (0, (22, 2, 28, 8)), (1, (2, 22, 8, 28))]
    data = dataset([first, second, third], [inner, inner[:2], []])
    table = extract(data, tmp_path / "cache", blocks=("objects", "annotations"))
    assert pairs(table) == [(0, 0, 2), (0, 1, 1), (1, 0, 2)]
    np.testing.assert_allclose(vectors(table), [[60, 0, 0], [0, 100, 0], [60, 0, 0]], atol=1e-4)
    rows = table.blocks["objects"]
    np.testing.assert_allclose(rows[0], [60 * 0.2, 100 * 0.8, 0], atol=1e-3)
    np.testing.assert_allclose(rows[1], [60, 0, 0], atol=1e-3)
    np.testing.assert_allclose(rows[2], (rows[0] + rows[1]) / 2, atol=1e-3)
    np.testing.assert_allclose(table.X[2, :3], 0, atol=1e-6)
    assert list(table.blocks) == ["objects", "annotations"]
    assert table.provenance["objects"]["pairs"] == 3 and "image" not in table.provenance
    assert table.objects is not None and table.objects.size_counts is not None
    np.testing.assert_array_equal(table.objects.size_counts.sum(axis=1), table.objects.counts)


def test_crowds_and_boxes_that_stick_out_or_have_no_area(tmp_path: Path) -> None:
    patches = [((0, 0, 20, 64), (200, 0, 0)), ((44, 0, 64, 64), (0, 200, 0))]
    path = save(tmp_path / "images" / "0.png", 64, 64, patches)
    mine: Boxes = [
        (0, (-500.0, 10.0, 10.0, 20.0)),  # partly outside the image: only the part inside counts
        (1, (30.0, 30.0, 30.0, 30.0)),  # a point on the grey
        (2, (90.0, 10.0, 95.0, 20.0)),  # completely outside: the nearest point of the border counts
        (3, (50.0, 5.0, 50.0, 60.0)),  # a line
        (4, (10.0, 10.0, 10.2, 10.1)),  # far below a pixel
        (5, (-1e300, -1e300, 1e300, 1e300)),  # more than everything
        (6, (2.0, 2.0, 4.0, 4.0)),  # a crowd region
    ]
    data = dataset([path], [mine], classes=8, crowd=frozenset({(0, 6)}))
    table = extract(data, tmp_path / "cache")
    assert [kind for _, kind, _ in pairs(table)] == [0, 1, 2, 3, 4, 5]
    middle = [(200 * 20) / 64 + 114 * 24 / 64, (200 * 20) / 64 + 114 * 24 / 64, 114 * 24 / 64]
    expected = [[200, 0, 0], GREY, [0, 200, 0], [0, 200, 0], [200, 0, 0], middle]
    np.testing.assert_allclose(vectors(table), expected, atol=1.0)


def test_thousands_of_boxes_in_an_image(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = save(tmp_path / "images" / "0.png", 64, 64, [((0, 0, 64, 64), pixels)])
    # one box per pixel, so that their mean is the mean of the image
    grid = [(0, (x, y, x + 1.0, y + 1.0)) for y in range(64) for x in range(64)]
    with patch("detreduce.features.pixels.roi_pooling.VALUES_AT_ONCE", 1000):
        table = extract(dataset([path], [grid]), tmp_path / "cache")
    assert pairs(table) == [(0, 0, 4096)]
    # the four points of a bin are a quarter of a pixel from the centre; outer points at the border stay in their pixel
    np.testing.assert_allclose(vectors(table), table.blocks["image"], atol=0.5)


def test_no_boxes_at_all(tmp_path: Path) -> None:
    paths, _ = scene(tmp_path / "images", 3)
    table = extract(dataset(paths, [[], [], []]), tmp_path / "cache")
    assert vectors(table).shape == (0, 3)
    assert table.blocks["objects"].shape == (3, 3) and not table.X[:, 3:].any()


def age(paths: list[Path]) -> None:
    # the memo of digests does not trust a file that changed within the last tick of the clock
    newest = max(path.stat().st_ctime for path in paths)
    time.sleep(max(0.0, newest + 0.06 - time.time()))


def counts(table: FeatureTable) -> dict[str, tuple[int, int]]:
    return {name: (table.provenance[name]["from_cache"], table.provenance[name]["embedded"]) for name in table.blocks}


def test_a_second_run_opens_no_image(tmp_path: Path) -> None:
    paths, boxes = scene(tmp_path / "images")
    age(paths)
    data = dataset(paths, boxes)
    first = extract(data, tmp_path / "cache")
    assert counts(first) == {"image": (0, 12), "objects": (0, 12)}
    assert first.provenance["image"]["passes"] == _Picture.passes == 12, "one pass serves both blocks"
    for path in paths:
        path.rename(path.with_suffix(".gone"))
        path.with_suffix(".gone").rename(path)  # ctime changes, so the file is read again
    with patch("detreduce.images.batches.decode_framed", side_effect=AssertionError("an image was decoded")):
        second = extract(data, tmp_path / "cache")
    assert counts(second) == {"image": (12, 0), "objects": (12, 0)}
    np.testing.assert_array_equal(second.X, first.X)


def test_changed_labels_touch_their_images_alone(tmp_path: Path) -> None:
    paths, boxes = scene(tmp_path / "images")
    first = extract(dataset(paths, boxes), tmp_path / "cache")
    boxes[4] = [(boxes[4][0][0], (1.0, 1.0, 9.0, 9.0)), (2, (5.0, 5.0, 9.0, 9.0))]
    table = extract(dataset(paths, boxes), tmp_path / "cache")
    assert counts(table) == {"image": (12, 0), "objects": (11, 2)}
    assert table.provenance["image"]["passes"] == 1
    np.testing.assert_array_equal(table.blocks["image"], first.blocks["image"])
    untouched = np.array([image != 4 for image, _, _ in pairs(table)])
    np.testing.assert_array_equal(vectors(table)[untouched], np.delete(vectors(first), 4, axis=0))
    fresh = extract(dataset(paths, boxes), tmp_path / "other")
    np.testing.assert_array_equal(vectors(table), vectors(fresh))


def test_other_numbers_for_the_classes_and_another_order_of_lines_cost_nothing(tmp_path: Path) -> None:
    path = save(tmp_path / "images" / "0.png", 64, 64, [((0, 0, 20, 20), (1, 2, 3))])
    mine: Boxes = [(0, (1.0, 1.0, 9.0, 9.0)), (0, (30.0, 30.0, 50.0, 60.0)), (1, (5.0, 5.0, 60.0, 9.0))]
    extract(dataset([path], [mine]), tmp_path / "cache")
    table = extract(dataset([path], [[(1 - kind, box) for kind, box in reversed(mine)]]), tmp_path / "cache")
    assert counts(table) == {"image": (1, 0), "objects": (2, 0)}
    assert pairs(table) == [(0, 0, 1), (0, 1, 2)]


def test_objects_are_added_to_kept_images_and_the_reverse(tmp_path: Path) -> None:
    paths, boxes = scene(tmp_path / "images")
    data = dataset(paths, boxes)
    alone = extract(data, tmp_path / "cache", blocks=("image",))
    assert alone.objects is None
    both = extract(data, tmp_path / "cache")
    assert counts(both) == {"image": (12, 0), "objects": (0, 12)}
    np.testing.assert_array_equal(both.blocks["image"], alone.blocks["image"])
    only = extract(data, tmp_path / "elsewhere", blocks=("objects",))
    assert list(only.blocks) == ["objects"]
    assert extract(data, tmp_path / "elsewhere", blocks=("image",)).provenance["image"]["passes"] == 0


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    paths, boxes = scene(tmp_path / "images", 60)
    data = dataset(paths, boxes)
    real = _Picture.forward

    def stop_after_40(module: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
        if _Picture.passes >= 40:
            raise KeyboardInterrupt
        return real(module, x)  # type: ignore[arg-type]

    with (
        patch.object(_Picture, "forward", stop_after_40),
        patch("detreduce.images.store.SHARD_ROWS", 8),
        # after a kill, nothing more is stored
        patch("detreduce.images.job.ImageJob.keep"),
        pytest.raises(KeyboardInterrupt),
    ):
        extract(data, tmp_path / "cache", batch=4, workers=1)
    done = _Picture.passes
    table = extract(data, tmp_path / "cache")
    kept = table.provenance["objects"]["from_cache"]
    assert 8 <= kept <= done < 60
    assert counts(table)["objects"] == (kept, 60 - kept)
    np.testing.assert_array_equal(vectors(table), vectors(extract(data, tmp_path / "fresh")))


def test_damaged_shards_of_objects_are_computed_again(tmp_path: Path) -> None:
    paths, boxes = scene(tmp_path / "images")
    data = dataset(paths, boxes)
    first = extract(data, tmp_path / "cache")
    for shard in Path(first.provenance["objects"]["store"]).glob("*.npz"):
        with np.load(shard) as content:
            numbers = content["vectors"].tobytes()
        shard.write_bytes(shard.read_bytes().replace(numbers, numbers[::-1]))
    second = extract(data, tmp_path / "cache")
    assert counts(second) == {"image": (12, 0), "objects": (0, 12)}
    np.testing.assert_array_equal(vectors(second), vectors(first))
    assert counts(extract(data, tmp_path / "cache"))["objects"] == (12, 0)


def test_skipped_images_are_missing_from_the_table_of_objects_too(tmp_path: Path) -> None:
    paths, boxes = scene(tmp_path / "images", 5)
    data = dataset(paths, boxes)
    paths[1].write_bytes(b"not an image")
    with pytest.warns(UserWarning, match=r"01\.png"):
        table = extract(data, tmp_path / "cache")
    assert table.rows.tolist() == [0, 2, 3, 4]
    assert pairs(table) == [(0, 0, 1), (1, 2, 1), (2, 0, 1), (3, 1, 1)]
    assert table.objects is not None and len(table.objects) == 4
    np.testing.assert_allclose(vectors(table)[:, 0], [0, 20, 30, 40], atol=1e-3)
    assert np.isfinite(table.X).all()


def test_boxes_of_an_image_without_a_size_are_reported(tmp_path: Path) -> None:
    paths, boxes = scene(tmp_path / "images", 3)
    data = dataset(paths, boxes)
    bare = tuple(
        ImageRecord(r.id, r.name, r.path, r.boxes, r.class_ids, r.crowd, *((None, None) if row == 1 else r.size))
        for row, r in enumerate(data)
    )
    data = DetectionDataset(bare, data.class_names, data.class_keys, "xyxy", "train", data.source)
    with (
        patch("detreduce.dataset.records.read_image_size", side_effect=OSError),
        pytest.warns(UserWarning, match=r"01\.png.*size"),
    ):
        table = extract(data, tmp_path / "cache")
    assert table.rows.tolist() == [0, 2] and np.isfinite(table.X).all()


def test_default_blocks_are_all_that_there_can_be(tmp_path: Path) -> None:
    paths, boxes = scene(tmp_path / "images", 3)
    np.save(tmp_path / "v.npy", np.eye(3))
    data, unlabelled = dataset(paths, boxes), dataset_of(paths, paths[0].parent, labelled=False)
    assert list(extract_features(data, "picture").blocks) == ["image", "objects", "annotations"]
    assert list(extract_features(data, "one-vector").blocks) == ["image", "annotations"]
    assert list(extract_features(data, f"file:{tmp_path}/v.npy").blocks) == ["image", "annotations"]
    assert list(extract_features(unlabelled, "picture").blocks) == ["image"]


@pytest.mark.parametrize(
    ("backbone", "labelled", "message"),
    [
        (
            "file:v.npy",
            True,
            r"'objects'.*file:v\.npy.*: image, annotations, dynamics, gradients\.",
        ),
        ("one-vector", True, "'objects'.*one-vector"),
        ("picture", False, r"'objects'.*: image\."),
    ],
)
def test_blocks_that_cannot_be_are_refused_at_once(tmp_path: Path, backbone: str, labelled: bool, message: str) -> None:
    data = dataset_of([tmp_path / "not-there.png"], tmp_path, labelled=labelled)
    with pytest.raises(InputError, match=message):
        extract_features(data, backbone, ("image", "objects"))


def test_features_of_boxes_that_are_not_finite_are_an_error(tmp_path: Path) -> None:
    paths, boxes = scene(tmp_path / "images", 3)
    with (
        patch("detreduce.features.pixels.embedding.pool_boxes", lambda maps, boxes: np.full((len(maps), 3), np.nan)),
        pytest.raises(InputError, match=r"not finite for .*0\d\.png"),
    ):
        extract(dataset(paths, boxes), tmp_path / "cache")


def test_pairs_are_those_of_the_object_table() -> None:
    rng = np.random.default_rng(0)
    boxes = [[(int(rng.integers(4)), tuple(rng.uniform(-5, 90, 4))) for _ in range(rng.integers(6))] for _ in range(9)]
    data = dataset([Path(f"{i}.png") for i in range(9)], boxes, classes=4)  # type: ignore[arg-type]
    with patch("detreduce.dataset.records.read_image_size", return_value=(64, 64)):
        paired = PairedBoxes.of(data)
    expected = ObjectTable.from_boxes(data.box_rows, data.box_classes, 9, 4)
    assert [len(paired.pairs(row)) for row in range(9)] == np.bincount(expected.images, minlength=9).tolist()
    assert np.diff(paired.box_starts).tolist() == expected.counts.tolist()
    assert paired.corners.min() >= 0 and paired.corners.max() <= 1


def test_an_images_row_is_a_mean_whatever_the_order() -> None:
    rng = np.random.default_rng(3)
    images, classes = rng.integers(0, 20, 300), rng.integers(0, 5, 300)
    values = rng.normal(size=(300, 7)).astype(np.float32)
    table = ObjectTable.from_boxes(images, classes, 22, 5, vectors=values)
    block = objects_block(table)
    boxes_of = np.bincount(classes, minlength=5)
    for row in range(20):
        mine = [values[(images == row) & (classes == c)].mean(axis=0) for c in np.unique(classes[images == row])]
        weights = [1 / boxes_of[c] for c in np.unique(classes[images == row])]
        np.testing.assert_allclose(block[row], np.average(mine, axis=0, weights=weights), atol=1e-5)
    np.testing.assert_allclose(block[20:], np.tile(block[:20].mean(axis=0), (2, 1)), atol=1e-5)
    order = rng.permutation(22)
    np.testing.assert_allclose(objects_block(table.take(order)), block[order], atol=1e-6)


@pytest.mark.shared
def test_objects_of_a_class_are_each_others_neighbours(shared: Path, tmp_path: Path) -> None:
    """Aquarium: the nearest vector of another image has the same class far more often than by chance."""
    data = load_dataset(shared / "data" / "aquarium" / "data.yaml", split="val")
    table = extract_features(
        data, f"yolo:{shared}/weights/yolov8n.pt", ("objects",), imgsz=320, precision="float32", cache=tmp_path
    )
    assert table.objects is not None and table.objects.vectors is not None
    np.testing.assert_array_equal(
        np.bincount(table.objects.classes, table.objects.counts, minlength=7), data.class_counts.sum(axis=0)
    )
    values = table.objects.vectors - table.objects.vectors.mean(axis=0)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    alike = values @ values.T
    alike[table.objects.images[:, None] == table.objects.images] = -np.inf
    kinds = table.objects.classes
    right = kinds[alike.argmax(axis=1)] == kinds
    balanced = np.mean([right[kinds == c].mean() for c in range(7)])
    by_chance = np.mean(kinds[np.random.default_rng(0).permutation(len(kinds))] == kinds)
    assert balanced > 0.6 and by_chance < 0.35, (balanced, by_chance)
