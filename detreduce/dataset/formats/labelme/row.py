"""Recognise and load LabelMe folders: defines the `Format` `LABELME`."""

from __future__ import annotations

from pathlib import Path

from detreduce.dataset.formats.format import Format
from detreduce.dataset.formats.labelme.read import count_images, find_labelme_splits, has_labelme, load_labelme
from detreduce.dataset.formats.labelme.write import write_labelme
from detreduce.dataset.reading.description import Description, find_root, named_path, split_values
from detreduce.dataset.records import DetectionDataset, Source, SplitSource
from detreduce.dataset.splits import choose_split, in_order
from detreduce.errors import InputError, MissingFileError


def load_path(folder: Path, split: str | None, images: Path | None) -> DetectionDataset:
    """Load a folder with JSON files and images. Raise the same errors as `load_labelme`."""
    splits = find_labelme_splits(folder)
    return load_labelme(Source("labelme", folder, folder, splits), choose_split(split or "train", splits, folder))


def load_yaml(description: Description, split: str) -> DetectionDataset:
    """Load a dataset YAML with ``format: labelme``.

    The YAML can name the folder of each split (``train: folder``). If it does not, the splits are found in the root
    folder. Raise MissingFileError if a folder does not exist, and InputError if a folder is not below the root.
    """
    root = find_root(description)
    splits: dict[str, SplitSource] = {}
    for name, value in split_values(description).items():
        folder = named_path(description, root, str(value))
        if not folder.is_dir():
            raise MissingFileError(f"{folder}: the folder of {name!r} does not exist.{description.how_to_get()}")
        if not folder.is_relative_to(root):
            raise InputError(f"{description.file}: the folder of {name!r} ({folder}) must be below {root}.")
        splits[name] = SplitSource((folder,))
    splits = in_order(splits) if splits else find_labelme_splits(root)
    source = Source("labelme", description.file, root, splits)
    return load_labelme(source, choose_split(split, splits, description.file))


LABELME = Format(
    name="labelme",
    example="a LabelMe folder",
    accepts_images=has_labelme,
    load_path=load_path,
    load_yaml=load_yaml,
    load_split=load_labelme,
    count_images=count_images,
    write=write_labelme,
)
