"""Define `Format`, which bundles everything that the package needs to know about a dataset format."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from detreduce.dataset.reading.description import Description
from detreduce.dataset.records import DetectionDataset, ImageId, Source
from detreduce.dataset.writing.choice import Choice
from detreduce.dataset.writing.links import Placer

LicenceOf = Callable[[ImageId], str]
"""A function that returns the name of the licence of an image."""
Reload = Callable[[], DetectionDataset]
"""A function that loads the reduced split, after the folder that was written has been renamed to its final path."""
Write = Callable[[Choice, Placer, Path], Reload]
"""A function that writes the chosen images and the other splits to the placer's temporary folder.

Its last argument is the path to which the caller will rename this folder.
"""


def never(path: Path) -> bool:
    """Return False: the format does not accept paths of this kind."""
    return False


def no_files(folder: Path) -> Iterable[Path]:
    """Return nothing: no file name is typical of the format."""
    return ()


def no_licences(dataset: DetectionDataset) -> LicenceOf | None:
    """Return None: files of the format do not state licences."""
    return None


def no_places(source: Source) -> Iterable[Path | str]:
    """Return nothing: the format reads only images and annotation files."""
    return ()


@dataclass(frozen=True, kw_only=True)
class Format:
    """A dataset format: functions that recognise, load, count and write datasets in this format.

    Attributes
    ----------
    name
        Name of the format in ``Source.format``, in selections, and under ``format:`` in a dataset YAML.
    example
        A description of a path that the format can load, for messages. For example: ``a COCO .json``.
    accepts_file
        Returns whether an existing file is a dataset in this format.
    accepts_folder
        Returns whether an existing folder is a dataset in this format.
    accepts_images
        Returns whether a folder of images also contains labels in this format. It is called only if the folder does not
        contain a dataset file of any format.
    sure_files
        Returns the paths in a folder at which a dataset file of this format can be. Only this format uses these file
        names. The files need not exist.
    likely_files
        Returns further paths at which a dataset file of this format can be. Other formats use these file names too.
    images_for
        The suffix of annotation files that do not name their images folder, for example ``.json``. For such a file, the
        caller may pass the folder as ``images=``. Empty if the format has no such files.
    load_path
        Loads a path that was accepted. Its arguments are the path, the split (or None) and the images folder (or None).
    load_yaml
        Loads one split of a dataset YAML that names this format. None if a YAML cannot name it.
    load_split
        Loads one split of a source.
    count_images
        Returns the number of images in one split of a source, without loading boxes.
    labelled
        Whether the images have annotations.
    reads_from
        Returns other places that the format reads, in addition to images and labels. A place is a folder, or an
        absolute glob pattern (as str). Nothing may be written to these places.
    read_licences
        Returns a function that maps an image id to a licence, or None if the files do not state licences.
    write
        Writes a subset of a dataset. The dataset and the subset both have this format.
    holds_out
        Whether `write` can also write new splits that are taken from the reduced split.
    convert
        Writes a subset with a train and a val split in this format. The dataset may have any format. None if this is
        not possible.
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
    holds_out: bool = False
