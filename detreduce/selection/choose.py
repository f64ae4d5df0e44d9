"""Choose which images to keep: the functions `select` and `choose`."""

from __future__ import annotations

import time
import warnings
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
from detreduce.dataset.views.predicted import predictions_of
from detreduce.display.numbers import counted
from detreduce.display.progress import step
from detreduce.errors import InputError
from detreduce.features.blocks import kinds_of
from detreduce.features.detector.predict import Prediction
from detreduce.features.detector.request import Detector
from detreduce.features.request import Extraction
from detreduce.features.table import DETECTOR_BLOCKS, PROXY_BLOCKS, SEPARATE_BLOCKS, FeatureTable
from detreduce.machine.hashes import content_digest
from detreduce.reducers.engine.budget import resolve_keep
from detreduce.reducers.engine.groups import make_groups
from detreduce.selection.composition import Composition, compose
from detreduce.selection.record import Selection, count_kept_twice
from detreduce.selection.request import ClassFloor, CompositionRequest, SelectionRequest
from detreduce.selection.row_categories import categories_of_rows, is_rule
from detreduce.selection.saved.dataset import describe_dataset
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
    partitions: int | None = None,
    initial: Selection | Sequence[ImageId] | None = None,
    must_keep: Iterable[str | int] | None = None,
    exclude: Iterable[str | int] | None = None,
    drop_duplicates: DropDuplicates = False,
    class_floor: ClassFloor | None = None,
    cache: str | Path | None = None,
    detector: str | Path | Detector | None = None,
    **parameters: Any,
) -> Selection:
    """Choose which images to keep.

    First, the images of `exclude` are left out, duplicates are dropped, and the images of `must_keep` and `initial` are
    kept. Then, images are added until every class reaches its `class_floor`. Finally, the method chooses the rest.
    `keep` is the number of images at the end. If it is a fraction, it refers to all images, including duplicates and
    excluded images.

    Parameters
    ----------
    features
        A FeatureTable, or a dataset if the method does not need features (for example ``srs``). Methods that use boxes
        read the `objects` of the table. If the table has none, they count the boxes in the labels. If a method needs a
        vector for each object, the table must have `objects` with vectors.
    method, parameters
        The name of a method, and its parameters; see `detreduce.reducers.list_reducers`. The default is stratified
        random sampling, with which every other method should be compared.
    keep
        A float is a fraction in (0, 1]; an int is a number of images. A fraction of n images keeps exactly floor(keep *
        n + 0.5) images, at least 1.
    seed
        The seed of all random choices, including the choice between images with equal scores.
    categories
        The image categories: a rule of `detreduce.dataset.categories.assign_categories`, one label for each row of the
        features, or None to put all images in one category.
    groups, max_per_group
        `groups` is the group of each row of the features (for example the video of a frame), or a rule of
        `detreduce.dataset.groups.assign_groups`. `max_per_group` is the maximum number of images to keep from each
        group. If it is None, pass `groups` only to a method that uses groups, such as ``stride``.
    partitions
        Number of parts in which the method first chooses, to save time on large datasets. The method then chooses among
        the images that it chose in the parts. See `BaseReducer.fit`. Most methods do not accept it, because they are
        already fast.
    initial, must_keep
        Images to keep before any others: an earlier selection, or ids or names of images. They count towards `keep`,
        and are never dropped as duplicates. An earlier selection may come from a smaller version of the dataset. The
        method then chooses from the new images and from the images that the earlier selection dropped.
    exclude
        Ids or names of images that must not be kept, even if an earlier selection contains them. An image may not be
        both in `must_keep` and in `exclude`.
    drop_duplicates
        Whether and how to drop duplicates before images are chosen. True compares pixels and drops near-duplicates
        (`detreduce.duplicates.near_duplicates`). ``"boxes"`` compares only the largest box of each image.
        ``"features"`` compares the vectors in the table's block ``image``. ``"exact"`` drops only images with equal
        pixels. A number also compares pixels. Images count as near-duplicates if their similarity is at least this
        number. ``{"by": "features", "threshold": 0.97}`` sets both what to compare and the least similarity. You can
        also pass the result of an earlier search. The ``provenance`` of the selection lists the duplicates that were
        found. Without a search, it lists identical files.
    class_floor
        The minimum number of kept images that have a box of a class: one number for all classes, or a mapping from
        class name to number. If fewer images have the class, all of them are kept. Because of `max_per_group`, a class
        may stay below its floor. A `DetreduceWarning` then names the class. If images have boxes of several classes,
        the choice is not always optimal: other images might have reached the floor. ``reached`` in `Selection.steps`
        has the number of kept images of each class.
    cache
        Folder in which the search for duplicates caches image signatures. The default is the same as for
        `extract_features`. Predicted boxes are stored there too.
    detector
        Weights of a YOLO detector, or a `Detector`, if `features` is a dataset. Its predicted boxes replace the labels.
        For a method that needs features of images or boxes, pass ``extract_features(predict_boxes(dataset, detector))``
        instead. Only pass weights that you trust, because loading weights can run code.

    Raises
    ------
    InputError
        The method, a parameter, the category rule, a class or an image is unknown. `keep` is out of range, smaller than
        the number of images that must be kept, or larger than the number of images that remain. The features contain
        NaN. The method needs features, labels or object vectors, and they are missing.
    """
    composition = CompositionRequest.of(
        drop_duplicates=drop_duplicates,
        must_keep=must_keep,
        initial=initial,
        class_floor=class_floor,
        exclude=exclude,
        groups=groups,
        max_per_group=max_per_group,
        partitions=partitions,
    )
    request = SelectionRequest(method, keep, seed, categories, composition, parameters, cache)
    wanted = Detector.of(detector)
    return choose(features if wanted is None else _predicted(features, request, wanted), request)


