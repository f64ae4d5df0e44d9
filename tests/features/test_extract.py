"""extract_features end to end on small images: rows, blocks, the store, and bad input."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
import pytest
import torch
from hand_made import dataset_of

from detreduce.dataset.records import DetectionDataset, ImageRecord, Source
from detreduce.errors import ImageReadError, InputError, MissingFileError
from detreduce.features import Backbone, extract_features, register
from detreduce.features import backbones as registry
from detreduce.features.table import FeatureTable
from detreduce.images.decode import Preprocess


class _MeanColour(torch.nn.Module):
    passes = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        type(self).passes += len(x)
        return torch.nn.functional.avg_pool2d(x, 32)


@pytest.fixture(autouse=True)
def mean_colour(tmp_path: Path) -> Iterator[type[Backbone]]:
    """A backbone whose features are the mean colour: known results, and no real weights."""
    weights = tmp_path / "none.bin"
    weights.write_bytes(b"0")

    class MeanColour(Backbone):
        family = "mean-colour"
        default_imgsz = 64
        layers = "all"

        @property
        def preprocess(self) -> Preprocess:
            return Preprocess(self.imgsz, "stretch", std=(1.0, 1.0, 1.0))

        @property
        def weights(self) -> Path:
            return weights

        def build(self) -> torch.nn.Module:
            return _MeanColour()

    _MeanColour.passes = 0
    yield register(MeanColour)
    del registry.REGISTRY["mean-colour"]


def colours(folder: Path, count: int) -> list[Path]:
    """PNGs of one colour each, of many shapes, written and listed in different orders."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{i:03}.png" for i in range(count)]
    for i in reversed(range(count)):
        pixels = np.empty((20 + 7 * (i % 5), 30 + 5 * (i % 7), 3), np.uint8)
        pixels[:] = (i, 255 - i, (7 * i) % 256)
        cv2.imwrite(str(paths[i]), pixels)
    return paths


def embed(paths: list[Path], cache: Path, **options: object) -> FeatureTable:
    options = {"backbone": "mean-colour", "blocks": ("image",), "precision": "float32", **options}
    return extract_features(dataset_of(paths, paths[0].parent), cache=cache, **options)  # type: ignore[arg-type]


def rgb(table: FeatureTable) -> list[list[int]]:
    return table.blocks["image"].round().astype(int).tolist()


@pytest.mark.parametrize(("batch", "workers"), [(1, 1), (3, 4), (64, 2), (None, None)])
def test_rows_are_never_mixed_up(tmp_path: Path, batch: int | None, workers: int | None) -> None:
    paths = colours(tmp_path / "images", 150)
    shuffled = [paths[i] for i in np.random.default_rng(0).permutation(150)]
    table = embed(shuffled, tmp_path / "cache", batch=batch, workers=workers)
    expected = [[(7 * i) % 256, 255 - i, i] for i in (int(path.stem) for path in shuffled)]
    assert rgb(table) == expected
    again = embed(shuffled[::-1], tmp_path / "cache", batch=batch, workers=workers)
    assert rgb(again) == expected[::-1]


def test_second_run_opens_no_image(tmp_path: Path) -> None:
    paths = colours(tmp_path / "images", 40)
    _age(paths)
    first = embed(paths, tmp_path / "cache")
    assert first.provenance["image"]["embedded"] == 40
    with patch.object(Path, "read_bytes", side_effect=_refuse_images(Path.read_bytes), autospec=True):
        second = embed(paths, tmp_path / "cache")
    assert second.provenance["image"]["from_cache"] == 40
    assert _MeanColour.passes == 40
    np.testing.assert_array_equal(second.X, first.X)


def _age(paths: list[Path]) -> None:
    # the memo of digests does not trust a file that changed within the last tick of the clock, so wait
    import time

    newest = max(path.stat().st_ctime for path in paths)
    time.sleep(max(0.0, newest + 0.06 - time.time()))


def _refuse_images(original):  # type: ignore[no-untyped-def]
    def read(path: Path) -> bytes:
        assert path.suffix != ".png", f"{path} was opened"
        return original(path)

    return read


