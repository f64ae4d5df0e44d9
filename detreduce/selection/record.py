"""The class Selection: the chosen images in order, with their scores and the parameters of the choice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from detreduce.dataset.records import DetectionDataset, ImageId
from detreduce.display.numbers import counted
from detreduce.errors import InputError
from detreduce.features.table import FeatureTable
from detreduce.machine.files import write_atomically
from detreduce.reducers.engine.budget import resolve_keep
from detreduce.selection.saved.data import SelectionData
from detreduce.selection.saved.dataset import check_selection
from detreduce.selection.saved.file import read_selection, selection_to_json

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, repr=False)
class Selection(SelectionData):
    """The chosen images, and how they were chosen. On disk, a selection is a small JSON file.

    Attributes
    ----------
    image_ids
        Ids of the chosen images, in the order in which they were chosen.
    indices
        (k,) int64: rows of the chosen images in the dataset, in the same order.
    scores
        (n,) float64: the score of each image of the dataset. Within a category, images with higher scores were chosen
        earlier. NaN means that the method did not score the image.
    method, parameters, keep, seed
        The arguments of the choice; see `select`.
    categories
        The category rule, and the number of images of each category in the full set (``full``) and in the subset
        (``kept``).
    provenance
        How the selection was made: the dataset (path, split, content hash), the features (backbone, hash of the
        weights, preprocessing), the duplicates and the versions. ``seconds`` is the duration of the choice. For methods
        that use a proxy training, ``proxy_training`` has its duration and energy. ``method_facts`` is what the method
        reports about its fit, for example ``facts_`` of `extrapolate`.
    representativeness
        How well the chosen images represent the full set, in the format of `Representativeness.to_dict`. Empty if it
        was not measured.
    category_codes
        (n,) int64: the category of each image of the dataset, as a position in ``categories["full"]``, or -1 if the
        image could not be read. None for files of version 0.1.
    steps
        The steps of the choice, in order: ``exclude``, ``drop_duplicates``, ``must_keep``, ``initial`` and
        ``class_floor`` if they were used, then ``method``. Each step records its images, or how many images it kept or
        dropped.
    """

    def __len__(self) -> int:
        return len(self.image_ids)

    def __repr__(self) -> str:
        return (
            f"Selection({self.method}, {len(self.image_ids)} of {counted(len(self.scores), 'image')}, seed {self.seed})"
        )

    def prefix(self, keep: float | int) -> Selection:
        """Return the selection that the method would make at a smaller `keep`, without running the method again.

        This is possible if the method is nested: its smaller selections are prefixes of its larger ones. The scores are
        not changed, although a greedy method might give other scores to dropped images if `select` ran again.

        Raises InputError if the method is not nested, or if `keep` is larger than this selection. `keep` must also not
        be smaller than the number of images that were kept before the method chose.
        """
        from detreduce.reducers import reducer_class

        if not reducer_class(self.method).nested:
            raise InputError(
                f"The method {self.method!r} is not nested: its smaller selections are not prefixes. "
                "Call select with the smaller keep."
            )
        if self.partitions:
            raise InputError(
                "The method chose in parts (partitions), and then its smaller selections are not prefixes. "
                "Call select with the smaller keep."
            )
        if self.category_codes is None:
            raise InputError(
                "This selection does not have category_codes (files of version 0.1 lack them). Call select with the "
                "smaller keep."
            )
        lost = len(self.provenance.get("skipped_images", ()))
        lost += sum(int(step.get("without_features", 0)) for step in self.steps)
        k = resolve_keep(keep, int((self.category_codes >= 0).sum()) + lost)
        least = int(self.provenance.get("kept_first", 0))
        if not least <= k <= len(self):
            raise InputError(
                f"keep={keep!r} is {counted(k, 'image')}. Prefixes of this selection have {least} to "
                f"{counted(len(self), 'image')}."
            )
        indices, image_ids = self.indices[:k], self.image_ids[:k]
        kept = np.bincount(self.category_codes[indices], minlength=len(self.categories["full"])).tolist()
        duplicates = {**self.duplicates, "kept_twice": count_kept_twice(self.duplicates.get("pairs", ()), image_ids)}
        steps = tuple({**step, "images": k - least} if step is self.steps[-1] else step for step in self.steps)
        return replace(
            self,
            image_ids=image_ids,
            indices=indices,
            keep=keep,
            categories={**self.categories, "kept": dict(zip(self.categories["full"], kept, strict=True))},
            representativeness={},
            steps=steps,
            provenance={**self.provenance, "duplicates": duplicates},
        )

    def to_json(self) -> str:
        """Return the selection as JSON text. Infinite scores become the strings inf and -inf, and NaN becomes null."""
        return selection_to_json(self)

    def save(self, path: str | Path) -> Path:
        """Write the selection to a JSON file, completely or not at all, and return the path of the file.

        Raises DetreduceError if the file cannot be written.
        """
        target = Path(path)
        content = self.to_json().encode()
        write_atomically(target, lambda file: file.write(content))
        return target

    @classmethod
    def load(cls, path: str | Path) -> Selection:
        """Read a selection from a file that `save` wrote. Raises InputError if the file is not a selection."""
        return read_selection(Path(path), cls)

    def _repr_html_(self) -> str:
        from detreduce.selection.views import selection_html

        return selection_html(self)

    def plot(self, features: FeatureTable | None = None) -> Figure:
        """Draw the selection, and return the matplotlib figure.

        With `features`, the figure has one point for each image, at the first two principal components of its features.
        Kept and dropped images have different marks. Without `features`, a bar chart shows how many images of each
        category are in the full set and in the subset. Raises InputError if `features` belong to another dataset or
        have no columns.
        """
        if features is None:
            from detreduce.selection.views import categories_figure

            return categories_figure(self.categories)
        from detreduce.features.views import features_figure

        check_selection(features.dataset, self)
        kept = np.zeros(len(self.scores), bool)
        kept[self.indices] = True
        return features_figure(features.X, kept[features.rows])

    def to_frame(self, dataset: DetectionDataset | None = None) -> pd.DataFrame:
        """Return a pandas frame with one row for each image of the dataset, kept or dropped, in the order of the
        dataset.

        The columns are ``image_id``, ``name``, ``kept``, ``rank`` (position in the order of choice, counted from 1),
        ``score`` and ``category``. Values that an image does not have are missing. If `dataset` is None, there is no
        column ``name``, and dropped images have no ``image_id``, because a selection stores only the ids of kept
        images. Raises InputError if the selection was not made from `dataset`.
        """
        from detreduce.selection.views import selection_frame

        images = None
        if dataset is not None:
            check_selection(dataset, self)
            images = [(record.id, record.name) for record in dataset]
        return selection_frame(self, images)


def count_kept_twice(pairs: Iterable[Mapping[str, Any]], kept: Iterable[ImageId]) -> int:
    """Return the number of kept images that are duplicates of another kept image. `pairs` are pairs of duplicates."""
    chosen = set(kept)
    groups: dict[ImageId, set[ImageId]] = {}
    for pair in pairs:
        groups.setdefault(pair["kept"], {pair["kept"]}).add(pair["copy"])
    return sum(max(0, len(group & chosen) - 1) for group in groups.values())
