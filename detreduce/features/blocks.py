"""The blocks of features: which exist, which a dataset and a backbone can have, which a method needs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from detreduce.arrays.proxy_log import ProxyLog
from detreduce.dataset.records import DetectionDataset
from detreduce.errors import InputError, nearest
from detreduce.features.backbones import REGISTRY, Backbone
from detreduce.features.proxy.dynamics import needs_neighbours
from detreduce.features.table import SEPARATE_BLOCKS

BLOCKS = ("image", "objects", "annotations")
FEATURES = "features"


def kinds_of(needs: Collection[str]) -> list[str]:
    """Return the tables that a method with these `needs` uses: of ``features``, ``dynamics`` and ``gradients``."""
    features = [] if {"features", "object_vectors"}.isdisjoint(needs) else [FEATURES]
    return [*features, *(name for name in SEPARATE_BLOCKS if name in needs)]


def gives_map(backbone: str | Backbone) -> bool:
    """Return whether a backbone, by name or as an object, gives feature maps; vectors from a file do not."""
    if isinstance(backbone, Backbone):
        return backbone.has_map
    family = backbone.partition(":")[0]
    return family != "file" and (family not in REGISTRY or REGISTRY[family].has_map)


def default_blocks(backbone: str | Backbone, *, labelled: bool) -> tuple[str, ...]:
    """Return all blocks that are possible with a backbone, with or without labels."""
    if not labelled:
        return ("image",)
    return tuple(name for name in BLOCKS if name != "objects" or gives_map(backbone))


def check_blocks(
    dataset: DetectionDataset, backbone: str | Backbone, blocks: Sequence[str] | str | None
) -> tuple[str, ...]:
    """Return the wanted blocks, by default all but those of a proxy training; raise InputError for impossible ones."""
    possible = default_blocks(backbone, labelled=dataset.labelled)
    if blocks is None:
        return possible
    names, known = (blocks,) if isinstance(blocks, str) else tuple(blocks), (*BLOCKS, *SEPARATE_BLOCKS)
    if dataset.labelled:
        possible = (*possible, *SEPARATE_BLOCKS)
    for name in names:
        if name not in known:
            raise InputError(f"blocks: there is no {name!r}.{nearest(str(name), known)} There are: {', '.join(known)}.")
    if not names or len(set(names)) < len(names):
        raise InputError(f"blocks={list(names)}: give each wanted block once, of: {', '.join(possible)}.")
    for name in names:
        if name not in possible:
            reason = f"{dataset.source.path} has no labels"
            if dataset.labelled:
                reason = f"{backbone if isinstance(backbone, str) else backbone.name} gives no feature map"
            raise InputError(f"blocks={name!r} is not possible: {reason}. Possible are: {', '.join(possible)}.")
    return names


def blocks_for(
    method: str,
    needs: Collection[str],
    dataset: DetectionDataset,
    backbone: str | Backbone,
    blocks: Sequence[str] | None = None,
    proxy: Path | None = None,
) -> tuple[str, ...]:
    """Return the blocks to extract for a method: the given ones, else those that its `needs` call for.

    Blocks of a proxy training that the method needs are added to the given ones. If no blocks are given and the log
    `proxy` lacks images, all possible blocks are extracted, to find images that are similar to those.

    Raises
    ------
    InputError
        This dataset or backbone cannot have a block, or the method needs object vectors and the block ``objects`` is
        not among the given ones.
    """
    trained = tuple(name for name in SEPARATE_BLOCKS if name in needs)
    if blocks is None and "features" not in needs and not _has_unseen(trained, proxy, dataset):
        blocks = (*(("objects",) if "object_vectors" in needs else ()), *trained) or None
    names = check_blocks(dataset, backbone, blocks)
    names = check_blocks(dataset, backbone, tuple(dict.fromkeys((*names, *trained))))
    if "object_vectors" in needs and "objects" not in names:
        check_blocks(dataset, backbone, ("objects",))
        raise InputError(f"The method {method!r} needs object vectors: name 'objects' among the blocks.")
    return names


def _has_unseen(trained: Collection[str], proxy: Path | None, dataset: DetectionDataset) -> bool:
    return "dynamics" in trained and proxy is not None and needs_neighbours(ProxyLog.load(proxy), dataset)
