"""The options of a stream: the order and the frequency of the images in a training."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from detreduce.dataset.paths.finding import find
from detreduce.errors import InputError, nearest
from detreduce.machine.hashes import file_hash

StreamKind = Literal["uniform", "class_uniform", "cluster_balanced", "core_first", "weights"]
KINDS: tuple[StreamKind, ...] = ("uniform", "class_uniform", "cluster_balanced", "core_first", "weights")
_KINDS_OF_OPTION = {
    "power": ("class_uniform", "cluster_balanced"),
    "times_classes": ("cluster_balanced",),
    "threshold": ("cluster_balanced",),
    "start": ("core_first",),
    "end": ("core_first",),
    "file": ("weights",),
}


class Stream(BaseModel):
    """The stream of images of a training. A string such as ``class_uniform`` is short for ``{by: class_uniform}``."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
    by: StreamKind = "uniform"
    """`uniform`, `class_uniform`, `cluster_balanced`, `core_first`, or `weights` (from a CSV file)."""
    power: float = Field(default=1.0, gt=0, le=1)
    """Exponent of the weights. With 1, they are unchanged; with 0.5, for instance, they are closer to `uniform`."""
    times_classes: bool = False
    """Only for `cluster_balanced`: multiply the weights by the weights of `class_uniform`."""
    threshold: float | None = Field(default=None, ge=0.4, le=1)
    """Only for `cluster_balanced`: lowest similarity of near-duplicates, by pixels. null means 0.85."""
    start: float = Field(default=0.25, gt=0, le=1)
    """Only for `core_first`: share of the images that are in the stream in the first step."""
    end: float = Field(default=0.6, ge=0, le=1)
    """Only for `core_first`: share of the steps after which all images are in the stream."""
    file: str | None = None
    """Only for `weights`: a CSV file with the columns `image` and `weight`, as `detreduce weights` writes it."""

    @model_validator(mode="before")
    @classmethod
    def _bare_name(cls, value: Any) -> Any:
        return {"by": value} if isinstance(value, str) else value

    @field_validator("by", mode="before")
    @classmethod
    def _known(cls, value: Any) -> Any:
        if value in KINDS:
            return value
        raise ValueError(f"{value!r} is not one of {', '.join(KINDS)}.{nearest(str(value), KINDS)}")

    @model_validator(mode="after")
    def _fits_together(self) -> Stream:
        if self.by == "weights" and self.file is None:
            raise ValueError(
                "the stream weights needs a file: set file to a CSV file with the columns image and weight."
            )
        for name in sorted(self.model_fields_set & _KINDS_OF_OPTION.keys()):
            kinds = _KINDS_OF_OPTION[name]
            if self.by not in kinds and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(
                    f"{name} belongs to the stream {' or '.join(kinds)}, not to {self.by}: leave {name} out."
                )
        return self

    @classmethod
    def of(cls, value: Stream | str | dict[str, Any]) -> Stream:
        """Return the stream that a name, a dict or a `Stream` describes.

        If it is wrong, raise one InputError that lists all errors.
        """
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise InputError(" ".join(map(_sentence, error.errors(include_url=False)))) from None

    def identity(self) -> dict[str, Any]:
        """Return the options that differ from their defaults. A file is replaced by the hash of its content.

        Two streams with equal identities draw the same images. Raise MissingFileError if the file does not exist.
        """
        options = self.model_dump(exclude_defaults=True)
        if self.file is not None:
            options["file"] = file_hash(find(self.file, what="table of weights"))
        return options


UNIFORM = Stream()
"""The stream that uses each image once in a pass, in a new random order."""


def _sentence(fault: Any) -> str:
    """Return an error that pydantic found as one sentence."""
    name = ".".join(map(str, fault["loc"]))
    if fault["type"] == "extra_forbidden":
        return f"A stream has no option {name!r}.{nearest(name, Stream.model_fields)}"
    text = str(fault["msg"]).removeprefix("Value error, ")
    shown = f" (it is {fault['input']!r})" if fault["type"] not in ("value_error", "missing") else ""
    text = f"{text[:1].lower() if fault['type'] != 'value_error' else text[:1]}{text[1:]}{shown}"
    return f"Stream{f' {name}' if name else ''}: {text}{'' if text.endswith(('.', '?')) else '.'}"
