"""Where a model's weights or description are: a file, a name that ultralytics knows, or a download."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

from detreduce.errors import InputError, MissingFileError, nearest
from detreduce.paths import cache_folder
from detreduce.training.quiet import quiet_ultralytics

CONNECT_SECONDS = 3.0


def find_model(model: str | Path) -> str:
    """Return what ``YOLO(...)`` is to be given for `model`.

    ``.pt``: the file; a bare name is looked up in the working folder, then in detreduce's cache, then downloaded once
    where the network is there. ``.yaml``: the file, or a name that ultralytics has inside.

    Raises
    ------
    MissingFileError
        The weights cannot be had; the message says which file to put where.
    InputError
        Neither ``.pt`` nor ``.yaml``, or a name that ultralytics does not know.
    """
    given = Path(model).expanduser()
    if given.suffix in {".yaml", ".yml"}:
        return str(given) if given.is_file() else _known_description(str(model))
    if given.suffix != ".pt":
        raise InputError(f"model={str(model)!r}: give weights (.pt) or a model's description (.yaml).")
    if given.is_file():
        return str(given)
    if given.parent != Path():
        raise MissingFileError(f"{given} is not there; put the weights there or give their path.")
    kept = cache_folder() / "weights" / given.name
    if kept.is_file():
        return str(kept)
    return str(_download(given.name, kept))


def _known_description(name: str) -> str:
    quiet_ultralytics()
    from ultralytics.nn.tasks import yaml_model_load
    from ultralytics.utils import ROOT

    try:
        yaml_model_load(name)
    except (FileNotFoundError, OSError):
        known = [file.name for file in (ROOT / "cfg" / "models").rglob("*.yaml")]
        # ultralytics keeps one file a family: yolo11.yaml also stands for yolo11n, yolo11s, ...
        sizes = [f"{stem[:-5]}{size}.yaml" for stem in known for size in "nsmlx"]
        raise MissingFileError(
            f"{name} is neither a file here nor a model that ultralytics knows.{nearest(name, known + sizes)}"
        ) from None
    return name


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
