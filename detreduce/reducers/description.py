"""Describe a method for people: what its class declares, and the parameters that its docstring explains."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docstring_parser import Docstring

    from detreduce.reducers.base import BaseReducer

COMMON = {"keep": "--keep", "random_state": "--seed"}
"""Parameters of every method, and their options on the command line."""
INHERITED = "See BaseReducer"
"""How a docstring refers to the explanation of `keep` and `random_state`."""

SYMBOLS = (
    "n: images; n_c: images of one category; k_c: images to keep of that category; C: categories; d: features. Costs "
    "are numbers of operations, without constant factors."
)


@dataclass(frozen=True)
class Parameter:
    """One parameter of a method.

    Attributes
    ----------
    name, default
        Name and default in Python.
    text
        Explanation on one line; empty if the docstring has none.
    option
        Option on the command line; "" if it is given as ``name=value``.
    """

    name: str
    default: Any
    text: str
    option: str = ""


@dataclass(frozen=True)
class Description:
    """A method in full.

    Attributes
    ----------
    name, family, keeps, summary, needs, cost, fails, source
        As the class declares them.
    deterministic, nested, order_dependent
        As the class declares them; `traits` says them in words.
    about
        The paragraphs of the docstring above its sections.
    parameters
        Own parameters first, then `keep` and `random_state`.
    example
        A command line that works.
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
        """Return what the class declares, by name; enough to compare methods."""
        derived = ("traits", "about", "parameters", "example")
        return {name: value for name, value in vars(self).items() if name not in derived}


def describe(cls: type[BaseReducer]) -> Description:
    """Describe a method from its class attributes, its signature and its numpydoc docstring."""
    parameters = _parameters(cls)
    return Description(
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
    """Return name -> explanation from the ``Parameters`` section of a numpydoc docstring; {} if it has none."""
    return {
        name.strip(" *"): _plain(entry.description or "")
        for entry in _docstring(cls).params
        if entry.args[0] == "param"
        for name in entry.arg_name.split(",")
    }


def _parameters(cls: type[BaseReducer]) -> tuple[Parameter, ...]:
    from detreduce.reducers.base import BaseReducer

    common = documented_parameters(BaseReducer)
    texts: dict[str, str] = {}
    # a common base may explain parameters that several methods share
    for base in reversed(cls.__mro__[: cls.__mro__.index(BaseReducer)]):
        texts |= documented_parameters(base)
    parameters = []
    for name, parameter in inspect.signature(cls).parameters.items():
        text = texts.get(name, "")
        if name in COMMON and (not text or text.startswith(INHERITED)):
            shared = common[name]
            if name == "random_state" and cls.deterministic and not cls.has_ties:
                shared = "An int, a NumPy generator or None."
            # after the reference to the base, a method may say what the seed draws
            own = text.removeprefix(INHERITED).lstrip(".; ") if name == "random_state" else ""
            text = " ".join(part for part in (shared, own[:1].upper() + own[1:]) if part)
        default = None if parameter.default is inspect.Parameter.empty else parameter.default
        parameters.append(Parameter(name, default, text, COMMON.get(name, "")))
    return tuple(sorted(parameters, key=lambda parameter: parameter.name in COMMON))


def _traits(cls: type[BaseReducer]) -> tuple[str, ...]:
    return (
        _seed_in_words(cls),
        "A smaller selection is the beginning of a larger one."
        if cls.nested
        else "Each keep is a new choice: a smaller selection is not part of a larger one.",
        "The order of the images matters." if cls.order_dependent else "The order of the images does not matter.",
        "Every category gets its share of the images."
        if cls.uses_categories
        else "Categories get no fixed share of the images.",
    )


def _seed_in_words(cls: type[BaseReducer]) -> str:
    if not cls.deterministic:
        return "Another seed gives other images: try several seeds."
    return "The seed only breaks ties." if cls.has_ties else "The seed has no effect."


def _about(cls: type) -> tuple[str, ...]:
    paragraphs = (_docstring(cls).description or "").split("\n\n")
    return tuple(_plain(paragraph) for paragraph in paragraphs if paragraph.strip())


def _example(cls: type[BaseReducer], parameters: tuple[Parameter, ...]) -> str:
    command = f"detreduce reduce data.yaml --method {cls.name} --keep 0.25 --output reduced/"
    if not {"dynamics", "gradients"}.isdisjoint(cls.needs):
        command += " --proxy proxy.npz"
    for parameter in parameters:
        if not parameter.option and isinstance(parameter.default, str | int | float):
            return f"{command} {parameter.name}={shown(parameter.default)}"
    return command


def shown(default: Any) -> str:
    """Return a default as YAML and the command line write it."""
    return {"None": "null", "True": "true", "False": "false"}.get(str(default), str(default))


def _docstring(cls: type) -> Docstring:
    from docstring_parser import numpydoc

    return numpydoc.parse(inspect.getdoc(cls) or "")


def _plain(text: str) -> str:
    """Return text on one line, without the marks of reStructuredText."""
    return re.sub(r"(?<!\S)\*(\S[^*\n]*\S)\*(?!\w)", r"\1", " ".join(text.split())).replace("`", "")
