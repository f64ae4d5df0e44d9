"""Place files in the folder of a subset: link or copy images, and copy labels."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Literal, get_args

from detreduce.dataset.jpeg import lacks_end_marker
from detreduce.dataset.listing import absolute
from detreduce.dataset.writing.subset_warnings import warn_about_subset
from detreduce.errors import InputError, nearest

LinkMode = Literal["list", "symlink", "hardlink", "copy"]

_NO_HARDLINK = {errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}


def check_link(link: str) -> LinkMode:
    """Return `link` if it is a known way to place images. Raise InputError otherwise."""
    for mode in get_args(LinkMode):
        if link == mode:
            return mode
    known = get_args(LinkMode)
    raise InputError(f"link={link!r} is unknown. Use one of: {', '.join(known)}.{nearest(str(link), known)}")


class Placer:
    """Write files below one folder. A path that is used twice or is outside the folder raises InputError.

    Symbolic links are absolute, so that the output can be moved. If the file system does not allow hard links, images
    are copied, and `finish` warns about this once. JPEG files without an end marker are always copied, because
    ultralytics rewrites such files in place and would change the source through a link.
    """

    def __init__(self, folder: Path, link: LinkMode) -> None:
        self.folder = folder
        self.link = link
        self.placed: dict[PurePosixPath, Path | None] = {}
        self._made: set[Path] = {folder}
        self._fallbacks = 0
        self._open_jpegs = 0

    def image(self, source: Path, relative: PurePosixPath) -> None:
        """Link or copy the image `source` to `relative`.

        Raise InputError if another image has this path, and OSError if the file cannot be written.
        """
        target = self._target(relative, source)
        if target is None:
            return
        # link to the real file, so that a subset of a subset does not depend on the first subset
        source = Path(os.path.realpath(source))
        if self.link != "copy" and lacks_end_marker(source):
            self._open_jpegs += 1
            shutil.copyfile(source, target)
        elif self.link == "symlink":
            target.symlink_to(source)
        elif self.link == "hardlink":
            self._hardlink(source, target)
        else:
            shutil.copyfile(source, target)

    def copy(self, source: Path, relative: PurePosixPath) -> None:
        """Copy `source` byte for byte to `relative`."""
        target = self._target(relative, source)
        if target is not None:
            shutil.copyfile(source, target)

    def write(self, relative: PurePosixPath, content: bytes) -> None:
        """Write `content` to the new file `relative`."""
        self.reserve(relative).write_bytes(content)

    def reserve(self, relative: PurePosixPath) -> Path:
        """Return the path to write the new file `relative` to. Raise InputError if this path is in use."""
        target = self._target(relative, None)
        if target is None:
            raise InputError(f"Two files would be written to {relative} in the output.")
        return target

    def make_folder(self, relative: PurePosixPath) -> None:
        """Make the folder `relative`, for a split without images."""
        (self.folder / relative).mkdir(parents=True, exist_ok=True)

    def finish(self) -> None:
        """Warn about images that were copied instead of linked."""
        if self._fallbacks:
            warn_about_subset(
                f"{self._fallbacks} images were copied, because the file system does not allow hard links to them "
                "(another disk, or files of another owner). Use link='symlink' to save disk space."
            )
        if self._open_jpegs:
            warn_about_subset(
                f"{self._open_jpegs} JPEG files without an end marker were copied instead of linked: "
                "ultralytics rewrites such files, and a link would change the source."
            )

    def _target(self, relative: PurePosixPath, source: Path | None) -> Path | None:
        """Return the path to write `relative` to, or None if `source` was placed there before.

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

    def _hardlink(self, source: Path, target: Path) -> None:
        """Make a hard link. Copy the file if the file system does not allow the link."""
        try:
            os.link(source, target)
        except OSError as error:
            if error.errno not in _NO_HARDLINK:
                raise
            self._fallbacks += 1
            shutil.copyfile(source, target)


def require_images(paths: Iterable[Path]) -> None:
    """Raise InputError if image files are missing.

    The message names the first missing image, and says how many others are missing.
    """
    missing = [path for path in paths if not path.is_file()]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise InputError(
            f"Chosen image {missing[0]}{more} is missing. Run `detreduce inspect` to list all missing images."
        )


def _same_file(one: Path, other: Path) -> bool:
    """Return whether two paths are the same path. Links are not resolved."""
    return absolute(one) == absolute(other)
