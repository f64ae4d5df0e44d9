"""One model of the experiment YAML, shared by the command line and the functions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from detreduce.dataset.categories import CategoryRule
from detreduce.dataset.finding import expand, find
from detreduce.errors import DetreduceError, InputError, nearest
from detreduce.vocabulary.controls import CONTROLS, EQUAL_ITERATIONS, FULL

if TYPE_CHECKING:
    from detreduce.features.request import Extraction

Keep = float | int
if TYPE_CHECKING:
    Control = str
else:
    Control = Literal[tuple(CONTROLS)]
"""`full`: all images, as many epochs. `full_equal_iterations`: all images, as many batches and optimiser steps as each
reduced cell. `random`: a uniform draw at each keep. `first`: the first files, what ultralytics' `fraction=` does."""
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
# keys of a composition that take images, also by the name of a file; a cell's key is made from the images
_IMAGES_IN = ("must_keep", "initial")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class FeaturesConfig(_Section):
    """Where the numbers that describe an image come from; see `detreduce.extract_features`."""

    backbone: str = "efficientnet-lite0"
    """`efficientnet-lite0`, `yolo:weights.pt`, `torchvision:name[@state.pt]` or `file:vectors.npy` (or `.csv`)."""
    blocks: list[Literal["image", "objects", "annotations"]] | None = None
    """What of an image is described; null: all three where the dataset has labels and the backbone gives a map."""
    imgsz: int | None = Field(default=None, gt=0)
    """Input size in pixels, a multiple of 32; null: the backbone's own."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """`auto`: bfloat16 where the processor has it and the features stay within 1e-2 of float32's."""

    def extraction(self) -> Extraction:
        """Return the section as a request for features."""
        from detreduce.features.request import Extraction

        return Extraction(self.backbone, self.blocks, self.imgsz, precision=self.precision)


class CompositionConfig(BaseModel):
    """What comes before a method chooses; see `detreduce.select`. None: as the section `reduce` says, else nothing."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)
    drop_duplicates: bool | float | str | dict[str, str | float] | None = None
    """true: by pixels; a number: from this similarity; `boxes`; `features`; `exact`; `{by: boxes, threshold: 0.9}`."""
    must_keep: str | list[str | int] | None = None
    """Images kept first: a text file of names, one a line, or a list of names or ids."""
    initial: str | list[str | int] | None = None
    """Images kept next, to go on from an earlier selection: its `selection.json`, or a list of names or ids."""
    class_floor: int | dict[str, int] | None = None
    """Images to keep of every class, or of each class by name."""
    groups: str | None = None
    """What is one video: `folder`, or a regular expression with the part of the name that is the same."""
    max_per_group: int | None = Field(default=None, ge=0)
    """Images to keep of one of the groups at most; 0: no limit, also where the section `reduce` has one."""

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

        DuplicateSearch.of(value)
        return value

    @field_validator("class_floor", mode="before")
    @classmethod
    def _counts(cls, value: Any) -> Any:
        from detreduce.selection.request import check_class_floor

        return check_class_floor(value)

    def composition(self, otherwise: CompositionConfig | None = None) -> dict[str, Any]:
        """What is set here, or else in `otherwise`, as keyword arguments of `select`; what does nothing is left out."""
        found = {}
        for name in CompositionConfig.model_fields:
            value = getattr(self, name)
            if value is None and otherwise is not None:
                value = getattr(otherwise, name)
            if value is not None and value is not False and value != 0 and value != []:
                found[name] = value
        return found


def in_range(keep: int | float) -> int | float:
    """A fraction or a count of images as it is; ValueError where no dataset has it."""
    if isinstance(keep, float) and not 0 < keep <= 1:
        raise ValueError(f"{keep} is not a fraction in (0, 1]; a whole number is a count of images")
    if isinstance(keep, int) and keep < 1:
        raise ValueError(f"{keep} is not a count of at least 1")
    return keep


class MethodConfig(CompositionConfig):
    """A reducer by name, with its own parameters beside the name."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)
    name: str
    """One of `detreduce methods`."""

    @model_validator(mode="before")
    @classmethod
    def _bare_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _known(self) -> MethodConfig:
        from detreduce.reducers import make_reducer

        for name, place in (("keep", "reduce.keep"), ("random_state", "reduce.seeds"), ("seed", "reduce.seeds")):
            if name in self.parameters:
                raise ValueError(f"{name!r} is not a parameter of one method; it stands in {place}")
        make_reducer(self.name, **self.parameters).check_params()
        return self

    @property
    def parameters(self) -> dict[str, Any]:
        """The method's own parameters, by name."""
        return dict(self.model_extra or {})

    def composition(self, otherwise: CompositionConfig | None = None) -> dict[str, Any]:
        """As of every section; groups only where the method uses them, or a limit does."""
        from detreduce.reducers import reducer_class

        found = super().composition(otherwise)
        cls = reducer_class(self.name)
        if "max_per_group" not in found and "groups" not in (*cls.needs, *cls.uses):
            found.pop("groups", None)
        return found


