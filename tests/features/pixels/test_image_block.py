"""The vector of an image depends only on the image: not on other images, order, batch, threads or the cache."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from detreduce.features.backbones import make_backbone
from detreduce.features.pixels.embedding import embed_batch
from detreduce.features.pixels.image_block import ImageBlock, image_block, kept_precision
from detreduce.features.pixels.objects import PairedBoxes
from detreduce.features.pixels.precision import Networks, probe_images
from detreduce.features.pixels.running import Running
from detreduce.images.decode import Preprocess
from detreduce.images.store import DigestMemo, VectorStore

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def block(paths: list[Path], cache: Path, boxes: PairedBoxes | None = None, **running: int) -> ImageBlock:
    return image_block(paths, make_backbone("efficientnet-lite0", 64), "float32", cache, Running(**running), boxes)


def boxes_of(count: int) -> PairedBoxes:
    """Images with 0 to 3 pairs of 1 to 3 boxes."""
    pairs = np.arange(count) % 4
    boxes = 1 + np.arange(pairs.sum()) % 3
    corners = np.sort(np.random.default_rng(1).random((boxes.sum(), 2, 2)), axis=1).reshape(-1, 4)
    return PairedBoxes(corners, np.concatenate([[0], np.cumsum(boxes)]), np.concatenate([[0], np.cumsum(pairs)]))


@pytest.fixture
def torch_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("torch_threads")
@pytest.mark.parametrize(("threads", "workers", "batch"), [(1, 1, 1), (1, 3, 5), (2, 2, 8), (4, 1, 64)])
def test_companions_threads_and_batches_change_no_bit(
    photos: list[Path], tmp_path: Path, threads: int, workers: int, batch: int
) -> None:
    boxes = boxes_of(len(photos))
    expected = block(photos, tmp_path / "plain", boxes)
    torch.set_num_threads(threads)
    # a part of the vectors is computed before, in batches with other images
    block(photos[1::3][::-1], tmp_path / "other", workers=workers)
    found = block(photos, tmp_path / "other", boxes, workers=workers, batch=batch)
    assert found.provenance["image"]["from_cache"] == len(photos[1::3])
    np.testing.assert_array_equal(found.vectors, expected.vectors)
    np.testing.assert_array_equal(found.pairs, expected.pairs)
    for row in (0, 5):
        alone = block(photos[row : row + 1], tmp_path / f"alone {row}")
        np.testing.assert_array_equal(alone.vectors[0], expected.vectors[row])


class Noisy:
    """A network whose results always differ, like a kernel that depends on the batch."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def feature_map(self, batch: torch.Tensor) -> torch.Tensor:
        self.sizes.append(len(batch))
        return torch.rand(len(batch), 3, 2, 2)

    @staticmethod
    def pool(feature_map: torch.Tensor) -> torch.Tensor:
        return feature_map.mean(dim=(2, 3))


def test_copies_have_one_vector(photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copies = [tmp_path / f"copy{number}.jpg" for number in range(4)]
    for copy in copies:
        copy.write_bytes(photos[0].read_bytes())
    monkeypatch.setattr("detreduce.features.pixels.precision.Networks.__call__", lambda *_: Noisy())
    paths = [photos[0], *photos[1:], *copies]
    first = block(paths, tmp_path / "cache").vectors
    for row in range(len(photos), len(paths)):
        np.testing.assert_array_equal(first[row], first[0])
    assert not np.array_equal(first[1], first[0])
    np.testing.assert_array_equal(block(paths, tmp_path / "cache").vectors, first)


def test_every_forward_pass_has_the_same_size() -> None:
    network = Noisy()
    images = [np.zeros((32, 32, 3), np.uint8)] * 3
    assert [len(embed_batch(network, images[:count], 4).images) for count in (1, 3)] == [1, 3]  # type: ignore[arg-type]
    assert network.sizes == [4, 4]
    assert [Running(batch=batch).batch_size(device) for batch in (None, 7) for device in (CPU, CUDA)] == [1, 64, 1, 7]
    assert len({Running(batch=batch).forward(device) for batch in (None, 7) for device in (CPU, CUDA)}) == 3


def test_vectors_of_a_former_version_are_used_whole_or_not_at_all(photos: list[Path], tmp_path: Path) -> None:
    backbone, memo = make_backbone("efficientnet-lite0", 64), DigestMemo(tmp_path)
    former = VectorStore(tmp_path, {**backbone.key, "precision": "float32"})
    for number, path in enumerate(photos[:8]):
        former.add(memo.read(path), np.full(1280, number, np.float32))
    former.flush()
    whole = block(photos[:8], tmp_path)
    assert whole.vectors[:, 0].tolist() == list(range(8))
    assert whole.provenance["image"]["embedded"] == 0
    part = block(photos, tmp_path)
    assert part.provenance["image"]["embedded"] == len(photos)
    np.testing.assert_array_equal(part.vectors, block(photos, tmp_path / "fresh").vectors)


def test_the_precision_of_cached_vectors_is_found(
    photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = make_backbone("efficientnet-lite0", 64)
    with monkeypatch.context() as patch:
        # without vectors, torch is not even imported to choose the device
        patch.setattr(Running, "pick_device", lambda self: pytest.fail("the device was chosen"))
        assert kept_precision(photos, backbone, tmp_path) is None
    block(photos, tmp_path)
    memo = DigestMemo(tmp_path)
    for path in photos:  # the photos are too new for the memo of digests
        status = path.stat()
        memo.put(path, status, status.st_ctime_ns + 10**10, memo.read(path))
    memo.flush()
    assert kept_precision(photos, backbone, tmp_path) == "float32"
    assert kept_precision(photos, make_backbone("efficientnet-lite0", 96), tmp_path) is None


def test_a_pool_of_threads_computes_the_same_as_one() -> None:
    """Networks that run at the same time do not disturb each other."""
    backbone = make_backbone("efficientnet-lite0", 64)
    network = Networks(backbone, CPU)("float32")
    image = probe_images(Preprocess(64, "stretch"))[0]
    with ThreadPoolExecutor(4, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        rows = [future.result().images for future in [pool.submit(embed_batch, network, [image], 1) for _ in range(32)]]
    assert len({row.tobytes() for row in rows}) == 1
