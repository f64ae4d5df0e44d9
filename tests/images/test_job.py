"""The job for images: stored vectors are read, other vectors are computed once, and all vectors are stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from detreduce.errors import ImageReadError
from detreduce.images.job import ImageJob, ImageVectors
from detreduce.images.store import DigestMemo, VectorStore
from detreduce.machine.hashes import Digest, content_digest


class Lengths:
    """A job in which the vector of a file is [its length, its first byte]. With `pairs`, each image also has pair
    vectors.
    """

    def __init__(self, folder: Path, paths: Sequence[Path], pairs: Sequence[int] = ()) -> None:
        store = VectorStore(folder, {"backbone": "lengths"})
        self.prepared: list[int] = []
        self.images = ImageVectors(store, np.arange(len(paths) + 1))
        kinds = [self.images]
        if pairs:
            starts = np.concatenate([[0], np.cumsum(pairs)])
            self.pairs = ImageVectors(VectorStore(folder, {"backbone": "pairs"}), starts, self.pair_key)
            kinds.append(self.pairs)
        self.counts = pairs
        self.job = ImageJob("Lengths", paths, kinds, DigestMemo(folder), self.prepare, self.compute)

    def pair_key(self, number: int, digest: Digest) -> Digest:
        return content_digest(digest + bytes([number]))

    def prepare(self, row: int, data: bytes) -> bytes:
        self.prepared.append(row)
        if not data:
            raise ImageReadError("the file is empty")
        return data

    def compute(self, images: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, Sequence[np.ndarray]]]:
        # last first: the order must not matter
        for row, data in reversed(list(images)):
            vectors = [np.array([[len(data), data[0]]], np.float32)]
            if self.counts:
                vectors.append(np.arange(self.counts[row], dtype=np.float32)[:, None] + len(data))
            yield row, vectors

    def run(self, workers: int = 2) -> Lengths:
        with ThreadPoolExecutor(workers) as pool:
            self.job.run(pool, ahead=3)
        return self


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Files of 1, 2, … bytes."""
    found = [tmp_path / f"{number}.bin" for number in range(8)]
    for number, path in enumerate(found):
        path.write_bytes(bytes([65 + number]) * (number + 1))
    return found


EXPECTED = [[number + 1, 65 + number] for number in range(8)]


def test_every_vector_has_its_row_and_a_second_run_prepares_nothing(tmp_path: Path, paths: list[Path]) -> None:
    first = Lengths(tmp_path / "cache", paths).run()
    assert first.images.array().tolist() == EXPECTED
    assert (first.images.recalled, first.images.computed, first.job.computed) == (0, 8, 8)
    second = Lengths(tmp_path / "cache", paths[::-1]).run()
    assert second.images.array().tolist() == EXPECTED[::-1]
    assert (second.images.recalled, second.images.computed, second.prepared) == (8, 0, [])


def test_files_that_the_memo_knows_are_not_even_opened(tmp_path: Path, paths: list[Path]) -> None:
    status = paths[0].stat()
    with patch("time.time_ns", return_value=status.st_mtime_ns + 10**10):
        Lengths(tmp_path / "cache", paths).run()
    with patch("detreduce.images.job.read_image", side_effect=AssertionError("a file was read")):
        assert Lengths(tmp_path / "cache", paths).run().images.recalled == 8


def test_failures_are_listed_or_raised(tmp_path: Path, paths: list[Path]) -> None:
    paths[2].write_bytes(b"")
    paths[5].unlink()
    lengths = Lengths(tmp_path / "cache", paths).run()
    assert sorted(lengths.job.failures) == [2, 5]
    missing = np.isnan(lengths.images.array()).all(axis=1)
    assert np.flatnonzero(missing).tolist() == [2, 5]
    assert lengths.prepared.count(2) == 1, "what failed is not tried again"
    other = Lengths(tmp_path / "other", paths)
    other.job.stop_at_failure = True
    with pytest.raises(ImageReadError, match=r"2\.bin"):
        other.run()


def test_a_vector_of_another_width_in_the_store_is_computed_again(tmp_path: Path, paths: list[Path]) -> None:
    store = VectorStore(tmp_path / "cache", {"backbone": "lengths"})
    store.add(content_digest(paths[3].read_bytes()), np.arange(5, dtype=np.float32))
    store.flush()
    Lengths(tmp_path / "cache", paths[:3]).run()
    lengths = Lengths(tmp_path / "cache", paths)
    lengths.images.store.dimension = 2
    lengths.run()
    assert lengths.images.array().tolist() == EXPECTED
    assert (lengths.images.recalled, lengths.images.computed) == (3, 5)


def test_several_vectors_an_image(tmp_path: Path, paths: list[Path]) -> None:
    counts = [2, 0, 1, 0, 3, 0, 0, 1]
    Lengths(tmp_path / "cache", paths).run()
    lengths = Lengths(tmp_path / "cache", paths, counts).run()
    assert lengths.pairs.array().ravel().tolist() == [1, 2, 3, 5, 6, 7, 8]
    assert (lengths.images.recalled, lengths.images.computed) == (8, 0), "the first run's are recalled"
    assert (lengths.pairs.recalled, lengths.pairs.computed) == (0, 7)
    assert sorted(lengths.prepared) == [0, 2, 4, 7], "images without a missing vector are not prepared"


def test_an_interrupted_job_keeps_what_it_has(tmp_path: Path, paths: list[Path]) -> None:
    lengths = Lengths(tmp_path / "cache", paths)

    def interrupted(images: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, Sequence[np.ndarray]]]:
        for number, (row, data) in enumerate(images):
            if number == 3:
                raise KeyboardInterrupt
            yield row, [np.array([[len(data), data[0]]], np.float32)]

    lengths.job.compute = interrupted
    with pytest.raises(KeyboardInterrupt):
        lengths.run()
    again = Lengths(tmp_path / "cache", paths).run()
    assert (again.images.recalled, again.images.computed) == (3, 5)
    assert again.images.array().tolist() == EXPECTED


def test_no_images(tmp_path: Path) -> None:
    assert Lengths(tmp_path / "cache", []).run().images.array(4).shape == (0, 4)


def test_what_is_filled_in_is_not_recalled_again(tmp_path: Path) -> None:
    store = VectorStore(tmp_path, {"backbone": "x"})
    digest = content_digest(b"a")
    store.add(digest, np.ones(2, np.float32))
    store.flush()
    vectors = ImageVectors(VectorStore(tmp_path, {"backbone": "x"}), np.arange(3))
    vectors.recall({0: digest})
    vectors.recall({0: digest, 1: digest})
    assert vectors.recalled == 2 and vectors.complete().all()
