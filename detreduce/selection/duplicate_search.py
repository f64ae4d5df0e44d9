"""Find duplicates before images are chosen, leave them out, and report them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from detreduce.dataset.health.identical_files import identical_files
from detreduce.dataset.records import DetectionDataset, ImageId
from detreduce.display.progress import step
from detreduce.duplicates.result import Duplicates, pair_to_dict, warn_not_compared
from detreduce.duplicates.search import exact_duplicates, near_duplicates
from detreduce.errors import InputError
from detreduce.features.table import FeatureTable
from detreduce.selection.named_images import ids_of_rows, image_rows, leave_out_excluded
from detreduce.selection.request import EXACT, FEATURES, TIME, CompositionRequest, DuplicateSearch

IntArray = npt.NDArray[np.int64]


def duplicates_to_drop(
    source: DetectionDataset | FeatureTable,
    request: CompositionRequest,
    seed: int = 0,
    cache: str | Path | None = None,
) -> Duplicates | None:
    """Return the duplicates to drop, or None if the request does not ask for a search.

    One image of each group of duplicates is kept. If the group has an image of `must_keep` or `initial`, this image is
    kept.

    Images of `exclude` and leaked images do not take part in the search. Otherwise, such an image could be the one that
    is kept, and its duplicates would be dropped.
    """
    search = request.drop_duplicates
    if not isinstance(search, DuplicateSearch):
        return search
    dataset = source.dataset if isinstance(source, FeatureTable) else source
    whole, prefer = images_to_search(dataset, request)
    if len(whole) < len(dataset):
        source = (
            source.take(np.flatnonzero(np.isin(source.rows, whole.rows))) if isinstance(source, FeatureTable) else whole
        )
    with step("looking for duplicates"):
        return find_duplicates(source, search, prefer, seed, cache)


def images_to_search(dataset: DetectionDataset, request: CompositionRequest) -> tuple[FeatureTable, list[ImageId]]:
    """Return the images that take part in a search, as a table without features, and the ids that are always kept."""
    whole = FeatureTable(dataset, np.arange(len(dataset), dtype=np.int64), {})
    whole, _, request = leave_out_excluded(whole, replace(request, groups=None))
    return whole, ids_of_rows(whole, image_rows(whole, [*request.must_keep, *request.initial]))


def find_duplicates(
    source: DetectionDataset | FeatureTable,
    search: DuplicateSearch,
    prefer: Iterable[ImageId] = (),
    seed: int = 0,
    cache: str | Path | None = None,
) -> Duplicates:
    """Find duplicates among the images of a dataset, or among the images that have a row in a table.

    A search by ``features`` compares the vectors of the block ``image`` by their cosine. Raises InputError if `source`
    does not have this block. Images that cannot be decoded lead to a warning.
    """
    if search.by == EXACT:
        found = exact_duplicates(source, prefer=prefer, seed=seed, cache=cache)
    else:
        by = cast(Literal["pixels", "boxes", "features", "time"], search.by)
        images = _image_vectors(source) if by == FEATURES else source
        found = near_duplicates(images, threshold=search.threshold, by=by, prefer=prefer, seed=seed, cache=cache)
    warn_not_compared(found.problems)
    return found


def check_result(dataset: DetectionDataset, found: Duplicates | DuplicateSearch | None) -> None:
    """Raise InputError if the result of an earlier search names an image that the dataset does not contain."""
    pairs = found.pairs if isinstance(found, Duplicates) else ()
    unknown = [image for pair in pairs for image in (pair.copy, pair.kept) if image not in dataset.row_of]
    if unknown:
        raise InputError(
            f"drop_duplicates names the image {unknown[0]!r}, which {dataset.source.typed} does not have. "
            "Pass the result of a search in this dataset."
        )


def rows_without_duplicates(table: FeatureTable, found: Duplicates, named: set[int]) -> IntArray:
    """Return the rows of a table without duplicates of other images in this table.

    The rows in `named` always remain, even if they are duplicates.
    """
    ids = ids_of_rows(table, np.arange(len(table)))
    present = set(ids)
    redundant = {pair.copy for pair in found.pairs if pair.kept in present}
    return np.array([row for row, image in enumerate(ids) if row in named or image not in redundant], np.int64)


def count_remaining(table: FeatureTable, request: CompositionRequest, found: Duplicates | None) -> int:
    """Return how many images of a table remain without the excluded images and the duplicates in `found`."""
    remaining, _, request = leave_out_excluded(table, replace(request, groups=None))
    if found is None:
        return len(remaining)
    named = image_rows(remaining, [*request.must_keep, *request.initial])
    return len(rows_without_duplicates(remaining, found, set(named.tolist())))


def duplicates_report(table: FeatureTable, found: Duplicates | None) -> dict[str, Any]:
    """Return what was searched for and the pairs of duplicates, as values that JSON can store.

    If `found` is None, there was no search, and the pairs are files with identical content.
    """
    if found is not None:
        pairs = [pair_to_dict(pair) for pair in found.pairs]
        return {"looked_for": describe_search(found), "pairs": pairs, **found.provenance}
    groups = identical_files([table.dataset[row].path for row in table.rows.tolist()])
    pairs = [
        {"copy": copy, "kept": kept, "similarity": 1.0, "transformation": "same way up", "exact": True}
        for group in groups
        for kept, *copies in [ids_of_rows(table, np.array(group))]
        for copy in copies
    ]
    return {"looked_for": "identical files", "pairs": pairs}


def describe_search(found: Duplicates) -> str:
    """Describe a search for duplicates in words, as selection.json stores it."""
    if found.by == "content":
        return "equal content"
    if found.by == TIME:
        return f"frames with a similarity of at least {found.threshold:g} to the last kept frame of their video"
    return f"near-duplicates by {found.by} with a similarity of at least {found.threshold:g}"


def _image_vectors(source: DetectionDataset | FeatureTable) -> FeatureTable:
    """Return the table with only its block ``image``. Raise InputError if it has no such block."""
    if isinstance(source, FeatureTable) and "image" in source.blocks:
        return replace(source, blocks={"image": source.blocks["image"]})
    raise InputError(
        "A search for duplicates by features needs the vectors of whole images. Pass extract_features(dataset, "
        "blocks=('image',)), or add 'image' to the blocks."
    )
