"""The options of a selection, as objects.

They are created once, from the arguments of `select`, from the command line or from the YAML file, and then passed on
as a whole.
"""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from detreduce.errors import InputError, nearest

if TYPE_CHECKING:
    import numpy.typing as npt

    from detreduce.dataset.categories import CategoryRule
    from detreduce.dataset.records import ImageId
    from detreduce.duplicates.leakage import LeakageReport
    from detreduce.duplicates.result import Duplicates
    from detreduce.duplicates.split_search import LeakedImage
    from detreduce.reducers.base import BaseReducer

FEATURES, EXACT, TIME = "features", "exact", "time"
WAYS = ("pixels", "boxes", FEATURES, EXACT, TIME)
DropDuplicates: TypeAlias = "bool | float | str | Mapping[str, Any] | DuplicateSearch | Duplicates | None"
ClassFloor: TypeAlias = int | Mapping[str, int]


@dataclass(frozen=True, slots=True)
class DuplicateSearch:
    """A request to search for duplicates.

    `by` is what to compare: ``pixels``, ``boxes``, ``features``, ``exact`` or ``time``. Images count as duplicates if
    their similarity is at least `threshold`. If `threshold` is None, the default for `by` is used. Raises InputError if
    `by` is unknown, or if `threshold` is not valid for `by`.
    """

    by: str = "pixels"
    threshold: float | None = None

    def __post_init__(self) -> None:
        if self.by not in WAYS:
            raise InputError(
                f"drop_duplicates={self.by!r} is not known. Use true, a threshold, {', '.join(map(repr, WAYS[1:]))}, "
                f"or both: {{by: features, threshold: 0.95}}.{nearest(str(self.by), WAYS)}"
            )
        if self.threshold is None:
            return
        if self.by == EXACT:
            raise InputError(f"A threshold ({self.threshold!r}) does not apply to exact duplicates. Leave it out.")
        from detreduce.duplicates.search import check_threshold

        check_threshold(self.threshold, self.by)

    @classmethod
    def of(cls, value: Any) -> DuplicateSearch | None:
        """Convert a value of the option `drop_duplicates` to a search, or to None if the value means that nothing is
        dropped.

        Raises InputError if the value does not describe a search.
        """
        if value is None or isinstance(value, DuplicateSearch):
            return value
        if isinstance(value, bool):
            return cls() if value else None
        if isinstance(value, str):
            return cls(value)
        if isinstance(value, Mapping):
            if unknown := [key for key in value if key not in ("by", "threshold")]:
                hint = nearest(str(unknown[0]), ("by", "threshold"))
                raise InputError(
                    f"drop_duplicates has the unknown key {unknown[0]!r}. Known keys: 'by', 'threshold'.{hint}"
                )
            return cls(**value)
        return cls(threshold=value)

    def shortest(self) -> bool | float | str | dict[str, Any]:
        """Return the shortest value of the option `drop_duplicates` that describes this search."""
        if self.threshold is None:
            return True if self.by == "pixels" else self.by
        return self.threshold if self.by == "pixels" else {"by": self.by, "threshold": self.threshold}


def _to_images(option: str, images: Any) -> tuple[Any, ...]:
    """Return a list of image names or ids as a tuple. Raise InputError if it is not a list."""
    if images is None or isinstance(images, str):
        return (images,) if images else ()
    try:
        return tuple(images)
    except TypeError:
        raise InputError(f"{option}={images!r}: expected a list of image names or ids.") from None


