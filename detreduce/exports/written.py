"""Find the images that a reduction of videos wrote. Before a reduction, the frames of a video have no files."""

from __future__ import annotations

import csv
import io
import os
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from detreduce.dataset.load import load_dataset
from detreduce.dataset.records import DetectionDataset, ImageId, ImageRecord
from detreduce.dataset.writing.dataset_yaml import DATA_YAML, FRAMES_TABLE
from detreduce.errors import DetreduceWarning, InputError, name_first
from detreduce.machine.untrusted.regular_files import LISTS, is_regular, read_text
from detreduce.selection.record import Selection
from detreduce.selection.saved.dataset import check_selection, describe_dataset

_Suffixes = Mapping[tuple[str, int], str]


def written_images(
    folder: Path, selection: Selection, dataset: DetectionDataset
) -> tuple[DetectionDataset, Selection, dict[ImageId, ImageId]]:
    """Return the dataset in the output folder of a reduction, and a selection of its images in the order chosen.

    The third value maps the id of each written image to the id of the image in `dataset`.

    `dataset` has the videos that the selection was made from. Issue a warning that names frames which the reduction
    could not decode. Raise InputError if an image of the selection is missing in the folder.
    """
    check_selection(dataset, selection)
    if not is_regular(folder / DATA_YAML) or not is_regular(folder / FRAMES_TABLE):
        raise InputError(
            f"{folder}: the selection has frames of videos, and the images of these frames are not in this folder. "
            "Pass the output folder of `detreduce reduce`."
        )
    suffixes = _suffixes(folder / FRAMES_TABLE)
    written = load_dataset(folder / DATA_YAML, split=selection.provenance.get("dataset", {}).get("split"))
    row_of = {record.name: row for row, record in enumerate(written)}
    rows, undecoded, missing = [], [], []
    originals: dict[ImageId, ImageId] = {}
    for image in selection.image_ids:
        record = dataset[dataset.row_of[image]]
        name = _written_name(record, dataset, suffixes)
        if name is None:
            undecoded.append(record.name)
        elif name in row_of and is_regular(written[row_of[name]].path):
            rows.append(row_of[name])
            originals[written[row_of[name]].id] = image
        else:
            missing.append(name)
    if missing:
        raise InputError(
            f"{folder}: {len(missing)} of the {len(selection)} images of the selection are missing in this folder: "
            f"{name_first(missing)}. Run `detreduce reduce` or `detreduce next` again."
        )
    if not rows:
        raise InputError(f"{folder}: none of the images of the selection ({len(selection):,}) is in this folder.")
    assert len(set(rows)) == len(rows)
    if undecoded:
        warnings.warn(
            f"Frames that could not be decoded, and so are left out: {name_first(undecoded)}.",
            DetreduceWarning,
            stacklevel=2,
        )
    chosen = replace(
        selection,
        image_ids=tuple(written[row].id for row in rows),
        indices=np.array(rows, np.int64),
        scores=np.full(len(written), np.nan),
        keep=len(rows),
        categories={},
        category_codes=None,
        provenance={"dataset": describe_dataset(written), "made_from": dict(selection.provenance.get("dataset", {}))},
    )
    return written, chosen, originals


def _suffixes(table: Path) -> _Suffixes:
    """Return the suffix of each image that was written for a frame, by the frame's video and number."""
    try:
        text = read_text(table, LISTS, errors="surrogateescape")
        return {
            (row["video"], int(row["frame"])): PurePosixPath(row["image"]).suffix
            for row in csv.DictReader(io.StringIO(text))
        }
    except OSError as error:
        raise InputError(f"{table} cannot be read: {error.strerror or error}.") from error
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise InputError(
            f"{table}: this is not the table of frames that `detreduce reduce` writes. Run `detreduce reduce` again."
        ) from error


def _written_name(record: ImageRecord, dataset: DetectionDataset, suffixes: _Suffixes) -> str | None:
    """Return the name that the reduction gave an image. None if the image is a frame that was not written."""
    if record.frame is None:
        return record.name
    video = os.path.relpath(record.frame.video, dataset.source.root).replace(os.sep, "/")
    suffix = suffixes.get((video, record.frame.number))
    return None if suffix is None else str(PurePosixPath(record.name).with_suffix(suffix))
