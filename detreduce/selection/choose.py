"""Choose which images to keep."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from detreduce.arrays.object_table import ObjectTable
from detreduce.dataset.categories import Categories
from detreduce.dataset.groups import assign_groups
from detreduce.dataset.object_counts import label_objects
from detreduce.dataset.records import DetectionDataset, ImageId
from detreduce.display.progress import step
from detreduce.errors import InputError
from detreduce.features.blocks import kinds_of
from detreduce.features.table import SEPARATE_BLOCKS, FeatureTable
from detreduce.machine.hashes import content_digest
from detreduce.reducers.engine.budget import resolve_keep
from detreduce.selection.composition import Composition, compose
from detreduce.selection.dataset import describe_dataset
from detreduce.selection.record import Selection, count_kept_twice
from detreduce.selection.request import ClassFloor, CompositionRequest, SelectionRequest
from detreduce.selection.row_categories import categories_of_rows, is_rule
from detreduce.version import __version__

if TYPE_CHECKING:
    from detreduce.dataset.categories import CategoryRule
    from detreduce.reducers.base import BaseReducer
    from detreduce.selection.request import DropDuplicates


def select(
    features: FeatureTable | DetectionDataset,
    method: str = "srs",
    keep: float | int = 0.25,
    seed: int = 0,
    categories: CategoryRule | npt.ArrayLike | None = "rarest",
    *,
    groups: npt.ArrayLike | str | None = None,
    max_per_group: int | None = None,
    initial: Selection | Sequence[ImageId] | None = None,
    must_keep: Iterable[str | int] | None = None,
    drop_duplicates: DropDuplicates = False,
    class_floor: ClassFloor | None = None,
    cache: str | Path | None = None,
    **parameters: Any,
) -> Selection:
    """Choose which images to keep.

    The steps, in order: duplicates are dropped, the images of `must_keep` and `initial` are taken, the floor of each
    class is reserved, and the method chooses the rest. `keep` is the final size, counted from all images given.

    Parameters
    ----------
    features
        A FeatureTable, or a bare dataset for methods that need no features (``srs``, ``first``). Methods that look at
        objects get the table's `objects`. Without these, they get counts from the labels, unless they need vectors.
    method, parameters
        A reducer's name and its own parameters; see `detreduce.reducers.list_reducers`. Default: a stratified random
        draw, the baseline for every method.
    keep
        A float is a fraction in (0, 1], an int a count of images. Exactly floor(keep * n + 0.5), at least 1.
    seed
        Seed of every draw, ties included.
    categories
        A rule of `detreduce.dataset.categories.assign_categories`, one category for each feature row, or None for one
        category.
    groups, max_per_group
        The group (sequence, video) of each feature row, or a rule of `detreduce.dataset.groups.assign_groups`, and the
        most images to keep of one group. Without a limit, groups are for the methods that use them (``stride``).
    initial, must_keep
        Images to keep first: an earlier selection, ids or names. They count towards `keep`, and are never dropped as
        duplicates. An earlier selection may be of fewer images: images that are new since then compete for the rest.
    drop_duplicates
        True drops near-duplicates (`detreduce.duplicates.near_duplicates`, by pixels) before anything is chosen.
        ``"boxes"`` compares the largest boxes, ``"features"`` the table's block ``image``; ``"exact"`` drops images of
        equal pixels only. A number is the similarity from which images by pixels are dropped; ``{"by": "features",
        "threshold": 0.97}`` says both. Or give the result of an earlier search. ``provenance`` lists the duplicates
        found; without a search, identical files.
    class_floor
        Images to keep of every class, or of each class by name: at least this many hold a box of it, or all that do.
        With `max_per_group` a class may get fewer. Where images hold several classes, a floor that could just be met
        may be missed, because finding out is NP-hard. A `DetreduceWarning` names the classes below their floor, and
        ``reached`` in `Selection.steps` has the images of each class.
    cache
        Folder for the signatures that a search for duplicates makes; default as for `extract_features`.

    Raises
    ------
    InputError
        Unknown method, parameter, category rule, class or image; `keep` out of range, too small for the images to keep
        first, or larger than what remains without duplicates; NaN in the features; features, labels or object vectors
        that the method needs and that are missing.
    """
    composition = CompositionRequest.of(drop_duplicates, must_keep, initial, class_floor, groups, max_per_group)
    return choose(features, SelectionRequest(method, keep, seed, categories, composition, parameters, cache))


def choose(source: FeatureTable | DetectionDataset, request: SelectionRequest) -> Selection:
    """Choose the images that a request asks for, as `select` does."""
    table = source if isinstance(source, FeatureTable) else bare_table(source)
    reducer = request.make_reducer()
    if not isinstance(source, FeatureTable) and "features" in reducer.needs:
        raise InputError(
            f"The method {request.method!r} needs features: give extract_features(dataset), not a dataset."
        )
    objects = _objects(table, request.method, reducer.needs)
    composition = request.composition
    if isinstance(composition.groups, str):
        labels = assign_groups((table.dataset[row] for row in table.rows.tolist()), composition.groups)
        composition = replace(composition, groups=labels)
    categories = categories_of_rows(table.dataset, table.rows, request.categories)
    k = _images_to_keep(request.keep, table)
    composed = compose(table, k, composition, request.seed, request.cache)
    if objects is not None and len(objects) != len(composed.table):
        objects = objects.take(composed.positions)
    parameters = {name: value for name, value in reducer.get_params().items() if name not in ("keep", "random_state")}
    if len(composed.positions) < composed.images:
        reducer.leave_rows(composed.positions, composed.images)
    reducer.set_params(keep=k)
    start = time.perf_counter()
    with step(f"choosing by {request.method}"):
        reducer.fit(
            composed.table.matrix(reducer.needs) if reducer.reads_matrix() else _no_columns(composed.table),
            categories.codes[composed.positions],
            objects=objects,
            groups=composed.take(composition.groups, "groups"),
            initial=composed.first if len(composed.first) else None,
            # reducers of other packages may not know the limit
            **({} if composition.max_per_group is None else {"max_per_group": composition.max_per_group}),
        )
    seconds = time.perf_counter() - start
    brief = {name: _brief(value, len(composed.table)) for name, value in parameters.items()}
    return _record(replace(request, parameters=brief), table, categories, composed, reducer, seconds)


def _record(
    request: SelectionRequest,
    table: FeatureTable,
    categories: Categories,
    composed: Composition,
    reducer: BaseReducer,
    seconds: float,
) -> Selection:
    """Return what a fitted reducer chose from the images of `composed`, which are some or all of the table's."""
    dataset, first = table.dataset, len(composed.first)
    rows = composed.table.rows[reducer.selected_idx_]
    scores = np.full(len(dataset), np.nan)
    scores[composed.table.rows] = reducer.scores_
    image_ids = tuple(dataset[int(row)].id for row in rows)
    category_codes = np.full(len(dataset), -1, np.int64)
    category_codes[table.rows] = categories.codes
    groups, limit = request.composition.groups, request.composition.max_per_group
    rule = groups if isinstance(groups, str) else "given"
    grouped = {} if groups is None else {"groups": rule, "max_per_group": limit}
    kept_twice = count_kept_twice(composed.duplicates["pairs"], image_ids)
    return Selection(
        image_ids=image_ids,
        indices=rows,
        scores=scores,
        method=request.method,
        parameters=request.parameters,
        keep=request.keep,
        seed=request.seed,
        categories=_category_counts(categories, request.categories, composed.positions[reducer.selected_idx_]),
        steps=(
            *composed.steps,
            {"step": "method", "name": request.method, "images": len(rows) - first, **grouped},
        ),
        category_codes=category_codes,
        provenance={
            "dataset": describe_dataset(dataset),
            "features": dict(composed.table.provenance),
            "skipped_images": [str(problem) for problem in composed.table.problems],
            "kept_first": first,
            "duplicates": {**composed.duplicates, "kept_twice": kept_twice},
            "seconds": round(seconds, 4),
            **_proxy_cost(composed.table, reducer),
            "versions": {"detreduce": __version__, "numpy": np.__version__},
        },
    )