class ReduceConfig(CompositionConfig, _Section):
    """Which images to keep: methods x keep x seeds, and what comes before the methods unless they say otherwise."""

    categories: CategoryRule = "rarest"
    """What an image counts as when seats are shared out: `rarest`, `dominant`, `combination`, `none`, or own rules."""
    methods: list[MethodConfig] = Field(min_length=1)
    """Methods by name, or `{name: mms, start: center}` with a method's own parameters and steps."""
    keep: list[Keep] = Field(min_length=1)
    """Fractions with a point (0.25), or counts of images (500)."""
    seeds: list[Seed] = Field(default=[0], min_length=1)
    """Selection seeds; the i-th goes with the i-th training seed."""

    @field_validator("keep", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        listed = value if isinstance(value, list) else [value]
        for keep in listed:
            if isinstance(keep, (bool, str)):
                raise ValueError(f"{keep!r} is not a number")
        return listed

    @field_validator("keep")
    @classmethod
    def _in_range(cls, value: list[Keep]) -> list[Keep]:
        return [in_range(keep) for keep in value]

    def with_images(self, files: Mapping[tuple[str, str], list[Any]]) -> ReduceConfig:
        """The same with the images that each file of a `must_keep` or an `initial` names in place of the file."""

        def named(part: Any) -> Any:
            given = {key: getattr(part, key) for key in _IMAGES_IN}
            update = {key: files.get((key, value), value) for key, value in given.items() if isinstance(value, str)}
            return part.model_copy(update=update)

        return named(self.model_copy(update={"methods": [named(method) for method in self.methods]}))


class TrainConfig(BaseModel):
    """The detector's training: a model, training seeds, and any ultralytics argument by its own name."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)
    model: str = "yolo11n.yaml"
    """Weights (`.pt`) or an architecture (`.yaml`)."""
    seeds: list[Seed] = Field(default=[0], min_length=1)
    """Training seeds; every method and every control is trained with each."""

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
        """The ultralytics arguments."""
        return dict(self.model_extra or {})


class ProxyConfig(BaseModel):
    """A short training of a small detector, which some methods choose by; see `log_proxy_training`.

    Any other ultralytics argument goes by its own name.
    """

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)
    model: str | None = None
    """Weights or an architecture; null: the training's."""
    epochs: int = Field(default=10, ge=2)
    """Passes over the images; the first half of them counts for `el2n`."""
    imgsz: int = Field(default=320, gt=0)
    """Pixels of the longer side."""
    seed: Seed = 0
    """Of the training and of the share."""
    share: Keep = 1.0
    """Images that it learns from, a stratified random draw; the others get the mean of their nearest neighbours."""

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
        """The other ultralytics arguments."""
        return dict(self.model_extra or {})


class EvaluateConfig(_Section):
    """Which images the figures are from, and which epoch's."""

    on: Literal["auto", "val", "test", "val+test"] | None = None
    """null: val and test together where there are both; with `choose: best`, which looks at val, test alone."""
    choose: Literal["last", "best"] = "last"
    """`last`: the last epoch, nothing is validated in training. `best`: the one that is best on val, metered apart."""

    @model_validator(mode="before")
    @classmethod
    def _yaml_on_is_true(cls, value: Any) -> Any:
        # YAML 1.1 reads the bare key `on` as the boolean True
        if isinstance(value, dict) and True in value:
            return {("on" if key is True else key): entry for key, entry in value.items()}
        return value


class EnergyConfig(_Section):
    """Where the electricity comes from."""

    country: str = "ESP"
    """ISO 3166 code of three letters."""

    @field_validator("country")
    @classmethod
    def _known(cls, value: str) -> str:
        from detreduce.training.energy import check_country

        return check_country(value)


class ExperimentConfig(_Section):
    """A grid of cells: every method at every keep with every seed, and the controls, on one dataset."""

    name: str = Field(pattern=r"^[\w.-]+$")
    """Letters, digits, `_`, `.` and `-`; the ledger is `runs/<name>`."""
    dataset: str
    """What `load_dataset` takes, most often a data.yaml."""
    features: FeaturesConfig = FeaturesConfig()
    """What methods look at."""
    reduce: ReduceConfig
    """Which images to keep."""
    proxy: ProxyConfig | None = None
    """The short training that `vps`, `forgetting`, `el2n`, `aum` and `gradmatch` choose by; they need it."""
    train: TrainConfig = Field(default_factory=TrainConfig)
    """The detector."""
    evaluate: EvaluateConfig = EvaluateConfig()
    """What is measured on."""
    controls: list[Control] = [FULL]
    """`full`, `full_equal_iterations` (as many batches and steps as each reduced cell), `random`, `first`."""
    energy: EnergyConfig = EnergyConfig()
    """What CO2 is reckoned by."""

    @model_validator(mode="after")
    def _counts_its_steps(self) -> ExperimentConfig:
        batch = self.train.arguments.get("batch", 16)
        if EQUAL_ITERATIONS in self.controls and (batch is None or batch != int(batch) or batch < 1):
            raise ValueError(
                f"train.batch: the control {EQUAL_ITERATIONS} needs a number of images, for instance 16; "
                f"it is {batch!r}"
            )
        return self

    @model_validator(mode="after")
    def _has_its_proxy(self) -> ExperimentConfig:
        from detreduce.features.table import SEPARATE_BLOCKS
        from detreduce.reducers import reducer_class

        for method in self.reduce.methods:
            if self.proxy is None and any(name in reducer_class(method.name).needs for name in SEPARATE_BLOCKS):
                raise ValueError(
                    f"proxy: missing, and the method {method.name!r} learns from a proxy training: add for instance "
                    "proxy: {model: yolov8n.pt, epochs: 5, imgsz: 320}"
                )
        return self


def load_config(path: str | Path, overrides: Mapping[str, Any] | None = None) -> ExperimentConfig:
    """Read an experiment YAML; paths in it become absolute.

    `overrides` replaces values by dotted name: ``{"train.epochs": 1}``.
    Paths are relative to the YAML, then to the working folder, then to the files that detreduce ships. Raises
    InputError that lists every error at once, and MissingFileError where a file is not there.
    """
    file = find(path, what="experiment YAML")
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{file} cannot be read as YAML: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"{file} is not an experiment YAML: it holds {type(content).__name__}, not keys and values.")
    for name, value in (overrides or {}).items():
        _replace(content, name, value)
    return parse_config(content, beside=file.parent, file=file)


