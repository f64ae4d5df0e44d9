"""Store vectors on disk, under the digests of the images.

The store stays valid when a run is killed, when several runs use it at the same time, or when files are damaged.
"""

from __future__ import annotations

import json
import os
import re
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from detreduce.errors import DetreduceError, DetreduceWarning
from detreduce.machine.files import remove_partial, write_atomically
from detreduce.machine.hashes import Digest, content_digest, file_hash
from detreduce.machine.untrusted.array_files import read_npz
from detreduce.machine.untrusted.documents import parse_json
from detreduce.machine.untrusted.regular_files import IMAGES, RECORDS, read_regular
from detreduce.videos.paths import VIDEO_SUFFIXES, video_of

DIGEST_BYTES = 32
SHARD_ROWS = 256
SHARD_SECONDS = 30.0
_LAYOUT = 1  # part of every store's name, so that a store with another layout is never read


class VectorStore:
    """A store of vectors that were all computed in the same way: with the same network, preprocessing and precision.

    Each vector is stored under a digest, usually the digest of its image. The values are float32 unless a subclass sets
    another `dtype`. The store is a folder of .npz files, called shards. A shard is written once and never changed.
    Shards that cannot be read are ignored, so their vectors are computed again. If the folder is not writable, the run
    issues a warning and continues without storing vectors.

    Parameters
    ----------
    folder
        The cache folder. The store is a subfolder of it, and its name contains a hash of `key`.
    key
        Everything that determines a vector except the image, as values that JSON can store.
    dimension
        Length of a vector. By default, it is taken from the first shard that is read.
    """

    dtype: ClassVar[np.dtype[Any]] = np.dtype(np.float32)

    def __init__(self, folder: Path, key: Mapping[str, Any], dimension: int | None = None) -> None:
        text = json.dumps({"layout": _LAYOUT, **key}, sort_keys=True)
        slug = re.sub(r"[^a-z0-9]+", "-", str(key.get("backbone", "vectors")).lower()).strip("-")[:40]
        self.folder = folder / "features" / f"{slug}-{content_digest(text.encode()).hex()[:16]}"
        self._key_text = text
        self._index: dict[Digest, tuple[Path, int]] = {}
        self._spare: dict[Digest, list[tuple[Path, int]]] = {}
        self._waiting: dict[Digest, npt.NDArray[Any]] = {}
        self._saved: dict[Digest, npt.NDArray[Any]] = {}
        self._parts: list[Path] = []
        self._written = time.monotonic()
        self.writable = True
        self.dimension = dimension
        remove_partial(self.folder)
        self._read_index()

    def __contains__(self, digest: Digest) -> bool:
        return digest in self._index

    def __len__(self) -> int:
        return len(self._index)

    def _read_index(self) -> None:
        for shard in sorted(self.folder.glob("*.npz")):
            digests = _read_member(shard, "digests")
            if digests is None or digests.ndim != 2 or digests.shape[1] != DIGEST_BYTES or digests.dtype != np.uint8:
                continue
            for row, digest in enumerate(map(bytes, digests)):
                if digest in self._index:
                    # two shards contain this vector, because two processes computed it or because one of the shards was
                    # damaged
                    self._spare.setdefault(digest, []).append(self._index[digest])
                self._index[digest] = (shard, row)

    def read(self, digests: Iterable[Digest]) -> Iterator[tuple[Digest, npt.NDArray[Any]]]:
        """Yield the digest and the vector for each digest whose vector can be read. The order is shard by shard."""
        wanted = set(digests)
        joined = False
        while wanted:
            by_shard: dict[Path, list[tuple[Digest, int]]] = {}
            for digest in wanted & self._index.keys():
                shard, row = self._index[digest]
                by_shard.setdefault(shard, []).append((digest, row))
            wanted = set()
            for shard, places in sorted(by_shard.items()):
                vectors = _read_member(shard, "vectors")
                if (
                    vectors is None
                    or vectors.ndim != 2
                    or not self._fits(vectors)
                    or max(row for _, row in places) >= len(vectors)
                ):
                    wanted.update(digest for digest, _ in places)
                    if not joined and not shard.exists():
                        # another process has merged this shard into a larger one
                        joined = True
                        self._index.clear()
                        self._spare.clear()
                        self._read_index()
                        continue
                    self._forget(shard)
                    continue
                yield from ((digest, vectors[row]) for digest, row in places)

    def _fits(self, vectors: npt.NDArray[Any]) -> bool:
        """Return whether vectors have the dtype and the length of the vectors in this store."""
        if vectors.dtype != self.dtype:
            return False
        self.dimension = self.dimension or vectors.shape[1]
        return vectors.shape[1] == self.dimension

    def _forget(self, shard: Path) -> None:
        """Remove an unreadable shard from the index.

        If another shard contains the same vector, the index refers to that other shard instead.
        """
        for digest in [digest for digest, place in self._index.items() if place[0] == shard]:
            spare = self._spare.get(digest)
            if spare:
                self._index[digest] = spare.pop()
            else:
                del self._index[digest]

    def add(self, digest: Digest, vector: npt.NDArray[Any]) -> None:
        """Add a vector.

        `save` and `flush` write the added vectors to disk. This happens automatically after 256 new vectors or 30
        seconds.
        """
        if digest not in self._index and digest not in self._saved:
            self._waiting[digest] = np.array(vector, self.dtype)
        if len(self._waiting) + len(self._saved) >= SHARD_ROWS:
            self.flush()
        elif time.monotonic() - self._written > SHARD_SECONDS:
            self.save()

    def save(self) -> None:
        """Write the added vectors to disk, so that they survive if the process is killed.

        `flush` later merges the files.
        """
        self._written = time.monotonic()
        if self._waiting and self.writable:
            part = self._write_shard(self._waiting)
            self._parts += [part] if part else []
            self._saved |= self._waiting
        self._waiting.clear()

    def flush(self) -> None:
        """Write all vectors that were added since the last `flush` to disk, as a single new shard."""
        self._written = time.monotonic()
        rows = self._saved | self._waiting
        # a single file with all rows is already a shard
        if self.writable and rows and not (len(self._parts) == 1 and not self._waiting):
            joined = self._write_shard(rows)
            for part in self._parts if joined else ():
                with suppress(OSError):
                    part.unlink()
        self._waiting.clear()
        self._saved.clear()
        self._parts.clear()

    def _write_shard(self, rows: Mapping[Digest, npt.NDArray[Any]]) -> Path | None:
        """Write vectors as a shard, and return its path.

        If writing fails, issue a warning and return None. Later vectors are then not written either.
        """
        digests = np.frombuffer(b"".join(rows), np.uint8).reshape(-1, DIGEST_BYTES)
        vectors = np.stack(list(rows.values()))
        shard = self.folder / f"{content_digest(digests.tobytes() + os.urandom(8)).hex()[:24]}.npz"
        try:
            meta = self.folder / "key.json"
            if not meta.exists():
                write_atomically(meta, lambda file: file.write(self._key_text.encode()))
            write_atomically(shard, lambda file: np.savez(file, digests=digests, vectors=vectors))
        except DetreduceError as error:
            self.writable = False
            warn_unwritable(error)
            return None
        return shard