def test_changed_content_is_seen_also_behind_an_old_timestamp(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.bmp" for i in range(3)]
    for i, path in enumerate(paths):
        cv2.imwrite(str(path), np.full((40, 40, 3), 10 * i, np.uint8))
    _age(paths)
    embed(paths, tmp_path / "cache")
    before = paths[0].stat()
    paths[0].write_bytes(paths[2].read_bytes())
    os.utime(paths[0], ns=(before.st_atime_ns, before.st_mtime_ns))
    assert paths[0].stat().st_size == before.st_size
    table = embed(paths, tmp_path / "cache")
    assert rgb(table)[0] == rgb(table)[2] == [20, 20, 20]
    assert table.provenance["image"]["from_cache"] == 3


def test_subset_superset_and_copies_share_rows(tmp_path: Path) -> None:
    paths = colours(tmp_path / "images", 30)
    embed(paths[:20], tmp_path / "cache")
    assert embed(paths[5:25], tmp_path / "cache").provenance["image"]["embedded"] == 5
    copies = colours(tmp_path / "elsewhere", 30)
    table = embed(copies, tmp_path / "cache")
    assert (table.provenance["image"]["from_cache"], table.provenance["image"]["embedded"]) == (25, 5)
    assert rgb(table) == [[(7 * i) % 256, 255 - i, i] for i in range(30)]


def test_other_preprocessing_precision_or_weights_share_nothing(tmp_path: Path) -> None:
    paths = colours(tmp_path / "images", 3)
    embed(paths, tmp_path / "cache")
    assert embed(paths, tmp_path / "cache", imgsz=96).provenance["image"]["embedded"] == 3
    assert embed(paths, tmp_path / "cache", precision="bfloat16").provenance["image"]["embedded"] == 3
    (tmp_path / "none.bin").write_bytes(b"1")
    assert embed(paths, tmp_path / "cache").provenance["image"]["embedded"] == 3


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    paths = colours(tmp_path / "images", 60)
    real = _MeanColour.forward
    with (
        patch.object(_MeanColour, "forward", autospec=True) as forward,
        patch("detreduce.images.store.SHARD_ROWS", 8),
        # after a kill, nothing more is stored
        patch("detreduce.images.job.ImageJob.keep"),
        pytest.raises(KeyboardInterrupt),
    ):
        forward.side_effect = lambda module, x: _after(real, module, x, 40)
        embed(paths, tmp_path / "cache", batch=4, workers=1)
    done = _MeanColour.passes
    table = embed(paths, tmp_path / "cache")
    kept = table.provenance["image"]["from_cache"]
    assert 8 <= kept <= done < 60
    assert table.provenance["image"]["embedded"] == 60 - kept
    assert rgb(table) == [[(7 * i) % 256, 255 - i, i] for i in range(60)]


def _after(real, module, x, limit):  # type: ignore[no-untyped-def]
    if _MeanColour.passes >= limit:
        raise KeyboardInterrupt
    return real(module, x)


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "text"])
def test_damaged_shards_are_computed_again(tmp_path: Path, damage: str) -> None:
    paths = colours(tmp_path / "images", 20)
    _age(paths)
    with patch("detreduce.images.store.SHARD_ROWS", 8):
        first = embed(paths, tmp_path / "cache", batch=4)
    shards = sorted((tmp_path / "cache").rglob("*.npz"))
    assert len(shards) >= 2
    content = shards[0].read_bytes()
    with np.load(shards[0]) as shard:
        numbers = shard["vectors"].tobytes()
    shards[0].write_bytes(
        {
            "truncate": content[: len(content) // 2],
            "flip": content.replace(numbers, numbers[::-1]),
            "empty": b"",
            "text": b"not a shard",
        }[damage]
    )
    second = embed(paths, tmp_path / "cache")
    assert 0 < second.provenance["image"]["embedded"] < 20
    np.testing.assert_array_equal(second.blocks["image"], first.blocks["image"])
    assert embed(paths, tmp_path / "cache").provenance["image"]["from_cache"] == 20


def test_damaged_memo_is_a_memo_of_nothing(tmp_path: Path) -> None:
    paths = colours(tmp_path / "images", 3)
    _age(paths)
    embed(paths, tmp_path / "cache")
    for memo in (tmp_path / "cache" / "digests").glob("*.json"):
        memo.write_text('{"files": {"000.png": 3, "001.png": ["x"]}}')
    assert embed(paths, tmp_path / "cache").provenance["image"]["from_cache"] == 3


def test_unwritable_cache_warns_and_goes_on(tmp_path: Path) -> None:
    paths = colours(tmp_path / "images", 3)
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.warns(UserWarning, match="cannot be written") as caught:
        table = embed(paths, tmp_path / "cache")
    assert len(table) == 3
    assert len(caught) == 1


def broken(folder: Path) -> list[Path]:
    paths = colours(folder, 6)
    whole = paths[1].read_bytes()
    paths[1].write_bytes(whole[: len(whole) // 2])
    paths[3].write_bytes(b"")
    paths[4].write_text("not an image")
    paths[5].unlink()
    return paths


def test_unreadable_images_are_skipped_and_reported(tmp_path: Path) -> None:
    paths = broken(tmp_path / "images")
    with pytest.warns(UserWarning, match=r"001\.png.*and 3 more"):
        table = embed(paths, tmp_path / "cache", blocks=("image", "annotations"))
    assert table.rows.tolist() == [0, 2]
    assert table.image_ids == ["000.png", "002.png"]
    assert rgb(table) == [[0, 255, 0], [14, 253, 2]]
    assert [problem.file.name for problem in table.problems] == ["001.png", "003.png", "004.png", "005.png"]
    reasons = " | ".join(problem.what for problem in table.problems)
    assert re.search(r"truncated.*empty.*not an image.*No such file", reasons)
    assert table.X.shape == (2, 3 + 29)
    assert np.isfinite(table.X).all()


def test_unreadable_images_are_raised(tmp_path: Path) -> None:
    paths = broken(tmp_path / "images")
    with pytest.raises(ImageReadError, match=r"001\.png: truncated"):
        embed(paths, tmp_path / "cache", unreadable="raise")
    with pytest.raises(ImageReadError, match=r"2 images.*003\.png"):
        embed([paths[3], paths[4]], tmp_path / "cache")


def test_non_finite_features_are_an_error(tmp_path: Path) -> None:
    paths = colours(tmp_path / "images", 3)
    with (
        patch.object(_MeanColour, "forward", lambda self, x: x * float("nan")),
        pytest.raises(InputError, match="not finite"),
    ):
        embed(paths, tmp_path / "cache")


def test_default_blocks_follow_the_labels(tmp_path: Path) -> None:
    paths = colours(tmp_path / "images", 3)
    labelled, bare = dataset_of(paths, paths[0].parent), dataset_of(paths, paths[0].parent, labelled=False)
    assert list(extract_features(labelled, "mean-colour").blocks) == ["image", "objects", "annotations"]
    assert list(extract_features(bare, "mean-colour").blocks) == ["image"]
    assert list(extract_features(labelled, "mean-colour", ("annotations", "image")).blocks) == ["annotations", "image"]
    with pytest.raises(InputError, match=r"'annotations'.* image\."):
        extract_features(bare, "mean-colour", ("annotations",))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backbone": "efficientnet-lite"}, "Did you mean 'efficientnet-lite0'"),
        ({"backbone": "yolo"}, "yolo:<weights.pt>"),
        ({"backbone": "mean-colour:x"}, "'mean-colour:x'"),
        ({"backbone": "yolo:nothing/there.pt"}, "nothing/there.pt"),
        ({"backbone": "torchvision:resnet5"}, "Did you mean 'resnet50'"),
        ({"backbone": "torchvision:resnet18"}, r"https.*resnet18-.*\.pth to .*resnet18-.*\.pth"),
        ({"backbone": "file:none.npy"}, r"none\.npy"),
        ({"blocks": ("imagen",)}, "Did you mean 'image'"),
        ({"blocks": ()}, r"blocks=\[\]"),
        ({"blocks": ("image", "image")}, r"'image', 'image'"),
        ({"imgsz": 100}, "for example 96"),
        ({"imgsz": 0}, "32"),
        ({"precision": "float23"}, "Did you mean 'float32'"),
        ({"unreadable": "ignore"}, "unreadable='ignore'"),
        ({"batch": 0}, "batch=0"),
        ({"device": "quantum"}, "device='quantum'"),
    ],
)
def test_bad_input(tmp_path: Path, options: dict[str, object], message: str) -> None:
    paths = colours(tmp_path / "images", 2)
    with patch.dict(os.environ, {"TORCH_HOME": str(tmp_path)}), pytest.raises(InputError, match=message):
        embed(paths, tmp_path / "cache", **options)


def test_missing_weights_are_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        embed(colours(tmp_path / "images", 2), tmp_path / "cache", backbone="yolo:nothing/there.pt")


def test_threads_are_left_as_they_were(tmp_path: Path) -> None:
    torch.set_num_threads(2)
    before = torch.get_num_threads(), cv2.getNumThreads()
    embed(colours(tmp_path / "images", 5), tmp_path / "cache", workers=3)
    assert (torch.get_num_threads(), cv2.getNumThreads()) == before


def test_crowd_regions_are_no_boxes_and_pixels_become_fractions(tmp_path: Path) -> None:
    boxes = np.array([[10.0, 20.0, 50.0, 50.0], [0.0, 0.0, 100.0, 100.0]])
    record = ImageRecord(
        7, "a.jpg", tmp_path / "a.jpg", boxes, np.zeros(2, np.int64), np.array([False, True]), 100, 200
    )
    source = Source("coco", tmp_path, tmp_path)
    dataset = DetectionDataset((record,), ("thing",), (1,), "xywh", "train", source)
    block = extract_features(dataset, blocks=("annotations",)).blocks["annotations"][0]
    assert block[0] == pytest.approx(np.log(2))
    assert block[1] == 1
    assert block[2] == pytest.approx(np.sqrt(0.5 * 0.25))
    assert block[7] == pytest.approx(np.log(0.5 / 0.25))


def test_boxes_in_pixels_of_an_image_without_a_size_are_reported(tmp_path: Path) -> None:
    def record(name: str, size: int | None) -> ImageRecord:
        box = np.array([[1.0, 1.0, 5.0, 5.0]])
        return ImageRecord(name, name, tmp_path / name, box, np.zeros(1, np.int64), np.zeros(1, bool), size, size)

    source = Source("coco", tmp_path, tmp_path)
    dataset = DetectionDataset((record("a", 10), record("b", None)), ("thing",), (1,), "xywh", "train", source)
    with pytest.warns(UserWarning, match="/b: "):
        table = extract_features(dataset, blocks=("annotations",))
    assert table.rows.tolist() == [0]
    assert np.isfinite(table.blocks["annotations"]).all()
