"""Find the model to start a training from: weights, or a description."""

from __future__ import annotations

from pathlib import Path

from detreduce.errors import InputError, MissingFileError, nearest
from detreduce.ultralytics_bridge.pretrained import find_weights, quiet_ultralytics


def find_model(model: str | Path) -> str:
    """Return the argument of ``YOLO(...)`` for `model`.

    ``.pt``: the file; a bare name is looked up in the working folder, then in detreduce's cache, then downloaded once.
    ``.yaml``: the file, or a name that ultralytics knows.

    Raises
    ------
    MissingFileError
        The weights do not exist and cannot be downloaded; the message says which file to put where.
    InputError
        The name ends neither in ``.pt`` nor in ``.yaml``.
    """
    given = Path(model).expanduser()
    if given.suffix in {".yaml", ".yml"}:
        return str(given) if given.is_file() else _known_description(str(model))
    if given.suffix != ".pt":
        raise InputError(f"model={str(model)!r}: give weights (.pt) or a model's description (.yaml).")
    return str(find_weights(given))


def _known_description(name: str) -> str:
    quiet_ultralytics()
    from ultralytics.nn.tasks import yaml_model_load
    from ultralytics.utils import ROOT

    try:
        yaml_model_load(name)
    except (FileNotFoundError, OSError):
        known = [file.name for file in (ROOT / "cfg" / "models").rglob("*.yaml")]
        # ultralytics has one file per family: yolo11.yaml is also yolo11n, yolo11s, ...
        sizes = [f"{stem[:-5]}{size}.yaml" for stem in known for size in "nsmlx"]
        raise MissingFileError(
            f"{name} is neither a file here nor a model that ultralytics knows.{nearest(name, known + sizes)}"
        ) from None
    return name
