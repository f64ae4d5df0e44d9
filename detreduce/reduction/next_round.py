"""Choose the next images to label: images that add something to earlier rounds and are not in any of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from detreduce.dataset.formats.unlabelled.read import UnreadLabels
from detreduce.dataset.health.identical_files import identical_files
from detreduce.dataset.load import load_dataset
from detreduce.dataset.paths.listing import absolute
from detreduce.dataset.reading.loaded_files import LoadedFiles
from detreduce.dataset.records import DetectionDataset, ImageId, ImageRecord, Problem
from detreduce.dataset.write import check_output, write_subset
from detreduce.dataset.writing.apart import check_apart_from
from detreduce.dataset.writing.staging import claimed_output
from detreduce.display.listener import listening, say
from detreduce.duplicates.result import Duplicates, warn_not_compared
from detreduce.duplicates.search import THRESHOLD, check_threshold, near_duplicates
from detreduce.errors import DetreduceWarning, InputError, name_first
from detreduce.features.request import BACKBONE, Extraction
from detreduce.features.table import FeatureTable
from detreduce.machine.untrusted.regular_files import is_regular
from detreduce.pages.selection.page import SELECTION_PAGE, PageSource, selection_page
from detreduce.reduction.auto import advise
from detreduce.reduction.earlier import Earlier, load_earlier
from detreduce.reduction.request import Output
from detreduce.reduction.steps import extract
from detreduce.selection.choose import check_labels, choose, needs_extraction
from detreduce.selection.record import Selection, count_kept_twice
from detreduce.selection.request import CompositionRequest, SelectionRequest
from detreduce.selection.saved.dataset import describe_dataset
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

    def for_pool(self, pool: DetectionDataset) -> tuple[NextRoundRequest, str]:
        """Return the request for this pool, and the reason for the method. First check the method.

        If the method is `auto`, the new request names the method that `auto` uses for this pool. For any other method,
        the reason is empty. Raise InputError if the method is unknown, or if it needs labels. A pool does not have
        labels.
        """
        reason = ""
        request = self
        if self.method == AUTO:
            if self.parameters:
                name = next(iter(self.parameters))
                raise InputError(f"{name!r} applies to one method. Name the method too (--method NAME).")
            advice = advise(pool, self.extraction)
            request, reason = replace(self, method=advice.method), advice.reason
        selection = request.selection(1)
        selection.check_names()
        self.extraction.check_options()
        check_labels(pool, request.method, selection.make_reducer().needs)
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
        return f"NextRound({len(self.selection)} images, {str(self.output)!r})"

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
        How to choose the images; see `select`. The default ``auto`` uses ``facility``.
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
    )
    where = Output(output, link, overwrite=overwrite, discard_changes=discard_changes, page=page)
    with listening(say):
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise InputError(f"count={count!r} is not a number of images. Use a whole number of at least 1.")
        dataset = pool if isinstance(pool, DetectionDataset) else load_dataset(pool, split, every=every)
        resolved, reason = request.for_pool(_without_labels(dataset))
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
    offered = _Offered.of(pool, earlier)
    _warn_about_problems(offered)
    prefer = list(offered.initial)
    found = near_duplicates(
        offered.together, threshold=request.similarity, prefer=prefer, seed=request.seed, cache=request.extraction.cache
    )
    warn_not_compared(found.problems)
    offered = offered.with_similar(found)
    say(
        f"Pool: {len(pool):,} images. In earlier rounds: {len(offered.known):,}. Similar to images of earlier rounds: "
        f"{len(offered.similar):,}. Similar to other images of the pool: {len(offered.repeated):,}."
    )
    table = None
    unread: set[ImageId] = set()
    if needs_extraction(request.selection(1).make_reducer()):
        if request.extraction.vectors_file is not None and offered.others:
            raise InputError(
                f"{request.extraction.backbone} has vectors of the pool only, but {len(offered.others)} images of "
                "earlier rounds are not in the pool. Use another backbone, or pass rounds with unchanged images."
            )
        table = extract(offered.together, request.extraction)
        unread = set(offered.together.image_ids) - set(table.image_ids)
    initial = tuple(image for image in offered.initial if image not in unread)
    free = [image for image in pool.image_ids if image not in offered.taken and image not in unread]
    if request.count > len(free):
        raise InputError(
            f"count={request.count}: only {len(free)} of the {len(pool)} images of {pool.source.typed} can still be "
            "offered. The others are in earlier rounds, are near-duplicates, or cannot be read. Use a smaller number."
        )
    composition = CompositionRequest(
        drop_duplicates=Duplicates((), (), 0, found.by, found.threshold),
        initial=initial,
        exclude=tuple(image for image in (*offered.similar, *offered.repeated) if image not in unread),
    )
    chosen = choose(
        offered.together if table is None else table, request.selection(len(initial) + request.count, composition)
    )
    selection = _of_pool(chosen, pool, offered, found)
    files = {}
    if output.page:
        source = PageSource(selection, pool, _table_of_pool(table, pool), Path(output.folder))
        files[SELECTION_PAGE] = selection_page(source)
    written = write_subset(
        pool,
        selection,
        output.folder,
        link=output.link,
        overwrite=output.overwrite,
        discard_changes=output.discard_changes,
        files=files,
        frames=output.frames,
    )
    folder = absolute(Path(output.folder).expanduser())
    return NextRound(
        selection,
        written,
        folder,
        tuple(earlier),
        len(offered.known),
        len(offered.similar),
        len(offered.repeated),
        len(free) - request.count,
        reason,
        folder / SELECTION_PAGE if files else None,
    )


@dataclass(frozen=True)
class _Offered:
    """The images of a pool and of the earlier rounds of labelling.

    Attributes
    ----------
    together
        One dataset without labels. The images of the pool come first, in the order of the pool. The images of the
        rounds follow. If an image of a round is identical to a file of the pool, it is left out.
    known
        Ids of the images of the pool that are also in a round.
    others
        Ids of those images in `together` that come from the rounds.
    lost
        Problems of the rounds, such as missing image files. No image can be compared with a missing file.
    similar, repeated
        Ids of images of the pool. Those in `similar` are near-duplicates of an image of a round. Those in `repeated`
        are near-duplicates of another image of the pool.
    """

    together: DetectionDataset
    known: tuple[ImageId, ...]
    others: tuple[ImageId, ...]
    lost: tuple[str, ...] = ()
    similar: tuple[ImageId, ...] = ()
    repeated: tuple[ImageId, ...] = ()

    @classmethod
    def of(cls, pool: DetectionDataset, earlier: Sequence[Earlier]) -> _Offered:
        """Join the images of a pool and of the rounds. Of identical images in the rounds, only the first is used."""
        own = _without_labels(pool)
        row_of_path = {record.path: row for row, record in enumerate(own)}
        known: dict[ImageId, None] = {}
        rest: list[tuple[str, ImageRecord]] = []
        for number, one in enumerate(earlier):
            for place, record in enumerate(one.records):
                if record.path in row_of_path:
                    known[own[row_of_path[record.path]].id] = None
                else:
                    rest.append((f"after {number}: {place}: {record.id}", record))
        used = [True] * len(rest)
        for group in identical_files([*(record.path for record in own), *(record.path for _, record in rest)]):
            in_pool = [place for place in group if place < len(own)]
            in_rest = [place - len(own) for place in group if place >= len(own)]
            if in_rest:
                known.update(dict.fromkeys(own[place].id for place in in_pool))
            for place in in_rest if in_pool else in_rest[1:]:
                used[place] = False
        others = [
            replace(_bare(record), id=name, name=name)
            for (name, record), use in zip(rest, used, strict=True)
            if use and (record.frame is not None or is_regular(record.path))
        ]
        lost = {
            **{str(problem): None for one in earlier for part in one.parts for problem in _problems(part)},
            **{
                f"{record.path}: the image is missing": None
                for _, record in rest
                if record.frame is None and not is_regular(record.path)
            },
        }
        files = LoadedFiles()
        for part in (own, *(part for one in earlier for part in one.parts)):
            files.add_others(part.loaded)
        together = replace(own, records=(*own.records, *others), loaded=files)
        return cls(together, tuple(known), tuple(record.id for record in others), tuple(lost))

    @property
    def initial(self) -> tuple[ImageId, ...]:
        """Ids of all images of the rounds."""
        return (*self.known, *self.others)

    @property
    def taken(self) -> set[ImageId]:
        """Ids of the images that must not be offered."""
        return {*self.initial, *self.similar, *self.repeated}

    def with_similar(self, found: Duplicates) -> _Offered:
        """Return a copy with `similar` and `repeated` set. `found` is the result of a search among `together`."""
        mine = set(self.initial)
        copies = {pair.copy: pair.kept for pair in found.pairs if pair.copy not in mine}
        return replace(
            self,
            similar=tuple(copy for copy, kept in copies.items() if kept in mine),
            repeated=tuple(copy for copy, kept in copies.items() if kept not in mine),
        )


def _problems(dataset: DetectionDataset) -> list[Problem]:
    """Return the problems of a dataset, except labels that were not read, because `next` uses no labels."""
    return [problem for problem in dataset.problems if not isinstance(problem, UnreadLabels)]


def _warn_about_problems(offered: _Offered) -> None:
    """Issue a warning about problems of earlier rounds, and one about problems of the pool."""
    if lost := offered.lost:
        warnings.warn(
            f"Problems of earlier rounds ({len(lost):,}): {name_first(lost)}. `next` cannot "
            "compare the pool with missing images, so it may offer them or their near-duplicates again.",
            DetreduceWarning,
            stacklevel=4,
        )
    if problems := _problems(offered.together):
        warnings.warn(
            f"Problems of the pool ({len(problems):,}): {name_first(problems)}. `detreduce inspect` lists all.",
            DetreduceWarning,
            stacklevel=4,
        )


def _bare(record: ImageRecord) -> ImageRecord:
    """Return an image without its labels."""
    return replace(
        record,
        boxes=np.empty((0, 4)),
        class_ids=np.empty(0, np.int64),
        crowd=np.empty(0, bool),
        label_path=None,
        unreadable=False,
        refused=False,
    )


def _without_labels(dataset: DetectionDataset) -> DetectionDataset:
    """Return a dataset without its labels."""
    if not dataset.labelled:
        return dataset
    records = tuple(map(_bare, dataset))
    return replace(
        dataset, records=records, class_names=(), class_keys=(), box_format="cxcywhn", labelled=False, problems=()
    )


def _table_of_pool(table: FeatureTable | None, pool: DetectionDataset) -> FeatureTable | None:
    """Return the part of a feature table that describes images of the pool."""
    if table is None:
        return None
    mine = table.take(np.flatnonzero(table.rows < len(pool)))
    paths = {record.path for record in pool}
    return replace(mine, dataset=pool, problems=tuple(one for one in table.problems if one.file in paths))


def _of_pool(chosen: Selection, pool: DetectionDataset, offered: _Offered, found: Duplicates) -> Selection:
    """Return the new part of a selection: the chosen images of the pool that are not in any round."""
    initial, n = set(offered.initial), len(pool)
    new = [place for place, image in enumerate(chosen.image_ids) if image not in initial]
    ids = tuple(chosen.image_ids[place] for place in new)
    codes = None if chosen.category_codes is None else chosen.category_codes[:n]
    names = list(chosen.categories.get("full", {}))
    full = np.bincount(codes[codes >= 0], minlength=len(names)).tolist() if codes is not None else []
    indices = chosen.indices[new]
    kept = np.bincount(codes[indices], minlength=len(names)).tolist() if codes is not None else []
    own = set(pool.image_ids)
    pairs = [
        {
            "copy": pair.copy,
            "kept": pair.kept,
            "similarity": pair.similarity,
            "transformation": pair.transformation,
            "exact": pair.exact,
        }
        for pair in found.pairs
        if pair.copy in own and pair.kept in own
    ]
    left_out = [image for image in (*offered.known, *offered.similar) if image in own]
    what = f"near-duplicates by pixels with a similarity of at least {found.threshold:g}"
    paths = {str(record.path) for record in pool}
    skipped = [text for text in chosen.provenance.get("skipped_images", ()) if text.split(": ")[0] in paths]
    return replace(
        chosen,
        image_ids=ids,
        indices=indices,
        scores=chosen.scores[:n],
        keep=len(ids),
        categories={
            **chosen.categories,
            "full": dict(zip(names, full, strict=True)),
            "kept": dict(zip(names, kept, strict=True)),
        },
        category_codes=codes,
        representativeness={},
        steps=(
            *([{"step": "exclude", "images": left_out}] if left_out else []),
            {"step": "drop_duplicates", "what": what, "dropped": len(offered.repeated)},
            {"step": "method", "name": chosen.method, "images": len(ids)},
        ),
        provenance={
            **chosen.provenance,
            "dataset": describe_dataset(pool),
            "skipped_images": skipped,
            "kept_first": 0,
            "duplicates": {"looked_for": what, "pairs": pairs, "kept_twice": count_kept_twice(pairs, ids)},
            "after": {
                "images": len(offered.initial),
                "known": len(offered.known),
                "similar": len(offered.similar),
                "threshold": found.threshold,
            },
        },
    )
