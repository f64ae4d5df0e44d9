"""Define `Format`: all functions that the package needs for one dataset format."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from detreduce.dataset.reading.description import Description
from detreduce.dataset.records import DetectionDataset, ImageId, Source
from detreduce.dataset.writing.choice import Choice
from detreduce.dataset.writing.links import Placer

LicenceOf = Callable[[ImageId], str]
"""A function that returns the licence name of an image."""
Reload = Callable[[], DetectionDataset]
"""A function that loads the reduced split. It is called after the written folder was renamed to its final path."""
Write = Callable[[Choice, Placer, Path], Reload]
"""A function that writes the chosen images and the other splits to the placer's temporary folder.

The function also gets the final path of this folder, after the caller has renamed the folder.
"""


def never(path: Path) -> bool:
    """Return False, because the format does not accept such paths."""
    return False


def no_files(folder: Path) -> Iterable[Path]:
    """Return an empty collection, because no file name is typical of the format."""
    return ()


def no_licences(dataset: DetectionDataset) -> LicenceOf | None:
    """Return None, because files of this format do not state a licence."""
    return None


def no_places(source: Source) -> Iterable[Path | str]:
    """Return an empty collection, because the format reads nothing but images and annotation files."""
    return ()


@dataclass(frozen=True, kw_only=True)
class Format:
    """A dataset format: the functions that recognise, load, count and write its datasets.

    Attributes
    ----------
    name
        Name of the format in ``Source.format``, in selections, and in ``format:`` of a dataset YAML.
    example
        An example of a path that this format loads, for messages: ``a COCO .json``.
    accepts_file
        Return whether an existing file is a dataset of this format.
    accepts_folder
        Return whether an existing folder is a dataset of this format.
    accepts_images
        Return whether a folder of images has labels of this format next to the images. It is called only if the folder
        has no dataset file of any format.
    sure_files
        Return paths, in a folder, at which this format may have a dataset file. Only this format uses these names. The
        files need not exist.
    likely_files
        Like `sure_files`, for names that other formats use too.
    images_for
        Suffix of annotation files for which the caller may pass ``images=``, because the files do not name their images
        folder. Empty if there are no such files.
    load_path
        Load an accepted path. The arguments are the path, the split (or None) and the images folder (or None).
    load_yaml
        Load one split of a dataset YAML with ``format: name``. None if the format cannot be named in a YAML.
    load_split
        Load one split of a source.
    count_images
        Return the number of images in one split of a source. Boxes are not loaded.
    labelled
        False for images without annotations.
    reads_from
        Return other folders that the format reads besides images and labels, and absolute glob patterns (str). Nothing
        may be written there.
    read_licences
        Return a function image id -> licence, or None if the files do not state a licence.
    write
        Write a subset of a dataset of this format in the same format.
    convert
        Write a subset of a dataset of any format in this format, with a train and a val split. None if this is not
        possible.
    """

    name: str
    example: str
    load_path: Callable[[Path, str | None, Path | None], DetectionDataset]
    load_split: Callable[[Source, str], DetectionDataset]
    count_images: Callable[[Source, str], int]
    write: Write
    accepts_file: Callable[[Path], bool] = never
    accepts_folder: Callable[[Path], bool] = never
    accepts_images: Callable[[Path], bool] = never
    sure_files: Callable[[Path], Iterable[Path]] = no_files
    likely_files: Callable[[Path], Iterable[Path]] = no_files
    images_for: str = ""
    load_yaml: Callable[[Description, str], DetectionDataset] | None = None
    labelled: bool = True
    reads_from: Callable[[Source], Iterable[Path | str]] = no_places
    read_licences: Callable[[DetectionDataset], LicenceOf | None] = no_licences
    convert: Write | None = None
