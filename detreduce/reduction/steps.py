"""The steps of a reduction: check the request, extract features, find duplicates, choose, measure, write."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from detreduce.dataset.groups import assign_groups
from detreduce.dataset.health.counts import load_all_splits, problems_of_splits
from detreduce.dataset.health.leaks import TRAIN, find_leaks
from detreduce.dataset.health.problem_counts import count_problems
from detreduce.dataset.joined_classes import join_classes
from detreduce.dataset.records import DetectionDataset, Problem
from detreduce.dataset.suggested_command import split_command
from detreduce.dataset.views.predicted import PredictedDataset
from detreduce.dataset.write import check_output, subset_report, write_subset
from detreduce.display.listener import say
from detreduce.duplicates.leakage import leaked_images, matches_in_words
from detreduce.duplicates.result import Duplicates
from detreduce.duplicates.search import THRESHOLD, near_duplicates
from detreduce.duplicates.time_search import TimeSearch
from detreduce.errors import DetreduceWarning, InputError
from detreduce.features.extract import extract_features
from detreduce.features.request import Extraction
from detreduce.features.table import FeatureTable
from detreduce.images.alongside import Alongside
from detreduce.pages.selection.page import SELECTION_PAGE, PageSource, selection_page
from detreduce.reducers.base import BaseReducer
from detreduce.reducers.engine.budget import resolve_keep
from detreduce.reduction.predicting import predict, prediction_of, say_skipped, without_unread
from detreduce.reduction.request import Output, ReductionRequest, has_videos
from detreduce.reduction.result import ReductionResult
from detreduce.representativeness import Representativeness, measure_representativeness
from detreduce.selection.choose import bare_table, check_labels, check_room, choose, needs_extraction
from detreduce.selection.composition import check_composition
from detreduce.selection.duplicate_search import count_remaining, duplicates_to_drop, images_to_search
from detreduce.selection.record import Selection
from detreduce.selection.request import DuplicateSearch, SelectionRequest
from detreduce.selection.row_categories import categories_of_rows, is_rule

Source = FeatureTable | DetectionDataset


@dataclass(frozen=True)
class Reduction:
    """The steps of one request on one dataset, as separate methods.

    `run` runs all of them. An experiment calls the methods one by one, to measure the energy of each step.
    """

    request: ReductionRequest
    dataset: DetectionDataset

    @cached_property
    def reducer(self) -> BaseReducer:
        """The reducer, created with the parameters of the request."""
        return self.request.selection.make_reducer()

    @property
    def output(self) -> Output:
        """Where to write the smaller dataset. Accessing it raises InputError if the request does not have an output."""
        if self.request.output is None:
            raise InputError("The request does not have an output. Pass the folder for the smaller dataset.")
        return self.request.output

    def at_keep(self, keep: float | int) -> Reduction:
        """Return a reduction that differs only in its `keep`."""
        return replace(self, request=replace(self.request, selection=replace(self.request.selection, keep=keep)))

    def keeping_all(self) -> Reduction:
        """Return a reduction that differs only in keeping all images that are not excluded and not duplicates."""
        return replace(self, request=replace(self.request, keep_all=True))

    def check(self) -> None:
        """Raise every error that can be found without decoding an image."""
        self.check_keep()
        _ = self.problems
        self.check_categories()
        self.check_blocks()
        self.check_backbone()
        self.check_output()

    @cached_property
    def problems(self) -> int:
        """The number of problems in all splits.

        Accessing it raises InputError if the classes of the splits cannot be matched by name.
        """
        splits, unloaded = self.splits
        join_classes(splits)
        return len(problems_of_splits(self.dataset, splits, unloaded))

    @cached_property
    def splits(self) -> tuple[dict[str, DetectionDataset], list[Problem]]:
        """All splits of the dataset by name, and a problem for each split that cannot be loaded.

        Each split is loaded once.
        """
        return load_all_splits(self.dataset)

    def check_keep(self) -> None:
        """Raise InputError if the method needs labels that do not exist, or if `keep` is too small.

        `keep` is too small if it is less than the number of images that the request says must be kept.
        """
        selection = self.request.selection
        check_labels(self.expected, selection.method, self.reducer.needs)
        keep = self._sized(self.dataset, None).keep
        if isinstance(keep, int) and keep > len(self.dataset) and has_videos(self.dataset):
            raise InputError(
                f"{keep} images should be kept, but only {len(self.dataset)} are used, with one frame every "
                f"{self.dataset.source.every}. Use more frames (--every 0.1s, or --every 1 for all), or keep fewer."
            )
        check_composition(self.expected, resolve_keep(keep, len(self.dataset)), selection.composition)

    def check_categories(self) -> None:
        """Raise InputError if the rule or the labels for the image categories do not fit the dataset."""
        categories_of_rows(self.expected, np.arange(len(self.dataset)), self.request.selection.categories)

    def check_blocks(self) -> None:
        """Raise InputError if the features that the method needs cannot be extracted from this dataset."""
        for extraction in self.extractions:
            extraction.check(self.expected)

    def check_backbone(self) -> None:
        """Raise an error if the network that computes the features, or its file of weights, does not exist."""
        for extraction in self.extractions:
            if {"image", "objects"} & set(extraction.blocks or ()) and (backbone := extraction.make_backbone()):
                _ = backbone.weights

    def check_output(self) -> None:
        """Raise those errors of `write_subset` that do not depend on the chosen images."""
        check_output(self.dataset, self.output)

    @property
    def extractions(self) -> list[Extraction]:
        """The features to extract: those for the method, and image vectors if the search for duplicates needs them."""
        wanted = self.request.extraction
        found = []
        if needs_extraction(self.reducer):
            found.append(wanted.for_method(self.request.selection.method, self.reducer.needs, self.expected))
        if self.request.selection.composition.by_features and "image" not in [
            name for extraction in found for name in extraction.blocks or ()
        ]:
            found.append(image_vectors(wanted))
        return found

    def extract(self, alongside: Alongside | None = None) -> Source:
        """Return what the method chooses from: a table of features, or just the dataset if it does not need
        features.

        `alongside` is used if images are decoded.
        """
        if not needs_extraction(self.reducer):
            return without_unread(self.dataset)
        wanted = self.extractions[0]
        decodes = {"image", "objects"} & set(wanted.blocks or ())
        return extract(self.dataset, wanted, alongside if decodes else None)

    @cached_property
    def expected(self) -> DetectionDataset:
        """The dataset with the classes that the method will see. If a detector will predict boxes, it has no boxes yet.

        Accessing it raises InputError if the weights of the detector cannot be read.
        """
        detector = self.request.detector
        if detector is None or isinstance(self.dataset, PredictedDataset):
            return self.dataset
        return prediction_of(detector, self.reducer.needs, self.request.extraction).without_boxes(self.dataset)

    def with_predictions(self, alongside: Alongside | None = None) -> Reduction:
        """Return a reduction that chooses by the boxes of the detector. Without a detector, return this reduction.

        The new reduction must not write anything, because its boxes are not labels.
        """
        detector = self.request.detector
        if detector is None:
            return self
        prediction = prediction_of(detector, self.reducer.needs, self.request.extraction, alongside)
        return replace(self, dataset=predict(self.dataset, prediction))

    def without_leaks(self) -> Reduction:
        """Leave out images that are also in val or test, if the request asks for it, and return the new reduction.

        If `keep` is a fraction, it refers to the images that remain.
        """
        selection = self.request.selection
        composition = selection.composition
        if composition.drop_leaked is not True:
            return self
        found = leaked_images(self.dataset, cache=selection.cache)
        left_out = len({item.image for item in found.leaked})
        words = matches_in_words(found.to_dict()["leaked"], found.provenance["matched"])
        who = "It is" if left_out == 1 else "They are"
        say(f"Leaks: {words}{f'. {who} left out' if left_out else ''}")
        if left_out == len(self.dataset):
            # without labels, there is nothing to measure on val
            instead = "Remove val and test from the dataset's YAML."
            if self.dataset.labelled:
                instead = f"Hold out a part of train as val instead: `{split_command(self.dataset)}`"
            raise InputError(f"All images are also in val or test, so no image remains. {instead}")
        composition = replace(composition, drop_leaked=found)
        keep: float | int = selection.keep
        if isinstance(keep, float):
            keep = resolve_keep(keep, len(self.dataset) - left_out)
        chosen = replace(selection, keep=keep, composition=composition)
        check_composition(self.expected, resolve_keep(keep, len(self.dataset)), composition)
        return replace(self, request=replace(self.request, selection=chosen))

    def _leaks_kept(self, selection: Selection) -> str:
        """Return a warning if some kept images are also in val or test. A training refuses such a subset.

        The warning is empty if there are no such images, or if the request leaves out leaked images. The files of the
        images are compared, without decoding.
        """
        if self.dataset.split != TRAIN or self.request.selection.composition.drop_leaked is not False:
            return ""
        leaks, kept = find_leaks(self.splits[0]), set(selection.image_ids)
        found = [leak for leak in leaks.in_train if leak.other in kept]
        if not found:
            return ""
        whole = leaks.train_is_measured
        command = f"Hold out a part of train first: `{split_command(self.dataset)}`"
        out = command if whole else "--drop-leaked leaves these images out"
        told = "; ".join(leaks.sentences(leaks.in_train if whole else found))
        return f"Leaks: {told}. `detreduce train` refuses such data. {out}."

    def find_duplicates(self, source: Source) -> Duplicates | None:
        """Return the duplicates to drop, or None if the request does not ask for a search.

        A search by features needs image vectors. If `source` does not contain them, they are extracted first.
        """
        selection = self.request.selection
        has_vectors = isinstance(source, FeatureTable) and "image" in source.blocks
        if selection.composition.by_features and not has_vectors:
            source = extract(self.dataset, image_vectors(self.request.extraction))
        return duplicates_to_drop(source, selection.composition, selection.seed, selection.cache)

    def check_room(self, found: Duplicates | None) -> Duplicates | None:
        """Return the duplicates to drop, after a check that enough images remain without them.

        If too few images remain, raise InputError. If only the method `auto` asked for the search, issue a warning
        instead and return None. The duplicates are then kept.
        """
        if found is None:
            # `check` has already found that enough images remain after the other steps
            return None
        selection = self._sized(self.dataset, found)
        composition = replace(selection.composition, drop_duplicates=found)
        try:
            check_room(self.expected, replace(selection, composition=composition))
        except InputError:
            if not (self.request.reason and self.request.clean):
                raise
            warnings.warn(
                "Near-duplicates are not left out, because too few images would remain. "
                "To leave the near-duplicates out, keep fewer images.",
                DetreduceWarning,
                stacklevel=4,
            )
            return None
        return found

    def choose(self, source: Source, found: Duplicates | None) -> Selection:
        """Choose the images. `found` contains the duplicates to drop, or is None."""
        selection = self._for_rows(source)
        selection = replace(selection, keep=self._sized(source, found).keep)
        if isinstance(source, FeatureTable) and len(source) < len(self.dataset):
            # a fraction refers to all images, with and without features
            selection = replace(selection, keep=resolve_keep(selection.keep, len(self.dataset)))
        composition = replace(selection.composition, drop_duplicates=found)
        return choose(source, replace(selection, composition=composition))

    def measure(self, source: Source, selection: Selection) -> Representativeness:
        """Measure how well a selection represents the full set."""
        return measure_representativeness(source, selection, self._for_rows(source).categories)

    def count_groups(self, selection: Selection) -> tuple[int, int] | None:
        """Return the number of groups with a kept image and the number of all groups, or None if there are no
        groups.
        """
        groups = self.request.selection.composition.groups
        if groups is None:
            return None
        labels = np.asarray(assign_groups(self.dataset, groups) if isinstance(groups, str) else groups)
        return len(np.unique(labels[selection.indices])), len(np.unique(labels))

    def make_page(self, source: Source, selection: Selection) -> bytes:
        """Return the HTML page with pictures of a selection.

        If the method does not use features, the map on the page shows statistics of the boxes. The page alone is no
        reason to run a network.
        """
        if not isinstance(source, FeatureTable) and self.dataset.labelled:
            source = extract_features(self.dataset, blocks=("annotations",))
        table = source if isinstance(source, FeatureTable) else None
        return selection_page(PageSource(selection, self.dataset, table, Path(self.output.folder)))

    def write(self, selection: Selection, files: Mapping[str, bytes] | None = None) -> DetectionDataset:
        """Write the selected images and further `files` to the output folder. Return the smaller dataset."""
        output = self.output
        return write_subset(
            self.dataset,
            selection,
            output.folder,
            link=output.link,
            format=output.format,
            overwrite=output.overwrite,
            discard_changes=output.discard_changes,
            files=files,
            others=self.splits[0],
            frames=output.frames,
        )

    def _sized(self, source: Source, found: Duplicates | None) -> SelectionRequest:
        """Return the selection part of the request. If all remaining images are kept, set `keep` to their number."""
        selection = self.request.selection
        if not self.request.keep_all:
            return selection
        table = source if isinstance(source, FeatureTable) else bare_table(source)
        return replace(selection, keep=count_remaining(table, selection.composition, found))

    def _for_rows(self, source: Source) -> SelectionRequest:
        """Return the selection part of the request for the images that have features in `source`.

        If categories or groups are lists of labels, only the labels of these images remain. If they are names of rules,
        they are not changed.
        """
        selection = self.request.selection
        if not isinstance(source, FeatureTable) or len(source) == len(self.dataset):
            return selection
        categories, groups = selection.categories, selection.composition.groups
        if categories is not None and not is_rule(categories):
            categories = np.asarray(categories)[source.rows]
        if groups is not None and not isinstance(groups, str):
            groups = np.asarray(groups)[source.rows]
        return replace(selection, categories=categories, composition=replace(selection.composition, groups=groups))

    def run(self) -> ReductionResult:
        """Run all steps. Quick checks come first, so that an error is raised before the slow steps."""
        return self.without_leaks()._run()

    def _prepare(self) -> tuple[Reduction, Source, Duplicates | None]:
        """Return a reduction with predicted boxes if wanted, the input of the method, and the duplicates to drop.

        If possible, the search for duplicates uses the pass over the videos in which features are computed or boxes are
        predicted.
        """
        composition = self.request.selection.composition
        if self._in_one_pass:
            whole, prefer = images_to_search(self.dataset, composition)
            search, selection = composition.drop_duplicates, self.request.selection
            assert isinstance(search, DuplicateSearch)
            threshold = THRESHOLD if search.threshold is None else search.threshold
            given = prefer, selection.seed, selection.cache, None, near_duplicates
            time = TimeSearch(self.dataset, whole.rows, threshold, *given)
            frames = time.in_pass()
            seen = self.with_predictions(frames)
            source = seen.extract(frames if seen is self else time.in_pass())
            found = self.check_room(time.result(frames.matches, frames.failures))
            if found is None:
                # without the search, all frames need boxes and features
                seen = self.with_predictions()
                source = seen.extract()
            return seen, source, found
        found = None if composition.by_features else self.find_duplicates(self.dataset)
        if not composition.by_features:
            found = self.check_room(found)
        seen = self.with_predictions()
        source = seen.extract()
        return seen, source, seen.find_duplicates(source) if composition.by_features else found

    @property
    def _in_one_pass(self) -> bool:
        """Whether one pass over the videos can compute features and also find near-duplicates among neighbouring
        frames.
        """
        if not (self.request.selection.composition.in_time and has_videos(self.dataset)):
            return False
        if self.request.detector is not None:
            return self.request.extraction.gives_object_vectors
        if not needs_extraction(self.reducer):
            return False
        wanted = self.extractions[0]
        return wanted.gives_object_vectors and "image" in (wanted.blocks or ())

    def _run(self) -> ReductionResult:
        """Run the steps that follow the search for leaks."""
        seen, source, found = self._prepare()
        selection = seen.choose(source, found)
        for dropped in (taken for taken in selection.steps if taken["step"] == "drop_duplicates"):
            count = dropped["dropped"]
            say(f"Duplicates: {count:,} image{'' if count == 1 else 's'} dropped ({dropped['what']})")
        if leaks := self._leaks_kept(selection):
            say(leaks)
        measured = seen.measure(source, selection)
        selection = replace(selection, representativeness=measured.to_dict())
        files = {SELECTION_PAGE: seen.make_page(source, selection)} if self.output.page else {}
        written = self.write(selection, files)
        report = subset_report(self.dataset, selection.image_ids)
        kept = [self.dataset[self.dataset.row_of[image_id]] for image_id in selection.image_ids]
        problems = count_problems(self.dataset, kept, self.problems)
        folder, reason = Path(self.output.folder), self.request.reason
        page = folder / SELECTION_PAGE if files else None
        return ReductionResult(
            selection, written, measured, report, folder, problems, reason, page, self.count_groups(selection), leaks
        )


def extract(dataset: DetectionDataset, extraction: Extraction, alongside: Alongside | None = None) -> FeatureTable:
    """Extract the features of a dataset.

    The function reports one line about the features, and one line for each of the first images that cannot be read.
    """
    names = extraction.check(dataset)
    by_backbone = {"image", "objects"} & set(names)
    say(f"Features: {', '.join(names)}{f' by {extraction.backbone}' * bool(by_backbone)}")
    table = extraction.run(dataset, alongside)
    say_skipped(table.problems)
    return table


def image_vectors(extraction: Extraction) -> Extraction:
    """Return a request that extracts only the vectors of whole images."""
    return replace(extraction, blocks=("image",), proxy=None)
