"""Find ultralytics' files on this machine without importing ultralytics: dataset YAMLs, settings, datasets folder."""

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
    """Return the path of the dataset YAML that ultralytics ships under this name, or None.

    The suffix .yaml may be left out.
    """
    folder = shipped_datasets()
    if folder is None or Path(name).name != name:
        return None
    wanted = name if name.endswith(".yaml") else f"{name}.yaml"
    # the name is compared, not opened: an invalid file name must not raise
    return next((file for file in folder.glob("*.yaml") if file.name == wanted), None)


def nearest_dataset(name: str) -> str:
    """Return `` Did you mean 'x'?`` with the most similar name of a shipped dataset YAML.

    If no name is similar, return "".
    """
    folder = shipped_datasets()
    if folder is None or Path(name).name != name or not name.endswith((".yaml", ".yml")):
        return ""
    return nearest(name, [file.name for file in folder.glob("*.yaml")])


def is_shipped(file: Path) -> bool:
    """Return whether `file` is a dataset YAML that ultralytics ships."""
    return file.parent.parts[-3:] == ("ultralytics", *DATASET_YAMLS)


def datasets_folders() -> list[Path]:
    """Return the folders where ultralytics looks for datasets, the most likely one first.

    The first folder is ``datasets_dir`` of ultralytics' settings, if it is set. The other two are the folders that
    ultralytics uses without settings: ``datasets`` next to the working folder, and ``datasets`` in the working folder.
    """
    try:
        settings = json.loads((config_folder() / "settings.json").read_text(encoding="utf-8"))
        known = settings.get("datasets_dir") if isinstance(settings, dict) else None
    except (OSError, ValueError):
        known = None
    folders = [Path(known)] if isinstance(known, str) and known else []
    return list(dict.fromkeys([*folders, Path.cwd().parent / "datasets", Path.cwd() / "datasets"]))


def private_config_folder() -> Path:
    """Return detreduce's own folder for ultralytics settings. The settings of the user are not changed."""
    return cache_folder() / "ultralytics"


def config_folder() -> Path:
    """Return the folder of the user's ultralytics settings.

    It is ``$YOLO_CONFIG_DIR`` if set, else the system's default folder.

    `quiet_ultralytics` sets this variable to detreduce's private folder. This function ignores that value.
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
