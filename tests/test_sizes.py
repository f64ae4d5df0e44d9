"""No function behind the public ones has many parameters, and no folder has many files."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import detreduce

ROOT = Path(detreduce.__file__).parent
PAGES = Path(__file__).parents[1] / "docs"
PARAMETERS, FILES = 6, 15
OF_ONE_KIND = {"reducers/methods", "cli/commands", "cli/show"}
"""Folders whose files are all of one kind: methods, commands, and what each command shows. They may grow."""
TYPED = ("cli.commands", "cli.server.tools")
"""Where a parameter is what a user types: an option of a command, or an argument of a tool of the server."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions_in(root: Path) -> Iterator[tuple[str, Function]]:
    """The functions of a package, nested ones included, with their dotted names: detreduce.module.Class.method."""
    for file in sorted(root.rglob("*.py")):
        parts = file.relative_to(root.parent).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield from _functions(ast.parse(file.read_text(encoding="utf-8")), module)


def _functions(tree: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    for node in ast.iter_child_nodes(tree):
        name = f"{prefix}.{node.name}" if isinstance(node, Function | ast.ClassDef) else prefix
        if isinstance(node, Function):
            yield name, node
        yield from _functions(node, name)


def parameters(function: Function) -> int:
    """The number of parameters, without self, cls, *args and **kwargs."""
    given = function.args
    return sum(one.arg not in ("self", "cls") for one in (*given.posonlyargs, *given.args, *given.kwonlyargs))


def public_names(root: Path, pages: Path) -> tuple[set[tuple[str, str]], set[str]]:
    """What users call: (package, name) for each name of a package's `__all__`, and the dotted names in the pages."""
    listed = set()
    for file in root.rglob("__init__.py"):
        package = ".".join((root.name, *file.parent.relative_to(root).parts))
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                listed |= {(package, name) for name in ast.literal_eval(node.value)}
    documented = set()
    for page in pages.glob("*.md"):
        text = page.read_text(encoding="utf-8")
        documented |= set(re.findall(rf"^::: ({root.name}[\w.]+)", text, re.MULTILINE))
        for module, names in re.findall(rf"from ({root.name}[\w.]*) import (\w+(?:, \w+)*)", text):
            documented |= {f"{module}.{name}" for name in names.split(", ")}
    return listed, documented


def long_lists(root: Path, pages: Path) -> list[str]:
    """The functions with too many parameters that are neither public nor typed by a user nor what makes a method."""
    listed, documented = public_names(root, pages)
    typed = tuple(f"{root.name}.{place}." for place in TYPED)
    found = []
    for name, function in functions_in(root):
        module, _, own = name.rpartition(".")
        if parameters(function) <= PARAMETERS:
            continue
        if any(own == public and module.startswith(package) for package, public in listed):
            continue
        if name in documented or module in documented or module.startswith(typed):
            continue
        if own == "__init__" and module.startswith(f"{root.name}.reducers.methods."):
            continue
        found.append(f"{name} has {parameters(function)} parameters: make one object of those that belong together")
    return found


def full_folders(root: Path) -> list[str]:
    """The folders with too many files that are not of one kind."""
    folders = [root, *(folder for folder in sorted(root.rglob("*")) if folder.is_dir())]
    found = []
    for folder in folders:
        count = sum(file.is_file() for file in folder.iterdir())
        if count > FILES and folder.relative_to(root).as_posix() not in OF_ONE_KIND and folder.name != "__pycache__":
            found.append(f"{folder.relative_to(root)} has {count} files: give those of one job a folder")
    return found


def test_no_function_behind_the_public_ones_has_many_parameters() -> None:
    found = long_lists(ROOT, PAGES)
    assert not found, "\n".join(found)


def test_no_folder_has_many_files() -> None:
    found = full_folders(ROOT)
    assert not found, "\n".join(found)


def test_only_what_users_call_may_take_more(tmp_path: Path) -> None:
    root, pages = tmp_path / "made", tmp_path / "docs"
    pages.mkdir()
    (pages / "a.md").write_text("::: made.low.Documented\n\nfrom made.low import taught, other\n")
    room = root / "room"
    room.mkdir(parents=True)
    (root / "__init__.py").write_text("")
    (room / "__init__.py").write_text('__all__ = ["listed"]')
    many = "(self, a, b, *, c, d, e, f, g=1): ..."
    (room / "inner.py").write_text(f"def listed{many}\ndef own{many}\ndef six(a, b, c, d, e, f, *more, **rest): ...")
    low = f"class Documented:\n    def make{many}\nclass Other:\n    def make{many}\ndef taught{many}"
    (root / "low.py").write_text(low)
    names = [line.split()[0] for line in long_lists(root, pages)]
    assert names == ["made.low.Other.make", "made.room.inner.own"]


def test_files_of_one_kind_are_not_counted(tmp_path: Path) -> None:
    for folder, files in (("dataset", 16), ("cli/show", 16), ("images", 15)):
        (tmp_path / folder).mkdir(parents=True)
        for number in range(files):
            (tmp_path / folder / f"{number}.py").touch()
    assert [line.split()[0] for line in full_folders(tmp_path)] == ["dataset"]
