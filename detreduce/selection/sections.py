"""The parts of a YAML file that describe the choice of images: a method, and the steps before it.

All are pydantic models.
"""

from __future__ import annotations

import contextlib
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from detreduce.vocabulary.keeps import from_percent, how_to_write
from detreduce.vocabulary.option_values import ALL

Keep = float | int
IMAGE_LISTS = ("must_keep", "initial", "exclude")
"""Keys that take a list of images, or the name of a file that contains such a list.

The key of a cell depends on the images in the list, not on the name of the file.
"""


class Section(BaseModel):
    """A section of the YAML file in which unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class CompositionConfig(BaseModel):
    """The steps that run before a method chooses images, such as dropping duplicates (see `detreduce.select`).

    In the settings of a single method, None means that the value from the section `reduce` is used.
    """

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)
    drop_duplicates: bool | float | str | dict[str, str | float] | None = None
    """Drop duplicates: true (pixels), `boxes`, `features`, `exact`, a threshold, or `{by: boxes, threshold: 0.9}`."""
    must_keep: str | list[str | int] | None = None
    """Images to keep before any others: a text file with one name on each line, or a list of names or ids."""
    initial: str | list[str | int] | None = None
    """Images to keep next, to continue an earlier selection: its `selection.json`, or a list of names or ids."""
    exclude: str | list[str | int] | None = None
    """Images that must not be kept: a text file with one name on each line, or a list of names or ids."""
    class_floor: int | dict[str, int] | None = None
    """Minimum number of kept images that have a box of each class: one number for all classes, or `{name: number}`."""
    groups: str | None = None
    """Rule that groups images, such as frames of a video: `folder`, or a regular expression for part of the name."""
    max_per_group: int | None = Field(default=None, ge=0)
    """Maximum number of images to keep from each group. 0 means no limit, even if `reduce` sets one."""
    partitions: int | None = Field(default=None, ge=0)
    """Number of parts in which slow methods first choose. Other methods ignore it in `reduce`. 0 means no parts."""

    @field_validator("groups")
    @classmethod
    def _rule(cls, value: str | None) -> str | None:
        from detreduce.dataset.groups import check_group_rule

        if value is not None:
            check_group_rule(value)
        return value

    @field_validator("drop_duplicates", mode="before")
    @classmethod
    def _usable(cls, value: Any) -> Any:
        from detreduce.selection.request import DuplicateSearch

        search = DuplicateSearch.of(value)
        # write `{by: features}` as `features`, so that the same search always gives the same cell
        return search.shortest() if isinstance(value, dict) and search is not None else value

    @field_validator("class_floor", mode="before")
    @classmethod
    def _counts(cls, value: Any) -> Any:
        from detreduce.selection.request import check_class_floor

        return check_class_floor(value)

    def composition(self, otherwise: CompositionConfig | None = None) -> dict[str, Any]:
        """Return the steps as keyword arguments of `select`.

        A step that is not set in this section is taken from `otherwise`. Values that have no effect are left out.
        """
        found = {}
        for name in CompositionConfig.model_fields:
            value = getattr(self, name)
            if value is None and otherwise is not None:
                value = getattr(otherwise, name)
            if value is not None and value is not False and value != 0 and value != []:
                found[name] = value
        return found


def in_range(keep: int | float) -> int | float:
    """Return `keep` unchanged. Raise ValueError if it is neither a fraction in (0, 1] nor a count of at least 1."""
    if isinstance(keep, float) and not 0 < keep <= 1:
        raise ValueError(
            f"{keep} is neither a count (a whole number) nor a fraction above 0 and at most 1. {how_to_write(keep)}"
        )
    if isinstance(keep, int) and keep < 1:
        raise ValueError(f"{keep} is not a count of at least 1")
    return keep


class MethodConfig(CompositionConfig):
    """A method and its settings.

    Each key except `name` is a parameter of the method or a key of the section `reduce`. A key of `reduce` overrides
    the value in that section, for this method only.
    """

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)
    name: str
    """The name of a method, as `detreduce methods` lists it."""

    @model_validator(mode="before")
    @classmethod
    def _bare_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _known(self) -> MethodConfig:
        from detreduce.reducers import make_reducer

        places = {"keep": "keep", "random_state": "seeds", "seed": "seeds", "drop_leaked": "drop_leaked"}
        for name, place in places.items():
            if name in self.parameters:
                raise ValueError(f"{name!r} applies to all methods. Set reduce.{place} instead.")
        reducer = make_reducer(self.name, **self.parameters)
        reducer.check_params()
        if self.partitions:
            reducer.check_partitions(self.partitions)
        return self

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the method, by name."""
        return dict(self.model_extra or {})

    def composition(self, otherwise: CompositionConfig | None = None) -> dict[str, Any]:
        """Return the steps as keyword arguments of `select`.

        If neither the method nor a limit on groups needs `groups`, `groups` is left out. If the method cannot choose in
        parts, `partitions` is left out.
        """
        from detreduce.reducers import reducer_class

        found = super().composition(otherwise)
        cls = reducer_class(self.name)
        if "max_per_group" not in found and "groups" not in (*cls.needs, *cls.uses):
            found.pop("groups", None)
        if cls.no_partitions:
            found.pop("partitions", None)
        return found


def read_keep(keep: Any) -> Any:
    """Convert a value of the key `keep` in the YAML file.

    A percentage such as ``25%`` becomes a fraction. Any other text except ``all`` raises ValueError.
    """
    if isinstance(keep, str) and keep != ALL:
        with contextlib.suppress(ValueError):
            return from_percent(keep)
    if isinstance(keep, (bool, str)) and keep != ALL:
        raise ValueError(f"{keep!r} is not a number. Use a fraction such as 0.25 or 25%, or a count such as 25")
    return keep
