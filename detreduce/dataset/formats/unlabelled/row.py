"""Load folders of images without labels: defines the `Format` `UNLABELLED`."""

from __future__ import annotations

import os
from pathlib import Path

from detreduce.dataset.formats.format import Format
from detreduce.dataset.formats.unlabelled.read import count_images, load_unlabelled
from detreduce.dataset.formats.unlabelled.write import write_unlabelled
from detreduce.dataset.reading.annotation_kinds import find_unread
from detreduce.dataset.reading.description import Description, find_root, named_path, split_values
from detreduce.dataset.records import DetectionDataset, Source, SplitSource
from detreduce.dataset.splits import choose_split, in_order
from detreduce.errors import InputError, MissingFileError


def load_path(folder: Path, split: str | None, images: Path | None) -> DetectionDataset:
    """Load all images below a folder, as the split train.

    Raise InputError if the folder contains files that look like annotations, because the images then seem to be
    labelled. Such images can be loaded without labels through a dataset YAML with ``format: images``.
    """
    splits = {"train": SplitSource((folder,))}
    dataset = load_unlabelled(Source("images", folder, folder, splits), choose_split(split or "train", splits, folder))
    for unread in find_unread(folder):
        files = f"{unread.files} that look" if unread.more or unread.opened > 1 else "a file that looks"
        raise InputError(
            f"{folder}: the folder has {files} like {unread.kind.title} (for instance {unread.first}), which "
            f"detreduce cannot read in a folder of images. {unread.kind.advice}. To choose from the images without "
            f"labels, pass a YAML with 'format: images' and 'path: {folder}'."
        )
    return dataset


def load_yaml(description: Description, split: str) -> DetectionDataset:
    """Load a YAML with ``format: images``. Raise MissingFileError if a folder that the YAML names does not exist."""
    root = find_root(description)
    splits = image_splits(description, root)
    source = Source("images", description.file, root, splits)
    return load_unlabelled(source, choose_split(split, splits, description.file))


def image_splits(description: Description, root: Path) -> dict[str, SplitSource]:
    """Return the splits of a YAML.

    The value under the key of a split (such as ``train:``) is a folder, a list file, or several of them. If the YAML
    has no such keys, all images below the root are the split train.
    """
    splits = {}
    for split, value in split_values(description).items():
        places = []
        for entry in value if isinstance(value, list) else [value]:
            places.append(named_path(description, root, str(entry)))
            if not os.path.exists(places[-1]):  # noqa: PTH110 (an odd text must not raise)
                raise MissingFileError(f"{places[-1]}: the images of {split!r} do not exist.{description.how_to_get()}")
        splits[split] = SplitSource(tuple(places))
    return in_order(splits) if splits else {"train": SplitSource((root,))}


UNLABELLED = Format(
    name="images",
    example="a folder of images",
    accepts_folder=Path.is_dir,
    load_path=load_path,
    load_yaml=load_yaml,
    load_split=load_unlabelled,
    count_images=count_images,
    labelled=False,
    write=write_unlabelled,
)
