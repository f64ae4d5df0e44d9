"""Find the images that a reduction of videos wrote. Before a reduction, the frames of a video have no files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from detreduce.dataset.load import load_dataset
from detreduce.dataset.records import DetectionDataset
from detreduce.dataset.writing.dataset_yaml import DATA_YAML
from detreduce.errors import InputError
from detreduce.machine.regular_files import is_regular
from detreduce.selection.dataset import describe_dataset
from detreduce.selection.record import Selection


def written_images(folder: Path, selection: Selection) -> tuple[DetectionDataset, Selection]:
    """Return the dataset in the output folder of a reduction, and a selection of its images in the order chosen.

    Raise InputError if the folder has no image of the selection.
    """
    if not is_regular(folder / DATA_YAML):
        raise InputError(
            f"{folder}: the selection has frames of videos, and the images of these frames are not in this folder. "
            "Pass the output folder of `detreduce reduce`."
        )
    split = selection.provenance.get("dataset", {}).get("split")
    dataset = load_dataset(folder / DATA_YAML, split=split)
    row_of = {str(PurePosixPath(record.name).with_suffix("")): row for row, record in enumerate(dataset)}
    rows = []
    for image in selection.image_ids:
        name = str(PurePosixPath(str(image)).with_suffix(""))
        row = row_of.get(name, row_of.get(str(image)))
        # a frame that could not be decoded was not written
        if row is not None:
            rows.append(row)
    if not rows:
        raise InputError(f"{folder}: none of the {len(selection)} images of the selection is in this folder.")
    scores = np.full(len(dataset), np.nan)
    return dataset, replace(
        selection,
        image_ids=tuple(dataset[row].id for row in rows),
        indices=np.array(rows, np.int64),
        scores=scores,
        keep=len(rows),
        categories={},
        category_codes=None,
        provenance={"dataset": describe_dataset(dataset), "made_from": dict(selection.provenance.get("dataset", {}))},
    )
