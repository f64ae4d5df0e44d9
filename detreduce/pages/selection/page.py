"""The page ``selection.html``, on which a reader can look through a selection and correct it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from detreduce.arrays.class_counts import boxes_of_classes
from detreduce.dataset.paths.output_name import dataset_name
from detreduce.dataset.records import DetectionDataset
from detreduce.dataset.views.predicted import predictions_of
from detreduce.display.numbers import counted
from detreduce.display.progress import step
from detreduce.features.table import FeatureTable
from detreduce.machine.hashes import content_digest
from detreduce.pages.class_colours import looks_of
from detreduce.pages.environment import make_environment
from detreduce.pages.feature_map import FeatureMap, feature_map_of
from detreduce.pages.image_data import MOST_IMAGES, PageImages, pack_within
from detreduce.pages.image_labels import image_labels
from detreduce.pages.pictures import CAPACITY, Album
from detreduce.pages.selection.summary import command_again, heading, own_parameters, sentences
from detreduce.pages.selection.time_lines import LENGTH, SHOWN, time_lines
from detreduce.pages.selection.view import SelectionView, view_selection
from detreduce.selection.record import Selection
from detreduce.vocabulary.keeps import keep_in_words

SELECTION_PAGE = "selection.html"
ON_A_SHEET, PAIRS, PICTURES = 16, 12, 320
"""The maximum number of images on a contact sheet, of pairs of duplicates, and of images with a picture."""


@dataclass(frozen=True)
class PageSource:
    """What the page of a selection is made from.

    Attributes
    ----------
    selection, dataset
        The selection, and the dataset from which it was made.
    table
        The features for the map and the distances. None if there are no features.
    output
        The folder of the reduced dataset. None if there is none.
    images
        Whether to show pictures of the dataset. Set it to False for confidential data.
    notes
        Sentences for the top of the page, for example about content that is left out.
    """

    selection: Selection
    dataset: DetectionDataset
    table: FeatureTable | None = None
    output: Path | None = None
    images: bool = True
    notes: tuple[str, ...] = field(default=())


def selection_page(source: PageSource) -> bytes:
    """Return the page as a single HTML file that needs neither a network nor other files."""
    selection, dataset = source.selection, source.dataset
    with step("making the page of pictures"):
        view = view_selection(selection, dataset, source.table, on_a_sheet=ON_A_SHEET, pairs=PAIRS)
        looks = looks_of(dataset.class_labels, boxes_of_classes(dataset.sparse_class_counts))
        drawn = None if source.table is None else feature_map_of(source.table, view.order, MOST_IMAGES)
        album = Album(dataset, capacity=CAPACITY if source.images else 0)
        album.add(view.shown_rows)
        if source.images:
            album.add(_more_rows(view, PICTURES - len(album.pictures)))
        images = PageImages(dataset, [view], drawn, image_labels(selection, dataset, looks), album)
        packed, in_page = pack_within(images)
    environment = make_environment(looks)
    text = environment.get_template("selection_page.html.j2").render(
        view=view,
        album=album,
        looks=looks,
        map=drawn,
        drawn=0 if drawn is None else min(len(drawn.rows), in_page),
        packed=packed,
        in_page=in_page,
        pictured=sum(picture.data is not None for picture in album.pictures.values()),
        name=dataset_name(dataset.source.typed),
        heading=heading(view),
        sentences=list(sentences(view, dataset)),
        notes=[*source.notes, *_notes(drawn, source)],
        facts=list(_facts(view, dataset)),
        command=" ".join(command_again(selection, dataset, source.output)),
        identity=_identity(selection),
        lines=time_lines(selection, dataset),
        lines_shown=SHOWN,
        line_length=LENGTH,
        predicted=predictions_of(dataset) is not None,
    )
    return text.encode("utf-8", "replace")


def _identity(selection: Selection) -> str:
    """Return a key for a selection, under which the browser stores what the reader marks on the page."""
    made_on = selection.provenance.get("dataset", {}).get("content_hash", "")
    return content_digest(
        "\n".join([str(made_on), *map(str, selection.image_ids)]).encode("utf-8", "surrogateescape")
    ).hex()[:16]


def _more_rows(view: SelectionView, most: int) -> list[int]:
    """Return the rows of at most `most` images that the view does not show with a picture.

    About half of them are kept images, and the others are dropped images. Both halves are spread evenly.
    """
    shown, kept = set(view.shown_rows), set(view.order)
    parts = [[row for row in view.order if row not in shown]]
    parts.append([row for row in range(view.of) if row not in kept and row not in shown])
    most = max(0, most)
    shares = [min(len(parts[0]), max(most // 2, most - len(parts[1])))]
    shares.append(min(len(parts[1]), most - shares[0]))
    return [
        rows[place * len(rows) // share] for rows, share in zip(parts, shares, strict=True) for place in range(share)
    ]


def _notes(drawn: FeatureMap | None, source: PageSource) -> Iterator[str]:
    """Yield sentences about content that the page cannot show."""
    if drawn is None and not source.notes:
        yield (
            "There is no map: the method did not use features, and none are stored. A method that uses features, such "
            "as herding, gives a map."
        )
    if (found := predictions_of(source.dataset)) is not None:
        yield f"The boxes and classes on this page are predicted by {found.model} (dashed lines). They are not labels."
    if not source.dataset.labelled:
        yield "The images have no labels, so there are no boxes and no classes."


def _steps(selection: Selection) -> list[str]:
    """Return the names of the steps of the selection.

    If all remaining images were kept, no method chose images, so the step ``method`` is left out.
    """
    found = [str(taken.get("step")) for taken in selection.steps]
    return [name for name in found if name != "method"] if selection.keeps_all else found


def _facts(view: SelectionView, dataset: DetectionDataset) -> Iterator[tuple[str, Any]]:
    """Yield facts about the selection as (name, value): its options, its dataset and its features."""
    selection = view.selection
    yield "dataset", f"{dataset.source.typed} ({dataset.split})"
    if selection.keeps_all:
        yield "keep", f"all images that remain = {counted(view.images, 'image')}"
    else:
        yield "method", selection.method
        yield from own_parameters(selection).items()
        yield "keep", f"{keep_in_words(selection.keep)} = {counted(view.images, 'image')}"
        yield "seed", selection.seed
    yield "categories", selection.categories.get("rule")
    yield "steps", ", ".join(_steps(selection)) or "none"
    made = selection.provenance.get("features", {})
    by = (made.get("image") or made.get("objects") or {}).get("backbone")
    yield "features", ", ".join(made.get("blocks", ())) + (f" by {by}" if by else "") or "none"
    if found := predictions_of(dataset):
        settings = selection.provenance.get("detector", {})
        least = settings.get("confidence")
        yield (
            "boxes",
            f"predicted by {found.model}: {found.in_words()}"
            + ("" if least is None else f" (confidence of at least {least:g})"),
        )
    versions = selection.provenance.get("versions", {})
    yield "made by", ", ".join(f"{name} {version}" for name, version in versions.items())
