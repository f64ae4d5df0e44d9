"""Parse option values that are more than a number or a word."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from detreduce.errors import InputError
from detreduce.vocabulary.keeps import from_percent

if TYPE_CHECKING:
    from pathlib import Path

    from detreduce.features.detector.request import Detector
    from detreduce.selection.request import DuplicateSearch


def duplicate_search(drop: bool, by: str, threshold: float | None) -> DuplicateSearch | None:
    """Return the search for duplicates that the options describe, or None if `drop` (--drop-duplicates) is False."""
    if not drop and (threshold is not None or by != "pixels"):
        raise InputError(
            "--duplicates-by and --duplicates-from need --drop-duplicates. Add --drop-duplicates, or leave out "
            "the other options."
        )
    if not drop:
        return None
    from detreduce.selection.request import DuplicateSearch

    return DuplicateSearch(by, threshold)


def parse_class_floor(texts: list[str]) -> int | dict[str, int] | None:
    """Parse the values of --class-floor: ``["3"]`` is a floor for every class, and ``["bus=10", "car=5"]`` is a
    dict.
    """
    if not texts:
        return None
    if len(texts) == 1 and _is_count(texts[0]):
        return int(texts[0])
    found = {}
    for text in texts:
        name, _, count = text.rpartition("=")
        if not name.strip() or not _is_count(count):
            raise InputError(
                f"--class-floor {text!r} is not valid. Use a number of images (3), or a class and a number (bus=10)."
            )
        found[name.strip()] = int(count)
    return found


def _is_count(text: str) -> bool:
    """Return whether `int` can convert a text to a number of images.

    Unlike `str.isdigit`, `int` refuses superscripts. It also refuses texts of thousands of digits.
    """
    return text.strip().isdecimal() and len(text) < 1000


def read_detector(weights: Path | None, confidence: float | None, imgsz: int | None) -> Detector | None:
    """Return the detector of the options --detector, --detector-confidence and --detector-size, or None.

    Raise InputError if a value is not valid, or if a setting is given without a detector.
    """
    settings = {"confidence": confidence, "imgsz": imgsz}
    given: dict[str, Any] = {name: value for name, value in settings.items() if value is not None}
    if weights is None:
        if given:
            option = "--detector-confidence" if "confidence" in given else "--detector-size"
            raise InputError(f"{option} needs a detector. Name its weights too (--detector best.pt).")
        return None
    from detreduce.features.detector.request import Detector

    return Detector(weights, **given)


def parse_keep(text: str, option: str = "--keep", noun: str = "images") -> float | int:
    """Parse the value of an option such as --keep: a number of images or a fraction.

    A number without a decimal point is a number of images, for example 500. A number with a decimal point is a
    fraction, for example 0.25. A percentage such as ``25%`` becomes a fraction. `option` is the name of the option for
    the error message, and `noun` says what is kept.
    """
    try:
        if text.strip().endswith("%"):
            return from_percent(text)
        return int(text) if text.strip().lstrip("+-").isdigit() else float(text)
    except ValueError:
        example = f"For example, 0.25 or 25% is a quarter of the {noun}, and 500 is 500 {noun}."
        raise InputError(f"{option} {text!r} is not a number. {example}") from None


def parse_parameters(texts: list[str], options: tuple[str, ...] = (), example: str = "epochs=50") -> dict[str, Any]:
    """Parse texts of the form ``name=value`` into a dict. Values are read as YAML, for example numbers, true and lists.

    `options` contains names that have their own option or argument. Raise InputError if a text sets one of these names,
    or does not have the form ``name=value``. The message then shows `example`.
    """
    import yaml

    from detreduce.machine.untrusted.documents import load_yaml

    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if text.strip() == "%":
            raise InputError("A percentage has no blank: for example, write 10% or 0.1, not 10 %.")
        if not equals or not name.replace(".", "_").isidentifier():
            raise InputError(f"{text!r} does not have the form name=value. Use for example {example}.")
        if name in options:
            own = {"random_state": "seed", "evaluate_on": "on", "evaluation_plots": "plots"}.get(name, name)
            option = f"--{own.replace('_', '-')} {value}".removesuffix(" true")
            raise InputError(
                f"Pass {name!r} as " + ("the first argument." if own in ("data", "source") else f"{option}.")
            )
        try:
            found[name] = load_yaml(value) if value else ""
        except yaml.YAMLError as error:
            raise InputError(f"{name}={value!r} cannot be read as YAML. Put special characters into quotes.") from error
    return found


def training_arguments(texts: list[str] | None, command: Callable[..., object]) -> dict[str, Any]:
    """Parse training arguments of ultralytics into a dict, as `parse_parameters` does.

    Raise InputError if a name is also a parameter of the function `command`, such as ``seed``.
    """
    return parse_parameters(texts or [], tuple(inspect.signature(command).parameters))


def read_categories(text: str) -> Any:
    """Return the name of a category rule, or the list of rules in a YAML file if `text` is the path of such a file.

    The list of rules is at the top level of the file, or under its key ``categories``.
    """
    if not text.endswith((".yaml", ".yml")):
        return text
    import yaml

    from detreduce.dataset.paths.finding import find
    from detreduce.machine.untrusted.documents import load_yaml
    from detreduce.machine.untrusted.regular_files import YAMLS, read_text

    file = find(text, what="YAML file of category rules")
    try:
        content = load_yaml(read_text(file, YAMLS))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{file} cannot be read as YAML: {error}") from error
    rules = content.get("categories") if isinstance(content, dict) else content
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise InputError(f"{file} does not contain a list of category rules. Put the list under the key 'categories'.")
    return rules
