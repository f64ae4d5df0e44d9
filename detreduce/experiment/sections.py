"""The sections of the experiment YAML as pydantic models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from detreduce.dataset.categories import CategoryRule
from detreduce.selection.sections import (
    IMAGE_LISTS,
    CompositionConfig,
    Keep,
    MethodConfig,
    Section,
    in_range,
    read_keep,
)

if TYPE_CHECKING:
    from detreduce.features.detector.request import Detector
    from detreduce.features.request import Extraction

Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]


class DetectorConfig(Section):
    """A detector whose predicted boxes replace the labels while images are chosen. See `detreduce.Detector`."""

    weights: str
    """Weights of a YOLO detector. Only name weights that you trust, because loading weights can run code."""
    confidence: float = Field(default=0.25, gt=0, lt=1)
    """Boxes with a lower confidence are left out."""
    overlap: float = Field(default=0.7, gt=0, lt=1)
    """If two boxes of one class have a larger IoU, only the more confident box remains."""
    imgsz: int = Field(default=640, ge=32, multiple_of=32)
    """Length of the longer side of the detector's input in pixels, a multiple of 32."""
    boxes: int = Field(default=100, ge=1)
    """Maximum number of boxes in an image."""

    def request(self) -> Detector:
        """Return the detector that this section describes."""
        from detreduce.features.detector.request import Detector

        return Detector(**self.model_dump())


