"""write_report: show the contents of a ledger in a single HTML file that needs no other files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from detreduce.arrays.class_counts import boxes_of_classes
from detreduce.dataset.load import load_dataset
from detreduce.dataset.paths.finding import locate_dataset
from detreduce.dataset.records import DetectionDataset
from detreduce.display.progress import progress
from detreduce.errors import DetreduceError, InputError, MissingFileError
from detreduce.experiment.ledger.finished_cell import FinishedCell
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.experiment.ledger.unfinished import check_started, run_command, unfinished_in_words
from detreduce.experiment.results.conclude import conclude
from detreduce.experiment.results.conclusion import Conclusion
from detreduce.experiment.results.outcome import Outcome, energy_provenance, outcome_of
from detreduce.experiment.results.verdicts import ranked_subsets
from detreduce.experiment.searches.dropped_leaks import without_dropped
from detreduce.experiment.searches.near_duplicates import read_near_duplicates
from detreduce.features.table import FeatureTable
from detreduce.machine.files import write_atomically
from detreduce.pages.class_colours import Looks, looks_of
from detreduce.pages.feature_map import FeatureMap, feature_map_of
from detreduce.pages.own_file import check_target
from detreduce.pages.pictures import CAPACITY, Album
from detreduce.pages.selection.duplicate_pairs import PAIRS_SHOWN, pair_in_words
from detreduce.pages.selection.view import view_selection
from detreduce.report.charts import result_charts
from detreduce.report.config import read_config
from detreduce.report.facts import config_text, facts_of
from detreduce.report.first_screen import first_screen
from detreduce.report.headline import headline
from detreduce.report.page import render
from detreduce.report.shown_cells import ShownSelection, read_selection, shown_cells
from detreduce.selection.explanation import find_features
from detreduce.selection.record import Selection
from detreduce.selection.saved.dataset import check_selection
from detreduce.training.energy import carbon_intensity
from detreduce.vocabulary.keeps import keep_key
from detreduce.vocabulary.option_values import SELECTIONS_SHOWN

REPORT_NAME = "report.html"
# the mark by which reports of version 0.1 are recognised
_FORMER_MARK = b": detreduce report</title>"
MAP_POINTS = 1500
"""The maximum number of images on the map of the features."""


@dataclass
class _Chosen:
    """The part of the report about images and selections.

    Attributes
    ----------
    dataset
        The train split. None if it cannot be read.
    shown
        The selections to show, with their cells.
    map
        The map of the features. None if there are no features.
    left_out
        The number of selections that are not shown.
    album
        The pictures of the train split.
    looks
        How the boxes of each class are drawn.
    notes
        Sentences that say what could not be shown, and why.
    """

    dataset: DetectionDataset | None = None
    shown: list[ShownSelection] = field(default_factory=list)
    map: FeatureMap | None = None
    left_out: int = 0
    album: Album | None = None
    looks: Looks | None = None
    notes: list[str] = field(default_factory=list)


def write_report(
    ledger: Ledger | str | Path,
    output: str | Path | None = None,
    *,
    selections: int = SELECTIONS_SHOWN,
    images: bool = True,
    dataset: str | Path | None = None,
) -> Path:
    """Write the results of an experiment as a single HTML file that needs neither a network nor other files.

    Parameters
    ----------
    ledger
        The ledger with the finished cells of an experiment, or its folder.
    output
        The HTML file to write. The default is ``report.html`` in the folder of the ledger.
    selections
        The maximum number of selections to show with images. The largest selections are shown first. The tables contain
        all selections.
    images
        Whether to show pictures of the dataset. Set it to False for confidential data. The names of images are shown in
        any case.
    dataset
        The path of the experiment's dataset, if it was moved. The default is the path in the configuration.

    Returns
    -------
    Path
        The path of the file that was written.

    Raises
    ------
    MissingFileError
        The ledger or the dataset does not exist.
    InputError
        The ledger has no finished cell or a damaged cell, `selections` is below 0, `dataset` cannot be read, or the
        output exists and is not a report.
    DetreduceError
        The file cannot be written.
    """
    if isinstance(selections, bool) or not isinstance(selections, int) or selections < 0:
        raise InputError(f"selections={selections!r} is not a count: use 0 or more.")
    source = ledger if isinstance(ledger, Ledger) else Ledger(ledger)
    if not source.is_ledger():
        raise MissingFileError(f"{source.path} is not a ledger. Create a ledger with `detreduce run experiment.yaml`.")
    target = check_target(
        Path(output) if output is not None else source.path / REPORT_NAME, REPORT_NAME, [_FORMER_MARK]
    )
    outcome = outcome_of(source)
    check_started(source, outcome.rows)
    config = read_config(source)
    given = None if dataset is None else load_dataset(locate_dataset(dataset), split="train")
    conclusion = conclude(outcome)
    ranked = _ranked(outcome, conclusion)
    cells, left_out = shown_cells(outcome.cells, selections, ranked)
    chosen = _gather_images(source, cells, config, given, capacity=CAPACITY if images else 0)
    chosen.left_out = left_out
    leakage = _leakage(outcome.leakage, chosen, CAPACITY // 10 if images else 0)
    country = str((config.get("energy") or {}).get("country", ""))
    text = render(
        title=str(config.get("name", source.path.name)),
        outcome=outcome,
        first=first_screen(outcome, conclusion, chosen.shown, source.path),
        headline=headline(outcome),
        charts=list(result_charts(outcome)),
        provenance=energy_provenance(outcome),
        carbon=carbon_intensity(country) if country else "",
        chosen=chosen,
        leakage=leakage,
        facts=facts_of(outcome.cells, config),
        command=run_command(source),
        config=config_text(config),
        unfinished=unfinished_in_words(source),
        chose_on_val=(config.get("evaluate") or {}).get("choose") == "best",
    )
    write_atomically(target, lambda file: file.write(text.encode("utf-8", "replace")))
    return target


def _ranked(outcome: Outcome, conclusion: Conclusion) -> list[tuple[str, str]]:
    """Return the label and the keep of each subset, best first.

    The subset that the conclusion names comes first.
    """
    subsets = sorted(ranked_subsets(outcome), key=lambda item: item is not conclusion.best)
    return [(item.method, keep_key(item.keep)) for item in subsets]


def _gather_images(
    ledger: Ledger,
    cells: Sequence[tuple[FinishedCell, int]],
    config: dict[str, Any],
    given: DetectionDataset | None,
    *,
    capacity: int,
) -> _Chosen:
    """Collect the images and selections to show.

    Parameters
    ----------
    ledger
        The ledger of the experiment.
    cells
        The cells to show. The number in each pair counts the cells of the same method and keep.
    config
        The configuration of the experiment.
    given
        The dataset that the user passed with a path. None if the user did not pass a path.
    capacity
        The maximum number of characters of all pictures.

    Returns
    -------
    _Chosen
        The images and selections. If images or features cannot be read, `notes` says so.
    """
    found = _Chosen()
    try:
        data = given if given is not None else load_dataset(str(config.get("dataset", "")), split="train")
        found.dataset = without_dropped(data, ledger)
    except DetreduceError as error:
        found.notes.append(f"The images are not shown: {error} If the dataset was moved, pass its path (--data).")
        return found
    found.looks = looks_of(found.dataset.class_labels, boxes_of_classes(found.dataset.sparse_class_counts))
    selections = _readable(ledger, cells, found)
    if not selections:
        return found
    table = _features(selections, found)
    near = read_near_duplicates(ledger, found.dataset)
    with progress("selections", len(selections), "selections") as advance:
        for cell, count, selection in selections:
            view = view_selection(selection, found.dataset, table, near)
            found.shown.append(ShownSelection(cell.key, str(cell.cell["label"]), count, view))
            advance()
    found.album = Album(found.dataset, capacity=capacity)
    found.album.add(row for one in found.shown for row in one.view.shown_rows)
    if table is not None:
        found.map = feature_map_of(table, found.album.pictures, MAP_POINTS)
    if found.map is not None:
        found.album.add(found.map.rows.tolist())
    return found


def _readable(
    ledger: Ledger, cells: Sequence[tuple[FinishedCell, int]], found: _Chosen
) -> list[tuple[FinishedCell, int, Selection]]:
    """Return those cells whose selections can be read, with the selections.

    If a selection does not match the dataset, its cell is left out and a note is added.
    """
    assert found.dataset is not None
    selections = []
    for cell, count in cells:
        try:
            selection = read_selection(ledger, cell)
            check_selection(found.dataset, selection)
            selections.append((cell, count, selection))
        except DetreduceError as error:
            found.notes.append(f"{cell.cell['label']}, keep {cell.cell['keep']}: {error}")
    return selections


def _features(selections: Sequence[tuple[FinishedCell, int, Selection]], found: _Chosen) -> FeatureTable | None:
    """Return the features for the maps of all selections, or None if the features cannot be read.

    The features come from the selection that used the most feature blocks.
    """
    by_blocks = max(selections, key=lambda entry: len(entry[2].provenance.get("features", {}).get("blocks", ())))
    try:
        return find_features(by_blocks[2], found.dataset, None)  # type: ignore[arg-type]
    except DetreduceError as error:
        found.notes.append(f"The feature map and the distances are not shown: {error}")
        return None


def _leakage(found: Mapping[str, Any], chosen: _Chosen, capacity: int) -> dict[str, Any]:
    """Return the images that occur in several splits. The first of them have pictures: the image and its copy."""
    content = dict(found)
    pairs: list[dict[str, Any]] = []
    if chosen.dataset is not None:
        albums: dict[str, Album | None] = {}
        for item in content.get("leaked", [])[:PAIRS_SHOWN]:
            both = [
                _picture(albums, chosen, item[f"{part}split"], item[name], capacity)
                for part, name in (("", "image"), ("other_", "other"))
            ]
            if None not in both:
                pairs.append({**item, "pictures": both, "words": pair_in_words(item)})
        content["albums"] = [album for album in albums.values() if album is not None]
    return {**content, "pairs": pairs}


def _picture(
    albums: dict[str, Album | None], chosen: _Chosen, split: str, image: Any, capacity: int
) -> tuple[Album, int] | None:
    """Return the album with the picture of an image, and the row of the image in this album's dataset.

    Return None if the image cannot be shown. `albums` has one album for each split. A missing album is created and
    added.
    """
    if split not in albums:
        try:
            assert chosen.dataset is not None
            data = (
                chosen.dataset
                if split == chosen.dataset.split
                else load_dataset(chosen.dataset.source.path, split=split)
            )
            albums[split] = Album(data, f"l{len(albums)}-", capacity // 3)
        except DetreduceError:
            albums[split] = None
    album = albums[split]
    if album is None or image not in album.dataset.row_of:
        return None
    row = album.dataset.row_of[image]
    album.add([row])
    return album, row