def _predicted(
    features: FeatureTable | DetectionDataset, request: SelectionRequest, detector: Detector
) -> FeatureTable | DetectionDataset:
    """Return a dataset with predicted boxes, or a table with their scores if the method needs scores.

    Raise InputError if `features` is not a dataset.
    """
    if isinstance(features, FeatureTable):
        raise InputError(
            "detector= applies to a dataset. For a table, pass extract_features(predict_boxes(dataset, detector))."
        )
    needs = request.make_reducer().needs
    scores = tuple(name for name in DETECTOR_BLOCKS if name in needs)
    predicted = Prediction(detector, "disagreement" in scores, cache=request.cache).run(features)
    return Extraction(blocks=scores, cache=request.cache).run(predicted) if scores else predicted


def choose(source: FeatureTable | DetectionDataset, request: SelectionRequest) -> Selection:
    """Choose images as a request describes. See `select` for the options and errors."""
    table = source if isinstance(source, FeatureTable) else bare_table(source)
    reducer = request.make_reducer()
    if request.composition.partitions is not None:
        reducer.check_partitions(request.composition.partitions)
    if not isinstance(source, FeatureTable) and "features" in reducer.needs:
        raise InputError(
            f"The method {request.method!r} needs features. Pass extract_features(dataset) instead of the dataset."
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
            # pass these only if they are set, because reducers of other packages may not accept them
            **_given(max_per_group=composition.max_per_group, partitions=composition.partitions),
        )
    seconds = time.perf_counter() - start
    brief = {name: _brief(value, len(composed.table)) for name, value in parameters.items()}
    return _record(replace(request, parameters=brief), table, categories, composed, reducer, seconds)


def _given(**options: Any) -> dict[str, Any]:
    """Return the options that are not None."""
    return {name: value for name, value in options.items() if value is not None}


def check_room(dataset: DetectionDataset, request: SelectionRequest) -> None:
    """Raise InputError if fewer than `keep` images remain after the steps before the method. No image is opened."""
    table, composition = bare_table(dataset), request.composition
    if isinstance(composition.groups, str):
        composition = replace(composition, groups=assign_groups(dataset, composition.groups))
    with warnings.catch_warnings():
        # ignore these warnings, because the actual choice issues them again
        warnings.simplefilter("ignore")
        composed = compose(table, resolve_keep(request.keep, len(dataset)), composition, request.seed, request.cache)
    groups = make_groups(composed.take(composition.groups, "groups"), composition.max_per_group, len(composed.table))
    if groups is not None:
        groups.check(resolve_keep(request.keep, len(dataset)), composed.first)


def _record(
    request: SelectionRequest,
    table: FeatureTable,
    categories: Categories,
    composed: Composition,
    reducer: BaseReducer,
    seconds: float,
) -> Selection:
    """Make a `Selection` from a fitted reducer.

    The reducer chose from the images in `composed`: the images of `table` without excluded images and duplicates.
    """
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
    grouped |= _given(partitions=request.composition.partitions)
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
            **_detector(dataset),
            "skipped_images": [str(problem) for problem in composed.table.problems],
            "kept_first": first,
            "duplicates": {**composed.duplicates, "kept_twice": kept_twice},
            "seconds": round(seconds, 4),
            **_proxy_cost(composed.table, reducer),
            **_facts(reducer),
            "versions": {"detreduce": __version__, "numpy": np.__version__},
        },
    )


def needs_extraction(reducer: BaseReducer) -> bool:
    """Return whether a method needs a FeatureTable. Any other method chooses from a dataset without opening images."""
    return bool(kinds_of(reducer.needs))