class FeaturesConfig(Section):
    """The features that describe an image. See `detreduce.extract_features`."""

    backbone: str = "efficientnet-lite0"
    """`efficientnet-lite0`, `yolo:weights.pt`, `torchvision:name[@state.pt]` or `file:vectors.npy` (or `.csv`)."""
    blocks: list[Literal["image", "objects", "annotations"]] | None = None
    """Blocks. null means `image`, plus `annotations` with labels, plus `objects` if the backbone has a feature map."""
    imgsz: int | None = Field(default=None, gt=0)
    """Input size in pixels, a multiple of 32. null means the default size of the backbone."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """`auto` uses bfloat16 if the processor supports it and the features then differ from float32 by less than 1e-2."""
    detector: DetectorConfig | None = None
    """Choose by the boxes of a detector, not by labels: its weights, or `{weights: yolov8n.pt, confidence: 0.25}`."""

    @field_validator("detector", mode="before")
    @classmethod
    def _weights(cls, value: Any) -> Any:
        return {"weights": value} if isinstance(value, str) else value

    @property
    def predicting(self) -> Detector | None:
        """The detector whose boxes replace the labels. None if images are chosen by their labels."""
        return None if self.detector is None else self.detector.request()

    def extraction(self) -> Extraction:
        """Return the request to extract the features that this section describes."""
        from detreduce.features.request import Extraction

        return Extraction(self.backbone, self.blocks, self.imgsz, precision=self.precision)


class ReduceConfig(CompositionConfig, Section):
    """The subsets to train on: one subset for each method, keep and seed.

    All keys except `methods`, `keep`, `seeds`, `categories` and `drop_leaked` can also be set for a single method.
    """

    categories: CategoryRule = "rarest"
    """How an image gets its category: `rarest`, `dominant`, `combination`, `none`, or a list of rules."""
    methods: list[MethodConfig] = Field(default=[])
    """Names of methods. Write a mapping such as `{name: mms, start: center}` to set parameters or steps of a method."""
    keep: list[Keep | Literal["all"]] = Field(default=[])
    """Fractions (0.25 or 25%), numbers of images (500), or `all`: all images except duplicates and excluded images."""
    seeds: list[Seed] = Field(default=[0], min_length=1)
    """Selection seeds. The i-th selection seed is combined with the i-th training seed."""
    drop_leaked: bool = False
    """true: no training uses images of train that are also in val or test, exactly or as a near-duplicate."""

    @field_validator("keep", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        listed = value if isinstance(value, list) else [value]
        return [read_keep(keep) for keep in listed]

    @field_validator("keep")
    @classmethod
    def _in_range(cls, value: list[Keep | Literal["all"]]) -> list[Keep | Literal["all"]]:
        return [keep if isinstance(keep, str) else in_range(keep) for keep in value]

    @property
    def keeps(self) -> list[Keep]:
        """The values of `keep` as numbers. Call `with_all` first if `keep` contains ``all``."""
        return [keep for keep in self.keep if not isinstance(keep, str)]

    def with_all(self, images: int) -> ReduceConfig:
        """Return a copy of this section in which the keep `all` is replaced by `images`, a number of images."""
        keeps = [images if isinstance(keep, str) else keep for keep in self.keep]
        return self.model_copy(update={"keep": list({repr(keep): keep for keep in keeps}.values())})

    def with_images(self, files: Mapping[tuple[str, str], list[Any]]) -> ReduceConfig:
        """Return a copy of this section with lists of images instead of the names of files.

        `files` maps (key, file name) to the images in the file. The key is for example ``must_keep``.
        """

        def named(part: Any) -> Any:
            """Return a part of the configuration in which the names of images replace the file that lists them."""
            given = {key: getattr(part, key) for key in IMAGE_LISTS}
            update = {key: files.get((key, value), value) for key, value in given.items() if isinstance(value, str)}
            return part.model_copy(update=update)

        return named(self.model_copy(update={"methods": [named(method) for method in self.methods]}))


class TrainConfig(BaseModel):
    """The training of the detector: a model, the training seeds, and any argument of ultralytics by its name."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)
    model: str = "yolo11n.yaml"
    """Weights (`.pt`) or an architecture (`.yaml`)."""
    seeds: list[Seed] = Field(default=[0], min_length=1)
    """Training seeds. Each subset and each control is trained once with every seed."""

    @model_validator(mode="after")
    def _known(self) -> TrainConfig:
        from detreduce.training.run.arguments import check_arguments
        from detreduce.ultralytics_bridge.pretrained import quiet_ultralytics

        if self.arguments:
            quiet_ultralytics()
            check_arguments(self.arguments)
        return self

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments in this section that are passed to ultralytics."""
        return dict(self.model_extra or {})


class ProxyConfig(BaseModel):
    """A short training of a small detector. Some methods need it to choose images. See `log_proxy_training`."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)
    model: str | None = None
    """Weights or an architecture. null means the model in the section `train`."""
    epochs: int = Field(default=10, ge=2)
    """Number of epochs. The method `el2n` uses the first half of them."""
    imgsz: int = Field(default=320, gt=0)
    """Image size in training: the longer side in pixels."""
    seed: Seed = 0
    """Seed of the training, and of the random choice of `share`."""
    share: Keep = 1.0
    """Fraction or number of images to train on, drawn with `srs`. The other images get the values of similar images."""

    _share_in_range = field_validator("share")(in_range)

    @model_validator(mode="after")
    def _known(self) -> ProxyConfig:
        from detreduce.training.run.arguments import RESERVED_BY_PROXY, check_arguments
        from detreduce.ultralytics_bridge.pretrained import quiet_ultralytics

        if self.arguments:
            quiet_ultralytics()
            check_arguments(self.arguments, RESERVED_BY_PROXY)
        return self

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments in this section that are passed to ultralytics, except `epochs`, `imgsz` and `seed`."""
        return dict(self.model_extra or {})


class EvaluateConfig(Section):
    """The images to evaluate on, and the epoch whose weights are evaluated."""

    on: Literal["auto", "val", "test", "val+test"] | None = None
    """Splits to evaluate on. null means val and test together if both exist, but only test with `choose: best`."""
    choose: Literal["last", "best"] = "last"
    """`last` evaluates the last epoch, without validation during training. `best` evaluates the best epoch on val."""
    corruptions: list[Literal["noise", "blur", "brightness", "jpeg"]] = Field(default=[])
    """Corruptions of the images for a second evaluation, in three severities each: a list of names, or `all`."""

    @field_validator("corruptions", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        from detreduce.training.evaluation.corruptions import check_corruptions

        return list(check_corruptions(value)) if isinstance(value, str | list) else value

    def identity(self) -> dict[str, Any]:
        """Return the values of this section on which the key of a cell depends.

        If no corrupted images are evaluated, the values are the same as in earlier versions, so that finished cells
        stay valid.
        """
        content = self.model_dump()
        return content if content["corruptions"] else {name: content[name] for name in ("on", "choose")}

    @model_validator(mode="before")
    @classmethod
    def _yaml_on_is_true(cls, value: Any) -> Any:
        # YAML 1.1 reads the bare key `on` as the boolean True
        if isinstance(value, dict) and True in value:
            return {("on" if key is True else key): entry for key, entry in value.items()}
        return value


class EnergyConfig(Section):
    """The country whose electricity mix is used to convert energy to CO2."""

    country: str = "ESP"
    """Three-letter country code (ISO 3166), for example `ESP`."""

    @field_validator("country")
    @classmethod
    def _known(cls, value: str) -> str:
        from detreduce.training.energy import check_country

        return check_country(value)
