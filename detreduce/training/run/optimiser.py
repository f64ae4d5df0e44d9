"""Resolve ``optimizer=auto`` before a training starts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from detreduce.training.run.offline import offline_session
from detreduce.ultralytics_bridge.pretrained import quiet_ultralytics


def resolve_optimiser(arguments: Mapping[str, Any], *, images: int, classes: int) -> dict[str, Any]:
    """Return the arguments that replace ``optimizer=auto``, for this number of images and classes.

    The arguments are ``optimizer``, ``lr0``, ``warmup_bias_lr`` and, for Adam, ``momentum`` (the first beta). Their
    values are chosen by ultralytics' own code. If the optimizer is not ``auto``, the result is empty.

    With ``auto``, ultralytics chooses the optimizer by the number of iterations, so subsets could get different
    optimizers. To avoid this, all trainings of an experiment use the optimizer for the full set.
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
