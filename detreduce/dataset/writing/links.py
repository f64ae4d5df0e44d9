"""Put files into the folder of a subset: link or copy images, and copy labels."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Literal, get_args

from detreduce.dataset.health.jpeg import lacks_end_marker
from detreduce.dataset.paths.listing import absolute
from detreduce.dataset.reading.loaded_files import LoadedFiles
from detreduce.dataset.writing.manifest import Entry, HardLink, SymbolicLink, Written, write_manifest
from detreduce.dataset.writing.subset_warnings import warn_about_subset
from detreduce.display.numbers import counted
from detreduce.errors import InputError, nearest
from detreduce.machine.untrusted.regular_files import ANNOTATIONS, is_regular, open_regular, read_regular

LinkMode = Literal["list", "symlink", "hardlink", "copy"]

_NO_HARDLINK = {errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
_BLOCK = 1 << 20


def check_link(link: str) -> LinkMode:
    """Return `link` if it is a known way to put images into a folder. Otherwise raise InputError."""
    for mode in get_args(LinkMode):
        if link == mode:
            return mode
    known = get_args(LinkMode)
    raise InputError(f"link={link!r} is unknown. Use one of: {', '.join(known)}.{nearest(str(link), known)}")


class Placer:
    """Writes files below a folder. It raises InputError if a path is used twice or is outside the folder.

    Symbolic links are absolute, so that the output can be moved. If the file system does not allow hard links, images
    are copied, and `finish` warns about this once. JPEG files without an end marker are always copied. Ultralytics
    rewrites such files in place, so a link would let it change the original file. The permissions of a file are never
    set, because a hard link shares them with the original file.

    Parameters
    ----------
    folder
        The folder to write to.
    link
        How images are put into the folder.
    loaded
        The state of the original files when they were loaded. If a file has changed since, InputError is raised.
    """

    def __init__(self, folder: Path, link: LinkMode, loaded: LoadedFiles | None = None) -> None:
        self.folder = folder
        self.link = link
        self.loaded = LoadedFiles() if loaded is None else loaded
        self.placed: dict[PurePosixPath, Path | None] = {}
        self._entries: dict[PurePosixPath, Entry] = {}
        self._made: set[Path] = {folder}
        self._real_folders: dict[str, str] = {}
        self._fallbacks = 0
        self._open_jpegs = 0

    def image(self, source: Path, relative: PurePosixPath) -> None:
        """Link or copy the image `source` to the path `relative`.

        Raise InputError if another image has this path or if the image has changed since it was loaded. Raise OSError
        if the file cannot be written.
        """
        target = self._target(relative, source)
        if target is None:
            return
        try:
            self._entries[relative] = self._place(source, target)
        except FileNotFoundError:
            # if the image itself is missing, raise an error with the path from which it was loaded
            os.stat(source)  # noqa: PTH116
            raise

    def _place(self, source: Path, target: Path) -> Entry:
        """Link or copy an image, and compare it with its state when it was loaded."""
        # link to the real file, so that a subset of a subset does not depend on the first subset
        real = self._real(source)
        if self.link != "copy" and lacks_end_marker(Path(real)):
            self._open_jpegs += 1
        elif self.link == "symlink":
            target.symlink_to(real)
            self.loaded.check_image(source)
            return SymbolicLink(real)
        elif self.link == "hardlink" and self._hardlink(real, target):
            status = os.stat(target)  # noqa: PTH116 (100,000 calls)
            self.loaded.check(source, status)
            return HardLink(real, status.st_size, status.st_mtime_ns)
        size, sha256, status = _copy(real, target)
        self.loaded.check(source, status)
        return Written(size, sha256)

    def _real(self, source: Path) -> str:
        """Return the path of a file after following links. The links of each folder are followed only once."""
        folder, name = os.path.split(source)
        if os.path.islink(source):  # noqa: PTH114 (100,000 calls)
            return os.path.realpath(source)
        if folder not in self._real_folders:
            self._real_folders[folder] = os.path.realpath(folder)
        return os.path.join(self._real_folders[folder], name)  # noqa: PTH118

    def has(self, source: Path) -> bool:
        """Return whether an original file exists, or existed when it was loaded.

        If the file has vanished since, the result is still True, and `copy` raises an error.
        """
        return source in self.loaded or is_regular(source)

    def copy(self, source: Path, relative: PurePosixPath, without: bytes = b"") -> None:
        """Copy `source` to the path `relative`, byte for byte.

        If it begins with the bytes `without`, they are left out.
        """
        target = self._target(relative, source)
        if target is not None:
            self._write(target, relative, [read_regular(source, ANNOTATIONS).removeprefix(without)])

    def write(self, relative: PurePosixPath, content: bytes) -> None:
        """Write `content` to a new file at the path `relative`."""
        self.write_pieces(relative, [content])

    def write_pieces(self, relative: PurePosixPath, pieces: Iterable[bytes]) -> None:
        """Write pieces of content to a new file at the path `relative`. Raise InputError if this path is in use."""
        target = self._target(relative, None)
        if target is None:
            raise InputError(f"Two files would be written to {relative} in the output.")
        self._write(target, relative, pieces)

    def make_folder(self, relative: PurePosixPath) -> None:
        """Make a folder at the path `relative`. This is for splits without images."""
        (self.folder / relative).mkdir(parents=True, exist_ok=True)
        self._made.add(self.folder / relative)

    def finish(self) -> None:
        """Write the manifest, and warn about images that were copied instead of linked."""
        folders = [PurePosixPath(folder.relative_to(self.folder)) for folder in self._made - {self.folder}]
        write_manifest(self.folder, self._entries, folders)
        if self._fallbacks:
            warn_about_subset(
                f"{counted(self._fallbacks, 'image was', 'images were')} copied, because the file system does "
                "not allow hard links to them "
                "(another disk, or files of another owner). Use link='symlink' to save disk space."
            )
        if self._open_jpegs:
            warn_about_subset(
                f"{self._open_jpegs} JPEG files without an end marker were copied instead of linked: "
                "ultralytics rewrites such files, and a link would change the source."
            )

    def _target(self, relative: PurePosixPath, source: Path | None) -> Path | None:
        """Return the path at which to write `relative`, or None if `source` has already been put there.

        Raise InputError if `relative` is outside the folder or belongs to another file.
        """
        if relative.is_absolute() or ".." in relative.parts or not relative.parts:
            raise InputError(f"{source or relative}: cannot be written to {relative}, which is outside the output.")
        if relative in self.placed:
            before = self.placed[relative]
            if source is not None and before is not None and (before == source or _same_file(before, source)):
                return None
            raise InputError(
                f"{before} and {source} would both be written to {relative} in the output. Rename one of the files."
            )
        self.placed[relative] = source
        target = self.folder / relative
        if target.parent not in self._made:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._made.add(target.parent)
        return target

    def _write(self, target: Path, relative: PurePosixPath, pieces: Iterable[bytes]) -> None:
        """Write a new file, and record its size and hash for the manifest."""
        size, digest = 0, hashlib.sha256()
        with open(target, "xb") as file:  # noqa: PTH123 (100,000 calls)
            for piece in pieces:
                file.write(piece)
                digest.update(piece)
                size += len(piece)
        self._entries[relative] = Written(size, digest.hexdigest())

    def _hardlink(self, source: str, target: Path) -> bool:
        """Make a hard link. Return False if the file system does not allow it."""
        try:
            os.link(source, target)
        except OSError as error:
            if error.errno not in _NO_HARDLINK:
                raise
            self._fallbacks += 1
            return False
        return True


def _copy(source: str, target: Path) -> tuple[int, str, os.stat_result]:
    """Copy the content of a file to a new file.

    Return the size and the SHA-256 of the new file, and the status of `source` after copying.
    """
    size, digest = 0, hashlib.sha256()
    with open_regular(source) as read, open(target, "xb") as written:  # noqa: PTH123 (100,000 calls)
        while block := read.read(_BLOCK):
            written.write(block)
            digest.update(block)
            size += len(block)
        return size, digest.hexdigest(), os.fstat(read.fileno())


def require_images(paths: Iterable[Path]) -> None:
    """Raise InputError if image files are missing.

    The message names the first missing image and says how many more are missing.
    """
    missing = [path for path in paths if not is_regular(path)]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise InputError(
            f"Chosen image {missing[0]}{more} is missing. Run `detreduce inspect` to list all missing images."
        )


def _same_file(one: Path, other: Path) -> bool:
    """Return whether two paths are equal when both are made absolute. Links are not resolved."""
    return absolute(one) == absolute(other)
