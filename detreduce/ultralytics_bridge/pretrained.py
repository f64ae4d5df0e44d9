"""Ultralytics without surprises, and pretrained weights by name: a file, detreduce's cache, or a download."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import logging
import os
import socket
import sys
from pathlib import Path

from detreduce.errors import MissingFileError, nearest
from detreduce.machine.cache_folder import cache_folder
from detreduce.machine.files import writing
from detreduce.ultralytics_bridge.config_folder import private_config_folder

CONNECT_SECONDS = 3.0


def quiet_ultralytics() -> None:
    """Import ultralytics (seconds, the first time) so that it asks no network and leaves the user's settings alone.

    Call it instead of a first ``import ultralytics``: its settings go to a private folder in detreduce's cache, its
    online check answers no, and it installs no packages. Values that the user set are left alone. What an earlier
    import already read stays. Files that are no images stay OSErrors to Pillow: ultralytics' patch of it would ask for
    a package on stdout and raise ModuleNotFoundError.
    """
    os.environ.setdefault("YOLO_CONFIG_DIR", str(private_config_folder()))
    os.environ.setdefault("YOLO_OFFLINE", "true")
    os.environ.setdefault("YOLO_AUTOINSTALL", "false")
    if "ultralytics" not in sys.modules:
        _first_import()
    patches = importlib.import_module("ultralytics.utils.patches")
    if hasattr(patches, "_pil_plugins_registered") and importlib.util.find_spec("pi_heif") is None:
        patches._pil_plugins_registered = True  # type: ignore[attr-defined]


def _first_import() -> None:
    # it announces the settings file that it makes
    former = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        importlib.import_module("ultralytics.utils")
    finally:
        logging.disable(former)


def find_weights(name: str | Path) -> Path:
    """The weights file (.pt) of a path or a name.

    A bare name is looked up in the working folder, then in detreduce's cache, then downloaded once to it where the
    network is there. Raises MissingFileError that says which file to put where.
    """
    given = Path(name).expanduser()
    if given.is_file():
        return given
    if given.parent != Path():
        raise MissingFileError(f"{given} is not there; put the weights there or give their path.")
    kept = cache_folder() / "weights" / given.name
    return kept if kept.is_file() else _download(given.name, kept)


def _download(name: str, target: Path) -> Path:
    quiet_ultralytics()
    from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES

    advice = f"put it at ./{name} or give its path"
    if name not in GITHUB_ASSETS_NAMES:
        raise MissingFileError(
            f"{name} is not in this folder, and ultralytics offers no such weights; {advice}."
            f"{nearest(name, GITHUB_ASSETS_NAMES)}"
        )
    if not _reachable("github.com"):
        raise MissingFileError(f"{name} is not in this folder and could not be downloaded (no network); {advice}.")
    from ultralytics.utils.downloads import attempt_download_asset

    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(ConnectionError, OSError):
        attempt_download_asset(target, retry=0, progress=False)
    if not target.is_file():
        raise MissingFileError(f"{name} is not in this folder and could not be downloaded; {advice}.")
    return target


def _reachable(host: str) -> bool:
    """One quick try, so that a closed machine waits seconds, not minutes; a proxy is left to the download."""
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return True
    try:
        socket.create_connection((host, 443), timeout=CONNECT_SECONDS).close()
    except OSError:
        return False
    return True
