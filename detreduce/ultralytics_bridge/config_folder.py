"""Find ultralytics' dataset YAMLs, settings and datasets folder on this machine, without importing ultralytics."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path

from detreduce.errors import nearest
from detreduce.machine.cache_folder import cache_folder

DATASET_YAMLS = ("cfg", "datasets")


def shipped_datasets() -> Path | None:
    """Return the folder of the dataset YAMLs that come with ultralytics. Return None if ultralytics is not
    installed.
    """
    found = importlib.util.find_spec("ultralytics")
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent.joinpath(*DATASET_YAMLS)
    return folder if folder.is_dir() else None


def shipped_dataset(name: str) -> Path | None:
    """Return the path of the dataset YAML with this name that comes with ultralytics, or None if there is no such file.

    The name may be given with or without the suffix .yaml.
    """
    folder = shipped_datasets()
    if folder is None or Path(name).name != name:
        return None
    wanted = name if name.endswith(".yaml") else f"{name}.yaml"
    # compare names instead of opening a file, because an invalid file name would raise an error
    return next((file for file in folder.glob("*.yaml") if file.name == wanted), None)


def nearest_dataset(name: str) -> str:
    """Return a suggestion for a misspelt name of a dataset YAML, such as `` Did you mean 'coco8.yaml'?``.

    If no dataset YAML has a similar name, return an empty string.
    """
    folder = shipped_datasets()
    if folder is None or Path(name).name != name or not name.endswith((".yaml", ".yml")):
        return ""
    return nearest(name, [file.name for file in folder.glob("*.yaml")])


def is_shipped(file: Path) -> bool:
    """Return whether `file` is one of the dataset YAMLs that come with ultralytics."""
    return file.parent.parts[-3:] == ("ultralytics", *DATASET_YAMLS)


def datasets_folders() -> list[Path]:
    """Return the folders in which ultralytics looks for datasets, with the most likely folder first.

    The first folder is ``datasets_dir`` in ultralytics' settings, if it is set. The next two are ``../datasets`` and
    ``datasets``, relative to the working folder. Ultralytics looks there if it has no settings.
    """
    try:
        settings = json.loads((config_folder() / "settings.json").read_text(encoding="utf-8"))
        known = settings.get("datasets_dir") if isinstance(settings, dict) else None
    except (OSError, ValueError):
        known = None
    folders = [Path(known)] if isinstance(known, str) and known else []
    return list(dict.fromkeys([*folders, Path.cwd().parent / "datasets", Path.cwd() / "datasets"]))


def private_config_folder() -> Path:
    """Return the folder where detreduce stores its own ultralytics settings, so that the user's settings do not
    change.
    """
    return cache_folder() / "ultralytics"


def config_folder() -> Path:
    """Return the folder of the user's ultralytics settings.

    The environment variable ``YOLO_CONFIG_DIR`` gives this folder. If it is not set, the folder is the default of the
    operating system. `quiet_ultralytics` sets the variable to detreduce's private folder. That value is not the user's
    choice, and it is ignored here.
    """
    given = os.environ.get("YOLO_CONFIG_DIR")
    if given and Path(given) != private_config_folder():
        return Path(given).expanduser() / "Ultralytics"
    if sys.platform == "win32":
        return Path.home() / "AppData" / "Roaming" / "Ultralytics"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "Ultralytics"
    if base := os.environ.get("XDG_CONFIG_HOME"):
        return Path(base).expanduser() / "Ultralytics"
    return Path.home() / ".config" / "Ultralytics"
