"""The manifest of an output: the files that detreduce wrote, with hashes that reveal later changes."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from detreduce.machine.files import write_atomically
from detreduce.machine.hashes import file_hash
from detreduce.machine.untrusted.regular_files import RECORDS, is_regular, open_regular, read_regular

MANIFEST = ".detreduce-files"
_HEADER = {"detreduce": "files", "version": 2}
# ultralytics caches the labels of `labels/train` in `labels/train.cache`, which is a NumPy file
_LABEL_CACHE, _NUMPY = ".cache", b"\x93NUMPY"


@dataclass(frozen=True, slots=True)
class Written:
    """An entry for a file that is not a link: its size in bytes and the SHA-256 of its content."""

    size: int
    sha256: str

    def is_unchanged(self, file: Path, status: os.stat_result) -> bool:
        """Return whether the file still has the recorded content.

        `status` must come from `lstat`, which does not follow links.
        """
        return stat.S_ISREG(status.st_mode) and status.st_size == self.size and file_hash(file) == self.sha256


@dataclass(frozen=True, slots=True)
class SymbolicLink:
    """An entry for a symbolic link: the path to which the link points."""

    symlink: str

    def is_unchanged(self, file: Path, status: os.stat_result) -> bool:
        """Return whether the file is still a link to the recorded path."""
        return file.is_symlink() and os.fspath(file.readlink()) == self.symlink


@dataclass(frozen=True, slots=True)
class HardLink:
    """An entry for a hard link to an original file: the path, size and modification time of the original file."""

    hardlink: str
    size: int
    mtime_ns: int

    def is_unchanged(self, file: Path, status: os.stat_result) -> bool:
        """Return whether the file is still the linked file, unchanged, or a copy of it."""
        if not stat.S_ISREG(status.st_mode) or status.st_size != self.size:
            return False
        if status.st_mtime_ns == self.mtime_ns:
            return True
        # the modification time may differ because the whole output was copied
        source = Path(self.hardlink)
        return is_regular(source) and source.stat().st_size == self.size and file_hash(file) == file_hash(source)


Entry = Written | SymbolicLink | HardLink
Stamp = tuple[int, int, int]
"""The inode, the size and the modification time of a file."""


@dataclass
class Contents:
    """The content of a folder, compared with its manifest.

    Each attribute maps relative paths to the states of the files. The path of a folder ends with ``/``.

    Attributes
    ----------
    unchanged
        Files and folders that detreduce wrote and nobody has changed.
    changed
        Files that detreduce wrote and somebody has changed.
    foreign
        Files and folders that detreduce did not write.
    """

    unchanged: dict[str, Stamp] = field(default_factory=dict)
    changed: dict[str, Stamp] = field(default_factory=dict)
    foreign: dict[str, Stamp] = field(default_factory=dict)

    @property
    def lost(self) -> list[str]:
        """The paths of all files and folders that would be lost if the folder was deleted."""
        return sorted([*self.changed, *self.foreign])

    @property
    def everything(self) -> dict[str, Stamp]:
        """The states of all files and folders, keyed by their paths."""
        return self.unchanged | self.changed | self.foreign


def write_manifest(folder: Path, entries: Mapping[PurePosixPath, Entry], folders: Iterable[PurePosixPath]) -> None:
    """Write the manifest of a folder. `folders` lists folders that may be empty."""
    lines = [json.dumps(_HEADER)]
    lines += [_line(str(path), entry) for path, entry in sorted(entries.items())]
    lines += [json.dumps({"folder": str(path)}) for path in sorted(folders)]
    (folder / MANIFEST).write_text("".join(f"{line}\n" for line in lines), encoding="ascii")


def record_file(folder: Path, path: PurePosixPath) -> None:
    """Record the size and the hash of a file in the manifest of a finished output. An earlier entry is replaced.

    If the folder has no usable manifest, nothing happens.
    """
    manifest = folder / MANIFEST
    if _read(manifest) is None:
        return
    lines = read_regular(manifest, RECORDS).decode("utf-8", "surrogateescape").splitlines()
    if not lines or not lines[0].startswith("{"):
        return
    file = folder / path
    entry = Written(file.stat().st_size, file_hash(file))
    others = [line for line in lines[1:] if json.loads(line).get("path") != str(path)]
    content = "".join(f"{line}\n" for line in [lines[0], _line(str(path), entry), *others]).encode("ascii")
    write_atomically(manifest, lambda handle: handle.write(content))


def compare(folder: Path) -> Contents | None:
    """Compare the files in a folder with its manifest. Return None if there is no usable manifest.

    All files except links are read. A manifest of version 0.1 has no hashes, so all of its files count as changed.
    Raise OSError if a file cannot be read.
    """
    known = _read(folder / MANIFEST)
    if known is None:
        return None
    entries, folders = known
    caches = {str(path.parent.with_suffix(_LABEL_CACHE)) for path in map(PurePosixPath, entries) if path.parent.name}
    found = Contents()
    for path, status in walk(folder):
        if path.endswith("/"):
            (found.unchanged if path[:-1] in folders else found.foreign)[path] = stamp_of(status)
            continue
        entry = entries.get(path)
        if path == MANIFEST or (path in caches and _starts_with(folder / path, _NUMPY)):
            place = found.unchanged
        elif path not in entries:
            place = found.foreign
        else:
            unchanged = entry is not None and entry.is_unchanged(folder / path, status)
            place = found.unchanged if unchanged else found.changed
        place[path] = stamp_of(status)
    return found


def is_in_output(file: Path) -> bool:
    """Return whether a file is listed in the manifest of a folder above it."""
    file = Path(os.path.realpath(file))
    for folder in file.parents:
        known = _read(folder / MANIFEST)
        if known is not None and str(file.relative_to(folder)) in (*known[0], MANIFEST):
            return True
    return False


def walk(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the relative path and the status of each file and folder below `folder`. Links are not followed.

    The path of a folder ends with ``/``. A folder comes after its content.
    """

    def below(place: str, prefix: str) -> Iterator[tuple[str, os.stat_result]]:
        """Yield the relative path and the status of each entry of a folder, with `prefix` before the path."""
        with os.scandir(place) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
        for entry in listed:
            path = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                yield from below(entry.path, f"{path}/")
                path += "/"
            yield path, entry.stat(follow_symlinks=False)

    return below(str(folder), "")


