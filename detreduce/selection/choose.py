"""Choose which images to keep."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
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
from detreduce.selection.composition import ClassFloor, DropDuplicates, compose
from detreduce.selection.dataset import describe_dataset
from detreduce.selection.row_categories import categories_of_rows, is_rule
from detreduce.version import __version__

if TYPE_CHECKING:
    from detreduce.dataset.categories import CategoryRule
    from detreduce.reducers.base import BaseReducer
from detreduce.selection.record import Selection, _kept_twice


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

    In this order: duplicates are dropped, the images of `must_keep` and `initial` are taken, the floor of each class is
    reserved, and the method chooses the rest. `keep` is the final size, of all images that were given.

    Parameters
    ----------
    features
        A FeatureTable, or a bare dataset for methods that need no features (``srs``, ``first``). Methods that look at
        objects get the table's `objects`, or counts from the labels where it has none and they need no vectors.
    method, parameters
        A reducer's name and its own parameters; see `detreduce.reducers.list_reducers`. Default: a stratified random
        draw, what every method has to beat.
    keep
        A float is a fraction in (0, 1], an int a count of images. Exactly floor(keep * n + 0.5), at least 1.
    seed
        Seed of every draw, ties included.
    categories
        A rule of `detreduce.dataset.categories.assign_categories`, one category for each feature row, or None for one
        category.
    groups, max_per_group
        The group (sequence, video) of each feature row, or a rule of `detreduce.dataset.groups.assign_groups`, and the
        most images to keep of one group. Without a limit groups are for the methods that use them (``stride``).
    initial, must_keep
        Images that are kept first: an earlier selection, ids or names. They count towards `keep`, and are dropped as
        no duplicate. An earlier selection may be of fewer images: those that are new since compete for the rest.
    drop_duplicates
        True drops near-duplicates (`detreduce.duplicates.near_duplicates`, by pixels) before anything is chosen, a
        number those from that similarity on, ``"exact"`` only images of equal pixels, ``"boxes"`` images whose largest
        boxes show the same; or what was found before. What is a duplicate is said in ``provenance`` in any case; unless
        asked for more, of identical files.
    class_floor
        Images to keep of every class, or of each class by name: at least so many hold a box of it, or all that do.
        With `max_per_group` a class may get fewer; where images hold several classes, a floor that could just be met
        may then be missed, as to find out is NP-hard. A `DetreduceWarning` names the classes below their floor, and
        ``reached`` in `Selection.steps` says how many images each has.
    cache
        Folder for what is kept of the images on the search for duplicates; default as for `extract_features`.

    Raises
    ------
    InputError
        Unknown method, parameter, category rule, class or image; keep out of range, too small for what must be kept or
        too large for what is left without duplicates; NaN in the features; features, labels or object vectors that the
        method needs and that are not there.
    """
    table = features if isinstance(features, FeatureTable) else _bare(features)
    reducer = _checked_reducer(method, keep, seed, parameters)
    if not isinstance(features, FeatureTable) and "features" in reducer.needs:
        raise InputError(f"The method {method!r} needs features; pass extract_features(dataset) instead of a dataset.")
    objects = _objects(table, method, reducer.needs)
    rule = groups if isinstance(groups, str) else "given"
    if isinstance(groups, str):
        groups = assign_groups((table.dataset[row] for row in table.rows.tolist()), groups)
    chosen_categories = categories_of_rows(table.dataset, table.rows, categories)
    k = _images_to_keep(keep, table)
    composed = compose(
        table,
        k,
        drop_duplicates=drop_duplicates,
        must_keep=must_keep,
        initial=initial.image_ids if isinstance(initial, Selection) else initial or (),
        class_floor=class_floor,
        groups=groups,
        max_per_group=max_per_group,
        seed=seed,
        cache=cache,
    )
    parameters = {name: value for name, value in reducer.get_params().items() if name not in ("keep", "random_state")}
    if len(composed.positions) < composed.images:
        reducer.leave_rows(composed.positions, composed.images)
    all_rows, table, first = table.rows, composed.table, composed.first
    codes = chosen_categories.codes[composed.positions]
    groups = composed.left(groups, "groups")
    if objects is not None and len(objects) != len(table):
        objects = objects.take(composed.positions)
    reducer.set_params(keep=k)
    start = time.perf_counter()
    X = table.matrix(reducer.needs) if reducer.reads_matrix() else np.empty((len(table), 0), np.float32)
    with step(f"choosing by {method}"):
        reducer.fit(
            X,
            codes,
            objects=objects,
            groups=groups,
            initial=first if len(first) else None,
            # reducers of other packages may not know the limit
            **({} if max_per_group is None else {"max_per_group": max_per_group}),
        )
    seconds = time.perf_counter() - start
    dataset = table.dataset
    rows = table.rows[reducer.selected_idx_]
    scores = np.full(len(dataset), np.nan)
    scores[table.rows] = reducer.scores_
    image_ids = tuple(dataset[int(row)].id for row in rows)
    category_codes = np.full(len(dataset), -1, np.int64)
    category_codes[all_rows] = chosen_categories.codes
    return Selection(
        image_ids=image_ids,
        indices=rows,
        scores=scores,
        method=method,
        parameters={name: _brief(value, len(table)) for name, value in parameters.items()},
        keep=keep,
        seed=seed,
        categories=_category_counts(chosen_categories, categories, composed.positions[reducer.selected_idx_]),
        steps=(
            *composed.steps,
            {
                "step": "method",
                "name": method,
                "images": k - len(first),
                **({} if groups is None else {"groups": rule, "max_per_group": max_per_group}),
            },
        ),
        category_codes=category_codes,
        provenance={
            **_made_from(table),
            "kept_first": len(first),
            "duplicates": {**composed.duplicates, "kept_twice": _kept_twice(composed.duplicates["pairs"], image_ids)},
            "seconds": round(seconds, 4),
            **_proxy_cost(table, reducer),
            "versions": {"detreduce": __version__, "numpy": np.__version__},
        },
    )


