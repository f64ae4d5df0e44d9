"""Import ultralytics without side effects; find pretrained weights by name."""

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
    """Import ultralytics (seconds, the first time) without network access and without writing to the user's settings.

    Call it before the first ``import ultralytics``. Settings go to a private folder in detreduce's cache, the online
    check returns False, and no packages are installed. Values that the user set stay, as does what an earlier import
    has read. Pillow still raises OSError for files that are no images: ultralytics' patch of it would print to stdout
    and raise ModuleNotFoundError.
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
    # its first import logs that it makes a settings file
    former = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        importlib.import_module("ultralytics.utils")
    finally:
        logging.disable(former)


def find_weights(name: str | Path) -> Path:
    """Return the weights file (.pt) of a path or a name.

    A bare name is looked up in the working folder, then in detreduce's cache; then it is downloaded to the cache. Raise
    MissingFileError, with the file and where to put it, if none of this succeeds.
    """
    given = Path(name).expanduser()
    if given.is_file():
        return given
    if given.parent != Path():
        raise MissingFileError(f"{given} does not exist; put the weights there or give their path.")
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
    """Try to connect once, so that a machine without network waits seconds, not minutes; a proxy is not tried."""
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return True
    try:
        socket.create_connection((host, 443), timeout=CONNECT_SECONDS).close()
    except OSError:
        return False
    return True
