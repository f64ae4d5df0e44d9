"""Choose images and write the smaller dataset. All options are checked before the slow steps start."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy.typing as npt

from detreduce.dataset.records import DetectionDataset, ImageId
from detreduce.dataset.writing.links import LinkMode
from detreduce.dataset.writing.staging import claimed_output
from detreduce.display.listener import listening, say
from detreduce.display.numbers import counted
from detreduce.display.progress import step
from detreduce.features.detector.request import Detector
from detreduce.features.request import BACKBONE, Extraction
from detreduce.reduction.on_ray import on_cluster
from detreduce.reduction.request import Output, ReductionRequest
from detreduce.reduction.result import ReductionResult
from detreduce.reduction.steps import Reduction
from detreduce.selection.named_images import read_names
from detreduce.selection.record import Selection
from detreduce.selection.request import ClassFloor, CompositionRequest, SelectionRequest
from detreduce.vocabulary.option_values import ALL, AUTO

if TYPE_CHECKING:
    from detreduce.dataset.categories import CategoryRule
    from detreduce.features.backbones import Backbone
    from detreduce.selection.request import DropDuplicates


def reduce(
    data: str | Path | DetectionDataset,
    output: str | Path,
    method: str = AUTO,
    keep: float | int | Literal["all"] = 0.25,
    seed: int = 0,
    categories: CategoryRule | npt.ArrayLike | None = "rarest",
    *,
    backbone: str | Backbone = BACKBONE,
    blocks: Sequence[str] | None = None,
    split: str | None = None,
    images: str | Path | None = None,
    link: LinkMode = "hardlink",
    format: str | None = None,
    must_keep: Path | Iterable[str | int] | None = None,
    exclude: Path | Iterable[str | int] | None = None,
    initial: Selection | str | Path | Sequence[ImageId] | None = None,
    drop_duplicates: DropDuplicates = None,
    drop_leaked: bool = False,
    class_floor: ClassFloor | None = None,
    groups: npt.ArrayLike | str | None = None,
    max_per_group: int | None = None,
    partitions: int | None = None,
    unreadable: Literal["skip", "raise"] = "skip",
    cache: str | Path | None = None,
    proxy: str | Path | None = None,
    detector: str | Path | Detector | None = None,
    overwrite: bool = False,
    discard_changes: bool = False,
    page: bool = True,
    every: str | int | None = None,
    frames: str = "jpg",
    ray: str | None = None,
    gpus: float = 0.0,
    say: Callable[[str], None] | None = None,
    **parameters: Any,
) -> ReductionResult:
    """Choose which images to keep and write the smaller dataset, as the command ``detreduce reduce`` does.

    All options are checked before an image is decoded. Then the function searches for duplicates and extracts the
    features that the method needs. It chooses the images, measures how well they represent the full set, and writes
    them.

    Parameters
    ----------
    data, split, images
        A loaded dataset, or the arguments of `load_dataset`.
    output
        Folder for the smaller dataset; see `write_subset`.
    method, keep, seed, categories, parameters
        How to choose the images; see `select`. The method ``auto`` first drops near-duplicates. Then it uses the method
        that did best in our trials: ``herding`` if the dataset has boxes, ``facility`` if it does not. ``keep="all"``
        only cleans the dataset: all images remain except excluded images and near-duplicates.
    backbone, blocks
        Which features to extract; see `extract_features`. By default, all blocks that the method can use are extracted.
    link, format, overwrite, discard_changes
        How to write the output; see `write_subset`.
    page
        Whether to write ``selection.html`` into the output folder, a page with pictures of the kept and the dropped
        images. On this page, you can mark images for the lists `must_keep` and `exclude`.
    must_keep, initial
        Images to keep before any others; see `select`. `must_keep` may also be the Path of a text file with one name
        per line. `initial` may also be the path of an earlier ``selection.json``.
    exclude
        Images that must not be kept; see `select`. It may also be the Path of a text file with one name per line.
    drop_leaked
        Whether to leave out images that are also in val or test, even if they were slightly changed. ``selection.json``
        lists the images that were left out. If `keep` is a fraction, it refers to the images that remain.
    drop_duplicates, class_floor, groups, max_per_group
        Steps that run before the method chooses images; see `select`. If `drop_duplicates` is None, near-duplicates are
        dropped only if `method` is ``auto``. ``drop_duplicates="features"`` works with every method, because the image
        vectors are extracted for the search.
    partitions
        Number of parts in which the method first chooses, to save time on large datasets; see `select`.
    unreadable
        What to do with images that cannot be read: ``skip`` leaves them out; ``raise`` stops at the first such image.
    cache
        Folder for cached features. The search for duplicates also caches its image signatures there. The default is the
        same as for `extract_features`.
    proxy
        Log of a proxy training, for a method that needs it; see `log_proxy_training`.
    detector
        Weights of a YOLO detector, or a `Detector`. Its predicted boxes replace the labels of all images while images
        are chosen. They are not written. Only pass weights that you trust, because loading weights can run code.
    every
        Only for videos: which frames to use. For example, ``"0.5s"`` uses one frame every half second, and 10 uses
        every tenth frame. See `load_dataset`.
    frames
        Only for videos: the image format of the written frames; see `write_subset`.
    ray
        Address of a Ray cluster that computes the features and image signatures, and chooses in parts. ``auto`` is a
        cluster that is running already, or else a new one on this machine. All nodes must reach the images and the
        cache folder by the same paths. The result is the same as without Ray.
    gpus
        Number of GPUs of each Ray task that computes features. With 0.25, four tasks share one GPU.
    say
        Function that is called with one line of text for each step. By default, nothing is printed.

    Returns
    -------
    ReductionResult
        The selection, the smaller dataset, how well it represents the full set, and a report about its classes.

    Raises
    ------
    InputError
        An option, or a combination of options, is not valid or does not fit the dataset.
    MissingFileError
        A dataset, list, selection, proxy log or weights file does not exist.
    ImageReadError
        An image cannot be read and `unreadable` is ``raise``, or no image can be read.
    DetreduceError
        The output cannot be written. In this case, no partial output is left behind.
    """
    earlier = Selection.load(initial) if isinstance(initial, str | Path) else initial
    composition = CompositionRequest.of(
        drop_duplicates=drop_duplicates,
        must_keep=read_names(must_keep) if isinstance(must_keep, Path) else must_keep,
        initial=earlier,
        class_floor=class_floor,
        exclude=read_names(exclude) if isinstance(exclude, Path) else exclude,
        groups=groups,
        max_per_group=max_per_group,
        partitions=partitions,
        drop_leaked=drop_leaked,
    )
    number: Any = 1.0 if keep == ALL else keep
    request = ReductionRequest(
        data=data,
        output=Output(output, link, format, overwrite, discard_changes, frames, page=page),
        selection=SelectionRequest(method, number, seed, categories, composition, parameters, cache),
        extraction=Extraction(backbone, blocks, unreadable=unreadable, cache=cache, proxy=proxy),
        split=split,
        images=images,
        clean=drop_duplicates is None,
        keep_all=keep == ALL,
        every=every,
        ray=ray,
        gpus=gpus,
        detector=Detector.of(detector),
    )
    with listening(say):
        return run_reduction(request)


def run_reduction(request: ReductionRequest) -> ReductionResult:
    """Check the whole request, then run its steps. Each step passes one line of text to the function `say`."""
    request.check_method()
    dataset = request.load()
    resolved = request.resolve(dataset)
    resolved.check_method()
    reduction = Reduction(resolved, dataset)
    with step("checking the dataset and the options"):
        reduction.check()
    if resolved.reason and not resolved.keep_all:
        say(f"Method {resolved.selection.method}: {resolved.reason}")
    keep = resolved.selection.keep
    if isinstance(keep, int) and keep < 100 and len(dataset) >= 200:
        say(
            f"Keeping {keep} of {counted(len(dataset), 'image')} ({keep / len(dataset):.1%}). For {keep} %, "
            f"write {keep / 100:g}."
        )
    with claimed_output(Path(reduction.output.folder)), on_cluster(reduction, request.ray, request.gpus):
        return reduction.run()
