"""Check that the output is outside the original dataset.

Otherwise, the next command would read the files of the output as part of the original dataset.
"""

from __future__ import annotations

import glob
import os
from fnmatch import fnmatchcase
from pathlib import Path

from detreduce.dataset.formats.registry import get_format
from detreduce.dataset.records import DetectionDataset
from detreduce.errors import InputError
from detreduce.machine.cache_folder import cache_folder


def check_apart_from(target: Path, dataset: DetectionDataset) -> None:
    """Raise InputError if the folder to write overlaps the folders of the dataset or contains its files."""
    source = dataset.source
    output = _real(target)
    files = {source.path, source.root}
    files |= {path for split in source.splits.values() for path in (*split.images, split.annotations) if path}
    files |= _label_folders(dataset)
    for folder in _listed(dataset):
        if _matches(output, folder) or (isinstance(folder, Path) and _real(folder).is_relative_to(output)):
            raise InputError(f"Output {output} and the source's folder {folder} overlap. Choose another output.")
    for file in sorted(map(_real, files)):
        if file.is_relative_to(output):
            raise InputError(f"Output {output} contains {file} of the source. Choose another output.")


def check_file_apart(target: Path, dataset: DetectionDataset) -> None:
    """Raise InputError if the file to write is inside a folder from which the dataset is read."""
    for folder in _listed(dataset):
        if _matches(_real(target), folder):
            raise InputError(f"Output {target} is inside the source's folder {folder}. Choose another path.")


def check_cache_apart(cache: str | Path | None, dataset: DetectionDataset) -> None:
    """Raise InputError if the cache is inside a folder from which the dataset is read."""
    place = _real(cache_folder(cache).absolute())
    for folder in _listed(dataset, also_with_annotations=True):
        if _matches(place, folder):
            raise InputError(f"The cache {place} is inside the source's folder {folder}. Choose another folder.")


def _listed(dataset: DetectionDataset, *, also_with_annotations: bool = False) -> list[Path | str]:
    """Return the folders and glob patterns in which a new file could become part of the dataset, sorted by name.

    By default, an images folder that contains the annotation file is left out. A new file there does no harm, because
    the loader does not list this folder. If `also_with_annotations` is True, such a folder is included.
    """
    source = dataset.source
    annotations = {split.annotations for split in source.splits.values() if split.annotations is not None}
    images = {
        path
        for split in source.splits.values()
        for path in split.images
        if path.is_dir() and (also_with_annotations or not any(path in file.parents for file in annotations))
    }
    return sorted({*images, *_label_folders(dataset), *get_format(source.format).reads_from(source)}, key=str)


def _label_folders(dataset: DetectionDataset) -> set[Path]:
    """Return the folders of the label files.

    There may be 100,000 files, so their paths are compared as strings.
    """
    folders = {os.path.dirname(record.label_path) for record in dataset if record.label_path is not None}  # noqa: PTH120
    return set(map(Path, folders))


def _matches(path: Path, place: Path | str) -> bool:
    """Return whether a path could be part of the dataset because of `place`, a folder or a glob pattern.

    A folder matches itself and everything below it. A pattern matches in the same way, and also matches folders that
    could contain such a path. For example, ``a/*/labels`` also matches ``a/b``. In a pattern, ``**`` matches any number
    of folders.
    """
    if isinstance(place, Path):
        return path.is_relative_to(_real(place))
    wanted = Path(place).parts
    fixed = next(number for number, part in enumerate(wanted) if glob.has_magic(part))
    prefix = _real(Path(*wanted[:fixed]))
    if not path.is_relative_to(prefix):
        return False
    for part, own in zip(wanted[fixed:], path.parts[len(prefix.parts) :], strict=False):
        if part == "**":
            return True
        if not fnmatchcase(own, part):
            return False
    return True


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
