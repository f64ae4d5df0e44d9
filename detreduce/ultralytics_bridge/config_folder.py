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
    """Return the folder with the dataset YAMLs that ultralytics ships. Return None if ultralytics is not installed."""
    found = importlib.util.find_spec("ultralytics")
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent.joinpath(*DATASET_YAMLS)
    return folder if folder.is_dir() else None


def shipped_dataset(name: str) -> Path | None:
    """Return the path of the dataset YAML that ultralytics ships under this name, with or without the suffix .yaml.

    Return None if there is no such file.
    """
    folder = shipped_datasets()
    if folder is None or Path(name).name != name:
        return None
    wanted = name if name.endswith(".yaml") else f"{name}.yaml"
    # the name is compared, not opened: an invalid file name must not raise
    return next((file for file in folder.glob("*.yaml") if file.name == wanted), None)


def nearest_dataset(name: str) -> str:
    """Return the text `` Did you mean 'x'?`` with the most similar name among the shipped dataset YAMLs.

    If no name is similar, the text is empty.
    """
    folder = shipped_datasets()
    if folder is None or Path(name).name != name or not name.endswith((".yaml", ".yml")):
        return ""
    return nearest(name, [file.name for file in folder.glob("*.yaml")])


def is_shipped(file: Path) -> bool:
    """Return whether `file` is a dataset YAML that ultralytics ships."""
    return file.parent.parts[-3:] == ("ultralytics", *DATASET_YAMLS)


def datasets_folders() -> list[Path]:
    """Return the folders where ultralytics looks for datasets, the most likely folder first.

    If ultralytics' settings have a value ``datasets_dir``, this folder is the first. The other two folders are the
    folders that ultralytics uses without settings: ``../datasets`` and ``datasets`` in the working folder.
    """
    try:
        settings = json.loads((config_folder() / "settings.json").read_text(encoding="utf-8"))
        known = settings.get("datasets_dir") if isinstance(settings, dict) else None
    except (OSError, ValueError):
        known = None
    folders = [Path(known)] if isinstance(known, str) and known else []
    return list(dict.fromkeys([*folders, Path.cwd().parent / "datasets", Path.cwd() / "datasets"]))


def private_config_folder() -> Path:
    """Return detreduce's own folder for ultralytics' settings. Detreduce does not change the user's settings."""
    return cache_folder() / "ultralytics"


def config_folder() -> Path:
    """Return the folder of the user's ultralytics settings.

    The environment variable ``YOLO_CONFIG_DIR`` names the folder. Without it, the folder is the system's default.
    `quiet_ultralytics` sets the variable to detreduce's private folder. This function ignores that value.
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
