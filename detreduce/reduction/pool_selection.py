"""The part of a selection, and of a table of features, that belongs to a pool."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from detreduce.dataset.records import DetectionDataset
from detreduce.duplicates.result import Duplicates
from detreduce.features.table import FeatureTable
from detreduce.reduction.offered import Offered
from detreduce.selection.record import Selection, count_kept_twice
from detreduce.selection.saved.dataset import describe_dataset


def selection_of_pool(chosen: Selection, pool: DetectionDataset, offered: Offered, found: Duplicates) -> Selection:
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


def table_of_pool(table: FeatureTable | None, pool: DetectionDataset) -> FeatureTable | None:
    """Return the part of a feature table that describes images of the pool."""
    if table is None:
        return None
    mine = table.take(np.flatnonzero(table.rows < len(pool)))
    paths = {record.path for record in pool}
    return replace(mine, dataset=pool, problems=tuple(one for one in table.problems if one.file in paths))
