"""What ultralytics keeps on this machine: its dataset YAMLs and its datasets folder; ultralytics is not imported."""

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
    """The folder of the dataset YAMLs that ultralytics ships; None where it is not installed."""
    found = importlib.util.find_spec("ultralytics")
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent.joinpath(*DATASET_YAMLS)
    return folder if folder.is_dir() else None


def shipped_dataset(name: str) -> Path | None:
    """The YAML that ultralytics ships under a bare name, ``coco8.yaml`` or ``coco8``; None where there is none."""
    folder = shipped_datasets()
    if folder is None or Path(name).name != name:
        return None
    wanted = name if name.endswith(".yaml") else f"{name}.yaml"
    # compared with the names that are there: an odd text must not raise
    return next((file for file in folder.glob("*.yaml") if file.name == wanted), None)


def nearest_dataset(name: str) -> str:
    """A hint at the shipped dataset YAML of the most similar name, or an empty text."""
    folder = shipped_datasets()
    if folder is None or Path(name).name != name or not name.endswith((".yaml", ".yml")):
        return ""
    return nearest(name, [file.name for file in folder.glob("*.yaml")])


def is_shipped(file: Path) -> bool:
    """Whether a dataset YAML is one of those that ultralytics ships."""
    return file.parent.parts[-3:] == ("ultralytics", *DATASET_YAMLS)


def datasets_folders() -> list[Path]:
    """Where ultralytics looks for datasets, best first: its settings' ``datasets_dir``, else beside the working folder.

    The settings file is read as it is; where there is none, ultralytics would make one that names ``datasets`` beside
    the repository that one works in, or in the working folder.
    """
    try:
        settings = json.loads((config_folder() / "settings.json").read_text(encoding="utf-8"))
        known = settings.get("datasets_dir") if isinstance(settings, dict) else None
    except (OSError, ValueError):
        known = None
    folders = [Path(known)] if isinstance(known, str) and known else []
    return list(dict.fromkeys([*folders, Path.cwd().parent / "datasets", Path.cwd() / "datasets"]))


def private_config_folder() -> Path:
    """Where the ultralytics that detreduce imports keeps its settings, which are nobody's wishes."""
    return cache_folder() / "ultralytics"


def config_folder() -> Path:
    """Where a person's ultralytics keeps its settings: ``$YOLO_CONFIG_DIR``, else the system's folder for settings.

    Detreduce's own ultralytics has a private folder, which the variable names once it was imported; it is passed over.
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