def needs_extraction(reducer: BaseReducer) -> bool:
    """Return whether the method needs a FeatureTable; the others choose from a dataset, and no image is opened.

    A reducer's `needs` says what it gets: ``features`` a table's X, ``objects`` the (image, class) table of the boxes,
    ``object_vectors`` a table whose objects have vectors, ``dynamics`` and ``gradients`` a block by itself.
    """
    return bool(kinds_of(reducer.needs))


def bare_table(dataset: DetectionDataset) -> FeatureTable:
    """Return a table of all images, without features."""
    return FeatureTable(dataset, np.arange(len(dataset), dtype=np.int64), {})


def check_labels(dataset: DetectionDataset, method: str, needs: Iterable[str]) -> None:
    """Raise InputError where a method looks at boxes and the dataset has no labels."""
    if "objects" in needs and not dataset.labelled:
        raise InputError(f"The method {method!r} needs boxes, and {dataset.source.path} has no labels.")


def _no_columns(table: FeatureTable) -> npt.NDArray[np.float32]:
    return np.empty((len(table), 0), np.float32)


def _images_to_keep(keep: float | int, table: FeatureTable) -> int:
    """Resolve `keep`; a fraction counts from all images, those that could not be read included."""
    images = len(table) + len(table.problems)
    k = resolve_keep(keep, images)
    if k > len(table):
        raise InputError(f"{k} images are to be kept, but {len(table)} of {images} could be read: keep fewer.")
    return k


