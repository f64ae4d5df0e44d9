"""The command `export`: write a selection for other programs."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Literal

import typer

from detreduce.cli.help import OUTPUT
from detreduce.cli.new_output import check_new_file, check_new_folder
from detreduce.cli.options import (
    Cache,
    DetectorConfidence,
    DetectorFile,
    DetectorSize,
    DiscardChanges,
    Images,
    Json,
    OverwriteAny,
    SelectedFrom,
    output_option,
)
from detreduce.cli.output import print_json, say
from detreduce.cli.selection_argument import open_selection
from detreduce.cli.values import read_detector
from detreduce.display.numbers import counted
from detreduce.errors import InputError
from detreduce.vocabulary.option_values import FILE_FORMS, ExportForm

MARKS_NOTHING = "Roboflow imports the predicted boxes as annotations and does not mark them. Review each image there."
HOW_TO_OPEN = {
    "fiftyone": "import fiftyone as fo; fo.Dataset.from_dir({folder!r}, dataset_type=fo.types.FiftyOneDataset)",
    "lightly-studio": (
        "import lightly_studio as ls; ls.ImageDataset.create().add_samples_from_coco("
        "{folder!r} + '/annotations.json', {folder!r} + '/images', tag_depth=1)"
    ),
}


# what to do with a folder of labelling tasks; {folder} is the folder, {above} the folder that contains it
HOW_TO_IMPORT = {
    "label-studio": (
        "Start Label Studio with LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and "
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT={above}, add {folder}/images as local storage, and import "
        "{folder}/tasks.json."
    ),
    "cvat": (
        "Make a CVAT task from the images in {folder}/images. {folder}/files.txt has their names in the order chosen."
    ),
    "labelme": "Open the images: labelme {images}",
    "roboflow": "Upload the folder {folder}/images to Roboflow.",
}


def export(
    selection: Annotated[
        Path, typer.Argument(metavar="SELECTION", help="A selection.json, for instance from `detreduce reduce`.")
    ],
    form: Annotated[
        ExportForm,
        typer.Option(
            "--as",
            metavar="FORM",
            help=(
                "What to write: list (paths of the kept images), csv (a table of all images), coco (a JSON), a folder "
                "for a tool (fiftyone, lightly-studio), or labelling tasks without boxes (label-studio, cvat, "
                "labelme, roboflow)."
            ),
            rich_help_panel=OUTPUT,
        ),
    ],
    output: Annotated[
        Path,
        output_option("The file or folder to write.", "PATH"),
    ],
    data: SelectedFrom = None,
    images: Images = None,
    link: Annotated[
        Literal["hardlink", "symlink", "copy"],
        typer.Option(help="How to put images into the folder for a tool.", rich_help_panel=OUTPUT),
    ] = "hardlink",
    prelabels: Annotated[
        bool,
        typer.Option(
            "--prelabels",
            help=(
                "For labelling tasks: also write predicted boxes, marked as predictions. By default, these are the "
                "boxes by which the images were chosen."
            ),
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    detector: DetectorFile = None,
    detector_confidence: DetectorConfidence = None,
    detector_size: DetectorSize = None,
    cache: Cache = None,
    overwrite: OverwriteAny = False,
    discard_changes: DiscardChanges = False,
    as_json: Json = False,
) -> None:
    """Write a selection for other programs: lists, tables, folders, and tasks for labelling tools.

    A folder for a tool (fiftyone, lightly-studio) contains all images of the split, kept and dropped, with their ranks,
    scores and categories. Labelling tasks (label-studio, cvat, labelme, roboflow) contain the kept images without their
    boxes. tasks.json of label-studio and files.txt of cvat are in the order in which the images were chosen.

    Example: detreduce export reduced/selection.json --as fiftyone --output kept-and-dropped/
    """
    predicting = read_detector(detector, detector_confidence, detector_size)
    if predicting is not None and not prelabels:
        raise InputError("--detector needs --prelabels, because predicted boxes are written only if you ask for them.")
    if prelabels and form not in HOW_TO_IMPORT:
        raise InputError(f"--prelabels applies to labelling tasks ({', '.join(HOW_TO_IMPORT)}), not to {form}.")
    if form in FILE_FORMS:
        check_new_file(output, overwrite=overwrite)
    else:
        check_new_folder(output, overwrite=overwrite, discard_changes=discard_changes)
    file, made, dataset = open_selection(selection, data, images)
    from detreduce.exports import export_selection
    from detreduce.selection.saved.dataset import find_dataset

    if dataset is None:
        dataset = find_dataset(made.provenance)
    predictions = None
    if prelabels:
        from detreduce.exports.prelabels import made_prelabels, stored_prelabels
        from detreduce.selection.saved.dataset import check_selection

        check_selection(dataset, made)
        if predicting is None:
            predictions = stored_prelabels(made, dataset, cache)
        else:
            predictions = made_prelabels(made, dataset, predicting, cache)
    if form != "csv" and any(record.frame is not None for record in dataset):
        from detreduce.exports.prelabels import for_written
        from detreduce.exports.written import written_images

        source = dataset
        dataset, made, originals = written_images(file.parent, made, source)
        if predictions is not None:
            predictions = for_written(predictions, source, dataset, originals)
    written = export_selection(
        dataset,
        made,
        output,
        form=form,
        link=link,
        predictions=predictions,
        overwrite=overwrite,
        discard_changes=discard_changes,
    )
    if as_json:
        print_json({"written": str(written), "form": form, "images": len(dataset), "kept": len(made)})
        return
    say(f"{written}: {len(made)} kept of {len(dataset)} images")
    if predictions is not None:
        kept = [predictions.images[dataset.row_of[image]] for image in made.image_ids]
        numbers = [0 if found is None else len(found) for found in kept]
        counts = f"{sum(numbers):,} in {sum(map(bool, numbers)):,} of {len(made):,} images"
        say(f"Boxes predicted by {predictions.model}: {counts}")
        if form == "roboflow":
            say(MARKS_NOTHING)
    if form in HOW_TO_IMPORT:
        boxes = sum(len(dataset[dataset.row_of[image]].boxes) for image in made.image_ids)
        if boxes:
            be = "is" if boxes == 1 else "are"
            say(f"{counted(boxes, 'box', 'boxes')} of labelled images {be} not written into tasks.")
        quoted = {"above": shlex.quote(str(written.parent)), "images": shlex.quote(f"{written}/images")}
        # Label Studio finds images only by their absolute paths
        say(HOW_TO_IMPORT[form].format(folder=written, **quoted), full_paths=form == "label-studio")
    elif form in HOW_TO_OPEN:
        say("Open the folder in Python: " + HOW_TO_OPEN[form].format(folder=str(written)))
    elif form == "coco":
        from detreduce.exports.coco import image_folder

        say(f"The file names in this JSON are relative to {image_folder(dataset)}")
