"""A recipe: all settings that affect the cost and the result of a training, except the data and the model."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from detreduce.display.numbers import counted
from detreduce.machine.untrusted.faults import shortened
from detreduce.reducers.engine.budget import resolve_keep
from detreduce.reducers.registry import BUILT_IN
from detreduce.selection.sections import Keep, MethodConfig, in_range, read_keep
from detreduce.training.progressive_size import ProgressiveSize
from detreduce.training.streams.infobatch import InfoBatch
from detreduce.training.streams.learnt import SkipLearnt
from detreduce.training.streams.stream import Stream
from detreduce.vocabulary.controls import CONTROLS, RECIPE
from detreduce.vocabulary.option_values import ALL

RESOLVED: Literal["resolved"] = "resolved"
SQRT: Literal["sqrt"] = "sqrt"
LARGEST, LARGEST_SHARE, LARGEST_SIZE, LARGEST_LAYER = 10**12, 1000, 16_384, 100_000
"""Largest number of images, largest `images_seen` as a share, largest image size in pixels, and largest layer."""
NAME = r"[\w.+-]{1,100}"
"""Names of recipes, as a regular expression."""


class Subset(MethodConfig):
    """A method that chooses the images of a training, with its options and the number of images that it keeps."""

    keep: Keep | Literal["all"]
    """Fraction of the images (0.25 or 25%), number of images, or `all`: all except duplicates and excluded images."""

    _read = field_validator("keep", mode="before")(read_keep)

    @model_validator(mode="before")
    @classmethod
    def _any_method(cls, value: Any) -> Any:
        # if all remaining images are kept, no method has to choose
        return {"name": "srs", **value} if isinstance(value, dict) and value.get("keep") == ALL else value

    @field_validator("keep")
    @classmethod
    def _in_range(cls, value: Keep | Literal["all"]) -> Keep | Literal["all"]:
        return value if isinstance(value, str) else in_range(value)

    @property
    def count(self) -> Keep:
        """The value of `keep` as a number. If `keep` is ``all``, it is 1.0, the largest share that can remain."""
        return 1.0 if isinstance(self.keep, str) else self.keep


class Recipe(BaseModel):
    """The images that a training uses, their order, the length of the training, and its settings.

    A key that is missing changes nothing: the training uses the same value as without a recipe. In an experiment, this
    value is in the section `train`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
    name: str | None = None
    """Name in tables: letters, digits, `_`, `.`, `+` and `-`. null means a short name made from the other keys."""
    subset: Subset | None = None
    """The images to train on, such as `{name: herding, keep: 0.1}`, as in `reduce.methods`. null means all images."""
    stream: Stream = Stream()
    """Order and frequency of the images: `uniform`, `class_uniform`, `cluster_balanced`, `core_first` or `weights`."""
    images_seen: float | int | None = None
    """Images through the network: a number, or a share (0.1 or 10%) of epochs times all images. null: all epochs."""
    batch: int | None = Field(default=None, ge=1)
    """Number of images in a batch."""
    nbs: int | None = Field(default=None, ge=1, le=LARGEST)
    """Images per optimiser step (ultralytics' nominal batch size). With `batch`, null means one step per batch."""
    lr0: float | Literal["resolved", "sqrt"] = RESOLVED
    """Initial learning rate. `resolved`: as without a recipe. `sqrt`: times sqrt(batch / batch without a recipe)."""
    imgsz: int | None = Field(default=None, ge=32, le=LARGEST_SIZE)
    """Image size in training and evaluation, in pixels."""
    progressive: ProgressiveSize | None = None
    """true or `{start: 0.6, end: 0.6}`: small images first. The FLOPs that this saves are used for more steps."""
    skip_learnt: SkipLearnt | None = None
    """true or options: each epoch leaves out most images that the detector has learnt. For 100 epochs or more."""
    infobatch: InfoBatch | None = None
    """true or options: an epoch leaves out half of the images below the mean loss; the other half count twice."""
    freeze: int | list[int] | None = None
    """The number of layers at the start that do not learn, or a list of layers."""
    mosaic: float | None = Field(default=None, ge=0, le=1)
    """Share of the epochs, from the start, that use mosaic images. It is rounded to whole epochs."""
    warmup: float | None = Field(default=None, ge=0, lt=1)
    """Share of the batches in which the learning rate rises. Ultralytics never warms up in the last epoch."""

    @field_validator("name", mode="before")
    @classmethod
    def _is_a_name(cls, value: Any) -> Any:
        if value is not None and not (isinstance(value, str) and re.fullmatch(NAME, value)):
            shown = shortened(value)
            raise ValueError(f"{shown} is not a valid name. Use 1 to 100 of these: letters, digits, '_', '.', '+', '-'")
        return value

    @field_validator("name")
    @classmethod
    def _is_free(cls, value: str | None) -> str | None:
        if value in (*CONTROLS, *BUILT_IN, RECIPE):
            raise ValueError(f"{shortened(value)} is the name of a control or of a method. Use another name")
        return value

    @field_validator("batch", "nbs", "imgsz", mode="before")
    @classmethod
    def _is_a_number(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError(f"{shortened(value)} is not a number")
        return value

    @field_validator("progressive", "skip_learnt", "infobatch", mode="before")
    @classmethod
    def _switched_off(cls, value: Any) -> Any:
        return None if value is False else value

    @field_validator("images_seen", mode="before")
    @classmethod
    def _count_or_share(cls, value: Any) -> Any:
        value = read_keep(value) if isinstance(value, str) else value
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ValueError(
                f"{shortened(value)} is not a number. Use a number of images, or a share such as 0.1 or 10%"
            )
        if value is not None and not 0 < value < float("inf"):
            raise ValueError(f"{shortened(value)} is not above 0. Use a number of images, or a share such as 0.1")
        if value is not None and value > (LARGEST if isinstance(value, int) else LARGEST_SHARE):
            raise ValueError(
                f"{shortened(value)} is too large. Use at most {LARGEST:,} images, or a share of {LARGEST_SHARE:,}"
            )
        return value

    @field_validator("lr0", mode="before")
    @classmethod
    def _rate(cls, value: Any) -> Any:
        if isinstance(value, str) and value not in (RESOLVED, SQRT):
            # YAML reads 1e-3 as a string
            with suppress(ValueError):
                value = float(value)
        number = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")
        if not number and value not in (RESOLVED, SQRT):
            raise ValueError(f"{shortened(value)} is not {RESOLVED}, {SQRT} or a number above 0")
        return value

    @field_validator("freeze", mode="before")
    @classmethod
    def _layers(cls, value: Any) -> Any:
        for layer in value if isinstance(value, list) else [] if value is None else [value]:
            if isinstance(layer, bool) or not isinstance(layer, int) or layer < 0:
                raise ValueError(f"{shortened(value)} is not a number of layers or a list of layers, counted from 0")
            if layer > LARGEST_LAYER:
                raise ValueError(f"no model has {shortened(layer)} layers. Freeze fewer")
        return value

    @model_validator(mode="after")
    def _batches_add_up(self) -> Recipe:
        if self.nbs is not None and self.batch is not None and self.nbs < self.batch:
            raise ValueError(
                f"nbs: {counted(self.nbs, 'image per optimiser step is', 'images per optimiser step are')} "
                f"fewer than the {self.batch} images of a batch. Leave "
                "nbs out, or make it at least as large as batch"
            )
        return self

    @model_validator(mode="after")
    def _one_length_of_epochs(self) -> Recipe:
        if self.skipping is None:
            return self
        key, other = ("infobatch", "skip_learnt") if self.skip_learnt is None else ("skip_learnt", "infobatch")
        if self.images_seen is not None or self.stream.by != "uniform" or getattr(self, other) is not None:
            raise ValueError(
                f"{key}: this key chooses the images of each epoch, so it cannot be combined with images_seen, stream "
                f"or {other}. Leave them out"
            )
        return self

    @property
    def skipping(self) -> SkipLearnt | InfoBatch | None:
        """The rules by which an epoch leaves out images during the training, or None if there are none."""
        return self.skip_learnt or self.infobatch

    @property
    def label(self) -> str:
        """The name of the recipe. If it has no name, a short text made from its other keys, such as ``batch4-sqrt``."""
        return self.name or "-".join(_parts(self)) or "uniform"

    @property
    def without_name(self) -> Recipe:
        """The recipe without its name. Recipes that differ only in their names result in the same training."""
        return self.model_copy(update={"name": None})

    @property
    def is_uniform(self) -> bool:
        """Whether the recipe trains on all images and uses each of them equally often."""
        return self.subset is None and self.stream.by == "uniform" and self.skipping is None

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that differ from a training without a recipe, except the images and their number."""
        return self.model_dump(exclude_defaults=True, exclude={"name", "subset", "stream", "images_seen"})

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as a dict that can be written as JSON: its name, and the keys that differ from their
        defaults.
        """
        return {**self.model_dump(mode="json", exclude_defaults=True), "name": self.label}

    def identity(self) -> dict[str, Any]:
        """Return the values of the recipe that affect the result of a training.

        The method of the subset is not included, because a cell stores its method separately. Fields that have their
        default value are left out, so that a new field does not change the identity of old recipes.
        """
        found: dict[str, Any] = {**self.settings, **self.model_dump(include={"images_seen"}, exclude_defaults=True)}
        if self.subset is not None:
            found["keep"] = f"{type(self.subset.keep).__name__} {self.subset.keep!r}"
        if stream := self.stream.identity():
            found["stream"] = stream
        return found

    def budget(self, epochs: int) -> Keep:
        """Return the `keep` for which a training on a subset sees the same number of images as this recipe.

        For example, a recipe with ``images_seen=0.1`` gives 0.1. If `images_seen` is a number of images, the result is
        the number of images per epoch. For a subset with the keep ``all``, whose size is not known here, it is 1.0.
        """
        if isinstance(self.images_seen, int):
            return max(1, round(self.images_seen / epochs))
        if self.images_seen is not None:
            return self.images_seen
        return 1.0 if self.subset is None else self.subset.count


def images_of(budget: Keep, images: int) -> int:
    """Return the number of images per epoch for a `budget`, which is a fraction of all `images` or a number of images.

    Unlike a `keep`, a budget may be larger than the number of all images.
    """
    if isinstance(budget, float) and budget > 1:
        return round(budget * images)
    return budget if isinstance(budget, int) and budget > images else resolve_keep(budget, images)


def _parts(recipe: Recipe) -> list[str]:
    found = []
    if recipe.subset is not None:
        keep = recipe.subset.keep
        found.append(f"{recipe.subset.name}{f'_{keep}' if isinstance(keep, str) else f'{keep:g}'}")
    if recipe.stream.by != "uniform":
        found.append(recipe.stream.by if recipe.stream.power == 1 else f"{recipe.stream.by}{recipe.stream.power:g}")
    for name, words in (("batch", "batch{}"), ("nbs", "nbs{}"), ("imgsz", "{}px"), ("mosaic", "mosaic{}")):
        value = getattr(recipe, name)
        found += [] if value is None else [words.format(value)]
    found += [] if recipe.warmup is None else [f"warmup{recipe.warmup:g}"]
    found += [] if recipe.progressive is None else [f"progressive{_changes(recipe.progressive)}"]
    found += [] if recipe.skip_learnt is None else [f"skip_learnt{_changes(recipe.skip_learnt)}"]
    found += [] if recipe.infobatch is None else [f"infobatch{_changes(recipe.infobatch)}"]
    if recipe.freeze is not None:
        layers = recipe.freeze if isinstance(recipe.freeze, list) else [recipe.freeze]
        found.append("freeze" + "+".join(map(str, layers)))
    if recipe.lr0 != RESOLVED:
        found.append(SQRT if recipe.lr0 == SQRT else f"lr{recipe.lr0:g}")
    return found


def _changes(options: BaseModel) -> str:
    """Return the values that differ from their defaults as text, such as ``0.5`` or ``0.5+0.8``."""
    return "+".join(f"{value:g}" for value in options.model_dump(exclude_defaults=True).values())