def warn_unwritable(error: DetreduceError) -> None:
    """Warn that the results of this run cannot be written to the cache."""
    warnings.warn(f"{error} Results are not cached. Choose another folder with cache=.", DetreduceWarning, stacklevel=3)


def _read_member(shard: Path, name: str) -> npt.NDArray[Any] | None:
    """Read one array of a shard. Return None if this is not possible."""
    # damaged shards are detected by the checksums of the zip format
    try:
        return read_npz(shard, [name])[name]
    except (OSError, ValueError):
        return None


class DigestMemo:
    """Content digests of files, remembered on disk so that a second run does not open files that have not changed.

    A file counts as unchanged if its size, mtime and ctime are the same. If a file changed just before it was read, its
    digest is not remembered. A second change at nearly the same time might leave mtime and ctime the same.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "digests"
        remove_partial(self._folder)
        self._known: dict[Path, dict[str, tuple[str, str]]] = {}
        self._changed: set[Path] = set()
        self._videos: dict[tuple[Path, str], Digest] = {}

    def get(self, path: Path) -> Digest | None:
        """Return the remembered digest of a file, or None if there is none or if the file has changed.

        The digest of a frame is computed from the digest of its video and the number of the frame.
        """
        if (frame := video_of(path)) is not None:
            known = self.get(frame[0])
            return None if known is None else frame_digest(known, frame[1])
        entry = self._entries(path.parent).get(path.name)
        if entry is None:
            return None
        try:
            return bytes.fromhex(entry[1]) if entry[0] == _stamp(path.stat()) else None
        except (OSError, ValueError):
            return None

    def read(self, path: Path) -> Digest:
        """Return the digest of a file, reading the file only if no digest is remembered.

        Raise OSError if the file cannot be read.
        """
        if (frame := video_of(path)) is not None:
            return frame_digest(self.read(frame[0]), frame[1])
        known = self.get(path)
        if known is None:
            read_at_ns, status = time.time_ns(), path.stat()
            if path.suffix.lower() in VIDEO_SUFFIXES:
                # too large to be read at once, or once for each frame
                state = path, _stamp(status)
                if state not in self._videos:
                    self._videos[state] = bytes.fromhex(file_hash(path))
                self.put(path, status, read_at_ns, self._videos[state])
                return self._videos[state]
            known = content_digest(read_regular(path, IMAGES))
            self.put(path, status, read_at_ns, known)
        return known

    def put(self, path: Path, status: os.stat_result, read_at_ns: int, digest: Digest) -> None:
        """Remember the digest of a file. The caller must take `read_at_ns` and `status` before it reads the file."""
        changed = max(status.st_mtime_ns, status.st_ctime_ns)
        # if the time is a whole number of seconds, assume that the file system does not store anything finer
        tick = 2_000_000_000 if status.st_mtime_ns % 1_000_000_000 == 0 else 50_000_000
        if read_at_ns - changed > tick:
            self._entries(path.parent)[path.name] = (_stamp(status), digest.hex())
            self._changed.add(path.parent)

    def flush(self) -> None:
        """Write the new digests to disk. Raise DetreduceError if the cache is not writable."""
        for parent in sorted(self._changed):
            content = json.dumps({"folder": str(parent), "files": self._known[parent]}).encode()
            write_atomically(self._file(parent), lambda file, content=content: file.write(content))  # type: ignore[misc]
        self._changed.clear()

    def _file(self, parent: Path) -> Path:
        return self._folder / f"{content_digest(os.fsencode(parent)).hex()[:24]}.json"

    def _entries(self, parent: Path) -> dict[str, tuple[str, str]]:
        """Return what is remembered about the files of a folder, keyed by the name of the file.

        Each value is the file's stamp and its digest in hexadecimal.
        """
        if parent not in self._known:
            self._known[parent] = {}
            try:
                files = parse_json(read_regular(self._file(parent), RECORDS))["files"]
                self._known[parent] = {str(name): (str(stamp), str(digest)) for name, (stamp, digest) in files.items()}
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                pass  # a damaged file counts as empty
        return self._known[parent]


def frame_digest(video: Digest, number: int) -> Digest:
    """Return the digest of a frame, computed from the digest of its video and from its number."""
    return content_digest(b"frame %d of the video " % number + video)


def _stamp(status: os.stat_result) -> str:
    """Return a text that changes whenever the file changes."""
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}"
