"""Describe what a selection was asked for, and its result, in sentences."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from detreduce.dataset.paths.listing import absolute
from detreduce.dataset.paths.output_name import dataset_name, free_name
from detreduce.dataset.records import DetectionDataset
from detreduce.dataset.suggested_command import data_words
from detreduce.display.numbers import counted
from detreduce.errors import DetreduceError
from detreduce.pages.selection.view import SelectionView
from detreduce.reducers.catalogue import described
from detreduce.reducers.description import shown
from detreduce.selection.estimates import estimates_in_words
from detreduce.selection.record import Selection
from detreduce.selection.steps_in_words import steps_in_words
from detreduce.vocabulary.keeps import keep_in_words
from detreduce.vocabulary.option_values import ALL


def heading(view: SelectionView) -> str:
    """Return the main result, for example ``200 of 1,704 images kept``."""
    return f"{view.images:,} of {counted(view.of, 'image')} kept"


def sentences(view: SelectionView, dataset: DetectionDataset) -> Iterator[str]:
    """Yield sentences about what was asked for and about the result."""
    selection = view.selection
    parameters = ", ".join(f"{name}={value}" for name, value in own_parameters(selection).items())
    method = f"{selection.method} ({parameters})" if parameters else selection.method
    where = f"the {dataset.split} split of {dataset_name(dataset.source.typed)}"
    if selection.keeps_all:
        yield f"Request: all remaining images of {where}."
    else:
        asked = keep_in_words(selection.keep)
        if isinstance(selection.keep, float):
            asked = f"{asked} of all {view.of:,} images"
        yield f"Request: {asked} of {where}, chosen by {method} with seed {selection.seed}."
    if found := " ".join(_outcome(view)):
        yield found
    if estimates := estimates_in_words(selection.provenance):
        yield estimates


def _outcome(view: SelectionView) -> Iterator[str]:
    """Yield sentences about the classes, the background images, the duplicates, the groups and the named images."""
    if classes := next((found for found in view.shares if found.title == "Classes"), None):
        total = len(classes.rows) + classes.left_out
        present = total - len(view.lost)
        every = "The one class" if total == 1 else f"All {total} classes"
        yield f"{every} present." if not view.lost else f"{present} of {total} classes present."
    if view.background is not None and view.background[0]:
        yield f"{view.background[1]:,} of {view.background[0]:,} background images."
    yield from steps_in_words(view.selection)
    for found in view.shares:
        if found.title.startswith("Images per"):
            with_kept = sum(row.kept > 0 for row in found.rows)
            kind = found.title.rpartition(" ")[2]
            yield f"{with_kept:,} of {len(found.rows) + found.left_out:,} {kind}s represented."
    if unread := len(view.selection.provenance.get("skipped_images", ())):
        yield f"{counted(unread, 'image')} could not be read."


def own_parameters(selection: Selection) -> dict[str, Any]:
    """Return those parameters of the method that differ from their defaults."""
    try:
        defaults = {one.name: one.default for one in described(selection.method).parameters}
    except DetreduceError:
        return dict(selection.parameters)
    return {
        name: value
        for name, value in selection.parameters.items()
        if name not in defaults or not _equal(value, defaults[name])
    }


def _equal(one: Any, other: Any) -> bool:
    """Return whether two values of a parameter are equal when written as JSON."""
    return json.dumps(one, default=str) == json.dumps(other, default=str)


def command_again(selection: Selection, dataset: DetectionDataset, output: Path | None) -> list[str]:
    """Return the words of a command that repeats the selection with the same options. Each word is quoted for a shell.

    All paths are absolute. The reader will run the command in the browser's download folder, because the page saves its
    lists there. The path of an earlier selection (``--initial``) is left out, because a selection does not store this
    path.
    """
    made_on = selection.provenance.get("dataset", {})
    words = ["detreduce", "reduce", *data_words(str(dataset.source.typed), made_on.get("image_folder"), dataset.split)]
    if selection.keeps_all:
        # without --method, near-duplicates are left out unless the command says otherwise
        words += [
            "--keep",
            ALL,
            *["--keep-duplicates"] * all(one["step"] != "drop_duplicates" for one in selection.steps),
        ]
    else:
        words += ["--method", selection.method, "--keep", str(selection.keep), "--seed", str(selection.seed)]
    rule = selection.categories.get("rule")
    if isinstance(rule, str) and rule not in ("rarest", "given"):
        words += ["--categories", rule]
    if made := selection.provenance.get("detector"):
        # only the name, because weights can run code: the reader must know where they are
        words += ["--detector", str(made.get("detector"))]
        for option, name in (("--detector-confidence", "confidence"), ("--detector-size", "imgsz")):
            words += [option, str(made[name])] if name in made else []
    for step in selection.steps:
        words += _options(step)
    if output is not None:
        # allow overwriting, because the reader may run the command again after changing something on the page
        words += ["--output", free_name(f"{absolute(output)}-curated"), "--overwrite"]
    words += [f"{name}={shown(value)}" for name, value in own_parameters(selection).items() if _typed(value)]
    return [shlex.quote(word) for word in words]


def _options(step: Any) -> list[str]:
    """Return the options of the command that describe one step."""
    kind = step.get("step")
    if kind == "drop_duplicates":
        what = str(step.get("what", ""))
        found = ["--drop-duplicates"]
        if what.startswith("equal"):
            return [*found, "--duplicates-by", "exact"]
        # earlier versions wrote "from 0.85" here
        by, threshold = what.removeprefix("near-duplicates by ").split()[0], what.split()[-1]
        found += ["--duplicates-by", by] if by in ("boxes", "features") else []
        return [*found, "--duplicates-from", threshold] if threshold else found
    if kind == "drop_leaked":
        return ["--drop-leaked"]
    if kind == "class_floor":
        return [word for name, count in step.get("floor", {}).items() for word in ("--class-floor", f"{name}={count}")]
    if kind == "method":
        limit, parts = step.get("max_per_group"), step.get("partitions")
        words = [] if parts is None else ["--partitions", str(parts)]
        if isinstance(step.get("groups"), str) and step["groups"] != "given":
            words += ["--groups", step["groups"], *([] if limit is None else ["--max-per-group", str(limit)])]
        return words
    return []


def _typed(value: Any) -> bool:
    """Return whether the value of a parameter can be typed on the command line."""
    return value is None or isinstance(value, str | int | float)
