"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from detreduce.cli import completion

Data = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        autocompletion=completion.datasets,
        help="data.yaml, COCO JSON, VOC folder, CVAT or Label Studio export, images, or a name: coco8.yaml.",
    ),
]
Images = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER", help="For COCO, CVAT and Label Studio: the folder of images, if it is in another place."
    ),
]
Split = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        autocompletion=completion.splits,
        help="train, val or test; default: train, or the split of a COCO JSON.",
    ),
]
Cache = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Folder that caches features and the data of duplicate searches.")
]

Model = Annotated[
    str, typer.Option(metavar="FILE", help="Detector to train: weights (.pt) or an architecture (.yaml).")
]
TrainingSeed = Annotated[int, typer.Option("--seed", metavar="NUMBER", help="Training seed.")]
Country = Annotated[
    str, typer.Option(metavar="CODE", help="Country whose electricity mix converts energy to CO2 (ISO 3166 alpha-3).")
]
UltralyticsArguments = Annotated[
    list[str] | None,
    typer.Argument(metavar="NAME=VALUE", help="Any ultralytics argument by its name: epochs=50 imgsz=640."),
]

LedgerFolder = Annotated[
    Path,
    typer.Argument(
        metavar="LEDGER", autocompletion=completion.ledgers, help="The folder of an experiment, for instance runs/demo."
    ),
]

Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
All = Annotated[bool, typer.Option("--all", help="List everything, not only the first 20.")]
Alike = Literal["pixels", "boxes", "features", "exact"]
Backbone = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Network for features: efficientnet-lite0, yolo:weights.pt, torchvision:name or file:vectors.npy.",
    ),
]

SHOWN = 20
