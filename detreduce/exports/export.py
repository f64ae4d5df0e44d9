"""Write a selection in a form that another program can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import get_args

from detreduce.arrays.predictions import Predictions
from detreduce.dataset.paths.listing import absolute
from detreduce.dataset.records import DetectionDataset
from detreduce.dataset.views.predicted import as_given
from detreduce.dataset.writing.apart import check_apart_from
from detreduce.dataset.writing.links import LinkMode, Placer, check_link, require_images
from detreduce.dataset.writing.staging import staged
from detreduce.display.progress import progress
from detreduce.errors import InputError, nearest
from detreduce.exports.coco import coco_pieces
from detreduce.exports.fiftyone import DATA, fiftyone_files
from detreduce.exports.lightly_studio import IMAGES, by_tag, lightly_files
from detreduce.exports.one_file import check_file, write_file
from detreduce.exports.rows import ImageRow, image_places, image_rows
from detreduce.exports.tasks import IMAGES as TASK_IMAGES
from detreduce.exports.tasks import TASK_FORMS, Guesses, flat, in_rank_order, task_files, with_own_stems
from detreduce.exports.text import csv_text, list_text
from detreduce.selection.record import Selection
from detreduce.selection.saved.dataset import check_selection
from detreduce.vocabulary.option_values import FILE_FORMS, ExportForm

FORMS: tuple[ExportForm, ...] = get_args(ExportForm)
FOLDERS = tuple(form for form in FORMS if form not in FILE_FORMS)
SELECTION, TABLE = PurePosixPath("selection.json"), PurePosixPath("selection.csv")


def export_selection(
    dataset: DetectionDataset,
    selection: Selection,
    output: str | Path,
    *,
    form: ExportForm | str,
    link: LinkMode = "hardlink",
    predictions: Predictions | None = None,
    overwrite: bool = False,
    discard_changes: bool = False,
) -> Path:
    """Write a selection in a form that another program can read.

    Parameters
    ----------
    dataset
        The dataset from whose images the selection was made.
    selection
        The selected images.
    output
        Path of the file to write (``list``, ``csv``, ``coco``), or of the folder to write (``fiftyone``,
        ``lightly-studio``).
    form
        ``list``: a text file with the absolute paths of the kept images, in the order of selection.

        ``csv``: a table of all images with the columns kept, rank, score and category.

        ``coco``: a COCO JSON of the kept images. For a COCO dataset, this is the original JSON without the dropped
        images. For other formats, boxes are in pixels, ids start at 1, and file names are relative to the common folder
        of the images.

        ``fiftyone``: a folder with all images. Read it with
        ``fo.Dataset.from_dir(folder, dataset_type=fo.types.FiftyOneDataset)``. Each sample has tags and the fields
        kept, rank, score and category.

        ``lightly-studio``: a folder with all images. Read it with
        ``add_samples_from_coco("annotations.json", "images", tag_depth=1)``. Each image has the tag kept or dropped.

        ``label-studio``, ``cvat``, ``labelme``, ``roboflow``: a folder with labelling tasks: the kept images in the
        folder ``images``, in the order of selection. Label Studio gets ``tasks.json`` with paths for its local
        storage, and CVAT gets ``files.txt``.
    link
        How images are put into the folder: ``hardlink``, ``symlink`` or ``copy``. If the file system does not support
        hard links, ``hardlink`` falls back to copying.
    predictions
        Predicted boxes of the images of `dataset`, for labelling tasks. They are written as predictions, in the form
        that the tool imports. By default, no boxes are written.
    overwrite
        Whether to replace an existing file, or an existing folder that detreduce wrote and that has not been changed
        since.
    discard_changes
        Whether `overwrite` may replace a folder even if this deletes files that somebody has added or changed.

    Returns
    -------
    pathlib.Path
        The absolute path of the file or folder that was written.

    Raises
    ------
    InputError
        The form is unknown, the output exists and may not be replaced, an image is missing, or the selection was made
        from another dataset.
    ImageReadError
        The form needs the size of every image, and the size of an image cannot be read.
    DetreduceError
        The output cannot be written.
    """
    if form not in FORMS:
        raise InputError(f"form={form!r} is not one of {', '.join(FORMS)}.{nearest(str(form), FORMS)}")
    mode = check_link(link)
    dataset = as_given(dataset)  # predicted boxes are never written as labels
    if form != "csv" and any(record.frame is not None for record in dataset):
        raise InputError(
            f"{dataset.source.typed}: frames of videos are no files, so form={form!r} cannot name them. Use the images "
            "that `detreduce reduce` wrote, or the form csv."
        )
    if predictions is not None and form not in TASK_FORMS:
        raise InputError(f"predictions are for labelling tasks ({', '.join(TASK_FORMS)}) only, not for form={form!r}.")
    check_selection(dataset, selection)
    rows = image_rows(dataset, selection)
    target = absolute(Path(output).expanduser())
    if form not in FOLDERS:
        check_file(target, dataset, overwrite=overwrite)
        if form == "coco":
            with dataset.loaded.compared():
                return write_file(target, coco_pieces(dataset, rows))
        return write_file(target, [list_text(rows) if form == "list" else csv_text(rows)])
    if mode == "list":
        raise InputError(
            f"link='list' does not put images into the folder, but {form} needs images there. Use link='symlink'."
        )
    check_apart_from(target, dataset)
    if form in TASK_FORMS:
        guesses = None if predictions is None else Guesses(dataset, predictions)
        content = _task_content(selection, rows, form, target.name, guesses)
    else:
        content = _folder_content(dataset, selection, rows, form)
    with (
        staged(target, overwrite=overwrite, discard_changes=discard_changes) as folder,
        dataset.loaded.compared(),
    ):
        content.write(Placer(folder, mode, dataset.loaded))
    return target


@dataclass(frozen=True)
class FolderContent:
    """Everything that an exported folder contains.

    Attributes
    ----------
    images
        For each image: the path of the original file, and the new path relative to the folder.
    files
        The content of every other file, keyed by the path of the file relative to the folder.
    """

    images: Sequence[tuple[Path, PurePosixPath]]
    files: Mapping[PurePosixPath, bytes]

    def write(self, placer: Placer) -> None:
        """Link or copy the images, write the other files, and list all of them in the manifest of the folder."""
        with progress("Writing images", len(self.images), "images") as advance:
            for path, place in self.images:
                placer.image(path, place)
                advance()
        for place, content in self.files.items():
            placer.write(place, content)
        placer.finish()


def _task_content(
    selection: Selection, rows: Sequence[ImageRow], form: str, folder: str, guesses: Guesses | None
) -> FolderContent:
    """Return the content of a folder with labelling tasks: only the kept images, in the order chosen."""
    kept = in_rank_order(rows)
    require_images(row.record.path for row in kept)
    places = image_places([row.record for row in kept])
    if form == "roboflow":
        places = flat(places)
    elif form == "labelme":
        places = with_own_stems(places)
    files = task_files(form, kept, places, folder, guesses)
    files[SELECTION] = selection.to_json().encode()
    images = [(row.record.path, TASK_IMAGES / place) for row, place in zip(kept, places, strict=True)]
    return FolderContent(images, files)


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
