"""Selection: the chosen images, in order, with the score and the parameters that gave them."""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from detreduce.dataset.categories import Categories
from detreduce.dataset.object_counts import label_objects
from detreduce.dataset.records import DetectionDataset, ImageId
from detreduce.errors import InputError, MissingFileError, nearest
from detreduce.features.blocks import kinds_of
from detreduce.features.table import SEPARATE_BLOCKS, FeatureTable
from detreduce.object_table import ObjectTable
from detreduce.row_categories import categories_of_rows, is_rule
from detreduce.version import __version__

if TYPE_CHECKING:
    from detreduce.config import CategoryRule
    from detreduce.reducers.base import BaseReducer

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Selection:
    """Chosen images and how they were chosen; a small JSON file on disk.

    Attributes
    ----------
    image_ids
        Ids of the chosen images, in the order in which they were chosen.
    indices
        (k,) int64: their rows in the dataset, in the same order.
    scores
        (n,) float64 in dataset order, comparable within a category, higher = chosen earlier; NaN = never looked at.
    method, parameters, keep, seed
        What chose them.
    categories
        The rule, and for each category its images in full and kept.
    provenance
        Dataset (path, split, content hash), features (backbone, weights hash, preprocessing), versions, seconds; for
        methods that learn from a proxy training its seconds and energy, as ``proxy_training``.
    representativeness
        How well the chosen images stand for all, as `Representativeness.to_dict` gives it; empty where not measured.
    """

    image_ids: tuple[ImageId, ...]
    indices: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float64]
    method: str
    parameters: Mapping[str, Any]
    keep: float | int
    seed: int
    categories: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    representativeness: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.image_ids)

    def to_json(self) -> str:
        """The selection as JSON text; infinite scores are the strings ``inf`` and ``-inf``, NaN is null."""
        content = {
            "detreduce_selection": FORMAT_VERSION,
            "method": self.method,
            "parameters": dict(self.parameters),
            "keep": self.keep,
            "seed": self.seed,
            "images": len(self.image_ids),
            "of": len(self.scores),
            "categories": dict(self.categories),
            "provenance": dict(self.provenance),
            "representativeness": dict(self.representativeness),
            "image_ids": list(self.image_ids),
            "indices": self.indices.tolist(),
            "scores": [_encode(score) for score in self.scores.tolist()],
        }
        # file names that are not UTF-8 hold surrogates, which only escapes can carry
        return json.dumps(content, ensure_ascii=not _is_utf8(self.image_ids), indent=1, default=_plain) + "\n"

    def save(self, path: str | Path) -> Path:
        """Write the selection to a JSON file, whole or not at all."""
        target = Path(path)
        partial = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(self.to_json(), encoding="utf-8")
            partial.replace(target)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise InputError(f"{target} cannot be written: {error.strerror or error}.") from error
        return target

    @classmethod
    def load(cls, path: str | Path) -> Selection:
        """Read a selection that `save` wrote; raises InputError where the file is something else."""
        file = Path(path)
        if not file.is_file():
            raise MissingFileError(f"There is no selection at {file}.")
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            if content["detreduce_selection"] != FORMAT_VERSION or not isinstance(content["image_ids"], list):
                raise ValueError(f"format {content['detreduce_selection']!r}")
            return cls(
                image_ids=tuple(content["image_ids"]),
                indices=np.asarray(content["indices"], np.int64),
                scores=np.array([_decode(score) for score in content["scores"]], np.float64),
                method=content["method"],
                parameters=content["parameters"],
                keep=content["keep"],
                seed=content["seed"],
                categories=content["categories"],
                provenance=content["provenance"],
                # not every file has it
                representativeness=content.get("representativeness", {}),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{file} is not a selection written by detreduce ({error}).") from error


def select(
    features: FeatureTable | DetectionDataset,
    method: str = "mms",
    keep: float | int = 0.25,
    seed: int = 0,
    categories: CategoryRule | npt.ArrayLike | None = "rarest",
    *,
    groups: npt.ArrayLike | None = None,
    initial: Selection | Sequence[ImageId] | None = None,
    must_keep: Iterable[str | int] | None = None,
    **parameters: Any,
) -> Selection:
    """Choose which images to keep.

    Parameters
    ----------
    features
        A FeatureTable, or a bare dataset for methods that need no features (``srs``, ``first``). Methods that look at
        objects get the table's `objects`, or counts from the labels where it has none and they need no vectors.
    method, parameters
        A reducer's name and its own parameters; see `detreduce.reducers.list_reducers`.
    keep
        A float is a fraction in (0, 1], an int a count of images. Exactly floor(keep * n + 0.5), at least 1.
    seed
        Seed of every draw, ties included.
    categories
        A rule of `detreduce.dataset.categories.assign_categories`, one category for each feature row, or None for one
        category.
    groups
        One group (sequence, video) for each feature row, for methods that use it.
    initial, must_keep
        Images that are kept first: an earlier selection, ids or names. They count towards `keep`.

    Raises
    ------
    InputError
        Unknown method, parameter, category rule or image; keep out of range; NaN in the features; features, labels or
        object vectors that the method needs and that are not there.
    """
    from detreduce.reducers import make_reducer

    table = features if isinstance(features, FeatureTable) else _bare(features)
    for name, argument in (("random_state", "seed"), ("keep", "keep")):
        if name in parameters:
            raise InputError(f"{name!r} is not a parameter of the method {method!r} here; give it as {argument}=.")
    reducer = make_reducer(method, keep=keep, random_state=seed, **parameters)
    reducer.check_params()
    if not isinstance(features, FeatureTable) and "features" in reducer.needs:
        raise InputError(f"The method {method!r} needs features; pass extract_features(dataset) instead of a dataset.")
    objects = _objects(table, method, reducer.needs)
    chosen_categories = categories_of_rows(table.dataset, table.rows, categories)
    first = _initial_rows(table, initial, must_keep)
    start = time.perf_counter()
    X = table.matrix(reducer.needs) if reducer.reads_matrix() else np.empty((len(table), 0), np.float32)
    reducer.fit(X, chosen_categories.codes, objects=objects, groups=groups, initial=first if len(first) else None)
    seconds = time.perf_counter() - start
    dataset = table.dataset
    rows = table.rows[reducer.selected_idx_]
    scores = np.full(len(dataset), np.nan)
    scores[table.rows] = reducer.scores_
    return Selection(
        image_ids=tuple(dataset[int(row)].id for row in rows),
        indices=rows,
        scores=scores,
        method=method,
        parameters={
            name: _brief(value, len(table))
            for name, value in reducer.get_params().items()
            if name not in ("keep", "random_state")
        },
        keep=keep,
        seed=seed,
        categories=_category_counts(chosen_categories, categories, reducer.selected_idx_),
        provenance={
            "dataset": describe_dataset(dataset),
            "features": dict(table.provenance),
            "skipped_images": [str(problem) for problem in table.problems],
            "kept_first": len(first),
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
    return {"values": rows, "sha256": hashlib.sha256(array.astype("<f8").tobytes()).hexdigest()}


def describe_dataset(dataset: DetectionDataset) -> dict[str, Any]:
    """What a dataset is, in a few JSON-able facts, with the hash of its content."""
    return {
        "path": str(dataset.source.path),
        "format": dataset.source.format,
        "split": dataset.split,
        "images": len(dataset),
        "boxes": int((~dataset.box_crowd).sum()),
        "content_hash": dataset.content_hash,
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


def _initial_rows(
    table: FeatureTable,
    initial: Selection | Sequence[ImageId] | None,
    must_keep: Iterable[str | int] | None,
) -> npt.NDArray[np.int64]:
    """Rows of the table for images given by id or name: those that must be kept, then an earlier selection."""
    wanted: list[ImageId] = [must_keep] if isinstance(must_keep, str) else list(must_keep or ())
    wanted.extend(initial.image_ids if isinstance(initial, Selection) else initial or ())
    if not wanted:
        return np.empty(0, np.int64)
    rows_of: dict[str, list[int]] = {}
    row_of: dict[ImageId, int] = {}
    for row, dataset_row in enumerate(table.rows):
        record = table.dataset[int(dataset_row)]
        row_of[record.id] = row
        for name in {record.name, str(record.id)}:
            rows_of.setdefault(name, []).append(row)
    found = []
    for item in wanted:
        rows = [row_of[item]] if item in row_of else rows_of.get(str(item), [])
        if not rows:
            hint = nearest(str(item), rows_of)
            raise InputError(f"The image {item!r} that is to be kept is not among those to choose from.{hint}")
        if len(rows) > 1:
            ids = ", ".join(repr(table.dataset[int(table.rows[row])].id) for row in rows[:3])
            raise InputError(f"{len(rows)} images are called {item!r}; name the one to be kept by its id: {ids}.")
        found.append(rows[0])
    return np.array(list(dict.fromkeys(found)), np.int64)


def _is_utf8(image_ids: Iterable[ImageId]) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for item in image_ids for letter in str(item))


def _encode(score: float) -> float | str | None:
    if math.isnan(score):
        return None
    return score if math.isfinite(score) else str(score)


def _decode(score: float | str | None) -> float:
    return math.nan if score is None else float(score)


def _plain(value: Any) -> Any:
    """Make numpy values and paths fit for JSON."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return str(value)
