"""Read a recipe from a YAML file or from a dict."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from detreduce.dataset.paths.finding import find
from detreduce.errors import InputError
from detreduce.machine.untrusted.checked_yaml import read_keys
from detreduce.machine.untrusted.faults import describe_fault
from detreduce.selection.sections import IMAGE_LISTS
from detreduce.training.recipes.recipe import Recipe


def read_recipe(recipe: Recipe | Mapping[str, Any] | str | Path, beside: Path | None = None) -> Recipe:
    """Read a recipe from a `Recipe`, a dict or a YAML file.

    The recipe may contain names of files. A file that a YAML recipe names is looked up in the folder of the YAML first,
    and then in the working folder. For a dict or a `Recipe`, it is looked up in the folder `beside` first. In the
    result, the table of weights has an absolute path, and lists of images have been read from their files. If the
    recipe is wrong, raise one InputError that lists all errors. Raise MissingFileError if a file does not exist.
    """
    if isinstance(recipe, Recipe):
        return with_files(recipe, beside)
    if isinstance(recipe, Mapping):
        return with_files(_validated(dict(recipe), "recipe"), beside)
    file = find(recipe, what="recipe")
    if file.is_dir():
        raise InputError(f"{file} is a folder, not a recipe. A recipe is a YAML file, for instance with: batch: 4")
    return with_files(_validated(read_keys(file, "a recipe"), str(file)), file.parent)


def with_files(recipe: Recipe, beside: Path | None) -> Recipe:
    """Return a copy of a recipe in which all files have been found.

    The name of the table of weights becomes an absolute path. A file with a list of images is replaced by the list.
    Files are looked up in the folder `beside` first. Raise MissingFileError if a file does not exist, and InputError if
    a list of images cannot be read.
    """
    update: dict[str, Any] = {}
    if recipe.stream.file is not None:
        file = str(find(recipe.stream.file, beside, what="table of weights"))
        update["stream"] = recipe.stream.model_copy(update={"file": file})
    if recipe.subset is not None:
        lists = {
            key: read_images(key, name, beside)
            for key in IMAGE_LISTS
            if isinstance(name := getattr(recipe.subset, key), str)
        }
        update["subset"] = recipe.subset.model_copy(update=lists)
    return recipe.model_copy(update=update)


def read_images(key: str, name: str, beside: Path | None) -> list[Any]:
    """Read a list of images from the file `name`, which may be relative to the folder `beside`.

    `key` is the key of the subset that names this file, one of `IMAGE_LISTS`. For ``initial``, the file is a
    selection.json. Raise InputError if the file cannot be read.
    """
    from detreduce.selection.named_images import read_names
    from detreduce.selection.saved.data import SelectionData
    from detreduce.selection.saved.file import read_selection

    if key == "initial":
        return list(read_selection(find(name, beside, what="selection"), SelectionData).image_ids)
    return list(read_names(find(name, beside, what="list of images")))


def _validated(content: dict[str, Any], where: str) -> Recipe:
    """Return the recipe with this content. If it is wrong, raise one InputError that lists all errors.

    The message begins with `where`, for example the path of the file.
    """
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        faults = [describe_fault(item, Recipe) for item in error.errors()]
        if len(faults) == 1:
            raise InputError(f"{where}: {faults[0]}") from None
        numbered = "\n".join(f"  {number}. {text}" for number, text in enumerate(faults, 1))
        raise InputError(f"{where}: {len(faults)} errors\n{numbered}") from None
