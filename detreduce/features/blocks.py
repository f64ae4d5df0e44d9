"""The blocks of features: which there are, which a dataset and a backbone can have, which a method needs."""

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
    """Which tables a method that `needs` these chooses from: ``features``, ``dynamics``, ``gradients``, or none."""
    features = [] if {"features", "object_vectors"}.isdisjoint(needs) else [FEATURES]
    return [*features, *(name for name in SEPARATE_BLOCKS if name in needs)]


def gives_map(backbone: str | Backbone) -> bool:
    """Whether a backbone, by name or made, gives feature maps; vectors from a file do not."""
    if isinstance(backbone, Backbone):
        return backbone.has_map
    family = backbone.partition(":")[0]
    return family != "file" and (family not in REGISTRY or REGISTRY[family].has_map)


def default_blocks(backbone: str | Backbone, *, labelled: bool) -> tuple[str, ...]:
    """All that a backbone and labels, or none, can give."""
    if not labelled:
        return ("image",)
    return tuple(name for name in BLOCKS if name != "objects" or gives_map(backbone))


def check_blocks(
    dataset: DetectionDataset, backbone: str | Backbone, blocks: Sequence[str] | str | None
) -> tuple[str, ...]:
    """The wanted blocks, by default all but those of a proxy training; raises InputError for those that cannot be."""
    possible = default_blocks(backbone, labelled=dataset.labelled)
    if blocks is None:
        return possible
    names, known = (blocks,) if isinstance(blocks, str) else tuple(blocks), (*BLOCKS, *SEPARATE_BLOCKS)
    if dataset.labelled:
        possible = (*possible, *SEPARATE_BLOCKS)
    for name in names:
        if name not in known:
            raise InputError(f"no block {name!r}.{nearest(str(name), known)} There are: {', '.join(known)}.")
    if not names or len(set(names)) < len(names):
        raise InputError(f"blocks={list(names)}: give each wanted block once, of: {', '.join(possible)}.")
    for name in names:
        if name not in possible:
            why = f"{dataset.source.path}: without labels"
            if dataset.labelled:
                why = f"{backbone if isinstance(backbone, str) else backbone.name} gives no feature map: without one"
            raise InputError(f"{why} there is no block {name!r}; there can be: {', '.join(possible)}.")
    return names


def blocks_for(
    method: str,
    needs: Collection[str],
    dataset: DetectionDataset,
    backbone: str | Backbone,
    blocks: Sequence[str] | None = None,
    proxy: Path | None = None,
) -> tuple[str, ...]:
    """The blocks to extract for a method: those asked for, else those that its `needs` call for.

    Blocks of a proxy training that it needs are added to those asked for. Where none were asked for and the log `proxy`
    lacks images, all blocks that there can be are there to say which images are like them.

    Raises
    ------
    InputError
        For blocks that this dataset or backbone cannot have, and for a method that needs object vectors without the
        block ``objects``.
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
