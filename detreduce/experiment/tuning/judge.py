"""The images by which recipes are chosen: val, or a part of train that no training sees. They are never test images."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from detreduce.dataset.load import load_dataset
from detreduce.dataset.records import DetectionDataset
from detreduce.dataset.write import SubsetWarning, write_subset
from detreduce.dataset.writing.dataset_yaml import DATA_YAML
from detreduce.display.numbers import counted
from detreduce.errors import InputError
from detreduce.experiment.ledger.identity import data_identity
from detreduce.machine.cache_folder import cache_folder
from detreduce.machine.claims import claimed
from detreduce.machine.files import write_atomically, writing
from detreduce.machine.hashes import json_hash
from detreduce.machine.untrusted.documents import load_yaml
from detreduce.machine.untrusted.regular_files import YAMLS, is_regular, read_text
from detreduce.selection.choose import select
from detreduce.training.run.folder import find_other_splits

SHARE = 0.2
"""Share of train that is held out if the dataset has no val split."""
LEAST_IMAGES = 5


@dataclass(frozen=True)
class Judge:
    """The images on which trainings are evaluated in order to choose among recipes.

    Attributes
    ----------
    data
        The path of the dataset to train on. If the user's dataset has no val split, this is a new dataset, whose val
        split was held out of the user's train split.
    held_out
        Number of images that were held out of train. 0 if the dataset has a val split.
    confirm
        The split on which the chosen recipe is measured: ``test``, or ``val`` if test is missing or cannot be used.
    """

    data: str
    held_out: int
    confirm: Literal["val", "test"]

    @property
    def words(self) -> str:
        """A phrase for the images that choose among recipes: ``val``, or for example ``20 images held out of
        train``.
        """
        return f"{counted(self.held_out, 'image')} held out of train" if self.held_out else "val"

    @property
    def confirm_words(self) -> str:
        """A phrase for the images on which the chosen recipe is measured."""
        return "test" if self.confirm == "test" else self.words


def find_judge(dataset: DetectionDataset, seed: int) -> Judge:
    """Return the images that choose among recipes.

    `dataset` is the train split. If there is no val split, random images of train are held out, using `seed`. They
    become the val split of a new dataset in the cache. Raise InputError if train is too small, or if val cannot be
    used.
    """
    splits = dataset.source.splits
    # check this now, because a training would notice it only at its evaluation, when budget has been spent
    _, unusable = find_other_splits(dataset)
    confirm: Literal["val", "test"] = "val" if unusable["test"] else "test"
    if "val" in splits:
        if unusable["val"]:
            raise InputError(f"{dataset.source.typed}: val cannot choose a recipe, because {unusable['val']}.")
        return Judge(str(dataset.source.path), 0, confirm)
    if not dataset.labelled:
        raise InputError(f"{dataset.source.typed} has no labels to train on.")
    if len(dataset) < LEAST_IMAGES:
        raise InputError(
            f"{dataset.source.typed} has no val split, and its {len(dataset)} images of train are too few to hold some "
            f"out: at least {LEAST_IMAGES} are needed. Name a val split."
        )
    held = set(select(dataset, "srs", SHARE, seed).image_ids)
    return Judge(str(_write(dataset, held)), len(held), confirm)


def _write(dataset: DetectionDataset, held: set[Any]) -> Path:
    """Write a dataset of links in which the images in `held` are moved from train to val. Return its data.yaml."""
    source = dataset.source.path.absolute()
    key = json_hash([str(source), data_identity(dataset), sorted(map(str, held))])[:16]
    folder = cache_folder() / "datasets" / key / f"{(source if source.is_dir() else source.parent).name or 'data'}-held"
    file = folder / DATA_YAML
    with writing(folder), claimed(folder, wait=True):
        # another process may just have written the same dataset
        if not is_regular(file):
            parts = [[image for image in dataset.image_ids if (image in held) == chosen] for chosen in (False, True)]
            kept, val = _subset(dataset, parts[0], folder / "train"), _subset(dataset, parts[1], folder / "val")
            content = load_yaml(read_text(kept.source.path, YAMLS))
            # use absolute paths, because the train and val parts are in folders of their own
            places = {"train": kept.source.splits["train"], "val": val.source.splits["train"]}
            places |= {name: place for name, place in kept.source.splits.items() if name == "test"}
            content |= {name: [str(path) for path in place.images] for name, place in places.items()}
            content.pop("path", None)
            text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
            write_atomically(file, lambda stream: stream.write(text.encode()))
    return file


def _subset(dataset: DetectionDataset, images: list[Any], folder: Path) -> DetectionDataset:
    """Write images of train to `folder` as a YOLO dataset of links, and return its train split.

    If the folder already has a dataset, only read it.
    """
    if not is_regular(folder / DATA_YAML):
        with warnings.catch_warnings():
            # do not warn about the missing val split, because it is added below
            warnings.simplefilter("ignore", SubsetWarning)
            write_subset(dataset, images, folder, link="symlink", format="yolo")
    return load_dataset(folder / DATA_YAML, split="train")
