"""The training that recipes are compared with.

This is the training ``full`` on all images. If ``full`` is not finished, it is the best finished training.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from detreduce.errors import InputError
from detreduce.experiment.advice.settings import Setting
from detreduce.experiment.advice.surface import MISFIT
from detreduce.vocabulary.controls import FULL, ON_ALL_IMAGES, RECIPE, is_recipe
from detreduce.vocabulary.measures import ACCURACIES

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Reference:
    """What the finished cells show about the training that recipes are compared with.

    Attributes
    ----------
    total
        Number of images in the full set.
    epochs
        The most common number of epochs among the trainings ``full``. If there are none, all trainings without a recipe
        are counted.
    setting
        The setting of the counted trainings. None if all cells have the same setting.
    has_full
        Whether a training ``full`` is finished: on all images, for all epochs.
    least_images
        The smallest number of images that a training was run on.
    least_seen, most_seen
        The smallest and the largest number of images that a training saw.
    """

    total: int
    epochs: int
    setting: Setting | None
    has_full: bool
    least_images: int
    least_seen: int
    most_seen: int

    @classmethod
    def of(cls, rows: Sequence[Row], measure: str) -> Reference:
        """Return the reference for these tidy rows.

        Raise InputError if no row has the measure, if the mAP is (nearly) 0, or if the size of the full set is not
        known.
        """
        known = [row for row in rows if row.get(measure) is not None]
        if not known:
            raise InputError(f"No finished training has a known {ACCURACIES[measure]}: evaluate on val or test.")
        full = [row for row in known if row.get("control") == FULL]
        kind = "on all images" if full else "of the best training"
        if max(float(row[measure]) for row in full or known) < MISFIT:
            raise InputError(
                f"{ACCURACIES[measure]} {kind} is below {MISFIT} in every finished training, too low to plan from: "
                "train for more epochs."
            )
        own = full or [row for row in known if not (is_recipe(row) or row.get("method") == RECIPE)] or known
        seen = [int(row["images_seen"]) for row in known if row.get("images_seen")] or [0]
        return cls(
            _total(full or known),
            _most_common([int(row["epochs"]) for row in own]),
            # if all rows are recipes, the first rows are recipes with the most common setting
            own[0].get("setting"),
            bool(full),
            min(int(row["images"]) for row in rows),
            min(seen),
            max(seen),
        )


def _total(rows: Sequence[Row]) -> int:
    """Return the number of images in the full set."""
    for row in rows:
        if row.get("control") in ON_ALL_IMAGES or row.get("method") == RECIPE:
            return int(row["images"])
    if (of := next((row["of"] for row in rows if row.get("of")), None)) is None:
        raise InputError(
            "No finished cell says how many images there are in all: add `controls: [full]` to the experiment and run "
            "it."
        )
    return int(of)


def _most_common(counts: Sequence[int]) -> int:
    """Return the most common number. If several are equally common, return the largest of them."""
    found = Counter(counts)
    return max(found, key=lambda count: (found[count], count))