def remove(folder: Path, files: Mapping[str, Stamp]) -> None:
    """Delete the given files and folders below `folder`, and then `folder` itself if it is empty.

    `files` maps the path of each file or folder to its expected state. A file that is new or in another state is not
    deleted. A folder that is not empty stays too. Errors of the operating system are ignored.
    """
    # delete the manifest last, so that a later run knows what may be deleted if this run is killed
    for path, status in sorted(walk(folder), key=lambda item: item[0] == MANIFEST):
        if path == MANIFEST and len(os.listdir(folder)) > 1:  # noqa: PTH208
            return
        if files.get(path) == stamp_of(status):
            with suppress(OSError):
                (os.rmdir if path.endswith("/") else os.unlink)(folder / path)
    with suppress(OSError):
        folder.rmdir()


def stamp_of(status: os.stat_result) -> Stamp:
    """Return a value that changes when somebody writes to the file. It is always the same for a folder."""
    if stat.S_ISDIR(status.st_mode):
        return (0, 0, 0)
    return (status.st_ino, status.st_size, status.st_mtime_ns)


def _starts_with(file: Path, mark: bytes) -> bool:
    """Return whether a path is a regular file, not a link, that begins with the bytes `mark`."""
    if file.is_symlink() or not is_regular(file):
        return False
    with open_regular(file) as handle:
        return handle.read(len(mark)) == mark


def _read(file: Path) -> tuple[dict[str, Entry | None], set[str]] | None:
    """Read a manifest. Return its entries, keyed by their paths, and its folders.

    An entry is None if it has no hash. Return None if the manifest cannot be used.
    """
    try:
        text = read_regular(file, RECORDS).decode("utf-8", "surrogateescape")
    except OSError:
        return None
    lines = text.splitlines()
    entries: dict[str, Entry | None] = {}
    folders: set[str] = set()
    if lines and lines[0].startswith("{"):
        try:
            if json.loads(lines[0]) != _HEADER:
                return None
            for content in map(json.loads, lines[1:]):
                if "folder" in content:
                    folders.add(content["folder"])
                else:
                    path = content.pop("path")
                    entries[path] = _entry(content)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
    else:
        entries = dict.fromkeys(lines)
    for place in [PurePosixPath(path) for path in entries] + [PurePosixPath(path) / "_" for path in folders]:
        folders.update(str(parent) for parent in place.parents)
    return entries, folders


def _line(path: str, entry: Entry) -> str:
    """Return the line of the manifest for a file. It does not use `asdict`, which is slow for 100,000 files."""
    return json.dumps({"path": path, **{name: getattr(entry, name) for name in entry.__slots__}})


def _entry(content: dict[str, Any]) -> Entry:
    """Return the entry that a line of the manifest describes, without its path."""
    if "symlink" in content:
        return SymbolicLink(**content)
    return HardLink(**content) if "hardlink" in content else Written(**content)
