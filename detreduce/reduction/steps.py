"""A request on its dataset: early checks, then load, clean, choose, measure, write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from detreduce.dataset.records import DetectionDataset
from detreduce.dataset.write import SubsetReport, check_output, subset_report, write_subset
from detreduce.duplicates.result import Duplicates
from detreduce.errors import InputError
from detreduce.features.request import Extraction
from detreduce.features.table import FeatureTable
from detreduce.reducers.base import BaseReducer
from detreduce.reducers.engine.budget import resolve_keep
from detreduce.reduction.request import Output, ReductionRequest
from detreduce.representativeness import Representativeness, measure_representativeness
from detreduce.selection.choose import check_labels, choose, needs_extraction
from detreduce.selection.composition import check_composition
from detreduce.selection.duplicate_search import duplicates_to_drop
from detreduce.selection.record import Selection
from detreduce.selection.request import SelectionRequest
from detreduce.selection.row_categories import categories_of_rows, is_rule

Say = Callable[[str], None]
Source = FeatureTable | DetectionDataset


@dataclass(frozen=True)
class ReductionResult:
    """What a reduction gave.

    Attributes
    ----------
    selection
        The chosen images, with their representativeness; also in the output as ``selection.json``.
    dataset
        The smaller dataset, loaded from the output.
    representativeness
        How well the chosen images represent the full set.
    report
        Images, boxes of each class and licences, in the full set and kept.
    output
        The folder that was written.
    """

    selection: Selection
    dataset: DetectionDataset
    representativeness: Representativeness
    report: SubsetReport
    output: Path

    def __repr__(self) -> str:
        return f"ReductionResult({self.selection!r}, {str(self.output)!r})"

    def to_dict(self) -> dict[str, Any]:
        """Return the paths written, the report and the representativeness, ready for JSON."""
        written = {"data": str(self.dataset.source.path), "selection": str(self.output / "selection.json")}
        return {**written, **asdict(self.report), "representativeness": self.representativeness.to_dict()}


@dataclass(frozen=True)
class Reduction:
    """The steps of one request on one dataset; `run_reduction` does all, an experiment meters each."""

    request: ReductionRequest
    dataset: DetectionDataset

    @cached_property
    def reducer(self) -> BaseReducer:
        """The method with its parameters."""
        return self.request.selection.make_reducer()

    @property
    def output(self) -> Output:
        """Where the smaller dataset is written; InputError where the request has no output."""
        if self.request.output is None:
            raise InputError("The request has no output: give the folder for the smaller dataset.")
        return self.request.output

    def at_keep(self, keep: float | int) -> Reduction:
        """Return the same reduction to another number of images."""
        return replace(self, request=replace(self.request, selection=replace(self.request.selection, keep=keep)))

    def check(self) -> None:
        """Raise InputError for everything that would fail later, as far as it shows without decoding an image."""
        self.check_keep()
        self.check_categories()
        self.check_blocks()
        self.check_backbone()
        self.check_output()

    def check_keep(self) -> None:
        """Check the number of images, and whether what is kept before the method chooses has room in it."""
        selection = self.request.selection
        check_labels(self.dataset, selection.method, self.reducer.needs)
        check_composition(self.dataset, resolve_keep(selection.keep, len(self.dataset)), selection.composition)

    def check_categories(self) -> None:
        """Check the rule of categories, or the labels that are given for each image."""
        categories_of_rows(self.dataset, np.arange(len(self.dataset)), self.request.selection.categories)

    def check_blocks(self) -> None:
        """Check that the features that are needed can be had of this dataset."""
        for extraction in self.extractions:
            extraction.check(self.dataset)

    def check_backbone(self) -> None:
        """Check that the network that makes the features exists and has its weights."""
        for extraction in self.extractions:
            if {"image", "objects"} & set(extraction.blocks or ()) and (backbone := extraction.make_backbone()):
                _ = backbone.weights

    def check_output(self) -> None:
        """Check what `write_subset` would refuse, whichever images are chosen."""
        output = self.output
        check_output(self.dataset, output.folder, link=output.link, format=output.format, overwrite=output.overwrite)

    @property
    def extractions(self) -> list[Extraction]:
        """The features to extract: those of the method, and image vectors where duplicates need them besides."""
        wanted = self.request.extraction
        found = []
        if needs_extraction(self.reducer):
            found.append(wanted.for_method(self.request.selection.method, self.reducer.needs, self.dataset))
        if self.request.selection.composition.by_features and "image" not in [
            name for extraction in found for name in extraction.blocks or ()
        ]:
            found.append(image_vectors(wanted))
        return found

    def extract(self, say: Say) -> Source:
        """Return what the method chooses from: its features, or the dataset where it needs none."""
        if not needs_extraction(self.reducer):
            return self.dataset
        return extract(self.dataset, self.extractions[0], say)

    def find_duplicates(self, source: Source, say: Say) -> Duplicates | None:
        """Return the duplicates to drop, None for none.

        By features the vectors are those of `source`; where it has none, they are extracted.
        """
        selection = self.request.selection
        has_vectors = isinstance(source, FeatureTable) and "image" in source.blocks
        if selection.composition.by_features and not has_vectors:
            source = extract(self.dataset, image_vectors(self.request.extraction), say)
        return duplicates_to_drop(source, selection.composition, selection.seed, selection.cache)

    def choose(self, source: Source, found: Duplicates | None) -> Selection:
        """Return the chosen images; `found` are the duplicates to drop."""
        selection = self._for_rows(source)
        composition = replace(selection.composition, drop_duplicates=found)
        return choose(source, replace(selection, composition=composition))

    def measure(self, source: Source, selection: Selection) -> Representativeness:
        """Return how well a selection represents the full set."""
        return measure_representativeness(source, selection, self._for_rows(source).categories)

    def write(self, selection: Selection) -> DetectionDataset:
        """Write a selection's images to the output, and return them as a dataset."""
        output = self.output
        return write_subset(
            self.dataset,
            selection,
            output.folder,
            link=output.link,
            format=output.format,
            overwrite=output.overwrite,
        )

    def _for_rows(self, source: Source) -> SelectionRequest:
        """Return the request with one label for each row of `source`, where labels are given for each image."""
        selection = self.request.selection
        if not isinstance(source, FeatureTable) or len(source) == len(self.dataset):
            return selection
        categories, groups = selection.categories, selection.composition.groups
        if categories is not None and not is_rule(categories):
            categories = np.asarray(categories)[source.rows]
        if groups is not None and not isinstance(groups, str):
            groups = np.asarray(groups)[source.rows]
        return replace(selection, categories=categories, composition=replace(selection.composition, groups=groups))

    def run(self, say: Say) -> ReductionResult:
        """Do all steps, one after the other."""
        source = self.extract(say)
        found = self.find_duplicates(source, say)
        selection = self.choose(source, found)
        for dropped in (taken for taken in selection.steps if taken["step"] == "drop_duplicates"):
            say(f"Duplicates: {dropped['dropped']} images dropped ({dropped['what']})")
        say(f"Chosen by {selection.method}: {len(selection)} of {len(self.dataset)} images")
        measured = self.measure(source, selection)
        selection = replace(selection, representativeness=measured.to_dict())
        written = self.write(selection)
        say(f"Written: {self.output.folder}")
        report = subset_report(self.dataset, selection.image_ids)
        return ReductionResult(selection, written, measured, report, Path(self.output.folder))


def extract(dataset: DetectionDataset, extraction: Extraction, say: Say) -> FeatureTable:
    """Return the features of a dataset; `say` gets a line about them, and one for each image that cannot be read."""
    names = extraction.check(dataset)
    by_backbone = {"image", "objects"} & set(names)
    say(f"Features: {', '.join(names)}{f' by {extraction.backbone}' * bool(by_backbone)}")
    table = extraction.run(dataset)
    for problem in table.problems:
        say(f"Skipped: {problem}")
    return table


def image_vectors(extraction: Extraction) -> Extraction:
    """Return a request for the vectors of whole images alone."""
    return replace(extraction, blocks=("image",), proxy=None)
