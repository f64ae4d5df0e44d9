"""One row of the format registry: everything that the rest of the package asks of a dataset format."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from detreduce.dataset.reading.description import Description
from detreduce.dataset.records import DetectionDataset, ImageId, Source
from detreduce.dataset.writing.choice import Choice
from detreduce.dataset.writing.links import Placer

LicenceOf = Callable[[ImageId], str]
"""Licence name of one image."""
Reload = Callable[[], DetectionDataset]
"""Loads the reduced split, once the folder that was written is at its final place."""
Write = Callable[[Choice, Placer, Path], Reload]
"""Fills the placer's folder with the chosen images and the other splits; the path is the folder's final place."""


def never(path: Path) -> bool:
    """Return False: the format has no such file or folder."""
    return False


def no_files(folder: Path) -> Iterable[Path]:
    """Return nothing: no file name in a folder tells that it holds this format."""
    return ()


def no_licences(dataset: DetectionDataset) -> LicenceOf | None:
    """Return None: files of this format state no licence."""
    return None


@dataclass(frozen=True, kw_only=True)
class Format:
    """How one dataset format is recognised, loaded, counted and written.

    Attributes
    ----------
    name
        As in ``Source.format``, in selections, and in ``format:`` of a dataset YAML.
    example
        What a person gives to load it, for messages: ``a COCO .json``.
    accepts_file, accepts_folder
        Whether an existing file, or folder, is a dataset of this format.
    sure_files, likely_files
        Where in a folder its file may be; likely ones have names that other formats use too. Files need not exist.
    images_for
        Suffix of an annotation file that does not say where its images are, so that ``images=`` may; else empty.
    load_path
        Load an accepted path: (path, split or None for the default, images folder or None).
    load_yaml
        Load a dataset YAML with ``format: name``: (description, split); None where no such YAML exists.
    load_split
        Load one split of a known source.
    count_images
        Count the images of one split of a source without loading boxes.
    labelled
        False for images without annotations.
    read_licences
        Return the licence of each image, or None where the files state none.
    write
        Write a subset of a dataset of this format in the same format.
    convert
        Write a subset of a dataset of any format in this format, with a train and a val split; None where that is not
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
    sure_files: Callable[[Path], Iterable[Path]] = no_files
    likely_files: Callable[[Path], Iterable[Path]] = no_files
    images_for: str = ""
    load_yaml: Callable[[Description, str], DetectionDataset] | None = None
    labelled: bool = True
    read_licences: Callable[[DetectionDataset], LicenceOf | None] = no_licences
    convert: Write | None = None