@dataclass(frozen=True)
class CompositionRequest:
    """What to do before a method chooses images. `detreduce.select` documents most fields.

    `drop_duplicates` is a search, or the result of a search. `groups` is a rule, or one label for each image.
    `drop_leaked` says whether to leave out images that are also in val or test. After the search for these images,
    `drop_leaked` is the result of this search. The method gets `partitions` when it chooses.
    """

    drop_duplicates: DuplicateSearch | Duplicates | None = None
    must_keep: tuple[str | int, ...] = ()
    initial: tuple[ImageId, ...] = ()
    class_floor: ClassFloor | None = None
    groups: Any = None
    max_per_group: int | None = None
    exclude: tuple[str | int, ...] = ()
    drop_leaked: bool | LeakageReport = False
    partitions: int | None = None

    @property
    def leaked(self) -> tuple[LeakedImage, ...]:
        """The images that are also in val or test. Empty before they have been searched for."""
        return () if isinstance(self.drop_leaked, bool) else self.drop_leaked.leaked

    @classmethod
    def of(
        cls,
        *,
        drop_duplicates: Any = False,
        must_keep: Iterable[str | int] | None = None,
        initial: Any = None,
        class_floor: ClassFloor | None = None,
        exclude: Iterable[str | int] | None = None,
        **groups: Any,
    ) -> CompositionRequest:
        """Create the request from the arguments of `select`. `**groups` can be `groups`, `max_per_group`,
        `drop_leaked` and `partitions`.

        Raises InputError if `drop_duplicates`, `class_floor` or a list of images is not valid.
        """
        return cls(
            drop_duplicates if _is_result(drop_duplicates) else DuplicateSearch.of(drop_duplicates),
            _to_images("must_keep", must_keep),
            _to_images("initial", getattr(initial, "image_ids", initial)),
            check_class_floor(class_floor),
            exclude=_to_images("exclude", exclude),
            **groups,
        )

    @property
    def by_features(self) -> bool:
        """Whether duplicates are searched for by comparing the feature vectors of whole images."""
        return isinstance(self.drop_duplicates, DuplicateSearch) and self.drop_duplicates.by == FEATURES

    @property
    def in_time(self) -> bool:
        """Whether duplicates are searched for among neighbouring frames of videos."""
        return isinstance(self.drop_duplicates, DuplicateSearch) and self.drop_duplicates.by == TIME


@dataclass(frozen=True)
class SelectionRequest:
    """How to choose images. `detreduce.select` documents the fields."""

    method: str = "srs"
    keep: float | int = 0.25
    seed: int = 0
    categories: CategoryRule | npt.ArrayLike | None = "rarest"
    composition: CompositionRequest = CompositionRequest()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    cache: str | Path | None = None

    def check_names(self) -> None:
        """Raise InputError if the method or a parameter is unknown, without importing the built-in methods."""
        from detreduce.reducers.catalogue import described
        from detreduce.reducers.registry import check_parameters

        check_parameters(self.method, self.parameters, [one.name for one in described(self.method).parameters])

    def make_reducer(self) -> BaseReducer:
        """Create the reducer with its parameters. Raise InputError if the method does not accept a parameter."""
        from detreduce.reducers import make_reducer

        for name, argument in (("random_state", "seed"), ("keep", "keep")):
            if name in self.parameters:
                raise InputError(f"{name!r} is not a parameter of the method {self.method!r}. Pass it as {argument}=.")
        reducer = make_reducer(self.method, keep=self.keep, random_state=self.seed, **self.parameters)
        reducer.check_params()
        return reducer


def check_class_floor(value: Any) -> Any:
    """Return the value of `class_floor` unchanged. Raise InputError if a floor is not a whole number of at least 0."""
    counts = list(value.values()) if isinstance(value, Mapping) else [] if value is None else [value]
    for count in counts:
        if isinstance(count, bool) or not isinstance(count, numbers.Integral) or count < 0:
            raise InputError(
                f"class_floor={value!r} is not valid. Use a number of images (0 or more), or a number for each class."
            )
    return value


def _is_result(value: Any) -> bool:
    """Return whether a value of the option `drop_duplicates` is the result of an earlier search."""
    if value is None or isinstance(value, bool | float | int | str | Mapping | DuplicateSearch):
        return False
    from detreduce.duplicates.result import Duplicates

    return isinstance(value, Duplicates)
