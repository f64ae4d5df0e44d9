"""Find the masks of images in datasets for semantic segmentation (``masks_dir:`` in data.yaml)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from detreduce.dataset.formats.yolo.mirror import label_place
from detreduce.dataset.records import ImageRecord
from detreduce.machine.untrusted.regular_files import is_regular

KEY = "masks_dir"
DEFAULT = "masks"


def masks_folder(content: Mapping[Any, Any], root: Path) -> str | None:
    """Return the name of the masks folder that ultralytics uses, or None if the dataset has no masks.

    The key ``masks_dir`` in `content` states the name. If this key is missing, ultralytics uses the folder ``masks`` in
    the root of the dataset. To find a mask, ultralytics replaces ``images`` in the path of an image with this name.

    If the name leads out of the dataset, detreduce cannot write the masks, so the result is None.
    """
    named = content.get(KEY)
    if named is None:
        return DEFAULT if (root / DEFAULT).is_dir() else None
    if not isinstance(named, str) or not named or PurePosixPath(named).is_absolute():
        return None
    return named if ".." not in PurePosixPath(named).parts else None


def mask_places(record: ImageRecord, relative: PurePosixPath, folder: str) -> tuple[Path, PurePosixPath] | None:
    """Return the mask of an image and the mask's path in the output, or None if the image has no mask.

    `relative` is the path of the image in the output.
    """
    source = Path(label_place(PurePosixPath(record.path), folder, ".png"))
    target = label_place(relative, folder, ".png")
    # if there is no folder `images` in its path, an image would be its own mask
    return (source, target) if target != relative and source != record.path and is_regular(source) else None