def needs_extraction(reducer: BaseReducer) -> bool:
    """Whether `select` needs a FeatureTable for this method; for the others a dataset will do, and no image is opened.

    A reducer's `needs` says what it is given: ``features`` a table's X, ``objects`` the (image, class) table of the
    boxes, ``object_vectors`` besides that the table has vectors, ``dynamics`` and ``gradients`` a block by itself.
    """
    return bool(kinds_of(reducer.needs))


def _checked_reducer(method: str, keep: float | int, seed: int, parameters: Mapping[str, Any]) -> BaseReducer:
    from detreduce.reducers import make_reducer

    for name, argument in (("random_state", "seed"), ("keep", "keep")):
        if name in parameters:
            raise InputError(f"{name!r} is not a parameter of the method {method!r} here; give it as {argument}=.")
    reducer = make_reducer(method, keep=keep, random_state=seed, **parameters)
    reducer.check_params()
    return reducer


def _images_to_keep(keep: float | int, table: FeatureTable) -> int:
    """A fraction is of all images, those that could not be read among them."""
    images = len(table) + len(table.problems)
    k = resolve_keep(keep, images)
    if k > len(table):
        raise InputError(f"{k} images are to be kept, but {len(table)} of {images} could be read.")
    return k


def _objects(table: FeatureTable, method: str, needs: Iterable[str]) -> ObjectTable | None:
    """What a method is given as `objects`: the table's own, else counts from the labels alone."""
    if "objects" not in needs:
        return None
    if not table.dataset.labelled:
        raise InputError(f"The method {method!r} needs boxes, and {table.dataset.source.path} has no labels.")
    if table.objects is not None and (table.objects.vectors is not None or "object_vectors" not in needs):
        return table.objects
    if "object_vectors" in needs:
        raise InputError(
            f"The method {method!r} needs object vectors: "
            "pass extract_features(dataset, blocks=('objects',)), or more blocks with 'objects' among them."
        )
    objects = label_objects(table.dataset)
    return objects if len(table) == len(objects) else objects.take(table.rows)


def _proxy_cost(table: FeatureTable, reducer: Any) -> dict[str, Any]:
    """What the proxy training cost that a selection was made from, if one was."""
    energy = table.provenance.get("proxy", {}).get("energy")
    learns = any(name in getattr(reducer, "needs", ()) for name in SEPARATE_BLOCKS)
    return {"proxy_training": energy} if learns and energy else {}


def _brief(value: Any, rows: int) -> Any:
    """A parameter for the record: of one with a decimal number for each row only the hash."""
    if not isinstance(value, (list, tuple)) and not hasattr(value, "__array__"):
        return value
    array = np.asarray(value)
    if array.dtype.kind != "f" or array.shape != (rows,):
        return value
    return {"values": rows, "sha256": content_digest(array.astype("<f8").tobytes()).hex()}


def _made_from(table: FeatureTable) -> dict[str, Any]:
    """What the provenance of a selection says of its dataset and features."""
    return {
        "dataset": describe_dataset(table.dataset),
        "features": dict(table.provenance),
        "skipped_images": [str(problem) for problem in table.problems],
    }


def _bare(dataset: DetectionDataset) -> FeatureTable:
    return FeatureTable(dataset, np.arange(len(dataset), dtype=np.int64), {})


def _category_counts(found: Categories, rule: Any, selected: npt.NDArray[np.int64]) -> dict[str, Any]:
    size = len(found.names)
    full = np.bincount(found.codes, minlength=size)
    kept = np.bincount(found.codes[selected], minlength=size)
    return {
        "rule": rule if is_rule(rule) else "none" if rule is None else "given",
        "full": {name: int(full[code]) for code, name in enumerate(found.names)},
        "kept": {name: int(kept[code]) for code, name in enumerate(found.names)},
    }
