"""Write the page for a selection that was saved to disk."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from detreduce.dataset.load import load_dataset
from detreduce.dataset.paths.finding import locate_dataset
from detreduce.dataset.records import DetectionDataset
from detreduce.dataset.writing.dataset_yaml import SELECTION_FILE
from detreduce.dataset.writing.manifest import record_file
from detreduce.errors import DetreduceError, InputError, MissingFileError
from detreduce.machine.files import write_atomically
from detreduce.machine.untrusted.regular_files import is_regular
from detreduce.pages.own_file import check_target
from detreduce.pages.selection.page import SELECTION_PAGE, PageSource, selection_page
from detreduce.selection.explanation import find_features, seen_dataset
from detreduce.selection.record import Selection
from detreduce.selection.saved.dataset import check_dataset, find_dataset


def write_selection_page(
    selection: str | Path,
    output: str | Path | None = None,
    *,
    dataset: DetectionDataset | str | Path | None = None,
    images: bool = True,
    cache: str | Path | None = None,
) -> Path:
    """Write a page with pictures of a selection, as a single HTML file that needs neither a network nor other files.

    The page shows the kept and the dropped images, and the reader can mark images to be kept or excluded. `reduce`
    writes the same page. Features are read from the cache. No image is passed through a network, and no weights are
    loaded.

    Parameters
    ----------
    selection
        A ``selection.json``, or the folder of a reduced dataset.
    output
        The HTML file to write. The default is ``selection.html`` next to the selection.
    dataset
        The dataset from which the selection was made, or its path if it was moved. By default, it is loaded from the
        path in the selection.
    images
        Whether to show pictures of the dataset. Set it to False for confidential data. The names of images are shown in
        any case.
    cache
        The folder in which features are cached. The default is the folder that the selection used, if it still exists.

    Returns
    -------
    Path
        The path of the file that was written.

    Raises
    ------
    MissingFileError
        The selection or the dataset does not exist.
    InputError
        The selection cannot be read, the dataset has changed, or the output exists and is not a page of detreduce.
    DetreduceError
        The file cannot be written.
    """
    file = selection_file(Path(selection))
    target = check_target(Path(output) if output is not None else file.parent / SELECTION_PAGE, SELECTION_PAGE)
    made = Selection.load(file)
    if isinstance(dataset, str | Path):
        made_on = made.provenance.get("dataset", {})
        dataset = load_dataset(locate_dataset(dataset), split=made_on.get("split"), every=made_on.get("every"))
    data = dataset if dataset is not None else find_dataset(made.provenance)
    check_dataset(data, made.provenance, len(made.scores))
    table = None
    notes: tuple[str, ...] = ()
    try:
        data = seen_dataset(made, data, cache)
    except InputError as error:
        notes = (f"The boxes that a detector predicted are not shown. {error}",)
    try:
        table = find_features(made, data, cache)
    except DetreduceError as error:
        notes = (*notes, f"There is no map. {error}")
    page = selection_page(PageSource(made, data, table, file.parent, images, notes))
    write_atomically(target, lambda handle: handle.write(page))
    if target.parent.resolve() == file.parent.resolve():
        record_file(file.parent, PurePosixPath(target.name))
    return target


def selection_file(place: Path) -> Path:
    """Return the path of the ``selection.json`` at `place`, which is this file or a folder that contains it."""
    file = place / str(SELECTION_FILE) if place.is_dir() else place
    if not is_regular(file):
        raise MissingFileError(f"{place} has no selection. Pass a selection.json, or a folder of `detreduce reduce`.")
    return file
