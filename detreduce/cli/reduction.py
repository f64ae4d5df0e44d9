"""The steps of `reduce`: what its options mean, checked before anything that takes long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detreduce.cli.values import parse_class_floor
from detreduce.errors import InputError

if TYPE_CHECKING:
    from detreduce.dataset.records import DetectionDataset
    from detreduce.duplicates import Duplicates
    from detreduce.features.table import FeatureTable
    from detreduce.reducers.base import BaseReducer


def check_names(method: str, parameters: dict[str, Any]) -> None:
    """Raise InputError for a method or a parameter that is not known, before the method is imported."""
    from detreduce.reducers.catalogue import described
    from detreduce.reducers.registry import check_parameters

    check_parameters(method, parameters, [parameter.name for parameter in described(method).parameters])


def checked_reducer(
    method: str,
    keep: float | int,
    seed: int,
    parameters: dict[str, Any],
    proxy: Path | None,
    *,
    groups: bool,
    limited: bool,
) -> BaseReducer:
    """The method with its parameters; raises InputError for what it cannot use or lacks."""
    from detreduce.reducers import make_reducer

    reducer = make_reducer(method, keep=keep, random_state=seed, **parameters)
    reducer.check_params()
    check_proxy(method, reducer.needs, proxy)
    reducer.check_given(groups=groups, limited=limited)
    return reducer


def check_proxy(method: str, needs: tuple[str, ...], proxy: Path | None) -> None:
    """Raise InputError unless a proxy is given just where the method needs a block of a proxy training."""
    from detreduce.features.table import SEPARATE_BLOCKS

    learns = any(name in needs for name in SEPARATE_BLOCKS)
    if learns and proxy is None:
        raise InputError(
            f"The method {method!r} learns from a proxy training: make its log with `detreduce proxy data.yaml "
            "--output proxy.npz` and give it as --proxy proxy.npz."
        )
    if proxy is not None and not learns:
        raise InputError(f"--proxy {proxy}: the method {method!r} does not learn from a proxy training; leave it out.")


def composition_of(
    dataset: DetectionDataset,
    keep: float | int,
    duplicates: float | str | bool,
    initial: Path | None,
    must_keep: Path | None,
    class_floor: list[str] | None,
    *,
    groups: str | None,
    max_per_group: int | None,
) -> dict[str, Any]:
    """What comes before the method, as keyword arguments of `select`, checked against the dataset.

    Raises InputError and MissingFileError.
    """
    from detreduce.reducers.engine.budget import resolve_keep
    from detreduce.selection.composition import check_composition, read_names
    from detreduce.selection.record import Selection

    composition: dict[str, Any] = {
        "initial": Selection.load(initial).image_ids if initial else (),
        "must_keep": read_names(must_keep) if must_keep else None,
        "class_floor": parse_class_floor(class_floor or []),
        "drop_duplicates": duplicates,
        "groups": groups,
        "max_per_group": max_per_group,
    }
    check_composition(dataset, resolve_keep(keep, len(dataset)), **composition)
    return composition


def choose_from(
    dataset: DetectionDataset,
    reducer: BaseReducer,
    method: str,
    backbone: str,
    blocks: str,
    *,
    unreadable: Any,
    cache: Path | None,
    proxy: Path | None,
) -> Any:
    """What the method chooses from: the features that it needs, or the dataset itself where it needs none."""
    from detreduce.features.blocks import blocks_for
    from detreduce.features.extract import extract_features
    from detreduce.selection.choose import needs_extraction

    if not needs_extraction(reducer):
        return dataset
    asked = tuple(part.strip() for part in blocks.split(",")) if blocks else None
    return extract_features(
        dataset,
        backbone=backbone,
        blocks=blocks_for(method, reducer.needs, dataset, backbone, asked, proxy),
        unreadable=unreadable,
        cache=cache,
        proxy=proxy,
    )


def duplicates_by_features(
    source: DetectionDataset | FeatureTable,
    composition: Mapping[str, Any],
    backbone: str,
    threshold: float | None,
    seed: int,
    *,
    unreadable: Any,
    cache: Path | None,
) -> Duplicates:
    """Images that are alike in the vectors of the whole image: those that the method has, else extracted for this."""
    from detreduce.duplicates import near_duplicates
    from detreduce.features.extract import extract_features
    from detreduce.features.table import FeatureTable
    from detreduce.selection.composition import image_rows

    if isinstance(source, FeatureTable) and "image" in source.blocks:
        table = replace(source, blocks={"image": source.blocks["image"]})
    else:
        dataset = source.dataset if isinstance(source, FeatureTable) else source
        table = extract_features(dataset, backbone=backbone, blocks=("image",), unreadable=unreadable, cache=cache)
    # an image of an earlier selection may be unreadable by now, which `select` says
    ids = {table.dataset[row].id for row in table.rows.tolist()}
    initial = [image for image in composition["initial"] if image in ids]
    named = image_rows(table, [*(composition["must_keep"] or ()), *initial])
    prefer = [table.dataset[row].id for row in table.rows[named].tolist()]
    return near_duplicates(table, by="features", threshold=threshold, prefer=prefer, seed=seed, cache=cache)
