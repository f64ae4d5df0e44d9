"""The settings of a training that `plan` compares: the batch, the image size and the frozen layers.

In the surface, the number of images seen is multiplied by a factor that depends on the setting:

    factor = (step / step0)^-beta exp(gamma_step + gamma_imgsz + gamma_freeze)

- step is the number of images per optimiser step. step0 is its value in the reference setting, the setting of the
  trainings without a recipe. beta is one number for all values of step.
- gamma_imgsz depends on the image size, and gamma_freeze on the number of frozen layers. Both are 0 in the reference
  setting. Each other value has its own gamma.
- gamma_step is a small correction for each value of step, because a batch can be too small as well as too large. It is
  used only if at least two values other than step0 occur.

The priors of beta and of each gamma are centred on 0, which means no effect.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.training.recipes.settings import BATCH, IMGSZ

FloatArray = npt.NDArray[np.float64]

NBS = 64
"""The default of ultralytics' argument nbs, the number of images per optimiser step."""
BATCH_WIDTH, STEP_WIDTH, OTHER_WIDTH = 0.6, 0.3, 0.7
"""Prior standard deviations of beta, of gamma_step and of each other gamma (see the docstring of this module). With
beta = 1, only the number of steps matters.
"""


@dataclass(frozen=True, slots=True, order=True)
class Setting:
    """The settings of a training.

    Attributes
    ----------
    batch, nbs
        Number of images in a batch, and ultralytics' nominal batch size.
    imgsz
        Image size in pixels.
    freeze
        Number of frozen layers.
    """

    batch: int
    nbs: int
    imgsz: int
    freeze: int

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> Setting | None:
        """Return the setting in a dict of ultralytics arguments, or None if a value is not a single non-negative
        number.
        """
        found = {"batch": BATCH, "nbs": NBS, "imgsz": IMGSZ, "freeze": 0}
        found |= {name: arguments[name] for name in found if arguments.get(name) is not None}
        whole = all(isinstance(value, int) and not isinstance(value, bool) for value in found.values())
        if not whole or found["batch"] < 1 or found["imgsz"] < 1 or found["freeze"] < 0:
            return None
        return cls(**found)

    @property
    def step(self) -> int:
        """Number of images per optimiser step.

        If a batch is smaller than `nbs`, ultralytics adds up the gradients of several batches, to about `nbs` images.
        """
        return self.batch * max(round(self.nbs / self.batch), 1)

    def changed(self, changes: Iterable[tuple[str, int]]) -> Setting:
        """Return this setting with the changes of a recipe. A batch without nbs means one optimiser step per batch."""
        given = dict(changes)
        if "batch" in given:
            given.setdefault("nbs", given["batch"])
        return replace(self, **given)

    def changes(self, reference: Setting) -> dict[str, int]:
        """Return the keys and values of a recipe that change `reference` into this setting."""
        found = {}
        if (self.batch, self.nbs) != (reference.batch, reference.nbs):
            # a recipe that sets the batch makes one optimiser step per batch, unless it also sets nbs
            found = {"batch": self.batch, "nbs": self.nbs} if self.nbs > self.batch else {"batch": self.batch}
        names = [name for name in ("imgsz", "freeze") if getattr(self, name) != getattr(reference, name)]
        return found | {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Factors:
    """The values of settings that have parameters in a surface. Settings that do not vary have no parameters.

    Attributes
    ----------
    reference
        The setting whose factor is 1. None if no cell has a setting.
    steps
        The numbers of images per optimiser step that differ from `reference`. All of them share one parameter. If there
        are several numbers, each of them also has a small parameter of its own.
    sizes, freezes
        The image sizes and the numbers of frozen layers that differ from `reference`.
    """

    reference: Setting | None = None
    steps: tuple[int, ...] = ()
    sizes: tuple[int, ...] = ()
    freezes: tuple[int, ...] = ()

    @classmethod
    def of(cls, settings: Iterable[Setting | None], reference: Setting | None) -> Factors:
        """Return the factors for the values that vary among `settings`. None counts as the reference."""
        known = {setting for setting in settings if setting is not None}
        if reference is None:
            return cls()
        return cls(
            reference,
            tuple(sorted({setting.step for setting in known} - {reference.step})),
            tuple(sorted({setting.imgsz for setting in known} - {reference.imgsz})),
            tuple(sorted({setting.freeze for setting in known} - {reference.freeze})),
        )

    @property
    def widths(self) -> list[float]:
        """The prior standard deviation of each parameter."""
        batch = [BATCH_WIDTH] * bool(self.steps) + [STEP_WIDTH] * len(self._own_steps)
        return batch + [OTHER_WIDTH] * (len(self.sizes) + len(self.freezes))

    @property
    def _own_steps(self) -> tuple[int, ...]:
        """The numbers of images per optimiser step that have a parameter of their own."""
        return self.steps if len(self.steps) > 1 else ()

    def row(self, setting: Setting | None) -> FloatArray:
        """Return a (P,) array. Its dot product with the P parameters is the logarithm of the factor of `setting`."""
        if self.reference is None or setting is None:
            return np.zeros(len(self.widths))
        batch = [-np.log(setting.step / self.reference.step)] * bool(self.steps)
        sizes = [float(setting.imgsz == size) for size in self.sizes]
        freezes = [float(setting.freeze == freeze) for freeze in self.freezes]
        own = [float(setting.step == step) for step in self._own_steps]
        return np.array([*batch, *own, *sizes, *freezes], float)
