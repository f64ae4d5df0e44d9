"""Descriptions of methods for users, generated from the class attributes and the docstring of each method."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docstring_parser import Docstring

    from detreduce.reducers.base import BaseReducer

COMMON = {"keep": "--keep", "random_state": "--seed"}
"""Parameters that every method has -> the command-line options for them."""
INHERITED = "See BaseReducer"
"""If the text of a parameter starts with this, the text in the base class is used instead."""

SYMBOLS = {
    "n": "number of images",
    "n_c": "number of images in one image category",
    "n_share": "number of images in the sample (share)",
    "k": "number of images to keep",
    "k_c": "number of images to keep in one image category",
    "C": "number of image categories",
    "d": "number of features per image",
}
"""Symbol in the cost formulas of methods -> its meaning."""
_GROWING = re.compile(r"(?:\b(?:n|n_c|n_share|k|k_c)\b|\(image, class\) pairs)(?:\^(\d))?")
"""The factors in a cost formula that grow with the number of images, and their exponents."""


def explain_symbols(cost: str | None = None) -> str:
    """Return sentences that explain the symbols in the formula `cost`, or all symbols if `cost` is None.

    If the cost grows faster than the number of images, a sentence says how fast.
    """
    used = SYMBOLS if cost is None else [symbol for symbol in SYMBOLS if re.search(rf"\b{symbol}\b", cost)]
    meanings = ". ".join(f"{symbol} = {SYMBOLS[symbol]}" for symbol in used)
    text = f"{meanings}{'. ' if meanings else ''}Costs are numbers of operations, without constant factors."
    if cost is None or (degree := growth(cost)) < 2:
        return text
    return f"{text} Twice as many images, with the same fraction kept, need up to {2**degree} times as many operations."


def growth(cost: str) -> int:
    """Return the power of n with which a cost grows if a fixed fraction of the images is kept. Logarithms count as 0.

    For example, the result is 2 for ``n_c^2 * d + k_c``.
    """
    without_logs = re.sub(r"\blog \w+", "", cost)
    terms = re.split(r"[+;,](?! class\))", without_logs)
    return max(sum(int(power or 1) for power in _GROWING.findall(term)) for term in terms)


@dataclass(frozen=True)
class Parameter:
    """One parameter of a method.

    Attributes
    ----------
    name
        Name in Python.
    default
        Default value in Python.
    text
        Explanation on one line. Empty text if the docstring does not explain the parameter.
    option
        Command-line option. Empty text if the command line takes the parameter as ``name=value``.
    """

    name: str
    default: Any
    text: str
    option: str = ""


@dataclass(frozen=True)
class MethodDescription:
    """The full description of a method.

    Attributes
    ----------
    name, family, keeps, summary, needs, cost, fails, source
        The class attributes with these names.
    deterministic, nested, order_dependent
        The class attributes with these names.
    traits
        Sentences about the seed, nested selections, the order of images, and image categories.
    about
        The paragraphs of the docstring above its sections.
    parameters
        The parameters of the method. `keep` and `random_state` come last.
    example
        A complete command line that uses the method.
    """

    name: str
    family: str
    keeps: str
    summary: str
    needs: tuple[str, ...]
    cost: str
    fails: str
    source: str
    deterministic: bool
    nested: bool
    order_dependent: bool
    traits: tuple[str, ...]
    about: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    example: str

    def declared(self) -> dict[str, Any]:
        """Return the attributes that the class declares, by name. They are enough for tables that compare methods."""
        derived = ("traits", "about", "parameters", "example")
        return {name: value for name, value in vars(self).items() if name not in derived}


def describe(cls: type[BaseReducer]) -> MethodDescription:
    """Describe a method, using its class attributes, its signature and its numpydoc docstring."""
    parameters = _parameters(cls)
    return MethodDescription(
        name=cls.name,
        family=cls.family,
        keeps=cls.keeps,
        summary=cls.summary,
        needs=tuple(cls.needs),
        cost=cls.cost,
        fails=cls.fails,
        source=cls.source,
        deterministic=cls.deterministic,
        nested=cls.nested,
        order_dependent=cls.order_dependent,
        traits=_traits(cls),
        about=_about(cls),
        parameters=parameters,
        example=_example(cls, parameters),
    )


def documented_parameters(cls: type) -> dict[str, str]:
    """Return parameter name -> explanation, from the section ``Parameters`` of a numpydoc docstring.

    If there is no such section, the result is empty.
    """
    return {
        name.strip(" *"): _plain(entry.description or "")
        for entry in _docstring(cls).params
        if entry.args[0] == "param"
        for name in entry.arg_name.split(",")
    }


def _parameters(cls: type[BaseReducer]) -> tuple[Parameter, ...]:
    """Return the parameters of a class. `keep` and `random_state` come last."""
    from detreduce.reducers.base import BaseReducer

    common = documented_parameters(BaseReducer)
    texts: dict[str, str] = {}
    # a base class that several methods share may explain some of the parameters
    for base in reversed(cls.__mro__[: cls.__mro__.index(BaseReducer)]):
        texts |= documented_parameters(base)
    parameters = []
    for name, parameter in inspect.signature(cls).parameters.items():
        text = texts.get(name, "")
        if name in COMMON and (not text or text.startswith(INHERITED)):
            shared = common[name]
            if name == "random_state" and cls.deterministic and not cls.has_ties:
                shared = "An int, a NumPy generator or None."
            # after the reference to the base class, the docstring may say what the seed does
            own = text.removeprefix(INHERITED).lstrip(".; ") if name == "random_state" else ""
            text = " ".join(part for part in (shared, own[:1].upper() + own[1:]) if part)
        default = None if parameter.default is inspect.Parameter.empty else parameter.default
        parameters.append(Parameter(name, default, text, COMMON.get(name, "")))
    return tuple(sorted(parameters, key=lambda parameter: parameter.name in COMMON))


def _traits(cls: type[BaseReducer]) -> tuple[str, ...]:
    """Return four sentences: on the seed, nested selections, the order of images, and image categories."""
    return (
        _seed_in_words(cls),
        "A smaller selection is always the first part of a larger selection."
        if cls.nested
        else "A smaller selection is not always part of a larger selection.",
        "The result depends on the order of the images."
        if cls.order_dependent
        else "The result does not depend on the order of the images.",
        "Every image category gets its share of the selection."
        if cls.uses_categories
        else "Image categories do not get a fixed share of the selection.",
    )


def _seed_in_words(cls: type[BaseReducer]) -> str:
    """Return a sentence on what the seed does."""
    if not cls.deterministic:
        return "Another seed gives other images. Try several seeds."
    return "The seed only decides between images of equal score (ties)." if cls.has_ties else "The seed has no effect."


def _about(cls: type) -> tuple[str, ...]:
    """Return the paragraphs of the docstring that come before its sections, each on one line."""
    paragraphs = (_docstring(cls).description or "").split("\n\n")
    return tuple(_plain(paragraph) for paragraph in paragraphs if paragraph.strip())


def _example(cls: type[BaseReducer], parameters: tuple[Parameter, ...]) -> str:
    """Return a command line that uses the method, with one of its parameters."""
    command = f"detreduce reduce data.yaml --method {cls.name} --keep 0.25 --output reduced/"
    if not {"dynamics", "gradients"}.isdisjoint(cls.needs):
        command += " --proxy proxy.npz"
    if not {"uncertainty", "disagreement"}.isdisjoint(cls.needs):
        command += " --detector detector.pt"
    for parameter in parameters:
        if not parameter.option and isinstance(parameter.default, str | int | float):
            return f"{command} {parameter.name}={shown(parameter.default)}"
    return command


def shown(default: Any) -> str:
    """Return a default value as it is written in YAML and on the command line."""
    return {"None": "null", "True": "true", "False": "false"}.get(str(default), str(default))


def _docstring(cls: type) -> Docstring:
    from docstring_parser import numpydoc

    return numpydoc.parse(inspect.getdoc(cls) or "")


def _plain(text: str) -> str:
    """Return a text on one line and without the markup of reStructuredText."""
    return re.sub(r"(?<!\S)\*(\S[^*\n]*\S)\*(?!\w)", r"\1", " ".join(text.split())).replace("`", "")
