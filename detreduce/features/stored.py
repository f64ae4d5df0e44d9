"""Read the features of a selection from the cache. The weights that the selection names are never loaded."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.dataset.object_counts import label_objects
from detreduce.dataset.records import DetectionDataset
from detreduce.errors import InputError
from detreduce.features.extracted import Extracted
from detreduce.features.pixels.objects import PairedBoxes
from detreduce.features.pixels.running import Running
from detreduce.features.request import Extraction
from detreduce.features.table import FeatureTable
from detreduce.images.decode import why_unreadable
from detreduce.images.job import ImageVectors
from detreduce.images.store import DigestMemo, VectorStore
from detreduce.machine.cache_folder import cache_folder
from detreduce.machine.hashes import Digest, file_hash
from detreduce.machine.untrusted.documents import parse_json
from detreduce.machine.untrusted.regular_files import RECORDS, is_regular, read_regular

_BLOCKS = ("image", "objects", "annotations")
# those parts of a store's key that must have the same values in the selection
_DECISIVE = ("weights_sha256", "layers", "preprocessing", "precision")


def stored_features(
    dataset: DetectionDataset,
    made: Mapping[str, Any],
    blocks: Sequence[str],
    cache: str | Path | None = None,
    without: Collection[int] = (),
) -> FeatureTable:
    """Read features that were computed before. No network is run.

    Parameters
    ----------
    dataset
        The dataset from which the selection was made.
    made
        How the features of the selection were computed: its ``provenance["features"]``. This may come from an untrusted
        file, so the weights that it names are neither opened nor hashed, and stores are read only below the cache
        folder.
    blocks
        Names of the blocks to read: ``image``, ``objects`` and ``annotations``.
    cache
        The cache folder. The default is the folder that the selection used, if it still exists, otherwise the user's
        cache folder.
    without
        The rows of images that are near-duplicates. If the cache has no vector of such an image, the table leaves it
        out.

    Raises
    ------
    InputError
        The vector of an image that can be read is not in the cache, or a file of vectors has changed.
    MissingFileError
        A file of vectors does not exist.
    """
    return _Stored(blocks=tuple(blocks), cache=cache, made=made, without=without).run(dataset)


@dataclass(frozen=True)
class _Stored(Extraction):
    """An extraction that only reads stored vectors and never computes any."""

    made: Mapping[str, Any] = field(default_factory=dict)
    without: Collection[int] = ()

    def check(self, dataset: DetectionDataset) -> tuple[str, ...]:
        """Return the names of the blocks. Raise InputError for a block that cannot be stored."""
        names = tuple(self.blocks or ())
        if unknown := [name for name in names if name not in _BLOCKS]:
            raise InputError(f"The selection used the unknown block {unknown[0]!r}.")
        return names

    def _add_vectors(self, extracted: Extracted, dataset: DetectionDataset, running: Running, *, objects: bool) -> None:
        """Add the stored vectors of the blocks `image` and `objects` to `extracted`."""
        facts = self._facts("image" if "image" in (self.blocks or ()) else "objects")
        name = str(facts.get("backbone", ""))
        if name.startswith("file:"):
            self._add_file(name, facts, extracted, dataset)
            return
        used = self._used_folder(facts)
        memo = DigestMemo(used)
        digests: dict[int, Digest] = {}
        for row, record in enumerate(dataset):
            try:
                digests[row] = memo.read(record.path.absolute())
            except OSError as error:
                extracted.failures[row] = error.strerror or str(error)
        if "image" in (self.blocks or ()):
            images = ImageVectors(_open_store(used, facts), np.arange(len(dataset) + 1))
            extracted.blocks["image"] = self._recall(images, digests, dataset, extracted)
            extracted.provenance["image"] = dict(facts)
        if objects:
            facts = self._facts("objects")
            boxes = PairedBoxes.of(dataset)
            pairs = ImageVectors(_open_store(used, facts), boxes.pair_starts, boxes.key)
            vectors = self._recall(pairs, digests, dataset, extracted)
            extracted.objects = replace(label_objects(dataset), vectors=vectors)
            extracted.provenance["objects"] = dict(facts)

    def _recall(
        self, vectors: ImageVectors, digests: dict[int, Digest], dataset: DetectionDataset, extracted: Extracted
    ) -> npt.NDArray[np.float32]:
        """Return all vectors from the cache.

        An image without a vector is left out if it is in `without`. If it cannot be decoded, it is added to the
        failures. Otherwise, raise InputError.
        """
        vectors.recall(digests)
        missing = [row for row in np.flatnonzero(~vectors.complete()).tolist() if row in digests]
        extracted.left_out = {*extracted.left_out, *(row for row in missing if row in self.without)}
        lost = [row for row in missing if row not in extracted.left_out]
        for row in lost:
            reason = why_unreadable(dataset[row].path)
            if not reason:
                raise _not_cached(vectors.store.folder.parents[1], {}, f"{len(lost)} of {len(dataset)}")
            extracted.failures[row] = reason
        return vectors.array()

    def _facts(self, block: str) -> Mapping[str, Any]:
        """Return what the selection recorded about a block, or an empty dict if it recorded nothing."""
        facts = self.made.get(block)
        return facts if isinstance(facts, Mapping) else {}

    def _used_folder(self, facts: Mapping[str, Any]) -> Path:
        """Return the cache folder to read from."""
        if self.cache is None and "store" in facts:
            used = Path(str(facts["store"]))
            if used.is_absolute() and used.parent.name == "features" and used.is_dir():
                return used.parents[1]
        return cache_folder(self.cache)

    def _add_file(self, name: str, facts: Mapping[str, Any], extracted: Extracted, dataset: DetectionDataset) -> None:
        """Add the vectors from the caller's own file to `extracted`. Raise InputError if the file has changed."""
        own = Extraction(name)
        path = own.vectors_file
        assert path is not None
        if is_regular(path) and file_hash(path) != facts.get("vectors_sha256"):
            raise InputError(f"The features changed since the selection (vectors_sha256 of {name}).")
        extracted.blocks["image"], extracted.provenance["image"] = own.read_file(dataset)


def _open_store(folder: Path, facts: Mapping[str, Any]) -> VectorStore:
    """Open the store with the vectors of a block, below a cache folder. Raise InputError if there is no such store."""
    name = Path(str(facts.get("store", ""))).name
    try:
        key = parse_json(read_regular(folder / "features" / name / "key.json", RECORDS))
        store = VectorStore(folder, {part: value for part, value in key.items() if part != "layout"})
    except (OSError, ValueError, AttributeError):
        raise _not_cached(folder, facts, "all") from None
    if store.folder.name != name:
        raise _not_cached(folder, facts, "all")
    changed = [part for part in _DECISIVE if key.get(part) != facts.get(part)]
    if changed:
        raise InputError(f"The features changed since the selection ({', '.join(changed)} of {facts.get('backbone')}).")
    return store


def _not_cached(folder: Path, facts: Mapping[str, Any], number: str) -> InputError:
    backbone = f" of {facts['backbone']}" if "backbone" in facts else ""
    return InputError(
        f"The features{backbone} of {number} images are not in the cache {folder}. They are not computed again, "
        "because detreduce never loads the weights that a selection names. Pass the cache that the selection used "
        "(--cache), or select again."
    )
