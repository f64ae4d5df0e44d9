"""Convert datasets of other formats to YOLO. Only boxes are written, without polygons and crowd regions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from detreduce.dataset.formats.format import Reload
from detreduce.dataset.formats.registry import get_format
from detreduce.dataset.formats.yolo.image_places import assign_places, count_renamed, findable_records
from detreduce.dataset.formats.yolo.mirror import label_place
from detreduce.dataset.formats.yolo.write import load_data_yaml, write_yolo
from detreduce.dataset.joined_classes import join_classes
from detreduce.dataset.picture_sizes import with_picture_sizes
from detreduce.dataset.records import DetectionDataset
from detreduce.dataset.splits import CANONICAL, in_order
from detreduce.dataset.suggested_command import inspect_command
from detreduce.dataset.writing.choice import Choice, readable_records, records_on_disk
from detreduce.dataset.writing.dataset_yaml import DATA_YAML
from detreduce.dataset.writing.links import Placer
from detreduce.dataset.writing.subset_warnings import warn_about_subset
from detreduce.display.numbers import counted
from detreduce.display.progress import progress
from detreduce.errors import InputError


@dataclass
class ConvertCounts:
    """Counts of clipped boxes, dropped boxes and renamed images. Warnings state them after the conversion."""

    clipped: int = 0
    dropped: int = 0
    renamed: int = 0

    def warn(self) -> None:
        """Warn about clipped boxes, dropped boxes and renamed images."""
        if self.clipped:
            warn_about_subset(
                f"{counted(self.clipped, 'box', 'boxes')} outside the image {'was' if self.clipped == 1 else 'were'} "
                "clipped to the image."
            )
        if self.dropped:
            warn_about_subset(
                f"{counted(self.dropped, 'box outside its image was', 'boxes outside their image were')} left out."
            )
        if self.renamed:
            warn_about_subset(
                f"{counted(self.renamed, 'image was', 'images were')} renamed: YOLO finds labels by name "
                "without suffix, and skips hidden files "
                "and names without a suffix of images."
            )


def convert_to_yolo(choice: Choice, placer: Placer, target: Path) -> Reload:
    """Write a dataset of any format as YOLO. Return a function that loads the reduced split from `target`.

    The files are written by `placer` to a temporary folder, which the caller then renames to `target`. A YOLO dataset
    keeps its layout and its label files. Any other dataset is written to ``images/<split>`` and ``labels/<split>``,
    with a data.yaml that has the classes in the order of the dataset. The data.yaml always names a train and a val
    split.

    Boxes are written as centre, width and height, which are fractions with 12 decimals. A box with a value outside [0,
    1] is clipped to the image, because ultralytics may skip images with such values. A box that is completely outside
    its image is left out. Each image gets a label file, which is empty for a background image. The sizes of images are
    read from the image files; see `with_picture_sizes`.

    Raise InputError if the dataset has no labels, if the link mode is ``list``, or if a size that is needed cannot be
    read.
    """
    dataset = choice.dataset
    if dataset.source.format == "yolo":
        return write_yolo(choice, placer, target, trainable=True)
    if not get_format(dataset.source.format).labelled:
        raise InputError(f"{dataset.source.path}: images without labels cannot be written as YOLO. Leave out format.")
    if placer.link == "list":
        raise InputError("link='list' does not write labels, but format='yolo' must. Use symlink, hardlink or copy.")
    own, parts = _collect_parts(choice)
    classes = join_classes({own: parts[own], **parts})
    if classes.notice:
        warn_about_subset(classes.notice)
    for split, part in parts.items():
        parts[split], conflicts = with_picture_sizes(part)
        for notice in conflicts.notices(inspect_command(part)):
            warn_about_subset(notice)
    counts = ConvertCounts()
    with progress("Writing images", sum(map(len, parts.values())), "images") as advance:
        for split, part in parts.items():
            _write_split(split, part, classes.numbers[split], placer, counts, advance)
    counts.warn()
    header = f"{dataset.source.format.upper()} boxes of {dataset.source.path.name}, written as YOLO by detreduce"
    placer.write(DATA_YAML, make_data_yaml(header, own, list(parts), classes.names).encode("utf-8"))
    return partial(load_data_yaml, target / DATA_YAML, own)


def _collect_parts(choice: Choice) -> tuple[str, dict[str, DetectionDataset]]:
    """Return the name of the reduced split, and all splits to write. VOC's split trainval is called train."""
    dataset, others = choice.dataset, choice.load_others()
    own = "train" if dataset.split == "trainval" else dataset.split
    kept = readable_records(dataset.split, choice.kept)
    reduced = replace(dataset, records=findable_records(dataset.split, kept))
    if not len(kept):
        raise InputError(
            f"{dataset.source.path}: none of the images ({len(choice.kept):,}) has labels that can be read. "
            "`detreduce inspect` lists the problems."
        )
    if not len(reduced):
        raise InputError(
            f"{dataset.source.path}: ultralytics can read none of the images ({len(kept):,}). Convert them."
        )
    parts = {
        split: replace(
            others[split], records=findable_records(split, readable_records(split, records_on_disk(others[split])))
        )
        for split in CANONICAL
        if split in others and split != own
    }
    # leave out empty splits, because ultralytics refuses a split without images
    return own, in_order({own: reduced, **{split: part for split, part in parts.items() if len(part)}})


