"""Resolve ``optimizer=auto`` before a training starts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from detreduce.training.run.offline import offline_session
from detreduce.ultralytics_bridge.pretrained import quiet_ultralytics


def resolve_optimiser(arguments: Mapping[str, Any], *, images: int, classes: int) -> dict[str, Any]:
    """Return the optimiser arguments that ultralytics chooses for ``optimizer=auto``.

    The result has ``optimizer``, ``lr0``, ``warmup_bias_lr`` and, for Adam, ``momentum`` (the first beta). Ultralytics'
    own code chooses these values. If the argument ``optimizer`` is not ``auto``, the result is empty. `images` and
    `classes` are the number of images and classes of the full set.

    Ultralytics chooses the optimiser by the number of iterations, so a subset could get another optimiser than the full
    set. To avoid this, all trainings of an experiment use the optimiser for the full set.
    """
    import torch

    quiet_ultralytics()
    from ultralytics.cfg import get_cfg
    from ultralytics.engine.trainer import BaseTrainer

    settings = get_cfg(overrides={**arguments, "mode": "train"})
    if str(settings.optimizer).lower() != "auto":
        return {}
    network = torch.nn.Module()
    network.model = torch.nn.Sequential(torch.nn.Linear(1, 1))
    trainer = SimpleNamespace(args=settings, data={"nc": 1 if settings.single_cls else classes})
    # if the batch size is automatic, use ultralytics' default of 16
    batch = settings.batch if settings.batch >= 1 else 16
    iterations = math.ceil(images / max(batch, settings.nbs)) * settings.epochs
    with offline_session():
        made = BaseTrainer.build_optimizer(
            trainer,  # type: ignore[arg-type]
            network,
            name="auto",
            lr=settings.lr0,
            momentum=settings.momentum,
            decay=settings.weight_decay,
            iterations=iterations,
        )
    found = {
        "optimizer": settings.optimizer,
        "lr0": settings.lr0,
        "warmup_bias_lr": settings.warmup_bias_lr,
    }
    betas = made.param_groups[0].get("betas")
    return found if betas is None else {**found, "momentum": betas[0]}
