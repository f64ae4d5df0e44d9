"""Files on disk: vectors with the content of their images as keys, and the digests of unchanged files."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from unittest.mock import patch

import numpy as np
import pytest

from detreduce.images import batches
from detreduce.images import store as store_module
from detreduce.images.batches import read_image
from detreduce.images.store import DigestMemo, VectorStore
from detreduce.machine.hashes import Digest, content_digest

MILLISECOND = 1_000_000


@pytest.mark.parametrize("damaged", [0, 1])
def test_what_one_damaged_shard_holds_is_read_from_another(tmp_path: Path, damaged: int) -> None:
    digests = [content_digest(bytes([i])) for i in range(3)]
    for number in (0, 1):
        store = VectorStore(tmp_path, {"backbone": "x"})
        store._index.clear()  # as if the other file had been written at the same time
        for i, digest in enumerate(digests):
            store.add(digest, np.array([i, number + 7], np.float32))
        store.flush()
    shards = sorted(store.folder.glob("*.npz"))
    content = shards[damaged].read_bytes()
    with np.load(shards[damaged]) as shard:
        numbers = shard["vectors"].tobytes()
    shards[damaged].write_bytes(content.replace(numbers, numbers[::-1]))
    store = VectorStore(tmp_path, {"backbone": "x"})
    assert {digest: vector[0] for digest, vector in store.read(digests)} == dict(zip(digests, range(3), strict=True))
    shards[1 - damaged].write_bytes(b"")
    store = VectorStore(tmp_path, {"backbone": "x"})
    assert list(store.read(digests)) == [] and digests[0] not in store


def test_two_writers_at_once_do_no_harm(tmp_path: Path) -> None:
    first, second = VectorStore(tmp_path, {"backbone": "x"}), VectorStore(tmp_path, {"backbone": "x"})
    digests = [content_digest(bytes([i])) for i in range(6)]
    for i, digest in enumerate(digests):
        (first if i % 2 else second).add(digest, np.array([i, 0], np.float32))
        if i in (2, 3):
            first.add(digest, np.array([i, 0], np.float32))
    first.flush()
    second.flush()
    found = dict(VectorStore(tmp_path, {"backbone": "x"}).read(digests))
    assert [found[digest][0] for digest in digests] == [0, 1, 2, 3, 4, 5]
    assert len(VectorStore(tmp_path, {"backbone": "y"})) == 0


def write_shards(folder: Path, widths: list[int]) -> list[Digest]:
    """Write one vector of each width, each in a separate shard. Return the digests in the order of the shards."""
    for width in widths:
        store = VectorStore(folder, {"backbone": "x"})
        store.add(content_digest(bytes([width])), np.full(width, width, np.float32))
        store.flush()
    names = {}
    for shard in store.folder.glob("*.npz"):
        with np.load(shard) as content:
            names[shard.name] = bytes(content["digests"][0])
    return [names[name] for name in sorted(names)]


def test_a_row_of_another_width_is_not_given_out(tmp_path: Path) -> None:
    digests = write_shards(tmp_path, [3, 5])
    store = VectorStore(tmp_path, {"backbone": "x"})
    assert len(store) == 2
    first, other = digests
    assert [digest for digest, _ in store.read(digests)] == [first]
    assert first in store and other not in store, "the images of the other are computed again"
    assert store.dimension == len(next(store.read([first]))[1])


@pytest.mark.parametrize("width", [3, 5])
def test_a_width_that_is_known_in_advance_decides(tmp_path: Path, width: int) -> None:
    digests = write_shards(tmp_path, [3, 5])
    store = VectorStore(tmp_path, {"backbone": "x"}, dimension=width)
    assert [vector.tolist() for _, vector in store.read(digests)] == [[width] * width]


def test_rows_of_another_type_or_form_are_not_given_out(tmp_path: Path) -> None:
    digest = content_digest(b"a")
    for number, vectors in enumerate((np.zeros((1, 3)), np.zeros(3, np.float32))):
        store = VectorStore(tmp_path / str(number), {"backbone": "x"})
        store.folder.mkdir(parents=True)
        np.savez(store.folder / "0.npz", digests=np.frombuffer(digest, np.uint8)[None], vectors=vectors)
        assert list(VectorStore(tmp_path / str(number), {"backbone": "x"}).read([digest])) == []


def memo_after(tmp_path: Path, path: Path, late_ns: int) -> Digest | None:
    """Remember the digest of a file that was read this long after its last change. Return the remembered digest."""
    status = path.stat()
    memo = DigestMemo(tmp_path / "cache")
    changed = max(status.st_mtime_ns, status.st_ctime_ns)
    memo.put(path, status, changed + late_ns, content_digest(path.read_bytes()))
    memo.flush()
    return DigestMemo(tmp_path / "cache").get(path)


@pytest.mark.parametrize(("late", "kept"), [(0, False), (10, False), (49, False), (51, True), (5000, True)])
def test_a_file_changed_within_a_tick_of_the_clock_is_not_remembered(tmp_path: Path, late: int, kept: bool) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"first")
    while path.stat().st_mtime_ns % 1_000_000_000 == 0:
        path.write_bytes(b"first")
    assert memo_after(tmp_path, path, late * MILLISECOND) == (content_digest(b"first") if kept else None)


def test_the_change_of_the_inode_counts_too(tmp_path: Path) -> None:
    """A file with an old modification time that was just moved to its path."""
    path = tmp_path / "a.png"
    path.write_bytes(b"first")
    os.utime(path, ns=(1, 1_500_000_001))
    assert memo_after(tmp_path, path, 10 * MILLISECOND) is None
    assert memo_after(tmp_path, path, 60 * MILLISECOND) is not None


@pytest.mark.parametrize(("late", "kept"), [(60, False), (1900, False), (2100, True)])
def test_times_in_whole_seconds_have_a_longer_tick(tmp_path: Path, late: int, kept: bool) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"first")
    os.utime(path, ns=(0, 3_000_000_000))
    assert (memo_after(tmp_path, path, late * MILLISECOND) is not None) == kept


def test_a_file_changed_while_it_is_read_is_not_taken_for_its_successor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"first")
    os.utime(path, ns=(1, 1_500_000_001))
    real = batches.read_regular

    def change(file: Path, limit: int) -> bytes:
        content = real(file, limit)
        file.write_bytes(b"second")
        return content

    monkeypatch.setattr(batches, "read_regular", change)
    image = read_image(0, path, lambda row, data: data, lambda row, digest: False)
    monkeypatch.undo()
    assert image.content == b"first" and image.status is not None
    memo = DigestMemo(tmp_path / "cache")
    memo.put(path, image.status, image.read_at_ns + 10**10, image.digest)
    assert memo.get(path) is None
    assert image.status.st_size == len(b"first")


def test_a_changed_or_missing_file_is_not_remembered(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"first")
    assert memo_after(tmp_path, path, 10**10) is not None
    path.write_bytes(b"first and more")
    memo = DigestMemo(tmp_path / "cache")
    assert memo.get(path) is None
    path.unlink()
    assert memo.get(path) is None


def test_a_remembered_file_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"first")
    changed = max(path.stat().st_mtime_ns, path.stat().st_ctime_ns)
    monkeypatch.setattr("time.time_ns", lambda: changed + 10 * MILLISECOND)
    memo = DigestMemo(tmp_path / "cache")
    assert memo.read(path) == content_digest(b"first") and memo.get(path) is None, "within a tick"
    monkeypatch.setattr("time.time_ns", lambda: changed + 10_000 * MILLISECOND)
    assert memo.read(path) == memo.get(path) == content_digest(b"first")
    with patch.object(Path, "read_bytes", side_effect=AssertionError("read again")):
        assert memo.read(path) == content_digest(b"first")
    with pytest.raises(FileNotFoundError):
        memo.read(tmp_path / "none.png")


@pytest.mark.parametrize("damaged", range(4))
def test_any_number_of_damaged_copies_is_passed_over(
    tmp_path: Path, damaged: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = content_digest(b"a")
    for _ in range(3):
        store = VectorStore(tmp_path, {"backbone": "x"})
        store._index.clear()  # as if the other files had been written at the same time
        store.add(digest, np.ones(2, np.float32))
        store.flush()
    store = VectorStore(tmp_path, {"backbone": "x"})
    for shard in sorted(store.folder.glob("*.npz"), reverse=True)[:damaged]:
        shard.write_bytes(b"")
    reads = iter(range(damaged + 1))
    read_member = store_module._read_member
    monkeypatch.setattr(store_module, "_read_member", lambda *given: [next(reads), read_member(*given)][1])
    assert len(list(store.read([digest]))) == (damaged < 3)


def test_vectors_wait_for_a_full_shard_or_half_a_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(store_module.time, "monotonic", lambda: now[0])
    store = VectorStore(tmp_path, {"backbone": "x"})
    shards = []
    for number in range(100):
        now[0] += 1.0
        store.add(content_digest(bytes([number])), np.ones(2, np.float32))
        shards.append(len(list(store.folder.glob("*.npz"))))
    # after seconds 31, 62 and 93
    assert [shards.index(count) for count in (1, 2, 3)] == [30, 61, 92] and shards[-1] == 3


def test_a_file_of_another_size_is_another_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    status = path.stat()
    memo = DigestMemo(tmp_path / "cache")
    for size in (status.st_size, status.st_size + 1):
        stamp = SimpleNamespace(st_size=size, st_mtime_ns=status.st_mtime_ns, st_ctime_ns=status.st_ctime_ns)
        memo.put(path, cast(os.stat_result, stamp), 2**62, bytes(32))
        assert memo.get(path) == (bytes(32) if size == 3 else None)


def killed_after(tmp_path: Path, rows: int, batch: int) -> VectorStore:
    """Add vectors and save after each batch, and end without a flush, like a killed process."""
    store = VectorStore(tmp_path, {"backbone": "x"})
    for number in range(rows):
        store.add(content_digest(number.to_bytes(4, "big")), np.full(2, number, np.float32))
        if (number + 1) % batch == 0:
            store.save()
    return store


@pytest.mark.parametrize("rows", [1, 15, 16, 100, 255, 256, 257, 700])
def test_a_kill_loses_at_most_one_batch(tmp_path: Path, rows: int) -> None:
    killed_after(tmp_path, rows, 16)
    again = VectorStore(tmp_path, {"backbone": "x"})
    assert rows - 16 < len(again) <= rows
    digests = [content_digest(number.to_bytes(4, "big")) for number in range(len(again))]
    assert {digest: vector[0] for digest, vector in again.read(digests)} == dict(
        zip(digests, range(len(again)), strict=True)
    )


def test_saved_parts_become_one_shard(tmp_path: Path) -> None:
    store = killed_after(tmp_path, 300, 16)
    store.flush()
    assert len(list(store.folder.glob("*.npz"))) == 2
    assert len(VectorStore(tmp_path, {"backbone": "x"})) == 300


def test_parts_that_another_process_joined_meanwhile_are_found(tmp_path: Path) -> None:
    writer = killed_after(tmp_path, 32, 16)
    reader = VectorStore(tmp_path, {"backbone": "x"})
    writer.flush()
    digests = [content_digest(number.to_bytes(4, "big")) for number in range(32)]
    assert len(dict(reader.read(digests))) == 32


def test_partial_files_of_a_killed_process_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess
    import sys

    from detreduce.machine import files

    store = VectorStore(tmp_path, {"backbone": "x"})
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    for folder in (store.folder, tmp_path / "digests"):
        folder.mkdir(parents=True)
        for name in (
            f".writing-{dead.stdout.strip()}-0123456789ab",
            f".writing-{os.getpid()}-0123456789ab",
            ".writing-1",
            ".writing-x-0123456789ab",
        ):
            (folder / name).write_bytes(b"half")
    monkeypatch.setattr(files, "_cleaned", set())
    VectorStore(tmp_path, {"backbone": "x"})
    DigestMemo(tmp_path)
    for folder in (store.folder, tmp_path / "digests"):
        assert sorted(path.name for path in folder.iterdir()) == sorted(
            [".writing-1", ".writing-x-0123456789ab", f".writing-{os.getpid()}-0123456789ab"]
        )
