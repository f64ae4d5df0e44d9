"""`scripts/docs/readings.py`: what it draws for a reader, and what it counts."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

MODULE = '''"""Module."""

#: one comment
#: of two lines
LIMIT = 3
"""Attribute."""


def function(name: str) -> str:
    """Function.

    Its second paragraph.
    """

    def private() -> None:
        """Private."""

    message = f"There is no file {name!r} " "in this folder."
    return message + "short"
'''


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("readings", REPOSITORY / "scripts" / "docs" / "readings.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "readings", module)  # dataclasses look up their module in sys.modules
        spec.loader.exec_module(module)
        yield module


@pytest.fixture
def tree(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(script, "ROOT", tmp_path)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "module.py").write_text(MODULE, encoding="utf-8")
    for number in range(9):
        (tmp_path / f"page{number}.md").write_text("A page.\n", encoding="utf-8")
    return tmp_path


def test_every_text_is_found_at_its_line(script: ModuleType, tree: Path) -> None:
    found = list(script.texts(["package"]))
    lines = MODULE.splitlines()
    assert {lines[text.line - 1].strip().strip('"') for text in found if text.kind == "docstring"} == {
        "Module.",
        "Attribute.",
        "Function.",
        "Private.",
    }
    (message,) = (text for text in found if text.kind == "message")
    assert message.words == "There is no file {name} in this folder."
    (comment,) = (text for text in found if text.kind == "comment")
    assert (comment.line, comment.words) == (3, "one comment of two lines")


def test_a_seed_draws_the_same_texts_without_repeats(script: ModuleType, tree: Path) -> None:
    roots = ["package", *(f"page{number}.md" for number in range(9))]
    draws = [script.draw(seed, {"docstring": 3, "page": 4}, roots) for seed in (1, 1, *range(2, 20))]
    assert draws[0] == draws[1]
    assert {len(set(drawn)) for drawn in draws} == {7}
    assert {text for drawn in draws for text in drawn} == {
        text for text in script.texts(roots) if text.kind in ("docstring", "page")
    }
    assert len(script.draw(1, {"docstring": 100, "page": 0}, roots)) == 4


@pytest.mark.parametrize(
    ("words", "marked"),
    [
        (" ".join(["word"] * 30) + ".", 0),
        (" ".join(["word"] * 31) + ".", 1),
        (" ".join(["word"] * 16) + ". " + " ".join(["word"] * 16) + ".", 0),
        ("if " * 2 + " ".join(["word"] * 23) + ".", 0),
        ("if " * 2 + " ".join(["word"] * 24) + ".", 1),
        ("- " + " ".join(["word"] * 20) + "\n- " + " ".join(["word"] * 20), 0),
        ("```\n" + " ".join(["word"] * 40) + "\n```", 0),
        ("`" + " ".join(["word"] * 40) + "`", 0),
        ("| " + " | ".join(["word"] * 40) + " |", 0),
        ("a held-out image", 0),
        ("an image that is held", 1),
        ("`held`", 0),
    ],
)
def test_the_marks_that_need_no_reader(script: ModuleType, words: str, marked: int) -> None:
    assert len(script.marks(script.Text("page", "page.md", 1, words))) == marked


def test_a_mark_gives_the_line_of_its_paragraph(script: ModuleType) -> None:
    ((place, _),) = script.marks(script.Text("page", "page.md", 1, "Fine.\n\nAlso fine.\n\nThis is reckoned.\n"))
    assert place == "page.md:5"


@pytest.mark.parametrize(("words", "code"), [("A page.\n", 0), ("A page whence.\n", 1)])
def test_the_exit_code_says_whether_there_are_marks(script: ModuleType, tree: Path, words: str, code: int) -> None:
    (tree / "page0.md").write_text(words, encoding="utf-8")
    assert script._count(["page0.md"]) == code
