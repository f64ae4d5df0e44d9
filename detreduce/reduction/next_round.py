"""Choose the next images to label: images that add something to earlier rounds and are not in any of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from detreduce.dataset.load import load_dataset
from detreduce.dataset.paths.listing import absolute
from detreduce.dataset.records import DetectionDataset
from detreduce.dataset.write import check_output, write_subset
from detreduce.dataset.writing.apart import check_apart_from
from detreduce.dataset.writing.staging import claimed_output
from detreduce.display.listener import listening, say
from detreduce.display.numbers import counted
from detreduce.duplicates.result import Duplicates, warn_not_compared
from detreduce.duplicates.search import THRESHOLD, check_threshold, near_duplicates
from detreduce.errors import InputError
from detreduce.features.blocks import kinds_of
from detreduce.features.detector.request import Detector
from detreduce.features.request import BACKBONE, Extraction
from detreduce.features.table import FeatureTable
from detreduce.pages.selection.page import SELECTION_PAGE, PageSource, selection_page
from detreduce.reduction.auto import advise
from detreduce.reduction.earlier import Earlier, load_earlier
from detreduce.reduction.offered import Offered, warn_about_problems, without_labels
from detreduce.reduction.pool_selection import selection_of_pool, table_of_pool
from detreduce.reduction.predicting import check_detector, first_images, predict, prediction_of, without_unread
from detreduce.reduction.request import Output
from detreduce.reduction.steps import extract
from detreduce.selection.choose import check_labels, choose
from detreduce.selection.record import Selection
from detreduce.selection.request import CompositionRequest, SelectionRequest
from detreduce.vocabulary.option_values import AUTO

WEIGHTS = "yolo:"
"""The prefix of a backbone's name if it is the backbone of a YOLO detector, for example ``yolo:best.pt``."""


@dataclass(frozen=True)
class NextRoundRequest:
    """A request for the next images to label. `next_round` documents the fields."""

    count: int
    method: str = AUTO
    seed: int = 0
    parameters: Mapping[str, Any] = field(default_factory=dict)
    extraction: Extraction = field(default_factory=Extraction)
    similarity: float = THRESHOLD
    detector: Detector | None = None

    def for_pool(self, pool: DetectionDataset) -> tuple[NextRoundRequest, str]:
        """Return the request for this pool, and the reason for the method. First check the method.

        If the method is `auto`, the new request names the method that `auto` uses for this pool. For any other method,
        the reason is empty. Raise InputError if the method is unknown, or if it needs labels and there is no detector.
        A pool does not have labels.
        """
        reason = ""
        request = self
        if self.method == AUTO:
            if self.parameters:
                name = next(iter(self.parameters))
                raise InputError(f"{name!r} applies to one method. Name the method too (--method NAME).")
            advice = advise(pool, self.extraction, predicted=self.detector is not None)
            request, reason = replace(self, method=advice.method), advice.reason
        selection = request.selection(1)
        selection.check_names()
        self.extraction.check_options()
        needs = selection.make_reducer().needs
        check_detector(request.method, needs, self.detector, self.extraction.proxy)
        if self.detector is None:
            check_labels(pool, request.method, needs)
        return request, reason

    def selection(self, keep: int, composition: CompositionRequest | None = None) -> SelectionRequest:
        """Return the request for a selection of `keep` images, which include the images of earlier rounds."""
        return SelectionRequest(
            self.method,
            keep,
            self.seed,
            None,
            composition or CompositionRequest(),
            self.parameters,
            self.extraction.cache,
        )


