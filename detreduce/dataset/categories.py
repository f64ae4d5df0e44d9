"""Image categories, by which the choice of images is stratified. They are derived from the classes of the boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from detreduce.arrays.class_counts import (
    as_sparse,
    boxes_of_classes,
    boxes_of_images,
    images_of_classes,
    leading_classes,
    rows_of_entries,
)
from detreduce.errors import InputError, nearest

if TYPE_CHECKING:
    from scipy.sparse import csr_array

RULES = ("rarest", "combination", "dominant", "none")
ALL, BACKGROUND, OTHER, MERGED = "all", "background", "other", "other combinations"
UNREADABLE = "unreadable labels"
WITHOUT_CLASSES = frozenset({BACKGROUND, UNREADABLE})
"""The categories of images for which no class is known."""
CONDITIONS = ("any", "all", "only", "none", "min_boxes", "max_boxes")
Rule = str | Sequence[Mapping[str, Any]] | Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Categories:
    """The category of each image of a dataset.

    Attributes
    ----------
    codes
        (n,) int64: the category of each image, from 0 to K - 1. Every category has at least one image.
    names
        The K names of the categories, which are unique. Their order does not depend on the order of the images.
    """

    codes: npt.NDArray[np.int64]
    names: tuple[str, ...]


def assign_categories(
    class_counts: npt.ArrayLike | csr_array,
    class_names: Sequence[str],
    rule: Rule = "rarest",
    *,
    min_images: int | None = None,
    unreadable: npt.ArrayLike | None = None,
) -> Categories:
    """Assign a category to every image.

    Images without boxes are in the category ``background``, and images with unreadable labels in the category
    ``unreadable labels``. With the rule ``none``, there are no such categories.

    Parameters
    ----------
    class_counts
        (n, C) number of boxes of each class in each image, without crowd regions: an array, or a sparse array such as
        `DetectionDataset.sparse_class_counts`. If C is 0 (unlabelled images), all images are in the category ``all``.
    class_names
        The C names of the classes. Classes with the same name stay separate.
    rule
        One of four names, or a list of mappings. ``rarest``: the category is the class in the image that occurs in the
        fewest images of the dataset. ``dominant``: the category is the class with the most boxes in the image. If
        several classes are equal, ``rarest`` uses the class with the fewest boxes, ``dominant`` uses the rarest class,
        and then both use the first class. ``combination``: the category is the set of classes in the image. All sets
        that occur in fewer than `min_images` images form one category. ``none``: all images are in one category.

        A list contains mappings such as ``{name: single, only: [person], max_boxes: 1}``. The category of an image is
        the name of the first mapping whose conditions are all true. If there is no such mapping, the category is
        ``other``. Mappings with the same name form one category. The conditions are: ``any``: the image has a box of at
        least one of these classes. ``all``: the image has a box of each of these classes. ``only``: all boxes of the
        image belong to these classes. ``none``: the image has no box of these classes. ``min_boxes`` and ``max_boxes``:
        the image has at least or at most this number of boxes.
    min_images
        Only for ``combination``. The default is 1 % of the images, but at least 2 and at most 10.
    unreadable
        (n,) bool: whether the labels of each image cannot be read, such as `DetectionDataset.unreadable`. By default,
        all labels count as readable.

    Raises
    ------
    InputError
        The rule, a condition or a class is unknown, or `class_counts` does not have the shape (n, C).
    """
    shape = np.shape(class_counts)
    if len(shape) != 2 or shape[1] != len(class_names):
        raise InputError(f"class_counts has shape {shape}. It needs {len(class_names)} columns, one per class.")
    counts = as_sparse(class_counts)
    found = _by_rule(counts, class_names, rule, min_images)
    unknown = np.zeros(shape[0], bool) if unreadable is None else np.asarray(unreadable, bool)
    if not unknown.any() or rule == "none" or not len(class_names):
        return found
    return _renumber(np.where(unknown, len(found.names), found.codes), [*found.names, UNREADABLE])


def _by_rule(counts: csr_array, class_names: Sequence[str], rule: Rule, min_images: int | None) -> Categories:
    """Return the category of each image by its boxes, as if all labels were readable."""
    shape = counts.shape
    if not isinstance(rule, str):
        matchers = _read_rules(rule, class_names)
        return _apply_rules(counts, matchers) if len(class_names) else _join_all(shape[0])
    if rule not in RULES:
        raise InputError(f"Unknown category rule {rule!r}. Use one of: {', '.join(RULES)}.{nearest(rule, RULES)}")
    if rule == "none" or not len(class_names):
        return _join_all(shape[0])
    if rule == "combination":
        return _combine_classes(counts, class_names, min_images)
    rank = np.argsort(rarity_order(counts))
    classes = leading_classes(counts, rank, by_boxes=rule == "dominant")
    return _renumber(np.where(classes < 0, shape[1], classes), [*category_names(class_names), BACKGROUND])


def _join_all(n: int) -> Categories:
    """Put n images into a single category, ``all``."""
    return Categories(np.zeros(n, np.int64), (ALL,) if n else ())


def rarity_order(class_counts: npt.ArrayLike | csr_array) -> npt.NDArray[np.int64]:
    """Return the classes from rarest to most common, (C,) int64.

    They are sorted by their number of images, then by their number of boxes, then by class number.
    """
    counts = as_sparse(class_counts)
    keys = (np.arange(counts.shape[1]), boxes_of_classes(counts), images_of_classes(counts))
    return np.lexsort(keys).astype(np.int64)


def _combine_classes(counts: csr_array, class_names: Sequence[str], min_images: int | None) -> Categories:
    """Return one category for each set of classes. Sets that occur in fewer than `min_images` images are merged."""
    n = counts.shape[0]
    least = min_images if min_images is not None else max(2, min(10, -(-n // 100)))
    labels = category_names(class_names)
    numbers: dict[tuple[int, ...], int] = {}
    classes, ends = counts.indices.tolist(), counts.indptr.tolist()
    sets = (tuple(classes[start:end]) for start, end in pairwise(ends))
    set_of_image = np.array([numbers.setdefault(one, len(numbers)) for one in sets], np.int64)
    members, sizes = list(numbers), np.bincount(set_of_image, minlength=len(numbers)).tolist()
    order = sorted(range(len(members)), key=lambda place: members[place])
    small = [bool(members[place]) and sizes[place] < least for place in order]
    names = [
        MERGED if merged else "+".join(labels[c] for c in members[place]) or BACKGROUND
        for place, merged in zip(order, small, strict=True)
    ]
    final = [*dict.fromkeys(name for name in names if name not in (MERGED, BACKGROUND)), MERGED, BACKGROUND]
    code_of_name = {name: code for code, name in enumerate(final)}
    code_of_set = np.empty(len(members), np.int64)
    code_of_set[order] = [code_of_name[name] for name in names]
    return _renumber(code_of_set[set_of_image], final)


@dataclass(frozen=True)
class _Matcher:
    """One entry of a list of rules, with class numbers in place of class names.

    An attribute is None if the entry does not have this condition.
    """

    name: str
    any: Sequence[int] | None = None
    all: Sequence[int] | None = None
    only: Sequence[int] | None = None
    none: Sequence[int] | None = None
    min_boxes: int | None = None
    max_boxes: int | None = None

    def matches(self, counts: csr_array) -> npt.NDArray[np.bool_]:
        """Return an (n,) array of bool: True for each image that meets all conditions of the entry."""
        total = boxes_of_images(counts)
        matched = np.ones(len(total), bool)
        if self.any is not None:
            matched &= _count_present(counts, self.any) > 0
        if self.all is not None:
            matched &= _count_present(counts, self.all) == len(self.all)
        if self.only is not None:
            matched &= _count_present(counts, self.only) == np.diff(counts.indptr)
        if self.none is not None:
            matched &= _count_present(counts, self.none) == 0
        if self.min_boxes is not None:
            matched &= total >= self.min_boxes
        if self.max_boxes is not None:
            matched &= total <= self.max_boxes
        return matched


def _count_present(counts: csr_array, classes: Sequence[int]) -> npt.NDArray[np.int64]:
    """Return an (n,) array with the number of the given `classes` that each image contains."""
    wanted = np.zeros(counts.shape[1], bool)
    wanted[list(classes)] = True
    return np.bincount(rows_of_entries(counts)[wanted[counts.indices]], minlength=counts.shape[0])


def _apply_rules(counts: csr_array, matchers: Sequence[_Matcher]) -> Categories:
    """Return the category of each image: the name of the first matcher whose conditions it meets."""
    names = list(dict.fromkeys([*(matcher.name for matcher in matchers), OTHER, BACKGROUND]))
    codes = np.full(counts.shape[0], names.index(OTHER), np.int64)
    for matcher in reversed(matchers):
        codes[matcher.matches(counts)] = names.index(matcher.name)
    codes[np.diff(counts.indptr) == 0] = names.index(BACKGROUND)
    return _renumber(codes, names)


def _read_rules(rules: Any, class_names: Sequence[str]) -> list[_Matcher]:
    """Read a list of rules, or a mapping from names to conditions. Raise InputError if it is invalid."""
    if isinstance(rules, Mapping) and all(isinstance(conditions, Mapping) for conditions in rules.values()):
        rules = [{"name": name, **conditions} for name, conditions in rules.items()]
    if not isinstance(rules, Sequence) or not rules or not all(isinstance(rule, Mapping) for rule in rules):
        raise InputError(
            f"Categories must be one of {', '.join(RULES)} or a list of {{name: ..., any: [...]}}, not {rules!r}."
        )
    return [_read_rule(rule, number, class_names) for number, rule in enumerate(rules, 1)]


def _read_rule(rule: Mapping[str, Any], number: int, class_names: Sequence[str]) -> _Matcher:
    """Read one entry of a list of rules. `number` counts from 1. Raise InputError if the entry is invalid."""
    name = rule.get("name")
    if not isinstance(name, str) or not name:
        raise InputError(f"Category rule {number} has no name: {dict(rule)!r}. Add 'name: ...'.")
    conditions: dict[str, Any] = {}
    for key, value in rule.items():
        if key == "name":
            continue
        if key not in CONDITIONS:
            known = ", ".join(CONDITIONS)
            raise InputError(
                f"Category rule {name!r}: unknown condition {key!r}. Use one of: {known}.{nearest(key, CONDITIONS)}"
            )
        if key in ("min_boxes", "max_boxes"):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"Category rule {name!r}: {key} must be a whole number of boxes >= 1, not {value!r}.")
            conditions[key] = value
        else:
            conditions[key] = _find_classes(value, f"Category rule {name!r}, {key!r}", class_names)
    return _Matcher(name, **conditions)


def _find_classes(value: Any, where: str, class_names: Sequence[str]) -> list[int]:
    """Return the numbers of the classes that `value` names. `where` is the beginning of error messages."""
    wanted = [value] if isinstance(value, str) else value
    if not isinstance(wanted, Sequence) or not wanted:
        raise InputError(
            f"{where}: the value must be a list of class names, for instance [person, car], not {value!r}."
        )
    for name in map(str, wanted):
        if class_names and name not in class_names:
            raise InputError(f"{where}: there is no class {name!r} in this dataset.{nearest(name, class_names)}")
    chosen = set(map(str, wanted))
    return [number for number, name in enumerate(class_names) if name in chosen]


def category_names(class_names: Sequence[str]) -> list[str]:
    """Return unique names for classes. The class number is added to a name that is repeated or reserved."""
    taken = {BACKGROUND, UNREADABLE, OTHER, MERGED, ALL}
    times = Counter(class_names)
    return [
        f"{name} (class {number})" if name in taken or times[name] > 1 else name
        for number, name in enumerate(class_names)
    ]


def _renumber(codes: npt.NDArray[np.int64], names: Sequence[str]) -> Categories:
    """Leave out categories without images, and renumber the others from 0 in the same order.

    `codes` (n,) are indices into `names`.
    """
    occurring, dense = np.unique(codes, return_inverse=True)
    return Categories(dense.reshape(-1).astype(np.int64), tuple(names[code] for code in occurring))


CategoryRule = str | list[dict[str, Any]]
