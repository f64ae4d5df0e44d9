"""The weight of each image in a stream, to inspect, to edit, or to use in a training with another program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from detreduce.dataset.load import load_dataset
from detreduce.dataset.paths.listing import absolute
from detreduce.dataset.records import DetectionDataset
from detreduce.dataset.write import check_repeated_list, write_repeated_list
from detreduce.display.numbers import counted
from detreduce.errors import InputError, nearest
from detreduce.exports.one_file import check_file, write_file
from detreduce.training.streams.draw import systematic_counts
from detreduce.training.streams.resolve import image_weights
from detreduce.training.streams.stream import Stream
from detreduce.training.streams.table import image_names, weights_csv
from detreduce.training.streams.weights import effective_sample_size
from detreduce.vocabulary.option_values import WeightsForm

if TYPE_CHECKING:
    import pandas as pd

FORMS: tuple[WeightsForm, ...] = ("csv", "list")
LONGEST = 10
"""A list has at most this many lines per image on average, unless the caller asks for a longer list."""


def stream_weights(
    data: str | Path | DetectionDataset,
    stream: Stream | str | dict[str, Any] = "class_uniform",
    *,
    split: str | None = None,
    images: str | Path | None = None,
    cache: str | Path | None = None,
) -> StreamWeights:
    """Compute the weight of each image in a stream.

    The weight is the probability that a draw takes this image. All weights add up to 1.

    Parameters
    ----------
    data, split, images
        The dataset, as for `load_dataset`.
    stream
        ``class_uniform``: each class occurs in about the same number of drawn images. ``cluster_balanced``: each
        cluster of near-duplicates is drawn equally often. You can also pass a dict with options, such as
        ``{"by": "class_uniform", "power": 0.5}`` or ``{"by": "weights", "file": "weights.csv"}``.
    cache
        Cache folder of the search for near-duplicates, as for `near_duplicates`.

    Raises
    ------
    InputError
        The stream is unknown, needs labels that the dataset does not have, or has no weights. For example,
        ``core_first`` is a fixed order of the images.
    """
    dataset = data if isinstance(data, DetectionDataset) else load_dataset(data, split=split, images=images)
    options = Stream.of(stream)
    if not len(dataset):
        raise InputError(f"{dataset.source.path} has no images to weigh.")
    return StreamWeights(dataset, options, image_weights(dataset, options, cache))


def check_weights_output(dataset: DetectionDataset, output: str | Path, form: str, *, overwrite: bool = False) -> None:
    """Raise the same errors as `StreamWeights.write`, but before the slow computation of the weights."""
    if form not in FORMS:
        raise InputError(f"form={form!r} is not one of {', '.join(FORMS)}.{nearest(str(form), FORMS)}")
    if form == "csv":
        check_file(absolute(Path(output).expanduser()), dataset, overwrite=overwrite)
    else:
        check_repeated_list(dataset, output, overwrite=overwrite)


@dataclass(frozen=True)
class StreamWeights:
    """The weight of each image of a dataset in a stream.

    Attributes
    ----------
    dataset
        The images.
    stream
        The options of the stream.
    weights
        (n,) float64: the probability that a draw takes each image. The weights add up to 1.
    """

    dataset: DetectionDataset
    stream: Stream
    weights: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.dataset)

    def __repr__(self) -> str:
        return (
            f"StreamWeights({self.stream.by}, {counted(len(self), 'image')}, effective size {self.effective_size:.1f})"
        )

    @property
    def effective_size(self) -> float:
        """Kish's effective sample size: 1 if only one image is ever drawn, n if all images are drawn equally often."""
        return effective_sample_size(self.weights)

    @property
    def times(self) -> npt.NDArray[np.float64]:
        """(n,) float64: how often each image is expected to be drawn in n draws.

        All values are 1 in a uniform stream.
        """
        return self.weights * len(self)

    def to_frame(self) -> pd.DataFrame:
        """Return a data frame with one row per image and the columns ``image``, ``weight`` and ``times`` (see
        `times`).
        """
        import pandas as pd

        return pd.DataFrame({"image": image_names(self.dataset), "weight": self.weights, "times": self.times})

    def lines(self, count: int | None = None, seed: int = 0) -> npt.NDArray[np.int64]:
        """Return how often each image occurs in a list of `count` lines, as an (n,) int64 array.

        The expected number of lines of an image is its weight times `count`. It is rounded up or down at random, by
        systematic resampling with the seed `seed`.

        If `count` is None, the list is so long that the expected number is at least 1 for every image with a weight
        above 0. However, the list has at most 10 lines per image on average.
        """
        if count is None:
            least = float(self.times[self.times > 0].min())
            count = int(np.ceil(len(self) * min(LONGEST, max(1.0, 1 / least)) - 1e-6))
        if count < 1:
            raise InputError(f"lines={count} is not a number of lines. Use a whole number of at least 1.")
        return systematic_counts(self.weights * count, np.random.default_rng(seed))

    def write(
        self,
        output: str | Path,
        form: WeightsForm = "csv",
        *,
        lines: npt.NDArray[np.int64] | None = None,
        overwrite: bool = False,
    ) -> Path:
        """Write the weights to a file or folder.

        Parameters
        ----------
        output
            The file (``csv``) or the folder (``list``) to write.
        form
            ``csv``: a table with the columns `image` and `weight`. A stream of the kind ``weights`` can read this file.
            ``list``: a text file with one image per line, and a data.yaml, for ultralytics' own ``yolo detect train``.
            If an image has a large weight, its line is repeated.
        lines
            (n,) number of lines of each image in the list. By default, the result of the method `lines`.
        overwrite
            Whether to replace an existing file, or a folder that detreduce wrote and that has not been changed since.

        Returns
        -------
        pathlib.Path
            The path of the CSV file or of the data.yaml.

        Raises
        ------
        InputError
            The form is unknown, the output may not be replaced, or the form is ``list`` but the dataset is not in YOLO
            format.
        """
        check_weights_output(self.dataset, output, form, overwrite=overwrite)
        if form == "csv":
            return write_file(absolute(Path(output).expanduser()), [weights_csv(self.dataset, self.weights)])
        counts = self.lines() if lines is None else lines
        return write_repeated_list(self.dataset, self._repeated(counts), output, overwrite=overwrite)

    def _repeated(self, counts: npt.NDArray[np.int64]) -> Sequence[int | str]:
        """Return the image ids in the order of the dataset, each repeated by its number in `counts`."""
        return [
            image_id
            for image_id, count in zip(self.dataset.image_ids, counts.tolist(), strict=True)
            for _ in range(count)
        ]
