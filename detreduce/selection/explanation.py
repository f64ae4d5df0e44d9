"""Explain why a selection kept or dropped an image."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.arrays.class_counts import entries_of_image, images_of_classes
from detreduce.dataset.groups import assign_groups
from detreduce.dataset.records import DetectionDataset, ImageId, ImageRecord
from detreduce.dataset.views.predicted import predictions_of
from detreduce.errors import DetreduceError, InputError, MissingFileError
from detreduce.features.backbones import make_backbone
from detreduce.features.detector.stored import stored_predictions
from detreduce.features.extract import extract_features
from detreduce.features.pixels.image_block import kept_precision
from detreduce.features.stored import stored_features
from detreduce.features.table import SEPARATE_BLOCKS, FeatureTable
from detreduce.machine.cache_folder import cache_folder
from detreduce.selection.named_images import find_image
from detreduce.selection.record import Selection
from detreduce.selection.saved.dataset import check_selection, find_dataset

_ROWS = 4096
BACKBONE = "efficientnet-lite0"
"""The backbone whose cached image vectors are used if the selection did not use features."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An image near the explained image.

    `distance` is the Euclidean distance between the scaled features of the two images.
    """

    image: ImageId
    name: str
    distance: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an image was kept or dropped.

    Attributes
    ----------
    image
        Id of the image.
    name
        Name of the image.
    kept
        Whether the image was kept.
    step
        The step that kept or dropped the image. For a kept image, it is ``must_keep``, ``initial``, ``class_floor`` or
        ``method``. For a dropped image, it is ``exclude``, ``drop_leaked``, ``drop_duplicates``, ``unreadable``,
        ``no_features`` (the image has no features) or ``method``.
    rank
        Position of the image in the order of choice, counted from 1. None if the image was dropped.
    of
        Number of kept images.
    score
        Score of the image. None if the method did not score it.
    score_place
        Rank of the score among the images of the category. The highest score has rank 1. None if there is no score.
    scored
        Number of images in the category that have a score.
    category
        Category of the image. None if it is not known.
    category_kept
        Number of kept images in the category.
    category_full
        Number of images in the category in the full set.
    duplicate_of
        The pair of duplicates in which this image is the copy, with the names of both images. None if there is no such
        pair.
    copies
        The pairs of duplicates in which this image is kept and the other image is the copy, with the names of both
        images.
    nearest_kept
        The nearest other image that was kept. None if no features are available.
    nearest_dropped
        The nearest other image that was dropped. None if no features are available.
    nearest_by
        Names of the feature blocks from which distances were computed.
    classes
        The number of boxes of each class in the image, keyed by the class name.
    alone
        The same numbers as in `classes`, but only for classes that no other kept image contains.
    labelled
        Whether the images of the dataset have labels.
    leaked_as
        Pairs of this image and its copy in val or test, with the names of both images. Empty if the image was not
        dropped as a leak.
    notes
        Sentences that say what is not known about the image, and why.
    predicted_by
        Name of the detector that predicted the boxes. None if the boxes are labels.
    predicted
        The predicted boxes of the image: class, confidence, the confidence of the second class, and corners as
        fractions of the image. The most uncertain box comes first if the method is ``uncertainty``, otherwise the most
        confident box. Empty if the boxes are labels.
    group
        Group of the image, for example its video. None if the selection does not limit groups, or if the groups were
        given as labels instead of a rule.
    group_kept
        Number of kept images in the group. None if `group` is None.
    group_limit
        Maximum number of kept images in each group. None if there is no limit.
    """

    image: ImageId
    name: str
    kept: bool
    step: str
    rank: int | None
    of: int
    score: float | None
    score_place: int | None
    scored: int
    category: str | None
    category_kept: int | None
    category_full: int | None
    duplicate_of: Mapping[str, Any] | None
    copies: tuple[Mapping[str, Any], ...]
    nearest_kept: Neighbour | None
    nearest_dropped: Neighbour | None
    nearest_by: tuple[str, ...]
    classes: Mapping[str, int]
    alone: Mapping[str, int]
    notes: tuple[str, ...] = ()
    predicted_by: str | None = None
    predicted: tuple[Mapping[str, Any], ...] = ()
    group: str | None = None
    group_kept: int | None = None
    group_limit: int | None = None
    labelled: bool = True
    leaked_as: tuple[Mapping[str, Any], ...] = ()

    @property
    def score_is_place(self) -> bool:
        """Whether the score only repeats the position of the image in the order of choice."""
        places = (self.rank, self.score_place)
        return self.score is not None and any(repeats_rank(self.score, place) for place in places if place is not None)

    @property
    def group_full(self) -> bool:
        """Whether the number of kept images in the group has reached the limit."""
        return self.group_limit is not None and self.group_kept is not None and self.group_kept >= self.group_limit

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as values that JSON can store.

        An infinite score becomes the string ``inf`` or ``-inf``.
        """
        content = asdict(self)
        if self.score is not None and math.isinf(self.score):
            content["score"] = str(self.score)
        return content


def explain(
    selection: Selection,
    image: ImageId,
    *,
    dataset: DetectionDataset | None = None,
    features: FeatureTable | None = None,
    cache: str | Path | None = None,
) -> Explanation:
    """Explain why a selection kept or dropped an image.

    Parameters
    ----------
    selection
        A selection from `select`, or a selection that was read from its file.
    image
        The id or the name of an image, or the end of its path. Exactly one image must match.
    dataset
        The dataset from which the selection was made. By default, it is loaded from the path in the selection.
    features
        The features in which the nearest images are searched. By default, the features of the selection are read from
        the cache. If the selection did not use features, cached image vectors are used. If there are no cached vectors,
        statistics of the boxes are used. Weights that the selection names are never loaded, because loading a file of
        weights can run code. Blocks that come from a proxy training are not used. If the features are not available or
        have changed, the nearest images are None and a note explains why.
    cache
        The folder in which features are cached. The default is the folder that the selection used, if it still exists.

    Raises
    ------
    MissingFileError
        The dataset no longer exists.
    InputError
        The dataset has changed, no image matches, or several images match.
    """
    dataset = dataset if dataset is not None else find_dataset(selection.provenance)
    data = check_selection(dataset, selection)
    row = find_image(data, image)
    notes: list[str] = []
    try:
        data = seen_dataset(selection, data, cache)
    except InputError as error:
        notes.append(f"The predicted boxes are not known. {error}")
    table = features
    if table is None:
        try:
            table = find_features(selection, data, cache)
        except DetreduceError as error:
            notes.append(f"The nearest images are not known. {error}")
    chosen = np.zeros(len(data), bool)
    chosen[[data.row_of[item] for item in selection.image_ids]] = True
    near_kept, near_dropped = (None, None) if table is None else _nearest(table, row, chosen)
    if table is not None and row not in table.rows:
        unread = any(problem.file == data[row].path for problem in table.problems)
        why = "could not be read" if unread else "is not in the features"
        notes.append(f"The nearest images are not known, because this image {why}.")
    record = data[row]
    pairs = [_with_names(pair, data) for pair in selection.provenance.get("duplicates", {}).get("pairs", ())]
    counts = data.sparse_class_counts
    others = chosen.copy()
    others[row] = False
    held = images_of_classes(counts[others])
    own = zip(*(part.tolist() for part in entries_of_image(counts, row)), strict=True)
    boxes = dict(sorted(own))
    group = _group(selection, data, row, chosen)
    if group.get("group_limit") is not None and group.get("group") is None:
        notes.append("It is not known whether the group was full, because the groups were not made by a rule.")
    return Explanation(
        image=record.id,
        name=record.name,
        kept=bool(chosen[row]),
        step=_step(selection, record, bool(chosen[row]), row),
        rank=selection.image_ids.index(record.id) + 1 if chosen[row] else None,
        of=len(selection),
        **_score(selection, row),
        **_category(selection, row),
        duplicate_of=next((pair for pair in pairs if pair["copy"] == record.id), None),
        copies=tuple(pair for pair in pairs if pair["kept"] == record.id),
        nearest_kept=near_kept,
        nearest_dropped=near_dropped,
        nearest_by=() if table is None else _alike_by(table.blocks),
        classes=_boxes_by_name(data, boxes),
        alone=_boxes_by_name(data, {c: count for c, count in boxes.items() if not held[c]}),
        notes=tuple(notes),
        predicted_by=selection.provenance.get("detector", {}).get("detector"),
        predicted=_predicted_boxes(selection, data, row),
        labelled=data.labelled,
        leaked_as=_leaks_of(selection, record.id),
        **group,
    )


def seen_dataset(selection: Selection, dataset: DetectionDataset, cache: str | Path | None) -> DetectionDataset:
    """Return the dataset as the method saw it: with predicted boxes from the cache if a detector predicted boxes.

    Raise InputError if the cache does not have the boxes. Weights that the selection names are never loaded.
    """
    made = selection.provenance.get("detector")
    return dataset if not made else stored_predictions(dataset, made, cache)


def _predicted_boxes(selection: Selection, dataset: DetectionDataset, row: int) -> tuple[Mapping[str, Any], ...]:
    """Return the predicted boxes of an image, as in `Explanation.predicted`."""
    found = predictions_of(dataset)
    boxes = None if found is None else found.images[row]
    if found is None or boxes is None:
        return ()
    second = np.zeros(len(boxes)) if boxes.runners_up is None else boxes.runners_up
    order = np.arange(len(boxes))
    if selection.method == "uncertainty":
        order = np.argsort(boxes.confidences - second, kind="stable")
    return tuple(
        {
            "class": found.class_names[int(boxes.classes[place])],
            "confidence": round(float(boxes.confidences[place]), 4),
            "second_class": round(float(second[place]), 4),
            "box": boxes.corners[place].round(4).tolist(),
        }
        for place in order.tolist()
    )


def find_features(selection: Selection, dataset: DetectionDataset, cache: str | Path | None) -> FeatureTable:
    """Return the features of the selection, without blocks that come from a proxy training.

    If the selection did not use features, return cached image vectors. If there are no cached vectors, return
    statistics of the boxes.

    Raise InputError if no features are available, or if the features have changed since the selection.
    """
    made = selection.provenance.get("features", {})
    blocks = _alike_by(made.get("blocks", ()))
    if not blocks:
        return _cheap_features(selection, dataset, cache)
    pairs = selection.duplicates.get("pairs", ())
    copies = {dataset.row_of[pair["copy"]] for pair in pairs if pair["copy"] in dataset.row_of}
    return stored_features(dataset, made, blocks, cache, copies)


def _cheap_features(selection: Selection, dataset: DetectionDataset, cache: str | Path | None) -> FeatureTable:
    """Return features without decoding an image.

    These are cached image vectors. If there are no cached vectors, return statistics of the boxes.
    """
    with suppress(MissingFileError):
        backbone = make_backbone(BACKBONE)
        precision: Any = kept_precision([record.path for record in dataset], backbone, cache_folder(cache))
        if precision is not None:
            return extract_features(dataset, backbone, ("image",), precision=precision, cache=cache)
    if not dataset.labelled:
        raise InputError(f"The method {selection.method!r} did not use features, and the dataset does not have boxes.")
    return extract_features(dataset, blocks=("annotations",))


def _alike_by(blocks: Iterable[str]) -> tuple[str, ...]:
    """Return the names of all blocks that say which images are alike."""
    return tuple(name for name in blocks if name not in SEPARATE_BLOCKS)


def _nearest(table: FeatureTable, row: int, chosen: npt.NDArray[np.bool_]) -> tuple[Neighbour | None, Neighbour | None]:
    """Return the nearest other image that was kept, and the nearest other image that was dropped.

    Of several images at the same distance, the one that comes first in the dataset is returned.
    """
    places = np.flatnonzero(table.rows == row)
    if not len(places) or table.X.shape[1] == 0:
        return None, None
    own = table.X[places[0]].astype(np.float64)
    distances = np.concatenate(
        [
            np.linalg.norm(table.X[start : start + _ROWS].astype(np.float64) - own, axis=1)
            for start in range(0, len(table), _ROWS)
        ]
    )
    distances[places[0]] = np.inf

    def least(wanted: npt.NDArray[np.bool_]) -> Neighbour | None:
        """Return the nearest of the images that `wanted` marks, or None if none of them has features."""
        masked = np.where(wanted[table.rows], distances, np.inf)
        best = int(masked.argmin())
        if not np.isfinite(masked[best]):
            return None
        record = table.dataset[int(table.rows[best])]
        return Neighbour(record.id, record.name, float(masked[best]))

    return least(chosen), least(~chosen)


def _with_names(pair: Mapping[str, Any], dataset: DetectionDataset) -> dict[str, Any]:
    """Return a pair of duplicates, with the names of both images added."""
    return {**pair, **{f"{part}_name": dataset[dataset.row_of[pair[part]]].name for part in ("copy", "kept")}}


def _step(selection: Selection, record: ImageRecord, kept: bool, row: int) -> str:
    """Return the step that kept or dropped the image, as in `Explanation.step`."""
    image = record.id
    for step in selection.steps:
        taken = step.get("images")
        if kept and isinstance(taken, list) and image in taken:
            return str(step["step"])
    if kept:
        return "method"
    for step in selection.steps:
        if step.get("step") in ("exclude", "drop_leaked") and image in step["images"]:
            return str(step["step"])
    dropped = any(step.get("step") == "drop_duplicates" for step in selection.steps)
    pairs = selection.provenance.get("duplicates", {}).get("pairs", ())
    if dropped and any(pair["copy"] == image for pair in pairs):
        return "drop_duplicates"
    codes = selection.category_codes
    if codes is None or codes[row] >= 0:
        return "method"
    # compare only the end of the path, because the dataset may have been moved
    skipped = selection.provenance.get("skipped_images")
    unread = skipped is None or any(f"{record.name}: " in text for text in skipped)
    return "unreadable" if unread else "no_features"


def _leaks_of(selection: Selection, image: ImageId) -> tuple[Mapping[str, Any], ...]:
    """Return the pairs that show why an image was left out as a leak: the image, and a copy of it in val or test."""
    pairs = [pair for step in selection.steps if step.get("step") == "drop_leaked" for pair in step.get("pairs", ())]
    return tuple(pair for pair in pairs if pair["image"] == image)


def repeats_rank(score: float, rank: int) -> bool:
    """Return whether a score only repeats the position of the image in the order of choice.

    Such a score is minus the position, counted from 0 or from 1.
    """
    return -score in (rank, rank - 1)


def _score(selection: Selection, row: int) -> dict[str, Any]:
    """Return the score of an image, its rank in the category, and how many images of the category have a score."""
    scores, codes = selection.scores, selection.category_codes
    in_category = scores if codes is None else scores[codes == codes[row]]
    in_category = in_category[~np.isnan(in_category)]
    if np.isnan(scores[row]):
        return {"score": None, "score_place": None, "scored": len(in_category)}
    place = int((in_category > scores[row]).sum()) + 1
    return {"score": float(scores[row]), "score_place": place, "scored": len(in_category)}


def _category(selection: Selection, row: int) -> dict[str, Any]:
    """Return the category of an image, and how many images of this category are in the subset and in the full set."""
    codes = selection.category_codes
    names = list(selection.categories.get("full", ()))
    if codes is None or codes[row] < 0 or codes[row] >= len(names):
        return {"category": None, "category_kept": None, "category_full": None}
    name = names[codes[row]]
    kept, full = selection.categories["kept"], selection.categories["full"]
    return {"category": name, "category_kept": kept[name], "category_full": full[name]}


def _group(selection: Selection, dataset: DetectionDataset, row: int, chosen: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """Return the group of an image, the number of kept images in this group, and the limit.

    If there is no limit, return an empty dict. If the groups do not come from a rule but from a list of labels, return
    only the limit.
    """
    step = selection.steps[-1] if selection.steps else {}
    limit, rule = step.get("max_per_group"), step.get("groups")
    if limit is None:
        return {}
    try:
        labels = assign_groups(dataset, str(rule))
    except InputError:
        return {"group_limit": int(limit)}
    kept = sum(label == labels[row] for label, held in zip(labels, chosen.tolist(), strict=True) if held)
    return {"group": labels[row], "group_kept": kept, "group_limit": int(limit)}


def _boxes_by_name(dataset: DetectionDataset, boxes: Mapping[int, int]) -> dict[str, int]:
    """Replace class numbers by class names in a mapping from class to number of boxes."""
    return {dataset.class_labels[c]: count for c, count in boxes.items()}