def _replace(content: dict[str, Any], name: str, value: Any) -> None:
    """Set the value of a dotted name, making the sections on the way."""
    *sections, key = name.split(".")
    for section in sections:
        content = content.setdefault(section, {})
        if not isinstance(content, dict):
            raise InputError(f"{name}: {section!r} holds a value, not a section.")
    content[key] = value


def parse_config(content: dict[str, Any], *, beside: Path, file: Path | str = "configuration") -> ExperimentConfig:
    """Validate the content of an experiment YAML; `beside` is the folder that its paths are relative to."""
    problems: list[str] = []
    config = None
    try:
        config = ExperimentConfig.model_validate(content)
    except ValidationError as error:
        problems = [_describe(item) for item in error.errors()]
    resolved = _resolve_paths(content, beside, problems)
    files = _read_images(config.reduce, beside, problems) if config is not None else {}
    if config is None or problems:
        numbered = "\n".join(f"  {number}. {text}" for number, text in enumerate(problems, 1))
        count = "1 error" if len(problems) == 1 else f"{len(problems)} errors"
        raise InputError(f"{file}: {count}\n{numbered}")
    proxy = config.proxy
    if proxy is not None and proxy.model is not None:
        proxy = proxy.model_copy(update={"model": resolved["proxy"]})
    return config.model_copy(
        update={
            "dataset": resolved["dataset"],
            "reduce": config.reduce.with_images(files),
            "features": config.features.model_copy(update={"backbone": resolved["backbone"]}),
            "train": config.train.model_copy(update={"model": resolved["model"]}),
            "proxy": proxy,
        }
    )


