"""A request to reduce a dataset, as one object; what can be checked without the dataset."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from detreduce.dataset.load import load_dataset
from detreduce.dataset.records import DetectionDataset
from detreduce.dataset.writing.links import LinkMode
from detreduce.errors import InputError
from detreduce.features.request import Extraction
from detreduce.features.table import SEPARATE_BLOCKS
from detreduce.selection.request import SelectionRequest


@dataclass(frozen=True)
class Output:
    """Where and how the smaller dataset is written; see `detreduce.write_subset`."""

    folder: str | Path
    link: LinkMode = "hardlink"
    format: str | None = None
    overwrite: bool = False


@dataclass(frozen=True)
class ReductionRequest:
    """What to reduce, which images to choose, by which features, and where to write them.

    `data`, `split` and `images` are those of `load_dataset`; `data` may also be a loaded dataset. Without an `output`
    nothing can be written.
    """

    data: str | Path | DetectionDataset
    output: Output | None = None
    selection: SelectionRequest = field(default_factory=SelectionRequest)
    extraction: Extraction = field(default_factory=Extraction)
    split: str | None = None
    images: str | Path | None = None

    def check_method(self) -> None:
        """Raise InputError for a method or option that cannot be used on any dataset."""
        self.selection.check_names()
        reducer = self.selection.make_reducer()
        check_proxy(self.selection.method, reducer.needs, self.extraction.proxy)
        composition = self.selection.composition
        reducer.check_given(groups=composition.groups is not None, limited=composition.max_per_group is not None)

    def load(self) -> DetectionDataset:
        """Return the dataset, loaded unless it is one already; InputError where it cannot be."""
        if not isinstance(self.data, DetectionDataset):
            return load_dataset(self.data, split=self.split, images=self.images)
        if self.split is not None or self.images is not None:
            raise InputError("split and images are for a dataset given by its path: leave them out.")
        return self.data


def check_proxy(method: str, needs: Collection[str], proxy: str | Path | None) -> None:
    """Raise InputError where a method learns from a proxy training and has none, or the other way round."""
    learns = any(name in needs for name in SEPARATE_BLOCKS)
    if learns and proxy is None:
        raise InputError(
            f"The method {method!r} learns from a proxy training. Make its log with `detreduce proxy data.yaml "
            "--output proxy.npz` and give it as the proxy (--proxy proxy.npz)."
        )
    if proxy is not None and not learns:
        raise InputError(f"The method {method!r} does not learn from a proxy training: leave the proxy {proxy} out.")
