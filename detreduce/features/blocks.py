"""Choose which blocks of features to extract for a dataset and a method."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from detreduce.arrays.proxy_log import ProxyLog
from detreduce.dataset.records import DetectionDataset
from detreduce.dataset.views.predicted import predictions_of
from detreduce.errors import InputError, nearest
from detreduce.features.backbones import REGISTRY, Backbone
from detreduce.features.proxy.dynamics import needs_neighbours
from detreduce.features.table import DETECTOR_BLOCKS, PROXY_BLOCKS, SEPARATE_BLOCKS

BLOCKS = ("image", "objects", "annotations")
"""The blocks that describe images and boxes. They are possible without a proxy training and without a detector."""
FEATURES = "features"


def kinds_of(needs: Collection[str]) -> list[str]:
    """Return the kinds of input that a method with these `needs` uses.

    The kinds are ``features`` and the names of `SEPARATE_BLOCKS`.
    """
    features = [] if {"features", "object_vectors"}.isdisjoint(needs) else [FEATURES]
    return [*features, *(name for name in SEPARATE_BLOCKS if name in needs)]


def gives_map(backbone: str | Backbone) -> bool:
    """Return whether a backbone computes feature maps. Vectors that come from a file have no feature maps."""
    if isinstance(backbone, Backbone):
        return backbone.has_map
    family = backbone.partition(":")[0]
    return family != "file" and (family not in REGISTRY or REGISTRY[family].has_map)


def default_blocks(backbone: str | Backbone, *, labelled: bool) -> tuple[str, ...]:
    """Return all blocks that can be extracted with this backbone from a labelled or an unlabelled dataset."""
    if not labelled:
        return ("image",)
    return tuple(name for name in BLOCKS if name != "objects" or gives_map(backbone))


def check_blocks(
    dataset: DetectionDataset, backbone: str | Backbone, blocks: Sequence[str] | str | None
) -> tuple[str, ...]:
    """Return the names of the blocks to extract, after checking them.

    If `blocks` is None, return all possible blocks except `SEPARATE_BLOCKS`. Raise InputError if a block is unknown or
    not possible.
    """
    possible = default_blocks(backbone, labelled=dataset.labelled)
    if blocks is None:
        return possible
    names, known = (blocks,) if isinstance(blocks, str) else tuple(blocks), (*BLOCKS, *SEPARATE_BLOCKS)
    if (predictions := predictions_of(dataset)) is not None:
        possible = (*possible, "uncertainty", *(("disagreement",) if predictions.mirrored is not None else ()))
    elif dataset.labelled:
        possible = (*possible, *PROXY_BLOCKS)
    for name in names:
        if name not in known:
            hint = nearest(str(name), known)
            raise InputError(f"blocks: unknown block {name!r}.{hint} Known blocks: {', '.join(known)}.")
    if not names or len(set(names)) < len(names):
        raise InputError(
            f"blocks={list(names)} is empty or names a block twice. Name each block once. "
            f"Possible blocks: {', '.join(possible)}."
        )
    for name in names:
        if name in DETECTOR_BLOCKS and name not in possible:
            mirrored = ", mirrored=True" if name == "disagreement" else ""
            raise InputError(
                f"The block {name!r} needs predicted boxes. Name a detector (--detector best.pt), or call "
                f"predict_boxes(dataset, 'best.pt'{mirrored}) and extract the features of the result."
            )
        if name not in possible:
            reason = f"{dataset.source.typed} has no labels"
            if dataset.labelled:
                reason = f"{backbone if isinstance(backbone, str) else backbone.name} does not make a feature map"
            raise InputError(
                f"The block {name!r} is not possible, because {reason}. Possible blocks: {', '.join(possible)}."
            )
    return names


def blocks_for(
    method: str,
    needs: Collection[str],
    dataset: DetectionDataset,
    backbone: str | Backbone,
    blocks: Sequence[str] | None = None,
    proxy: Path | None = None,
) -> tuple[str, ...]:
    """Return the names of the blocks to extract for a method.

    If `blocks` is given, return these blocks, plus those of `SEPARATE_BLOCKS` that the method needs.

    If `blocks` is None, return the blocks that the method needs. A method that needs ``features`` gets all possible
    blocks.

    The proxy log `proxy` may lack images of the dataset. Such images get the scores of similar images. To find similar
    images, all possible blocks are returned if `blocks` is None.

    Raises
    ------
    InputError
        A block is not possible for this dataset or backbone, or the method needs object vectors but `blocks` does not
        contain ``objects``.
    """
    trained = tuple(name for name in SEPARATE_BLOCKS if name in needs)
    if blocks is None and "features" not in needs and not _has_unseen(trained, proxy, dataset):
        blocks = (*(("objects",) if "object_vectors" in needs else ()), *trained) or None
    names = check_blocks(dataset, backbone, blocks)
    names = check_blocks(dataset, backbone, tuple(dict.fromkeys((*names, *trained))))
    if "object_vectors" in needs and "objects" not in names:
        check_blocks(dataset, backbone, ("objects",))
        raise InputError(f"The method {method!r} needs object vectors. Add 'objects' to the blocks.")
    return names


def _has_unseen(trained: Collection[str], proxy: Path | None, dataset: DetectionDataset) -> bool:
    """Return whether the method needs `dynamics` and the log lacks images that need scores."""
    return "dynamics" in trained and proxy is not None and needs_neighbours(ProxyLog.load(proxy), dataset)
