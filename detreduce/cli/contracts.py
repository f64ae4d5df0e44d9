"""The contract of each command: what it prints with ``--json``, what it writes, and what it never changes.

The reference of the commands and llms.txt are made from this table and from the help of the commands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

CACHE = "features and small images in the cache folder"
"""What commands that read pixels write."""


@dataclass(frozen=True, slots=True)
class Contract:
    """The contract of one command.

    Attributes
    ----------
    prints
        The main keys of the JSON object, and what each of them contains. The object may have other keys too. Empty if
        the JSON document is a list.
    also
        A sentence about other forms of the JSON document, with the options that lead to them.
    writes
        What the command writes.
    keeps
        What the command never changes.
    """

    prints: Mapping[str, str]
    writes: str
    keeps: str = "the dataset"
    also: str = ""


_REDUCED = {
    "data": "path of the written data.yaml or annotation file",
    "selection": "path of selection.json",
    "method": "name of the method",
    "reason": "why this method was used",
    "representativeness": "how well the kept images represent the full set",
    "problems": "faults of the data",
}
_OUTPUT = "a new folder. With --overwrite, also an output that detreduce wrote and nobody changed"

CONTRACTS: dict[str, Contract] = {
    "inspect": Contract(
        {
            "verdict": "good, look (a person must check it) or wrong",
            "health": "one entry for each check, the worst first",
            "leaks": "images that are in two splits",
            "advice": "what matters for a training",
            "images": "number of images",
            "boxes": "number of boxes",
            "classes": "images and boxes of each class",
            "problems": "faults of the files",
        },
        f"nothing. With --check-images: {CACHE}. With --page: one HTML file",
    ),
    "duplicates": Contract(
        {
            "groups": "groups of near-duplicates",
            "pairs": "pairs of images with their similarity",
            "redundant": "number of images that could be left out",
            "leakage": "images that are in more than one split",
        },
        CACHE,
    ),
    "split": Contract(
        {"data": "path of the written dataset", "images": "images of each split", "classes": "boxes of each class"},
        f"{_OUTPUT}; {CACHE}",
    ),
    "reduce": Contract(_REDUCED, f"{_OUTPUT}; {CACHE}"),
    "methods": Contract({}, "nothing", "anything", "A list with one object for each method. With NAME: one object."),
    "explain": Contract(
        {
            "image": "id of the image",
            "kept": "true or false",
            "step": "the step that kept or dropped the image",
            "rank": "its place in the order of choice",
            "nearest_kept": "the nearest kept image",
            "notes": "what is not known, and why",
        },
        "nothing. Without --image: the page selection.html next to the selection, if it is missing or old",
        "the dataset and the selection",
        "Without --image: an object with the key page.",
    ),
    "export": Contract(
        {"written": "path of the result", "form": "its form", "images": "all images", "kept": "kept images"},
        "a new file or folder",
        "the dataset and the selection",
    ),
    "next": Contract(
        {
            "data": "path of the written dataset",
            "selection": "path of selection.json",
            "images": "number of chosen images",
            "of": "number of images of the pool",
            "after": "the earlier rounds",
            "remaining": "number of images that are left to choose from",
        },
        f"{_OUTPUT}; {CACHE}",
        "the pool and the earlier rounds",
    ),
    "merge": Contract(
        {
            "data": "path of the written dataset",
            "images": "number of images",
            "classes": "names of the classes",
            "sources": "the merged datasets",
            "renamed": "images with a new name",
            "repeated": "images that were in several datasets",
        },
        _OUTPUT,
        "the merged datasets",
    ),
    "table": Contract(
        {
            "output": "path of the written table",
            "kept": "number of kept rows",
            "total": "number of all rows",
            "rows": "the kept rows, counted from 0 below the header",
            "epsilon": "largest gap between a row and the nearest kept row of its class",
            "strata": "rows and kept rows of each class or range of the target",
        },
        "one file. With --overwrite, it replaces a file",
        "the table",
    ),
    "train": Contract(
        {
            "evaluation": "mAP by ultralytics and by pycocotools",
            "energy": "seconds, Wh and CO2 of each phase, and how they were obtained",
            "counts": "steps, epochs and images seen",
            "data": "path and hash of the training data",
            "model": "the detector",
        },
        "a folder with weights, plots and the record of the training",
    ),
    "weights": Contract(
        {
            "written": "path of the result",
            "images": "number of images",
            "effective_sample_size": "1 if one image is always drawn, the number of images if all are drawn equally",
        },
        f"one file; {CACHE}",
    ),
    "proxy": Contract(
        {"log": "path of the log", "images": "number of images", "boxes": "number of boxes", "energy": "its cost"},
        "the log (.npz) and the weights next to it (.pt)",
    ),
    "run": Contract(
        {
            "cells": "one row for each finished training",
            "summaries": "the mean of each method at each keep",
            "comparisons": "differences to the controls, with intervals",
            "conclusion": "what was shown, and the next command",
        },
        f"the ledger, which is a folder; {CACHE}",
        "the dataset and finished cells",
        "With --dry-run: an object with the keys cells, to_run, seconds and wh, and nothing is written.",
    ),
    "plan": Contract(
        {
            "best": "the recommended recipe, or null",
            "others": "other recipes",
            "full": "the training on all images",
            "misfit": "the error of the model of mAP",
            "next": "command that trains with the written recipe, or null",
        },
        "nothing. With --recipe-file: one YAML file",
        "the ledger",
    ),
    "tune": Contract(
        {
            "best": "name of the best recipe",
            "recipe": "the best recipe",
            "rungs": "what was trained",
            "comparison": "the best recipe compared with training on all images",
            "spent": "the part of the budget that was used",
        },
        "a ledger and the recipe as a YAML file",
        "the dataset",
        "With --dry-run: an object with the keys recipes, planned and expected.",
    ),
    "report": Contract(
        {"report": "path of the page", "bytes": "its size", "problems": "faults of the data", "leaks": "known leaks"},
        "one HTML file",
        "the ledger, the selection and the dataset",
        "For a selection: an object with the keys page and bytes. With --as paper: an object with the tables.",
    ),
    "mcp": Contract(
        {"root": "the folder", "tools": "the tools with their inputs"},
        "what its tools write: reduce writes a new folder below the root",
        "the datasets, and anything outside the root except the cache folder",
        "Without --json, stdout belongs to the protocol.",
    ),
    "ledger list": Contract({}, "nothing", "the ledger", "A list with one object for each cell."),
    "ledger export": Contract(
        {"file": "path of the table", "cells": "number of cells"}, "one CSV, JSON or Parquet file", "the ledger"
    ),
    "ledger merge": Contract(
        {"ledger": "path of INTO", "copied": "names of copied cells", "skipped": "names of cells that existed"},
        "cells in INTO",
        "OTHER, and the cells that INTO already has",
    ),
    "ledger forget": Contract(
        {"ledger": "path of the ledger", "removed": "names of the removed cells"},
        "nothing. It deletes the named cells, after a question or with --yes",
        "other cells",
    ),
}
"""Name of a command, such as ``ledger list`` -> its contract."""
