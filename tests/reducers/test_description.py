from __future__ import annotations

import re
import shlex
from typing import Any

import pytest

from detreduce.cli.values import parse_parameters
from detreduce.reducers import make_reducer, reducer_class
from detreduce.reducers.base import BaseReducer, Ranking
from detreduce.reducers.description import Parameter, describe, documented_parameters, explain_symbols, growth, shown
from detreduce.reducers.engine.pool import Pool
from detreduce.reducers.registry import BUILT_IN


class Documented(BaseReducer):
    """The first line.

    A second paragraph,
    of two lines with ``code``, n_c * k_c and a *title of a paper*.

    Parameters
    ----------
    radius : float or "auto"
        Reach of ``x``,
        on two lines.

        And a second paragraph.
    one, two
        Shared.
    keep, random_state
        See BaseReducer. The seed decides ties.

    Attributes
    ----------
    radius_
        Not a parameter.
    """

    name = "documented"
    family = "test"
    cost = "n"
    source = "here"
    summary = "what it does"
    deterministic = True
    nested = False

    def __init__(
        self,
        *,
        radius: Any = None,
        one: bool = True,
        two: float = 0.5,
        three: int = 3,
        keep: int | float = 0.25,
        random_state: Any = 0,
    ) -> None:
        super().__init__(keep=keep, random_state=random_state)
        self.radius, self.one, self.two, self.three = radius, one, two, three

    def _rank(self, pool: Pool) -> Ranking:
        raise NotImplementedError


def test_parameters_are_read_from_a_numpydoc_docstring() -> None:
    assert documented_parameters(Documented) == {
        "radius": "Reach of x, on two lines. And a second paragraph.",
        "one": "Shared.",
        "two": "Shared.",
        "keep": "See BaseReducer. The seed decides ties.",
        "random_state": "See BaseReducer. The seed decides ties.",
    }


def test_a_docstring_without_sections_has_no_parameters() -> None:
    class Bare:
        """Parameters are not described here."""

    class Silent:
        pass

    assert documented_parameters(Bare) == documented_parameters(Silent) == {}


def test_own_parameters_come_first_and_references_to_the_base_are_resolved() -> None:
    found = describe(Documented)
    assert found.parameters[:4] == (
        Parameter("radius", None, "Reach of x, on two lines. And a second paragraph."),
        Parameter("one", True, "Shared."),
        Parameter("two", 0.5, "Shared."),
        Parameter("three", 3, ""),
    )
    keep, seed = found.parameters[4:]
    assert (keep.name, keep.option) == ("keep", "--keep") and (seed.name, seed.option) == ("random_state", "--seed")
    assert keep.text == documented_parameters(BaseReducer)["keep"]
    assert seed.text == documented_parameters(BaseReducer)["random_state"] + " The seed decides ties."


def test_the_text_above_the_sections_loses_its_marks_and_keeps_its_formulas() -> None:
    assert describe(Documented).about == (
        "The first line.",
        "A second paragraph, of two lines with code, n_c * k_c and a title of a paper.",
    )


def test_other_packages_need_not_say_what_is_kept_and_when_it_fails() -> None:
    found = describe(Documented)
    assert (found.keeps, found.fails) == ("", "")


def test_traits_follow_the_declarations() -> None:
    class Opposite(Documented):
        deterministic = False
        nested = True
        order_dependent = True
        uses_categories = False

    one, other = describe(Documented), describe(Opposite)
    assert len(one.traits) == len(other.traits) == 4
    assert all(a != b for a, b in zip(one.traits, other.traits, strict=True))
    assert "ties" in one.traits[0] and "ties" not in other.traits[0]


def test_a_method_without_ties_has_no_draw_to_seed() -> None:
    class Tieless(Documented):
        has_ties = False

    class Drawn(Tieless):
        deterministic = False

    assert "ties" not in describe(Tieless).traits[0] != describe(Drawn).traits[0]
    explanation = documented_parameters(BaseReducer)["random_state"]
    assert explanation not in describe(Tieless).parameters[-1].text
    assert explanation in describe(Drawn).parameters[-1].text
    for name in ("first", "stride"):
        found = describe(reducer_class(name))
        assert found.traits[0] == describe(Tieless).traits[0] and "ties" not in found.parameters[-1].text


def test_only_the_symbols_of_a_formula_are_explained() -> None:
    assert re.findall(r"(\w+) = ", explain_symbols("n_c^2 * d + n log n")) == ["n", "n_c", "d"]
    assert explain_symbols("an hour") == explain_symbols("") != explain_symbols()


def test_defaults_are_shown_as_yaml_reads_them() -> None:
    for value in (None, True, False, 0.2, -1, "auto"):
        assert parse_parameters([f"x={shown(value)}"]) == {"x": value}


@pytest.mark.parametrize("name", list(BUILT_IN))
class TestBuiltIn:
    def test_it_says_what_it_keeps_and_when_it_fails(self, name: str) -> None:
        cls = reducer_class(name)
        assert 1 <= len(cls.keeps.split()) <= 2 and cls.keeps == cls.keeps.lower()
        assert cls.fails.endswith(".") and cls.fails[0].isupper() and len(cls.fails) <= 120
        for text in (cls.keeps, cls.summary, cls.cost, cls.source):
            assert text and not text.endswith(".")

    def test_every_parameter_is_explained(self, name: str) -> None:
        found = describe(reducer_class(name))
        assert [parameter.name for parameter in found.parameters if not parameter.text] == []
        assert not any("BaseReducer" in parameter.text or "`" in parameter.text for parameter in found.parameters)
        assert {parameter.name: parameter.default for parameter in found.parameters} == make_reducer(name).get_params()
        assert found.about and not any("---" in paragraph for paragraph in found.about)

    def test_its_example_can_be_typed(self, name: str) -> None:
        words = shlex.split(describe(reducer_class(name)).example)
        assert words[:2] == ["detreduce", "reduce"] and words[words.index("--method") + 1] == name
        own = parse_parameters([word for word in words if re.match(r"\w+=", word)])
        make_reducer(name, keep=0.25, **own).check_params()


@pytest.mark.parametrize(
    ("cost", "power"),
    [
        ("n log n", 1),
        ("n * C * d * iterations (at most 50)", 1),
        ("n_c^2 * d (neighbours) + k_c * neighbours * log n_c", 2),
        ("n_c^2 * d + n_c * k_c^2", 3),
        ("n_c * k_c * d * (log k_c + iterations, at most 50)", 2),
        ("(image, class) pairs * d * k / classes", 2),
        ("an hour", 0),
    ],
)
def test_growth_of_a_cost(cost: str, power: int) -> None:
    assert growth(cost) == power
    assert (f"{2**power} times" in explain_symbols(cost)) == (power > 1)
