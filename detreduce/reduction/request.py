"""The request to reduce a dataset, as a single object, and the checks that do not need the dataset."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

from detreduce.dataset.groups import FOLDER
from detreduce.dataset.load import load_dataset
from detreduce.dataset.paths.output_name import free_name
from detreduce.dataset.records import DetectionDataset
from detreduce.dataset.writing.destination import Destination
from detreduce.errors import InputError
from detreduce.features.detector.request import Detector
from detreduce.features.request import Extraction
from detreduce.features.table import PROXY_BLOCKS
from detreduce.reduction.auto import NOTHING_TO_CHOOSE, advise
from detreduce.reduction.predicting import check_detector
from detreduce.selection.request import TIME, DuplicateSearch, SelectionRequest
from detreduce.selection.row_categories import VIDEO
from detreduce.vocabulary.option_values import AUTO


@dataclass(frozen=True)
class Output(Destination):
    """Where and how to write the smaller dataset.

    `page` says whether to write ``selection.html``, a page with pictures of the kept and the dropped images.
    """

    page: bool = field(default=True, kw_only=True)


@dataclass(frozen=True)
class ReductionRequest:
    """A request to reduce a dataset: which data, how to choose the images, which features to extract, what to write.

    Attributes
    ----------
    data, split, images, every
        The arguments of `load_dataset`. `data` may also be a dataset that is already loaded.
    output
        Where to write the smaller dataset. If None, the result cannot be written.
    selection
        How to choose the images.
    extraction
        Which features to extract, and how.
    clean
        Whether the method `auto` may drop near-duplicates.
    keep_all
        Whether to keep every image that is not excluded and not a duplicate. The `keep` of the selection is then
        ignored.
    ray, gpus
        The address of a Ray cluster that does the slow parts, or None, and the GPUs of each task (see `on_cluster`).
    reason
        Why `auto` uses this method. Empty if the caller named the method.
    detector
        The detector whose predicted boxes replace the labels while images are chosen. None to use the labels.
    """

    data: str | Path | DetectionDataset
    output: Output | None = None
    selection: SelectionRequest = field(default_factory=SelectionRequest)
    extraction: Extraction = field(default_factory=Extraction)
    split: str | None = None
    images: str | Path | None = None
    clean: bool = True
    keep_all: bool = False
    reason: str = ""
    ray: str | None = None
    gpus: float = 0.0
    every: str | int | None = None
    detector: Detector | None = None

    def resolve(self, dataset: DetectionDataset) -> ReductionRequest:
        """Return a new request in which a real method replaces `auto`, and `reason` says why this method was chosen.

        `auto` also drops near-duplicates, which it finds by pixels. If the request already asks for a search for
        duplicates, or if `clean` is False, `auto` does not drop any.

        For videos, `auto` compares neighbouring frames instead of all images. Each video is then an image category. If
        groups are needed, each video is also a group.
        """
        if has_videos(dataset):
            return self._with_videos(dataset)._resolve(dataset, TIME)
        return self._resolve(dataset, "pixels")

    def _with_videos(self, dataset: DetectionDataset) -> ReductionRequest:
        """Return the request in which each video is an image category and, if groups are needed, also a group.

        Categories and groups that the request already sets are not changed.
        """
        selection, composition = self.selection, self.selection.composition
        places = {record.file if record.frame else None for record in dataset}
        if selection.categories == "rarest" and len(places) > 1:
            # without labels, the rule would put all images in one category
            selection = replace(selection, categories=VIDEO)
        uses = selection.method != AUTO and "groups" in selection.make_reducer().uses
        if composition.groups is None and (composition.max_per_group is not None or uses):
            # the folder of a frame is its video
            selection = replace(selection, composition=replace(composition, groups=FOLDER))
        return replace(self, selection=selection)

    def _resolve(self, dataset: DetectionDataset, by: str) -> ReductionRequest:
        """Return the request with a real method instead of `auto`.

        `by` says what a search for near-duplicates compares, for example ``pixels``.
        """
        if self.selection.method != AUTO:
            return self
        advice = (
            NOTHING_TO_CHOOSE
            if self.keep_all
            else advise(dataset, self.extraction, predicted=self.detector is not None)
        )
        composition = self.selection.composition
        clean = self.clean and composition.drop_duplicates is None
        if clean:
            composition = replace(composition, drop_duplicates=DuplicateSearch(by))
        selection = replace(self.selection, method=advice.method, composition=composition)
        return replace(self, selection=selection, clean=clean, reason=advice.reason)

    def check_method(self) -> None:
        """Check the method and its options as far as possible without a dataset.

        Raise InputError if one is not valid.
        """
        if self.ray is not None and self.detector is not None:
            raise InputError("A Ray cluster cannot predict boxes. Leave out the detector or the cluster.")
        if self.selection.method == AUTO:
            self._check_auto()
            return
        self.selection.check_names()
        # check the options even if the method does not use features, because a misspelt name is always an error
        self.extraction.check_options()
        reducer = self.selection.make_reducer()
        check_detector(self.selection.method, reducer.needs, self.detector, self.extraction.proxy)
        check_proxy(self.selection.method, reducer.needs, self.extraction.proxy)
        composition = self.selection.composition
        reducer.check_given(groups=composition.groups is not None, limited=composition.max_per_group is not None)
        if composition.partitions is not None:
            reducer.check_partitions(composition.partitions)

    def _check_auto(self) -> None:
        """Raise InputError for an option that only one particular method has, because `auto` may use another method."""
        self.extraction.check_options()
        options = [*self.selection.parameters, *["proxy"] * (self.extraction.proxy is not None)]
        options += ["partitions"] * (self.selection.composition.partitions is not None)
        if options:
            raise InputError(f"{options[0]!r} applies to one method. Name the method too (--method NAME).")

    def load(self) -> DetectionDataset:
        """Return the dataset, and load it first if `data` is a path. Raise InputError if it cannot be loaded."""
        if not isinstance(self.data, DetectionDataset):
            return load_dataset(self.data, split=self.split, images=self.images, every=self.every)
        if self.split is not None or self.images is not None or self.every is not None:
            raise InputError(
                "split, images and every apply only to a dataset that is given by its path. Leave them out."
            )
        return self.data


def has_videos(dataset: DetectionDataset) -> bool:
    """Return whether some images are frames of videos."""
    return any(record.frame is not None for record in dataset)


def check_proxy(method: str, needs: Collection[str], proxy: str | Path | None) -> None:
    """Raise InputError if a method needs the log of a proxy training but `proxy` is None.

    Also raise InputError if `proxy` is given but the method does not use it.
    """
    learns = any(name in needs for name in PROXY_BLOCKS)
    if learns and proxy is None:
        log = free_name("proxy.npz")
        raise InputError(
            f"The method {method!r} learns from a proxy training. Make its log with `detreduce proxy data.yaml "
            f"--output {log}`, and pass it as the proxy (--proxy {log})."
        )
    if proxy is not None and not learns:
        raise InputError(f"The method {method!r} does not learn from a proxy training. Leave the proxy {proxy} out.")
