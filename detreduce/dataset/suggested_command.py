"""Commands that messages suggest."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from detreduce.dataset.paths.output_name import output_name
from detreduce.dataset.records import DetectionDataset


def dataset_words(dataset: DetectionDataset, given: str | None = None) -> list[str]:
    """Return the words of a command line that name the dataset, its images folder and its split.

    `given` is the dataset as the user typed it, if this is known.
    """
    return data_words(given or str(dataset.source.typed), dataset.source.images, dataset.split)


def data_words(given: str, images: Path | str | None, split: str) -> list[str]:
    """Return the words of a command line that name a dataset, its images folder (if not None) and its split."""
    # put ./ in front of a name that begins with a dash, which would be an option
    words = [f"./{given}" if given.startswith("-") else given]
    words += ["--images", str(images)] * (images is not None)
    return words + ["--split", split] * (split != "train")


def inspect_command(dataset: DetectionDataset, *options: str, given: str | None = None) -> str:
    """Return a command that inspects a dataset. By default, it lists all problems."""
    return shlex.join(["detreduce", "inspect", *dataset_words(dataset, given), *(options or ("--all",))])


def reduce_command(dataset: DetectionDataset, *options: str, suffix: str, given: str | None = None) -> str:
    """Return a command that writes a smaller dataset to a new folder whose name ends with `suffix`."""
    output = output_name(Path(given) if given else dataset.source.typed, suffix)
    return shlex.join(["detreduce", "reduce", *dataset_words(dataset, given), *options, "--output", output])


def split_command(dataset: DetectionDataset, given: str | None = None, options: Sequence[str] = ()) -> str:
    """Return a command that takes a val split out of train, and writes the dataset to a new folder.

    `options` are further options of the command.
    """
    place = given or str(dataset.source.typed)
    output = output_name(Path(place), "with-val")
    words = data_words(place, dataset.source.images, "train")
    return shlex.join(["detreduce", "split", *words, "--val", "0.2", *options, "--output", output])