def resolve_weights(name: str, beside: Path | None = None) -> str:
    """A weights file by path, relative to `beside` or the working folder; a bare name stays for ultralytics."""
    expanded = expand(name)
    if "/" not in expanded and not any((folder / expanded).is_file() for folder in (beside, Path.cwd()) if folder):
        return expanded
    return str(find(expanded, beside, what="weights file"))


def _resolve_paths(content: dict[str, Any], beside: Path, problems: list[str]) -> dict[str, str]:
    """Make the paths of the YAML absolute; what is not there joins `problems`."""
    resolved: dict[str, str] = {}

    def attempt(key: str, where: str, value: Any, resolve: Any) -> None:
        if not isinstance(value, str):
            return
        try:
            resolved[key] = str(resolve(value))
        except DetreduceError as error:
            problems.append(f"{where}: {error}")

    def backbone(value: str) -> str:
        source, colon, rest = value.partition(":")
        if source == "torchvision" and "@" in rest:
            name, _, state = rest.partition("@")
            return f"{source}:{name}@{find(state, beside, what='state file')}"
        return f"{source}:{resolve_weights(rest, beside)}" if colon and source in ("yolo", "file") else value

    attempt("dataset", "dataset", content.get("dataset"), lambda value: find(value, beside, what="dataset"))
    features = content.get("features") if isinstance(content.get("features"), dict) else {}
    train = content.get("train") if isinstance(content.get("train"), dict) else {}
    attempt("backbone", "features.backbone", (features or {}).get("backbone", FeaturesConfig().backbone), backbone)
    model = (train or {}).get("model", TrainConfig().model)
    attempt("model", "train.model", model, lambda value: resolve_weights(value, beside))
    proxy = content.get("proxy") if isinstance(content.get("proxy"), dict) else {}
    attempt("proxy", "proxy.model", (proxy or {}).get("model"), lambda value: resolve_weights(value, beside))
    return resolved


def _read_images(reduce: ReduceConfig, beside: Path, problems: list[str]) -> dict[tuple[str, str], list[Any]]:
    """The images in each file that a `must_keep` or an `initial` names; what cannot be read joins `problems`."""
    from detreduce.selection.data import SelectionData
    from detreduce.selection.file import read_selection
    from detreduce.selection.named_images import read_names

    def images_of(file: Path) -> list[Any]:
        return list(read_selection(file, SelectionData).image_ids)

    readers = {"must_keep": (read_names, "list of images"), "initial": (images_of, "selection")}
    images: dict[tuple[str, str], list[Any]] = {}
    for part in (reduce, *reduce.methods):
        for key in _IMAGES_IN:
            name, (read, what) = getattr(part, key), readers[key]
            if isinstance(name, str) and (key, name) not in images:
                try:
                    images[key, name] = read(find(name, beside, what=what))
                except DetreduceError as error:
                    problems.append(f"reduce.{key}: {error}")
    return images


def _describe(item: Any) -> str:
    """One validation error in words: where, what, and the nearest known name for a misspelt key."""
    unknown = item["type"] == "extra_forbidden"
    # pydantic names the branch of a union among the keys; the name of an unknown key is always the user's
    *parents, last = item["loc"] or ("",)
    location = [str(part) for part in parents if not _is_branch(part)]
    if unknown or not _is_branch(last):
        location.append(str(last))
    where = ".".join(location)
    if unknown:
        return f"{where}: unknown key.{nearest(location[-1], _keys_beside(location))}"
    if item["type"] == "missing":
        return f"{where}: missing"
    text = str(item["msg"]).removeprefix("Value error, ")
    if not where:
        # sections that do not go together: the check names the one to change
        return text
    if item["type"] in ("value_error", "assertion_error"):
        return f"{where}: {text}"
    return f"{where}: {text} (it is {item['input']!r})"


def _is_branch(part: str | int) -> bool:
    return isinstance(part, str) and (part in ("str", "int", "float", "bool") or part.startswith(("list[", "dict[")))


def _keys_beside(location: list[str]) -> list[str]:
    """The known keys of the section that a location points into."""
    model: Any = ExperimentConfig
    for part in location[:-1]:
        field = model.model_fields.get(part) if hasattr(model, "model_fields") else None
        model = field.annotation if field else None
    return list(getattr(model, "model_fields", {}))