@dataclass(frozen=True)
class NextRound:
    """The next images to label.

    Attributes
    ----------
    selection
        The chosen images of the pool, in the order in which they were chosen.
    dataset
        The chosen images, loaded from the output.
    output
        The folder with the chosen images, ``selection.json`` and a list of the images.
    earlier
        The images of each earlier round.
    known
        Number of images of the pool that are also in an earlier round, as the same file or as an identical copy.
    similar
        Number of images of the pool that are left out because they are near-duplicates of images of earlier rounds.
    repeated
        Number of images of the pool that are left out because they are near-duplicates of other images of the pool.
    remaining
        Number of images of the pool that can be offered in later rounds.
    reason
        The reason why `auto` used this method. Empty if the caller named the method.
    page
        The page in the output that shows the chosen images. None if no page was written.
    """

    selection: Selection
    dataset: DetectionDataset
    output: Path
    earlier: tuple[Earlier, ...]
    known: int
    similar: int
    repeated: int
    remaining: int
    reason: str = ""
    page: Path | None = None

    def __repr__(self) -> str:
        return f"NextRound({counted(len(self.selection), 'image')}, {str(self.output)!r})"

    def to_dict(self) -> dict[str, Any]:
        """Return the paths of the output, the method and the numbers of images, ready for JSON."""
        return {
            "data": str(self.dataset.source.path),
            "selection": str(self.output / "selection.json"),
            **({} if self.page is None else {"page": str(self.page)}),
            "method": self.selection.method,
            "reason": self.reason,
            "images": len(self.selection),
            "of": len(self.selection.scores),
            "after": [
                {"path": str(one.path), "images": len(one.records), "labelled": one.labelled} for one in self.earlier
            ],
            "known": self.known,
            "similar": self.similar,
            "repeated": self.repeated,
            "remaining": self.remaining,
        }


def next_round(
    pool: str | Path | DetectionDataset,
    output: str | Path,
    *,
    after: Sequence[str | Path],
    count: int,
    method: str = AUTO,
    seed: int = 0,
    backbone: str = BACKBONE,
    weights: str | Path | None = None,
    split: str | None = None,
    every: str | int | None = None,
    after_images: str | Path | None = None,
    similarity: float | None = None,
    detector: str | Path | Detector | None = None,
    link: Any = "hardlink",
    cache: str | Path | None = None,
    page: bool = True,
    overwrite: bool = False,
    discard_changes: bool = False,
    say: Callable[[str], None] | None = None,
    **parameters: Any,
) -> NextRound:
    """Choose which images of a pool to label next, given the images of earlier rounds.

    No image is offered twice: images of earlier rounds and their near-duplicates are left out. Among the others, the
    method chooses images that add the most to the earlier images. It does not matter whether the earlier images already
    have labels.

    Parameters
    ----------
    pool, split, every
        The images to choose from: a loaded dataset, or arguments of `load_dataset`. Labels of these images are not
        used.
    output
        Folder for the chosen images; see `write_subset`.
    after, after_images
        The earlier rounds: labelled datasets of any format, folders of images for labelling, outputs of `reduce` and
        `next_round`, or files ``selection.json``. `after_images` is the image folder of a round whose annotation file
        does not name an image folder.
    count
        Number of images to choose.
    method, seed, parameters
        How to choose the images; see `select`. The default ``auto`` uses ``facility``, or ``herding`` if there is a
        detector.
    detector
        Weights of a YOLO detector, for example of a detector trained on the earlier rounds, or a `Detector`. The boxes
        that it predicts in the pool and in the earlier rounds serve methods such as ``herding`` and ``uncertainty``.
        Only pass weights that you trust, because loading weights can run code.
    backbone, weights
        Features for the method; see `extract_features`. `weights` is the file of a YOLO detector, for example a
        detector trained on the earlier rounds. With `weights`, the features come from the backbone of this detector.
    similarity
        Two images count as near-duplicates from this similarity on; see `near_duplicates`. Default: 0.85. For frames of
        a video, try 0.6.
    link, overwrite, discard_changes, page
        How to write the output; see `reduce`.
    cache
        Folder for features and image signatures. `extract_features` has the same default.
    say
        Function that is called with one line of text for each step. By default, nothing is printed.

    Raises
    ------
    InputError
        An option is not valid, a round cannot be read, or fewer than `count` images of the pool remain.
    DetreduceError
        The output cannot be written. No partial output is left.
    """
    if weights is not None and backbone != BACKBONE:
        raise InputError("weights and backbone both name a network for the features. Pass one of them.")
    request = NextRoundRequest(
        count,
        method,
        seed,
        parameters,
        Extraction(backbone if weights is None else f"{WEIGHTS}{weights}", ("image",), cache=cache),
        check_threshold(THRESHOLD if similarity is None else similarity),
        Detector.of(detector),
    )
    where = Output(output, link, overwrite=overwrite, discard_changes=discard_changes, page=page)
    with listening(say):
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise InputError(f"count={count!r} is not a number of images. Use a whole number of at least 1.")
        dataset = pool if isinstance(pool, DetectionDataset) else load_dataset(pool, split, every=every)
        resolved, reason = request.for_pool(without_labels(dataset))
        earlier = load_earlier(after, after_images)
        check_output(dataset, where)
        target = absolute(Path(output).expanduser())
        for part in (part for one in earlier for part in one.parts):
            check_apart_from(target, part)
        with claimed_output(target):
            return _run(resolved, dataset, earlier, where, reason)


