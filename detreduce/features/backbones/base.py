"""Backbone: the base class of networks that turn an image into a feature map."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from detreduce.errors import InputError
from detreduce.images.decode import Preprocess
from detreduce.machine.hashes import file_hash

if TYPE_CHECKING:
    import torch


class Backbone(ABC):
    """A network that turns images into feature maps. The maps are pooled elsewhere.

    A subclass sets the class attributes `family`, `default_imgsz` and `layers`. `family` is the first part of the name,
    before ``:``. A subclass implements `preprocess`, `weights` and `build`, and is decorated with `register`. The
    constructor must not build the network. A run that finds every vector in the cache never needs the network.

    Attributes
    ----------
    name
        The name under which the caller requested the backbone, for example ``yolo:runs/best.pt``.
    argument
        The part of the name after ``:``.
    imgsz
        Size of the input in pixels, a multiple of 32.
    layers
        A description of the layers that are used. This text is part of the cache key.
    takes
        A description of the part of the name after ``:``, for example ``<weights.pt>``. Empty if the name has no such
        part.
    has_map
        True if boxes can be pooled from the output of the network. False if the output is only one vector per image,
        with shape (b, c, 1, 1).
    """

    family: ClassVar[str]
    default_imgsz: ClassVar[int]
    layers: ClassVar[str]
    takes: ClassVar[str] = ""
    has_map: ClassVar[bool] = True

    def __init__(self, name: str, imgsz: int | None = None) -> None:
        self.name = name
        self.argument = name.partition(":")[2]
        self.imgsz = self.default_imgsz if imgsz is None else imgsz
        if isinstance(self.imgsz, bool) or self.imgsz != int(self.imgsz) or self.imgsz < 32 or self.imgsz % 32:
            near = max(32, round(float(self.imgsz) / 32) * 32)
            raise InputError(
                f"imgsz={imgsz!r} is not possible for {name}. Use a multiple of 32 pixels, for example {near}."
            )

    @property
    @abstractmethod
    def preprocess(self) -> Preprocess:
        """How images are resized and normalised for this network."""

    @cached_property
    @abstractmethod
    def weights(self) -> Path:
        """The path of the file with the weights.

        Raises
        ------
        MissingFileError
            The file is missing. The message names the file and the folder where it must be.
        """

    @abstractmethod
    def build(self) -> torch.nn.Module:
        """Build the network, as float32 in eval mode.

        It maps normalised input of shape (b, 3, h, w) to features of shape (b, c, h', w').
        """

    @cached_property
    def weights_sha256(self) -> str:
        """The SHA-256 of the weights file, in hexadecimal."""
        return file_hash(self.weights)

    @property
    def key(self) -> dict[str, str]:
        """The settings that determine the vector of an image, except the precision.

        These settings are part of the key under which the cache stores the vector.
        """
        family, *_ = self.name.partition(":")
        return {
            "backbone": family,
            "layers": self.layers,
            "preprocessing": self.preprocess.key,
            "weights_sha256": self.weights_sha256,
            "pooling": "average over the feature map",
        }
