"""Write a recommended recipe to a file, and build the `detreduce train` command that uses the file."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from detreduce.errors import InputError
from detreduce.experiment.advice.answer import PlannedRecipe
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.machine.files import write_atomically
from detreduce.machine.untrusted.documents import load_yaml
from detreduce.machine.untrusted.regular_files import YAMLS, is_regular, read_text
from detreduce.training.recipes.recipe import Recipe
from detreduce.vocabulary.controls import CONTROLS, FULL, ON_ALL_IMAGES, is_recipe
from detreduce.vocabulary.labels import with_former_defaults

PLANNED = "# Planned from"
"""The first words of every recipe file that `detreduce plan` writes."""


def training_recipe(planned: PlannedRecipe, rows: Sequence[Mapping[str, Any]]) -> Recipe:
    """Convert a planned recipe to a `Recipe`. `rows` are the finished cells, which contain the parameters of the
    method.
    """
    content: dict[str, Any] = {"images_seen": planned.images_seen, **dict(planned.settings)}
    if planned.method != FULL:
        alone: Mapping[str, Any] = {"method": planned.method}
        row = next((row for row in rows if row["label"] == planned.method), alone)
        method = str(row["method"])
        control = CONTROLS.get(method)
        content["subset"] = {
            "name": control.chooser if control is not None else method,
            "keep": planned.images,
            **with_former_defaults(method, row.get("parameters") or {}),
            **(row.get("composition") or {}),
        }
    return Recipe.model_validate(content)


def may_replace(path: Path) -> bool:
    """Return whether a recipe may be written to `path`: there is no file, or the file was written by `detreduce
    plan`.
    """
    return not os.path.lexists(path) or (is_regular(path) and read_text(path, YAMLS).startswith(PLANNED))


def check_recipe_file(path: Path) -> None:
    """Raise InputError if a recipe may not be written to `path`: it is not a YAML file name, or another file is
    there.
    """
    if path.suffix not in (".yaml", ".yml"):
        raise InputError(f"{path} is not a name of a YAML file. Use for example recipe.yaml.")
    if not may_replace(path):
        raise InputError(f"{path} is not a recipe that detreduce wrote, so it is not replaced. Choose another file.")


def write_recipe(path: Path, recipe: Recipe, about: str) -> None:
    """Write a recipe as YAML, with the comment `about` above it. An earlier recipe is replaced, but never another file.

    Raise InputError in the same cases as `check_recipe_file`, and DetreduceError if writing fails.
    """
    check_recipe_file(path)
    content = {name: value for name, value in recipe.to_dict().items() if name != "name"}
    text = f"{PLANNED} {about}\n" + yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    write_atomically(path, lambda file: file.write(text.encode()))


def train_command(
    ledger: Ledger, rows: Sequence[Mapping[str, Any]], planned: PlannedRecipe, file: Path, epochs: int
) -> str:
    """Return a command that trains with the recipe in `file`.

    The model and the training arguments are the same as in the ledger. `epochs` is the most common number of epochs of
    its cells (see `Advice`).
    """
    training = ledger[str(typical_row(rows)["key"])].training
    config = _config(ledger)
    train = config.get("train") or {}
    words = ["detreduce", "train", str(config.get("dataset") or training.data.path)]
    words += ["--model", str(train.get("model") or training.model.name), "--recipe", str(file)]
    if training.evaluation is not None:
        # `run` and `train` evaluate on different splits by default, and only mAP on the same images is comparable
        words += ["--on", "+".join(training.evaluation.splits)]
    if training.choose != "last":
        words += ["--choose", training.choose]
    words += ["--allow-leaks"] * bool(config.get("allow_leaks"))
    changed = {name for name, _ in planned.settings}
    arguments = {name: value for name, value in training.arguments.items() if name not in changed}
    if "batch" in changed:
        # a recipe that sets the batch also sets nbs
        arguments.pop("nbs", None)
    arguments["epochs"] = epochs
    return shlex.join([*words, *argument_words(arguments)])


def argument_words(arguments: Mapping[str, Any]) -> list[str]:
    """Return ultralytics arguments as words of a command line, such as ``epochs=50``."""
    return [f"{name}={_in_yaml(value)}" for name, value in arguments.items()]


def typical_row(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the row of a training on all images without a recipe.

    If there is none, return the row of any training without a recipe. If there are only recipes, return the first row,
    because `rows_with_recipes` puts comparable rows first.
    """
    plain = [row for row in rows if not is_recipe(row)]
    full = [row for row in plain if row.get("control") == FULL]
    return (full or [row for row in plain if row.get("control") in ON_ALL_IMAGES] or plain or rows)[0]


def _config(ledger: Ledger) -> Mapping[str, Any]:
    """Return the configuration of the latest run in a ledger, or an empty dict if there is none."""
    file = ledger.path / "config.yaml"
    content = load_yaml(read_text(file, YAMLS)) if is_regular(file) else None
    return content if isinstance(content, dict) else {}


def _in_yaml(value: Any) -> str:
    """Return a value as YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"))
    return text.removesuffix("\n").removesuffix("\n...")