def _run(
    request: NextRoundRequest, pool: DetectionDataset, earlier: list[Earlier], output: Output, reason: str
) -> NextRound:
    """Find the images that can be offered, choose among them, and write them."""
    if reason:
        say(f"Method {request.method}: {reason}")
    offered = Offered.of(pool, earlier)
    warn_about_problems(offered)
    prefer = list(offered.initial)
    found = near_duplicates(
        offered.together, threshold=request.similarity, prefer=prefer, seed=request.seed, cache=request.extraction.cache
    )
    warn_not_compared(found.problems)
    offered = offered.with_similar(found)
    say(
        f"Pool: {counted(len(pool), 'image')}. In earlier rounds: {len(offered.known):,}. Similar to images of "
        "earlier rounds: "
        f"{len(offered.similar):,}. Similar to other images of the pool: {len(offered.repeated):,}."
    )
    source = _choose_from(request, offered)
    table = source if isinstance(source, FeatureTable) else None
    unread = set() if table is None else set(offered.together.image_ids) - set(table.image_ids)
    initial = tuple(image for image in offered.initial if image not in unread)
    free = [image for image in pool.image_ids if image not in offered.taken and image not in unread]
    if request.count > len(free):
        advice = f"Use at most {len(free)}." if free else "Add images to the pool, or end the rounds."
        raise InputError(
            f"count={request.count}: {len(free) or 'none'} of the images of {pool.source.typed} ({len(pool):,}) can "
            f"still be offered. The others are in earlier rounds, are near-duplicates, or cannot be read. {advice}"
        )
    composition = CompositionRequest(
        drop_duplicates=Duplicates((), (), 0, found.by, found.threshold),
        initial=initial,
        exclude=tuple(image for image in (*offered.similar, *offered.repeated) if image not in unread),
    )
    chosen = choose(source, request.selection(len(initial) + request.count, composition))
    selection = selection_of_pool(chosen, pool, offered, found)
    shown = first_images(source.dataset if isinstance(source, FeatureTable) else source, pool)
    page = PageSource(selection, shown, table_of_pool(table, shown), Path(output.folder))
    files = {SELECTION_PAGE: selection_page(page)} if output.page else {}
    folder = absolute(Path(output.folder).expanduser())
    return NextRound(
        selection,
        _write(pool, selection, output, files),
        folder,
        tuple(earlier),
        len(offered.known),
        len(offered.similar),
        len(offered.repeated),
        len(free) - request.count,
        reason,
        folder / SELECTION_PAGE if files else None,
    )


def _choose_from(request: NextRoundRequest, offered: Offered) -> FeatureTable | DetectionDataset:
    """Return what the method chooses from: the images of the pool and of the rounds, with features if needed."""
    needs, together, extraction = request.selection(1).make_reducer().needs, offered.together, request.extraction
    if request.detector is not None:
        together = predict(together, prediction_of(request.detector, needs, extraction))
        extraction = replace(extraction, blocks=None)
    if not kinds_of(needs):
        return without_unread(together)
    if extraction.vectors_file is not None and offered.others:
        raise InputError(
            f"{extraction.backbone} has vectors of the pool only, and not of "
            f"{counted(len(offered.others), 'image')} of earlier rounds. Use another backbone, or pass rounds with "
            "unchanged images."
        )
    return extract(together, extraction.for_method(request.method, needs, together))


def _write(
    pool: DetectionDataset, selection: Selection, output: Output, files: Mapping[str, bytes]
) -> DetectionDataset:
    """Write the chosen images and further `files` to the output folder. Return the written dataset."""
    return write_subset(
        pool,
        selection,
        output.folder,
        link=output.link,
        overwrite=output.overwrite,
        discard_changes=output.discard_changes,
        files=files,
        frames=output.frames,
    )