def bare_table(dataset: DetectionDataset) -> FeatureTable:
    """Return a FeatureTable that contains all images but no features."""
    return FeatureTable(dataset, np.arange(len(dataset), dtype=np.int64), {})


def check_labels(dataset: DetectionDataset, method: str, needs: Iterable[str]) -> None:
    """Raise InputError if a method needs boxes but the dataset does not have labels."""
    if "objects" in needs and not dataset.labelled:
        raise InputError(
            f"The method {method!r} needs boxes, but {dataset.source.typed} does not have labels. Name a detector that "
            "predicts boxes (--detector best.pt), or use a method that does not need boxes: "
            f"{', '.join(without_boxes())}."
        )


def without_boxes() -> list[str]:
    """Return the built-in methods that need no boxes, no proxy training and no detector, recommended ones first."""
    from detreduce.reducers.catalogue import described
    from detreduce.reducers.recommended import recommended_first
    from detreduce.reducers.registry import BUILT_IN

    trained = {"objects", "object_vectors", *SEPARATE_BLOCKS}
    return recommended_first([name for name in BUILT_IN if not trained & set(described(name).needs)])


def _no_columns(table: FeatureTable) -> npt.NDArray[np.float32]:
    """Return a feature matrix without columns, for a method that does not read features."""
    return np.empty((len(table), 0), np.float32)


def _images_to_keep(keep: float | int, table: FeatureTable) -> int:
    """Return the number of images to keep. If `keep` is a fraction, it refers to all images, even unreadable ones."""
    images = len(table) + len(table.problems)
    k = resolve_keep(keep, images)
    if k > len(table):
        raise InputError(
            f"{counted(k, 'image')} should be kept, but only {len(table)} of {images} could be read. Keep fewer images."
        )
    return k


def _objects(table: FeatureTable, method: str, needs: Iterable[str]) -> ObjectTable | None:
    """Return the object table that a method needs, or None if it does not need one.

    The object table is `table.objects` if it exists. Otherwise it is made from the labels, with numbers of boxes but no
    vectors.
    """
    if "objects" not in needs:
        return None
    check_labels(table.dataset, method, needs)
    if table.objects is not None and (table.objects.vectors is not None or "object_vectors" not in needs):
        return table.objects
    if "object_vectors" in needs:
        raise InputError(
            f"The method {method!r} needs object vectors. Pass extract_features(dataset, blocks=('objects',)), "
            "or add 'objects' to the blocks."
        )
    objects = label_objects(table.dataset)
    return objects if len(table) == len(objects) else objects.take(table.rows)


def _proxy_cost(table: FeatureTable, reducer: Any) -> dict[str, Any]:
    """Return a dict with the energy of the proxy training, under the key ``proxy_training``.

    The dict is empty if the method does not use a proxy, or if the energy is not known.
    """
    energy = table.provenance.get("proxy", {}).get("energy")
    learns = any(name in getattr(reducer, "needs", ()) for name in PROXY_BLOCKS)
    return {"proxy_training": energy} if learns and energy else {}


def _detector(dataset: DetectionDataset) -> dict[str, Any]:
    """Return a dict with the detector that predicted the boxes, its settings and counts, under the key ``detector``.

    If the boxes are labels, the dict is empty.
    """
    found = predictions_of(dataset)
    return {} if found is None else {"detector": dict(found.provenance)}


def _facts(reducer: Any) -> dict[str, Any]:
    """Return a dict with what the method reports about its fit, under the key ``method_facts``.

    For example, the method `extrapolate` reports how good its estimates are. If a method reports nothing, the dict is
    empty.
    """
    facts = getattr(reducer, "facts_", {})
    return {"method_facts": dict(facts)} if facts else {}


def _brief(value: Any, rows: int) -> Any:
    """Return the value of a parameter as selection.json stores it.

    An array with one float for each row is replaced by its hash. All other values stay as they are.
    """
    if not isinstance(value, (list, tuple)) and not hasattr(value, "__array__"):
        return value
    array = np.asarray(value)
    if array.dtype.kind != "f" or array.shape != (rows,):
        return value
    return {"values": rows, "sha256": content_digest(array.astype("<f8").tobytes()).hex()}


def _category_counts(found: Categories, rule: Any, selected: npt.NDArray[np.int64]) -> dict[str, Any]:
    """Return the category rule, and how many images of each category are in the full set and in the subset."""
    size = len(found.names)
    full = np.bincount(found.codes, minlength=size)
    kept = np.bincount(found.codes[selected], minlength=size)
    return {
        "rule": rule if is_rule(rule) else "none" if rule is None else "given",
        "full": {name: int(full[code]) for code, name in enumerate(found.names)},
        "kept": {name: int(kept[code]) for code, name in enumerate(found.names)},
    }
