"""The answer that `plan` gives: recipes with their expected mAP and cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from detreduce.experiment.advice.costs import MINUTES, TFLOPS, WH
from detreduce.machine.json_values import json_value


@dataclass(frozen=True, slots=True)
class PlannedRecipe:
    """One way to train, and the result that it is expected to have.

    Attributes
    ----------
    method
        The label of the method. The label ``full`` means a training on all images.
    keep, images, epochs
        The fraction of images to keep, the number of images to keep, and the number of epochs.
    expected
        The expected mAP of one training.
    low, high
        Ends of the interval that contains the mAP of one training with probability 0.9.
    chance
        The probability that the mean mAP of this recipe reaches the target. NaN if there is no target.
    wh, choosing_wh
        The expected energy of one training, and of choosing the images once, in Wh. None if it is not known.
    tflops
        The number of operations of one training, in units of 10^12. None if it is not known.
    minutes, choosing_minutes
        The expected time of one training, and of choosing the images once, in minutes. None if it is not known.
    settings
        The settings that differ from a training without a recipe, as pairs such as ``("imgsz", 320)``. The keys are
        batch, nbs, imgsz and freeze.
    seen
        Number of images that go through the network. None if each image is used once per epoch.
    measured
        The mean mAP of the finished trainings with this recipe. None if no such training is finished.
    """

    method: str
    keep: float
    images: int
    epochs: int
    expected: float
    low: float
    high: float
    chance: float
    wh: float | None
    choosing_wh: float | None
    tflops: float | None = None
    minutes: float | None = None
    choosing_minutes: float | None = None
    settings: tuple[tuple[str, int], ...] = ()
    seen: int | None = None
    measured: float | None = None

    @property
    def images_seen(self) -> int:
        """Number of images that go through the network in one training."""
        return self.images * self.epochs if self.seen is None else self.seen

    @property
    def total_wh(self) -> float | None:
        """Energy of choosing the images and of one training together, in Wh. None if either is not known."""
        return self.total(WH)

    def total(self, cost: str) -> float | None:
        """Return the cost of choosing and one training, or None if it is not known. `cost` is ``Wh``, ``TFLOPs`` or
        ``minutes``.

        Operations are counted only for the training, not for choosing.
        """
        training, choosing = self._parts(cost)
        return None if training is None or choosing is None else training + choosing

    def least(self, cost: str) -> float | None:
        """Return a lower bound of the cost: `total` if it is known, or else the cost of the training alone."""
        training, choosing = self._parts(cost)
        return None if training is None else training + (choosing or 0.0)

    def _parts(self, cost: str) -> tuple[float | None, float | None]:
        """Return the cost of one training, and the cost of choosing the images. A cost is None if it is not known."""
        parts = {
            WH: (self.wh, self.choosing_wh),
            TFLOPS: (self.tflops, 0.0),
            MINUTES: (self.minutes, self.choosing_minutes),
        }
        return parts[cost]

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as a dict that can be written as JSON. Values that are not known are None."""
        content = {**asdict(self), "total_wh": self.total_wh, "images_seen": self.images_seen}
        return {name: json_value(value) for name, value in content.items() if name not in ("settings", "seen")} | {
            "settings": dict(self.settings)
        }


@dataclass(frozen=True, slots=True)
class Effect:
    """The effect of changing one setting, expressed as a factor on the number of images seen.

    Attributes
    ----------
    key, value, reference
        The key of a recipe, its value, and the value that trainings without a recipe use.
    times
        The median factor. If it is 2, one image seen with this setting has the effect of two images with `reference`.
    low, high
        Ends of the interval that contains the factor with probability 0.9.
    """

    key: str
    value: int
    reference: int
    times: float
    low: float
    high: float


@dataclass(frozen=True)
class Recommendation:
    """The result of `recommend`.

    Attributes
    ----------
    full
        The training on all images, for the number of epochs that is most common in the ledger. None if no such training
        is finished. Then recipes are compared with `best_seen`.
    best
        The best recipe. None if no recipe reaches the target or fits the budget.
    others
        The next best recipes: at most one for each other method and each other setting.
    surer
        The most useful training to run next: it would make the mAP of `best` more certain than any other training
        would. None if there is no uncertainty.
    surer_by
        The fraction of the variance of the mAP of `best` that `surer` would remove.
    measure
        The fitted measure: ``mAP50`` or ``mAP50_95``.
    configurations
        Number of configurations that the surface is fitted to. Cells of one configuration differ only in their seeds.
    misfit
        Standard deviation of the mean mAP of a configuration around the surface.
    run_spread
        Standard deviation of the mAP of one training around the mean of its configuration.
    cost
        The cost by which recipes are sorted or limited: ``Wh``, ``TFLOPs`` or ``minutes``.
    least, most
        Cost of the cheapest and of the most expensive recipe that was compared, in units of `cost`.
    energy_note
        Why the energies are not exact or not complete. Empty if they are exact and complete.
    overlapped
        Whether all energies come from trainings that overlapped another training on their machine.
    effects
        The effect of each setting that varies among the finished cells.
    epochs
        The most common number of epochs. A training on fewer images runs for the same number of shorter epochs.
    best_seen
        If there is no `full`: the finished training with the highest expected mAP. A target is a fraction of this mAP.
    next_full
        If there is no `full`: the expected result and cost of this training. None if it would not help.
    full_by
        The fraction of the variance of `best` that `next_full` would remove.
    """

    full: PlannedRecipe | None
    best: PlannedRecipe | None
    others: tuple[PlannedRecipe, ...]
    surer: PlannedRecipe | None
    surer_by: float
    measure: str
    configurations: int
    misfit: float
    run_spread: float
    cost: str
    least: float
    most: float
    energy_note: str = ""
    effects: tuple[Effect, ...] = ()
    epochs: int = 0
    best_seen: PlannedRecipe | None = None
    next_full: PlannedRecipe | None = None
    full_by: float = 0.0
    overlapped: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the advice as a dict that can be written as JSON."""
        limits: Mapping[str, float] = {"least_wh": self.least, "most_wh": self.most} if self.cost == WH else {}
        return {
            "measure": self.measure,
            "configurations": self.configurations,
            "misfit": self.misfit,
            "run_spread": self.run_spread,
            "full": _optional(self.full),
            "best": _optional(self.best),
            "others": [recipe.to_dict() for recipe in self.others],
            "surer": _optional(self.surer),
            "surer_by": self.surer_by,
            "best_seen": _optional(self.best_seen),
            "next_full": _optional(self.next_full),
            "full_by": self.full_by,
            "cost": self.cost,
            "least": self.least,
            "most": self.most,
            "energy_note": self.energy_note,
            "overlapped": self.overlapped,
            **limits,
            "effects": [asdict(effect) for effect in self.effects],
        }


def _optional(recipe: PlannedRecipe | None) -> dict[str, Any] | None:
    return None if recipe is None else recipe.to_dict()
