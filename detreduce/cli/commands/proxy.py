"""The command `proxy`: run a short training and write its log. Some methods need this log to choose images."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated

from detreduce.cli.options import Country, Data, Images, Json, Model, TrainingSeed, UltralyticsArguments, output_option
from detreduce.cli.output import print_json
from detreduce.cli.values import training_arguments


def proxy(
    data: Data,
    output: Annotated[
        Path,
        output_option("The log to write, for instance proxy.npz."),
    ],
    arguments: UltralyticsArguments = None,
    model: Model = "yolo11n.pt",
    images: Images = None,
    seed: TrainingSeed = 0,
    country: Country = "ESP",
    as_json: Json = False,
) -> None:
    """Train a small detector briefly and log its scores for every box. Some methods use this log to choose images.

    Example: detreduce proxy data.yaml --model yolov8n.pt --output proxy.npz epochs=5 imgsz=320
    """
    from detreduce.dataset.paths.finding import locate_dataset
    from detreduce.training.proxy import IdleEpochsWarning, check_log_place, log_proxy_training

    check_log_place(output)
    given = training_arguments(arguments, proxy)
    # do not print this warning, because it is also in the log, and `show_proxy` prints it
    with warnings.catch_warnings(action="ignore", category=IdleEpochsWarning):
        log = log_proxy_training(
            locate_dataset(data),
            model=model,
            output=output,
            seed=seed,
            country=country,
            images=images,
            **given,
        )
    if as_json:
        print_json({"log": str(output), "images": len(log.image_ids), "boxes": len(log.box_images), **log.facts})
        return
    from detreduce.cli.show.training import show_proxy

    show_proxy(log, output, given=str(data), images=images)
