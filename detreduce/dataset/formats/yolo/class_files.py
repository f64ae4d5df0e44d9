"""Compare the class names in a data.yaml with the class files next to the labels.

Labels store only class numbers. If a data.yaml combines several exports, the same number may mean different classes in
these exports. The class files show this: a classes.txt in exports of labelImg and Label Studio, and a data.yaml in
exports of Roboflow.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import yaml

from detreduce.dataset.records import Problem
from detreduce.errors import InputError
from detreduce.machine.untrusted.documents import load_yaml
from detreduce.machine.untrusted.regular_files import LISTS, YAMLS, is_regular, read_regular

_LISTS = ("classes.txt", "obj.names")
_YAMLS = ("data.yaml", "data.yml", "dataset.yaml")


def class_file_problems(file: Path, root: Path, places: Iterable[Path], names: Sequence[str]) -> list[Problem]:
    """Return a problem for each class file below `root` whose class names differ from `names`.

    `file` is the data.yaml, and `names` are its class names. `places` are the images folders of a split.
    """
    problems = []
    for other, theirs in _find_class_files(file, root, places).items():
        for number, (name, wanted) in enumerate(zip(theirs, names, strict=False)):
            if name != wanted:
                what = f"class {number} is {name!r} here, but {wanted!r} in {file}; {file.name} counts"
                problems.append(Problem(other, what))
                break
    return problems


def check_class_files(file: Path, root: Path, places: Iterable[Path], names: Sequence[str]) -> None:
    """Raise InputError if two class files give the same class number different names.

    In this case, the labels next to one of these files have wrong class numbers.
    """
    meaning: dict[int, tuple[str, Path]] = {}
    for other, theirs in _find_class_files(file, root, places).items():
        for number, name in enumerate(theirs[: len(names)]):
            before, where = meaning.setdefault(number, (name, other))
            if before != name:
                raise InputError(
                    f"Class {number} is {before!r} in {where}, but {name!r} in {other}. Labels store class numbers "
                    f"only, so some labels mean another class than in {file}. Renumber these labels, or correct or "
                    "delete the file that is wrong."
                )


def _find_class_files(file: Path, root: Path, places: Iterable[Path]) -> dict[Path, list[str]]:
    """Return the class names in each class file that applies to the images.

    For each images folder, the class file that is nearest to its labels is used. The data.yaml itself, `file`, is not
    returned.
    """
    found: dict[Path, list[str]] = {}
    for place in places:
        if not place.is_dir() or not place.is_relative_to(root):
            continue
        parts = place.parts
        last = len(parts) - 1 - parts[::-1].index("images") if "images" in parts else None
        labels = Path(*parts[:last], "labels", *parts[last + 1 :]) if last is not None else place
        for folder in dict.fromkeys([labels, *labels.parents, place, *place.parents]):
            if not folder.is_relative_to(root):
                continue
            other = next((folder / name for name in (*_LISTS, *_YAMLS) if is_regular(folder / name)), None)
            if other == file:
                break
            if other is not None and (names := _read_names(other)):
                found[other] = names
                break
    return found


def _read_names(file: Path) -> list[str]:
    """Read the class names in a classes.txt or a data.yaml. Return an empty list if the file cannot be used."""
    with suppress(OSError, ValueError, yaml.YAMLError, InputError):
        if file.name in _LISTS:
            lines = read_regular(file, LISTS).decode("utf-8-sig").splitlines()
            return [line.strip() for line in lines if line.strip()]
        content = load_yaml(read_regular(file, YAMLS).decode("utf-8-sig"))
        names = content.get("names") if isinstance(content, dict) else None
        if isinstance(names, dict):
            names = [names[key] for key in sorted(names)] if sorted(names) == list(range(len(names))) else []
        return [str(name) for name in names] if isinstance(names, list) else []
    return []