def _objects(table: FeatureTable, method: str, needs: Iterable[str]) -> ObjectTable | None:
    """Return the `objects` of a method that needs some: the table's own, else counts from the labels alone."""
    if "objects" not in needs:
        return None
    check_labels(table.dataset, method, needs)
    if table.objects is not None and (table.objects.vectors is not None or "object_vectors" not in needs):
        return table.objects
    if "object_vectors" in needs:
        raise InputError(
            f"The method {method!r} needs object vectors: give extract_features(dataset, blocks=('objects',)), "
            "or more blocks with 'objects' among them."
        )
    objects = label_objects(table.dataset)
    return objects if len(table) == len(objects) else objects.take(table.rows)


def _proxy_cost(table: FeatureTable, reducer: Any) -> dict[str, Any]:
    """Return the energy of the proxy training, for a method that learned from one."""
    energy = table.provenance.get("proxy", {}).get("energy")
    learns = any(name in getattr(reducer, "needs", ()) for name in SEPARATE_BLOCKS)
    return {"proxy_training": energy} if learns and energy else {}


def _brief(value: Any, rows: int) -> Any:
    """Return a parameter for the record: its hash where it holds a decimal number for each row."""
    if not isinstance(value, (list, tuple)) and not hasattr(value, "__array__"):
        return value
    array = np.asarray(value)
    if array.dtype.kind != "f" or array.shape != (rows,):
        return value
    return {"values": rows, "sha256": content_digest(array.astype("<f8").tobytes()).hex()}


def _category_counts(found: Categories, rule: Any, selected: npt.NDArray[np.int64]) -> dict[str, Any]:
    size = len(found.names)
    full = np.bincount(found.codes, minlength=size)
    kept = np.bincount(found.codes[selected], minlength=size)
    return {
        "rule": rule if is_rule(rule) else "none" if rule is None else "given",
        "full": {name: int(full[code]) for code, name in enumerate(found.names)},
        "kept": {name: int(kept[code]) for code, name in enumerate(found.names)},
    }