def yolo_boxes(corners: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], int]:
    """Convert boxes from corners to centre, width and height. Boxes with a value outside [0, 1] are clipped to the
    image.

    `corners` (m, 4) are x1, y1, x2, y2 as fractions. If a clipped box has no area, it is dropped. Return the boxes that
    remain (k, 4), a mask that marks them in the input (m,), and how many of them were clipped.
    """
    boxes = _to_centres(corners)
    outside = ((boxes < 0) | (boxes > 1)).any(axis=1)
    clipped = np.clip(corners, 0, 1)
    empty = ((clipped[:, 2:] - clipped[:, :2]) <= 0).any(axis=1)
    gone: npt.NDArray[np.bool_] = np.logical_and(outside, empty)
    boxes[outside] = _to_centres(clipped[outside])
    stays = np.logical_not(gone)
    return boxes[stays], stays, int((outside & stays).sum())


def _to_centres(corners: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Convert (m, 4) corners to (m, 4) centre, width and height."""
    return np.hstack([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]])


def _write_split(
    split: str,
    part: DetectionDataset,
    numbers: Sequence[int],
    placer: Placer,
    counts: ConvertCounts,
    advance: Callable[..., None],
) -> None:
    """Write the images and labels of one split. `numbers` maps each class of the split to its YOLO class number."""
    places = assign_places(split, part.records)
    counts.renamed += count_renamed(split, part.records, places)
    placer.make_folder(PurePosixPath("images", split))
    for record, place, text in zip(part, places, label_texts(part, numbers, counts), strict=True):
        placer.image(record.path, place)
        placer.write(label_place(place), text.encode("ascii"))
        advance()


def label_texts(part: DetectionDataset, numbers: Sequence[int], counts: ConvertCounts) -> Iterator[str]:
    """Yield the text of the label file of each image.

    `numbers` maps each class of the split to its YOLO class number. The numbers of clipped and dropped boxes are added
    to `counts`. Raise InputError if the size of an image with boxes is not known.
    """
    corners, rows, crowd = part.boxes_xyxyn, part.box_rows, part.box_crowd
    bounds = np.searchsorted(rows, np.arange(len(part) + 1))
    for row, record in enumerate(part):
        inside = slice(bounds[row], bounds[row + 1])
        single = ~crowd[inside]
        boxes = corners[inside][single]
        if np.isnan(boxes).any():
            raise InputError(f"{record.path}: boxes are in pixels, but the image cannot be read. Repair the image.")
        boxes, mask, clipped = yolo_boxes(boxes)
        counts.clipped += clipped
        counts.dropped += int((~mask).sum())
        classes = [numbers[int(key)] for key in record.class_ids[single][mask]]
        yield _format_lines(classes, boxes)


def _format_lines(classes: Iterable[int], boxes: npt.NDArray[np.float64]) -> str:
    """Return the text of a label file, with one line for each box."""
    rows = zip(classes, boxes.tolist(), strict=True)
    return "".join(f"{key} {' '.join(map(_format_number, box))}\n" for key, box in rows)


def _format_number(value: float) -> str:
    """Format a number with at most 12 decimals."""
    return f"{value:.12f}".rstrip("0").rstrip(".")


def make_data_yaml(
    header: str, own: str, splits: Sequence[str], names: Sequence[str], others: Mapping[str, Any] | None = None
) -> str:
    """Return the text of a data.yaml.

    Ultralytics needs a train and a val split. If one is missing, another split is named in its place, with a warning.
    For val, this is the test split if there is one. Otherwise, it is the split `own`.

    `header` is the comment in the first line. `others` contains further keys.
    """
    lines = [f"# {header}\n"]
    lines += [f"{split}: images/{split}\n" for split in splits]
    for needed in ("train", "val"):
        if needed not in splits:
            stand_in = "test" if needed == "val" and "test" in splits else own
            lines.append(f"# there is no {needed} split, and ultralytics asks for one\n{needed}: images/{stand_in}\n")
            advice = " `detreduce split` holds out a part of train." if stand_in == "train" else ""
            warn_about_subset(f"There is no {needed} split, so data.yaml names {stand_in} instead.{advice}")
    content = {"names": dict(enumerate(names)), **(others or {})}
    block = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    return "".join(lines) + "\n" + block
