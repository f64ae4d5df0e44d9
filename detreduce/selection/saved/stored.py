"""The content of a selection's file: the names and types of its fields."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from detreduce.machine.untrusted.checked_json import ImageId, Stored
from detreduce.machine.untrusted.stored_numbers import Count, Int64, Keep


class _Categories(Stored):
    """The number of images of each category, in the full set and in the subset."""

    full: dict[str, Count] = Field(default_factory=dict)
    kept: dict[str, Count] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_names(self) -> _Categories:
        if self.kept.keys() != self.full.keys():
            raise ValueError("'full' and 'kept' have different categories")
        return self


class _Step(Stored):
    step: str
    images: Count | list[ImageId] | None = None
    dropped: Count = 0
    groups: str | None = None
    max_per_group: Count | None = None
    partitions: Count | None = None

    @model_validator(mode="after")
    def _check_excluded(self) -> _Step:
        if self.step in ("exclude", "drop_leaked") and not isinstance(self.images, list):
            raise ValueError(f"the step {self.step!r} has no list 'images'")
        return self


class _Dataset(Stored):
    path: str | None = None
    image_folder: str | None = None
    split: str | None = None
    boxes: Count | None = None
    content_hash: str | None = None


class _Block(Stored):
    backbone: str | None = None
    store: str | None = None
    vectors_sha256: str | None = None


class _Features(Stored):
    blocks: list[str] = Field(default_factory=list)
    image: _Block | None = None
    objects: _Block | None = None


class _Detector(Stored):
    """The detector that predicted boxes, and its settings."""

    detector: str
    classes: list[str] = Field(default_factory=list)
    weights_sha256: str | None = None
    store: str | None = None
    most_boxes: Count | None = None
    confidence: float | None = None
    imgsz: Count | None = None


class _Pair(Stored):
    """A pair of duplicates.

    The file calls the first field ``copy``, but pydantic's models already have a method `copy`.
    """

    duplicate: ImageId = Field(alias="copy")
    kept: ImageId
    exact: bool
    transformation: str | None
    similarity: float | None


class _Duplicates(Stored):
    pairs: list[_Pair] = Field(default_factory=list)
    kept_twice: Count = 0


class _Provenance(Stored):
    dataset: _Dataset = Field(default_factory=_Dataset)
    features: _Features = Field(default_factory=_Features)
    detector: _Detector | None = None
    duplicates: _Duplicates = Field(default_factory=_Duplicates)
    skipped_images: list[Any] = Field(default_factory=list)
    kept_first: Count = 0


class SelectionFile(Stored):
    """The content of a selection's file. See `Selection` for what the fields mean."""

    detreduce_selection: Literal[1]
    method: str
    parameters: dict[str, Any]
    keep: Keep
    seed: Int64
    images: Count | None = None
    of: Count | None = None
    categories: _Categories
    steps: list[_Step] = Field(default_factory=list)
    provenance: _Provenance
    representativeness: dict[str, Any] = Field(default_factory=dict)
    image_ids: list[ImageId] = Field(min_length=1)
    indices: list[Count]
    scores: list[float | Literal["inf", "-inf"] | None]
    category_codes: list[Int64] | None = None

    @model_validator(mode="after")
    def _check_lengths(self) -> SelectionFile:
        kept, total = len(self.image_ids), len(self.scores)
        for name, wanted, found in (
            ("indices", kept, len(self.indices)),
            ("images", kept, kept if self.images is None else self.images),
            ("of", total, total if self.of is None else self.of),
            ("category_codes", total, total if self.category_codes is None else len(self.category_codes)),
        ):
            if wanted != found:
                raise ValueError(f"the value or length of {name} is {found}, but the other fields need {wanted}")
        for name, values in (("image_ids", self.image_ids), ("indices", self.indices)):
            if len(set(values)) < kept:
                raise ValueError(f"{name} has an image twice")
        if max(self.indices) >= total:
            raise ValueError(f"indices has {max(self.indices)}, but there are {total} scores")
        if self.category_codes and not -1 <= min(self.category_codes) <= max(self.category_codes) < max(
            len(self.categories.full), 1
        ):
            raise ValueError("category_codes has a number that is no category")
        if self.category_codes and any(self.category_codes[row] < 0 for row in self.indices):
            raise ValueError("category_codes says that a kept image could not be read")
        return self
