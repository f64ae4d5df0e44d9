"""Import ultralytics without side effects, and find pretrained weights by their name."""

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
from detreduce.machine.near_files import suggest_path
from detreduce.machine.untrusted.regular_files import is_regular
from detreduce.ultralytics_bridge.config_folder import private_config_folder

CONNECT_SECONDS = 3.0


def quiet_ultralytics() -> None:
    """Import ultralytics without network access and without changing the user's settings.

    Call this before the first ``import ultralytics``. The first call takes seconds. Afterwards, ultralytics writes its
    settings to a private folder in detreduce's cache. It does not use the network, and does not install packages.
    Environment variables that the user has set keep their values. If ultralytics is already imported, its settings do
    not change.

    This function also keeps ultralytics from replacing a function of Pillow. If a file is not an image, Pillow
    therefore raises OSError as usual. The replaced function would print to stdout and raise ModuleNotFoundError.
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
    # at its first import, ultralytics logs that it creates a settings file
    former = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        importlib.import_module("ultralytics.utils")
    finally:
        logging.disable(former)


def find_weights(name: str | Path) -> Path:
    """Return the path of a weights file (.pt), given its path or its name.

    A name without a folder is looked up in the working folder, then in detreduce's cache. If there is no such file,
    download it to the cache. If the download fails, raise MissingFileError with a message that says where to put the
    file.
    """
    given = Path(name).expanduser()
    if is_regular(given):
        return given
    if given.parent != Path():
        advice = suggest_path(given) or " Put the weights there, or pass the path of the weights file."
        raise MissingFileError(f"{given} does not exist.{advice}")
    kept = cache_folder() / "weights" / given.name
    return kept if is_regular(kept) else _download(given.name, kept)


def _download(name: str, target: Path) -> Path:
    quiet_ultralytics()
    from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES

    advice = f"Put the file at ./{name}, or pass its path."
    if name not in GITHUB_ASSETS_NAMES:
        raise MissingFileError(
            f"{name} is not in this folder, and ultralytics does not offer weights of this name. {advice}"
            f"{suggest_path(name) or nearest(name, GITHUB_ASSETS_NAMES)}"
        )
    if not _reachable("github.com"):
        raise MissingFileError(f"{name} is not in this folder and could not be downloaded (no network). {advice}")
    from ultralytics.utils.downloads import attempt_download_asset

    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(ConnectionError, OSError):
        attempt_download_asset(target, retry=0, progress=False)
    if not is_regular(target):
        raise MissingFileError(f"{name} is not in this folder and could not be downloaded. {advice}")
    return target


def _reachable(host: str) -> bool:
    """Return whether a connection to `host` succeeds within 3 seconds. If a network proxy is set, return True.

    Without this test, the download would wait for minutes on a machine without network access.
    """
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return True
    try:
        socket.create_connection((host, 443), timeout=CONNECT_SECONDS).close()
    except OSError:
        return False
    return True
