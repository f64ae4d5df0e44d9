"""Selection: the chosen images in order, with the score and the parameters that gave them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from detreduce.dataset.records import DetectionDataset, ImageId
from detreduce.errors import InputError
from detreduce.features.table import FeatureTable
from detreduce.machine.files import write_atomically
from detreduce.reducers.engine.budget import resolve_keep
from detreduce.selection.data import SelectionData
from detreduce.selection.dataset import check_dataset
from detreduce.selection.file import read_selection, selection_to_json

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, repr=False)
class Selection(SelectionData):
    """Chosen images and how they were chosen; a small JSON file on disk.

    Attributes
    ----------
    image_ids
        Ids of the chosen images, in the order in which they were chosen.
    indices
        (k,) int64: their rows in the dataset, in the same order.
    scores
        (n,) float64 in dataset order, comparable within a category, higher = chosen earlier; NaN = never looked at.
    method, parameters, keep, seed
        What chose them.
    categories
        The rule, and for each category its images in the full set and kept.
    provenance
        Dataset (path, split, content hash), features (backbone, weights hash, preprocessing), duplicates, versions,
        seconds; for methods that learn from a proxy training its seconds and energy, as ``proxy_training``.
    representativeness
        How well the chosen images represent the full set, as `Representativeness.to_dict` gives it; empty where not
        measured.
    category_codes
        (n,) int64 in dataset order: each image's category, a place in ``categories["full"]``; -1 for an image that
        could not be read. None in files of version 0.1.
    steps
        What was done, in order: ``drop_duplicates``, ``must_keep``, ``initial``, ``class_floor`` where asked for, then
        ``method``; each with what it dropped or took.
    """

    def __len__(self) -> int:
        return len(self.image_ids)

    def __repr__(self) -> str:
        return f"Selection({self.method}, {len(self.image_ids)} of {len(self.scores)} images, seed {self.seed})"

    def prefix(self, keep: float | int) -> Selection:
        """Return the selection at a smaller `keep`, for a nested method: its smaller selections are prefixes.

        The images are those that the method chooses at `keep`. The scores stay: a greedy method scores the images that
        it did not choose by all that it chose. Raises InputError where the method is not nested, and for a `keep` that
        is larger than this selection or smaller than the images kept first.
        """
        from detreduce.reducers import reducer_class

        if not reducer_class(self.method).nested:
            raise InputError(f"{self.method!r} is not nested: its first images are no selection. Choose again.")
        if self.category_codes is None:
            raise InputError("This selection does not name the images that it was chosen from. Choose again.")
        lost = len(self.provenance.get("skipped_images", ()))
        k = resolve_keep(keep, int((self.category_codes >= 0).sum()) + lost)
        least = int(self.provenance.get("kept_first", 0))
        if not least <= k <= len(self):
            raise InputError(f"keep={keep!r} is {k} images; this selection has prefixes of {least} to {len(self)}.")
        indices, image_ids = self.indices[:k], self.image_ids[:k]
        kept = np.bincount(self.category_codes[indices], minlength=len(self.categories["full"])).tolist()
        duplicates = {**self.duplicates, "kept_twice": count_kept_twice(self.duplicates["pairs"], image_ids)}
        *before, last = self.steps
        return replace(
            self,
            image_ids=image_ids,
            indices=indices,
            keep=keep,
            categories={**self.categories, "kept": dict(zip(self.categories["full"], kept, strict=True))},
            representativeness={},
            steps=(*before, {**last, "images": k - least}),
            provenance={**self.provenance, "duplicates": duplicates},
        )

    def to_json(self) -> str:
        """Return the selection as JSON text; infinite scores are the strings ``inf`` and ``-inf``, NaN is null."""
        return selection_to_json(self)

    def save(self, path: str | Path) -> Path:
        """Write the selection to a JSON file, whole or not at all; raises DetreduceError where that is refused."""
        target = Path(path)
        content = self.to_json().encode()
        write_atomically(target, lambda file: file.write(content))
        return target

    @classmethod
    def load(cls, path: str | Path) -> Selection:
        """Read a selection that `save` wrote; raises InputError where the file is something else."""
        return read_selection(Path(path), cls)

    def _repr_html_(self) -> str:
        from detreduce.selection.views import selection_html

        return selection_html(self)

    def plot(self, features: FeatureTable | None = None) -> Figure:
        """Draw what was kept, as a matplotlib figure.

        With `features` of the same dataset: a map of all images in their two principal components, kept and dropped.
        Without: bars of each category's images, all and kept. Raises InputError for features of another dataset, or
        without columns.
        """
        if features is None:
            from detreduce.selection.views import categories_figure

            return categories_figure(self.categories)
        from detreduce.features.views import features_figure

        check_dataset(features.dataset, self.provenance, len(self.scores))
        kept = np.zeros(len(self.scores), bool)
        kept[self.indices] = True
        return features_figure(features.X, kept[features.rows])

    def to_frame(self, dataset: DetectionDataset | None = None) -> pd.DataFrame:
        """Return one row for each image of the dataset, dropped ones too, in the dataset's order.

        ``image_id``, ``name``, ``kept``, ``rank`` (place in the order chosen, from 1), ``score`` and ``category``; what
        an image does not have is missing. A selection names only what it kept: without `dataset` ``image_id`` of
        dropped images is missing, and there is no ``name``. Raises InputError for another dataset than it was made on.
        """
        from detreduce.selection.views import selection_frame

        images = None
        if dataset is not None:
            check_dataset(dataset, self.provenance, len(self.scores))
            images = [(record.id, record.name) for record in dataset]
        return selection_frame(self, images)


def count_kept_twice(pairs: Iterable[Mapping[str, Any]], kept: Iterable[ImageId]) -> int:
    """Return how many kept images show the same as another kept image."""
    chosen = set(kept)
    groups: dict[ImageId, set[ImageId]] = {}
    for pair in pairs:
        groups.setdefault(pair["kept"], {pair["kept"]}).add(pair["copy"])
    return sum(max(0, len(group & chosen) - 1) for group in groups.values())
