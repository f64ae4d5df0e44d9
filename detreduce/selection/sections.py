"""The parts of a YAML about the choice of images, as pydantic models: a method, and the steps before it."""

from __future__ import annotations

import contextlib
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from detreduce.vocabulary.keeps import from_percent, how_to_write
from detreduce.vocabulary.option_values import ALL

Keep = float | int
IMAGE_LISTS = ("must_keep", "initial", "exclude")
"""Keys that take a list of images, or the name of a file with images.

The key of a cell depends on the images and not on the name of the file.
"""


class Section(BaseModel):
    """A section of the YAML in which unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class CompositionConfig(BaseModel):
    """The steps that run before a method chooses, such as dropping duplicates (see `detreduce.select`).

    In the settings of one method, None means that the value of the section `reduce` is used.
    """

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)
    drop_duplicates: bool | float | str | dict[str, str | float] | None = None
    """true (by pixels), `boxes`, `features`, `exact`, 0.9 (lowest similarity), or `{by: boxes, threshold: 0.9}`."""
    must_keep: str | list[str | int] | None = None
    """Images to keep first: a text file with one name on each line, or a list of names or ids."""
    initial: str | list[str | int] | None = None
    """Images to keep next, to continue an earlier selection: its `selection.json`, or a list of names or ids."""
    exclude: str | list[str | int] | None = None
    """Images that are never kept: a text file with one name on each line, or a list of names or ids."""
    class_floor: int | dict[str, int] | None = None
    """Smallest number of kept images with each class: one number for all classes, or `{name: number}`."""
    groups: str | None = None
    """Rule that groups images, such as frames of a video: `folder`, or a regular expression for a part of the name."""
    max_per_group: int | None = Field(default=None, ge=0)
    """Largest number of images to keep from each group. 0: no limit, even if `reduce` has one."""

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
        # `features` and `{by: features}` are the same search, so they must give the same cell
        return search.shortest() if isinstance(value, dict) and search is not None else value

    @field_validator("class_floor", mode="before")
    @classmethod
    def _counts(cls, value: Any) -> Any:
        from detreduce.selection.request import check_class_floor

        return check_class_floor(value)

    def composition(self, otherwise: CompositionConfig | None = None) -> dict[str, Any]:
        """Return the steps as keyword arguments of `select`.

        A step that is not set in this section comes from `otherwise`. Values without effect are left out.
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
    """Return `keep` unchanged; raise ValueError if it is not a fraction in (0, 1] or a count of at least 1."""
    if isinstance(keep, float) and not 0 < keep <= 1:
        raise ValueError(
            f"{keep} is neither a count (a whole number) nor a fraction above 0 and at most 1. {how_to_write(keep)}"
        )
    if isinstance(keep, int) and keep < 1:
        raise ValueError(f"{keep} is not a count of at least 1")
    return keep


class MethodConfig(CompositionConfig):
    """A method and its settings.

    Each key except `name` is a parameter of the method, or replaces a value of the section `reduce` for this method.
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
        make_reducer(self.name, **self.parameters).check_params()
        return self

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the method, by name."""
        return dict(self.model_extra or {})

    def composition(self, otherwise: CompositionConfig | None = None) -> dict[str, Any]:
        """Return the steps as keyword arguments of `select`.

        `groups` is left out unless the method or a limit uses groups.
        """
        from detreduce.reducers import reducer_class

        found = super().composition(otherwise)
        cls = reducer_class(self.name)
        if "max_per_group" not in found and "groups" not in (*cls.needs, *cls.uses):
            found.pop("groups", None)
        return found


def read_keep(keep: Any) -> Any:
    """Return a `keep` of the YAML.

    A percentage such as ``25%`` becomes a fraction. Raise ValueError for other texts.
    """
    if isinstance(keep, str) and keep != ALL:
        with contextlib.suppress(ValueError):
            return from_percent(keep)
    if isinstance(keep, (bool, str)) and keep != ALL:
        raise ValueError(f"{keep!r} is not a number. Use a fraction such as 0.25 or 25%, or a count such as 25")
    return keep
