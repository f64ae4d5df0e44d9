"""Find the model from which a training starts: a weights file or a model description."""

from __future__ import annotations

from pathlib import Path

from detreduce.errors import InputError, MissingFileError, nearest
from detreduce.machine.near_files import suggest_path
from detreduce.machine.untrusted.regular_files import is_regular
from detreduce.ultralytics_bridge.pretrained import find_weights, quiet_ultralytics


def find_model(model: str | Path) -> str:
    """Find a model, and return its path or name as the argument of ``YOLO(...)``.

    For a weights file (``.pt``), the result is its path. A name without a folder is looked up in the working folder,
    then in detreduce's cache. If there is no such file, the weights are downloaded to the cache. For a model
    description (``.yaml``), the result is the path of the file, or a name that ultralytics knows, such as
    ``yolo11n.yaml``.

    Raises
    ------
    MissingFileError
        The weights do not exist and cannot be downloaded. The message says where to put the file.
    InputError
        The name does not end in ``.pt`` or ``.yaml``.
    """
    given = Path(model).expanduser()
    if given.suffix in {".yaml", ".yml"}:
        return str(given) if is_regular(given) else _known_description(str(model))
    if given.suffix != ".pt":
        raise InputError(f"model={str(model)!r} must be a weights file (.pt) or a model description (.yaml).")
    try:
        return str(find_weights(given))
    except MissingFileError as error:
        if given.parent != Path() or not _is_known(f"{given.stem}.yaml"):
            raise
        raise MissingFileError(f"{error} Or train from scratch: --model {given.stem}.yaml") from error.__cause__


def _known_description(name: str) -> str:
    """Return `name` if ultralytics knows a model description with this name, or else raise MissingFileError."""
    if not _is_known(name):
        from ultralytics.utils import ROOT

        known = [file.name for file in (ROOT / "cfg" / "models").rglob("*.yaml")]
        # ultralytics has one file per family, so yolo11.yaml is also known as yolo11n, yolo11s and so on
        sizes = [f"{stem[:-5]}{size}.yaml" for stem in known for size in "nsmlx"]
        raise MissingFileError(
            f"{name} does not exist, and ultralytics does not know a model of this name."
            f"{suggest_path(name) or nearest(name, known + sizes)}"
        )
    return name


def _is_known(name: str) -> bool:
    """Return whether ultralytics knows a model description with this name."""
    quiet_ultralytics()
    from ultralytics.nn.tasks import yaml_model_load

    try:
        yaml_model_load(name)
    except (FileNotFoundError, OSError):
        return False
    return True
