"""Write a selection in a form that another program can read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import get_args

from detreduce.dataset.listing import absolute
from detreduce.dataset.load import load_split
from detreduce.dataset.records import DetectionDataset
from detreduce.dataset.writing.apart import check_apart_from, check_file_apart
from detreduce.dataset.writing.links import LinkMode, Placer, check_link, require_images
from detreduce.dataset.writing.manifest import is_in_output
from detreduce.dataset.writing.staging import staged
from detreduce.display.progress import progress
from detreduce.errors import InputError, nearest
from detreduce.exports.coco import coco_pieces
from detreduce.exports.fiftyone import DATA, fiftyone_files
from detreduce.exports.lightly_studio import IMAGES, by_tag, lightly_files
from detreduce.exports.rows import ImageRow, image_places, image_rows
from detreduce.exports.text import csv_text, list_text
from detreduce.machine.documents import parse_json
from detreduce.machine.files import write_atomically
from detreduce.machine.regular_files import RECORDS, read_regular
from detreduce.selection.dataset import check_selection
from detreduce.selection.record import Selection
from detreduce.vocabulary.option_values import ExportForm

FORMS: tuple[ExportForm, ...] = get_args(ExportForm)
FOLDERS = ("fiftyone", "lightly-studio")
SELECTION, TABLE = PurePosixPath("selection.json"), PurePosixPath("selection.csv")


def export_selection(
    dataset: DetectionDataset,
    selection: Selection,
    output: str | Path,
    *,
    form: ExportForm | str,
    link: LinkMode = "hardlink",
    overwrite: bool = False,
    discard_changes: bool = False,
) -> Path:
    """Write a selection in a form that another program can read.

    Parameters
    ----------
    dataset
        The dataset split from which the images were selected.
    selection
        The selected images.
    output
        Path of the file (list, csv, coco) or of the folder (fiftyone, lightly-studio) to write.
    form
        ``list``: a text file with the absolute paths of the kept images, in the order of selection.

        ``csv``: a table of all images with the columns kept, rank, score and category.

        ``coco``: a COCO JSON of the kept images. For a COCO dataset, it is the original JSON without the dropped
        images. For other formats, boxes are in pixels, ids start at 1, and file names are relative to the common folder
        of the images.

        ``fiftyone``: a folder with all images. Read it with
        ``fo.Dataset.from_dir(folder, dataset_type=fo.types.FiftyOneDataset)``.
        Each sample has tags and the fields kept, rank, score and category.

        ``lightly-studio``: a folder with all images. Read it with
        ``add_samples_from_coco("annotations.json", "images", tag_depth=1)``. Each image has the tag kept or dropped.
    link
        How images are put into the folder: ``hardlink``, ``symlink`` or ``copy``. If the file system does not support
        hard links, ``hardlink`` copies the images.
    overwrite
        Replace an existing file, or an existing folder that detreduce wrote and nobody changed.
    discard_changes
        With `overwrite`: replace a folder even if this deletes files that somebody added or changed.

    Returns
    -------
    pathlib.Path
        The absolute path of the file or folder.

    Raises
    ------
    InputError
        The form is unknown, the output exists and may not be replaced, an image is missing, or the selection was made
        from another dataset.
    ImageReadError
        The form needs the size of an image, and the size cannot be read.
    DetreduceError
        The output cannot be written.
    """
    if form not in FORMS:
        raise InputError(f"form={form!r} is not one of {', '.join(FORMS)}.{nearest(str(form), FORMS)}")
    mode = check_link(link)
    check_selection(dataset, selection)
    rows = image_rows(dataset, selection)
    target = absolute(Path(output).expanduser())
    if form not in FOLDERS:
        _check_file(target, dataset, overwrite=overwrite)
        if form == "coco":
            with dataset.loaded.compared():
                return _write_file(target, coco_pieces(dataset, rows))
        return _write_file(target, [list_text(rows) if form == "list" else csv_text(rows)])
    if mode == "list":
        raise InputError(
            f"link='list' does not put images into the folder, but {form} needs images there. Use link='symlink'."
        )
    check_apart_from(target, dataset)
    content = _folder_content(dataset, selection, rows, form)
    with (
        staged(target, overwrite=overwrite, discard_changes=discard_changes) as folder,
        dataset.loaded.compared(),
    ):
        content.write(Placer(folder, mode, dataset.loaded))
    return target


@dataclass(frozen=True)
class FolderContent:
    """The content of an exported folder.

    Attributes
    ----------
    images
        One pair of paths per image: the path of the image file, and the new path relative to the folder.
    files
        Path of every other file relative to the folder -> its content.
    """

    images: Sequence[tuple[Path, PurePosixPath]]
    files: Mapping[PurePosixPath, bytes]

    def write(self, placer: Placer) -> None:
        """Link or copy the images and write the other files. List all images and files in the manifest."""
        with progress("Writing images", len(self.images), "images") as advance:
            for path, place in self.images:
                placer.image(path, place)
                advance()
        for place, content in self.files.items():
            placer.write(place, content)
        placer.finish()


def _folder_content(
    dataset: DetectionDataset, selection: Selection, rows: Sequence[ImageRow], form: str
) -> FolderContent:
    require_images(row.record.path for row in rows)
    paths = image_places([row.record for row in rows])
    if form == "fiftyone":
        images = [DATA / path for path in paths]
        files = fiftyone_files(dataset, selection, rows, images)
    else:
        tagged = by_tag(rows, paths)
        images = [IMAGES / path for path in tagged]
        files = lightly_files(dataset, tagged)
    files[SELECTION] = selection.to_json().encode()
    files[TABLE] = csv_text(rows, [str(path) for path in images])
    return FolderContent([(row.record.path, path) for row, path in zip(rows, images, strict=True)], files)


def _check_file(target: Path, dataset: DetectionDataset, *, overwrite: bool) -> None:
    """Raise InputError if a file may not be written: it is part of a dataset or a selection, or it exists."""
    if target.is_dir():
        raise InputError(f"Output {target} is a folder. Pass the path of a file.")
    check_file_apart(target, dataset)
    if not os.path.lexists(target):
        return
    if not overwrite:
        raise InputError(f"Output {target} exists. Choose another path, or pass overwrite (--overwrite).")
    if os.path.realpath(target) in _files_of(dataset):
        raise InputError(f"Output {target} is a file of the dataset itself. Choose another path.")
    if is_in_output(target):
        raise InputError(f"Output {target} is a file of a reduced dataset. Choose another path.")
    if _is_selection(target):
        raise InputError(f"Output {target} is a selection. Choose another path.")


def _files_of(dataset: DetectionDataset) -> set[str]:
    """Return the real paths of all files of a dataset, of every split."""
    source = dataset.source
    found: set[Path | None] = {source.path}
    for split, place in source.splits.items():
        found |= {place.annotations, *place.images}
        with suppress(InputError, OSError):
            part = dataset if split == dataset.split else load_split(source, split)
            found |= {path for record in part for path in (record.path, record.label_path)}
    return {os.path.realpath(path) for path in found if path is not None}


def _is_selection(file: Path) -> bool:
    """Return whether a file is a selection.json."""
    try:
        content = parse_json(read_regular(file, RECORDS).decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and "image_ids" in content


def _write_file(target: Path, pieces: Iterable[bytes]) -> Path:
    write_atomically(target, lambda file: file.writelines(pieces))
    return target
