"""The command that lists the problems of a dataset, for messages."""

from __future__ import annotations

import shlex

from detreduce.dataset.load import images_to_give
from detreduce.dataset.records import DetectionDataset


def inspect_command(dataset: DetectionDataset) -> str:
    """Return the command that lists all problems of a dataset."""
    images = images_to_give(dataset)
    options = ["--images", str(images)] if images is not None else []
    if dataset.split != "train":
        options += ["--split", dataset.split]
    return shlex.join(["detreduce", "inspect", str(dataset.source.typed), *options, "--all"])
