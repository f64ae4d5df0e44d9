"""Hashes of the data, features and files that affect a cell. A finished cell is reused as long as they do not
change.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from detreduce.dataset import load_split
from detreduce.dataset.records import DetectionDataset
from detreduce.display.progress import progress
from detreduce.errors import DetreduceError
from detreduce.experiment.sections import FeaturesConfig
from detreduce.features.backbones import make_backbone
from detreduce.features.blocks import default_blocks
from detreduce.features.pixels.roi_pooling import WORDS
from detreduce.images.store import DigestMemo
from detreduce.machine.cache_folder import cache_folder
from detreduce.machine.hashes import file_hash, json_hash
from detreduce.machine.untrusted.regular_files import is_regular


def data_identity(dataset: DetectionDataset) -> str:
    """Return a hash of the annotations and image files of every split.

    The hash of each image file is cached, so that files that have not changed are not read again.
    """
    digest = hashlib.sha256()
    memo = DigestMemo(cache_folder())
    for split in dataset.source.splits:
        part = dataset if split == dataset.split else load_split(dataset.source, split)
        digest.update(f"{split} {part.content_hash}".encode())
        # images with unreadable labels get a category of their own, which affects what methods choose
        digest.update("".join(f" {row}" for row in part.unreadable.nonzero()[0]).encode())
        with progress(f"checking {split} images", len(part), "images") as advance:
            for record in part:
                digest.update(_image_digest(record.path.absolute(), memo))
                advance()
    with contextlib.suppress(DetreduceError):  # if the cache cannot be written, the next run reads the images again
        memo.flush()
    return digest.hexdigest()


def _image_digest(path: Path, memo: DigestMemo) -> bytes:
    """Return the digest of an image file, or a constant if the file cannot be read."""
    try:
        return memo.read(path)
    except OSError:
        return b"unreadable"


def features_identity(features: FeaturesConfig) -> str:
    """Return a hash of the backbone (with weights and preprocessing), the blocks, the image size and the precision.

    For the backbone ``file:…``, the hash covers the content of the file.
    """
    backbone = features.backbone
    if backbone.startswith("file:"):
        parts = {"file": file_identity(backbone.removeprefix("file:"))}
    else:
        parts = dict(make_backbone(backbone, features.imgsz).key)
    # hash the names of the blocks instead of None, because the default may change in a later version
    blocks = features.blocks or default_blocks(backbone, labelled=True)
    if "objects" in blocks:
        parts["objects"] = WORDS
    if (detector := features.predicting) is not None:
        parts["detector"] = json_hash(detector.key)
    return json_hash([parts, list(blocks), features.imgsz, features.precision])


def file_identity(name: str) -> str:
    """Return the hash of a file, or `name` itself if there is no such file."""
    return file_hash(name) if is_regular(name) else name
