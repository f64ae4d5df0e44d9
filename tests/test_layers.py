"""Every import runs downwards: an imported module never imports its importer."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import detreduce

# From the lowest layer up; a module may import modules of lower layers and of its own package. A package in two layers
# is there from the lower to the upper one. So reducers import no images and no features, and images and features import
# no reducers.
LAYERS = (
    ("errors", "version", "vocabulary"),
    ("machine", "display"),
    ("arrays", "figures", "ultralytics_bridge", "videos"),
    ("dataset", "reducers"),
    ("images", "reducers"),
    ("features", "reducers"),
    ("duplicates",),
    ("selection", "splitting"),
    ("representativeness",),
    ("pages", "tables"),
    ("reduction",),
    ("training",),
    ("exports", "experiment"),
    ("report",),
    ("__init__", "cli"),
    ("__main__",),
)


class Import(NamedTuple):
    """The import of one name, anywhere in a file: also in a function, or for type checking only."""

    file: Path
    line: int
    imported: Path

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.imported}"


def imports_in(root: Path) -> Iterator[Import]:
    """The imports of a package's modules among each other, as files below its folder `root`.

    Modules that are loaded by a name in a table (the package's public names, the reducers) are not read.
    """
    files = [file.relative_to(root) for file in sorted(root.rglob("*.py"))]
    modules = {(root.name, *_parts(file)): file for file in files}
    for file in files:
        package = (root.name, *file.parent.parts)
        for node in ast.walk(ast.parse((root / file).read_text(encoding="utf-8"))):
            for name in _names(node, package):
                # `from detreduce.dataset import write` takes a module or a name in a module
                if imported := modules.get(name) or modules.get(name[:-1]):
                    yield Import(file, getattr(node, "lineno", 0), imported)


def _names(node: ast.AST, package: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The imports of a statement, nested statements included."""
    if isinstance(node, ast.Import):
        yield from (tuple(alias.name.split(".")) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = package[: len(package) - node.level + 1] if node.level else ()
        module = tuple(node.module.split(".")) if node.module else ()
        yield from ((*above, *module, alias.name) for alias in node.names)


def _parts(file: Path) -> tuple[str, ...]:
    return file.parent.parts if file.name == "__init__.py" else file.with_suffix("").parts


def upward(imports: list[Import], layers: tuple[tuple[str, ...], ...]) -> list[str]:
    """A sentence for each import between packages that does not run down the `layers`."""
    floors = {
        name: [floor for floor, names in enumerate(layers) if name in names] for names in layers for name in names
    }
    found = []
    for item in imports:
        importing, imported = _room(item.file), _room(item.imported)
        if importing == imported:
            continue
        if unknown := {importing, imported} - floors.keys():
            found.append(f"{item}: {', '.join(sorted(unknown))} is in no layer")
        elif max(floors[imported]) >= min(floors[importing]):
            found.append(f"{item}: {imported} is not below {importing}")
    return list(dict.fromkeys(found))  # one line may import several names


def _room(file: Path) -> str:
    """The package, or the top-level module, that a file belongs to."""
    return Path(file.parts[0]).stem


def circle(imports: list[Import]) -> list[Import]:
    """The imports that lead from a module back to the module; empty without such imports."""
    onward: dict[Path, list[Import]] = {}
    for item in imports:
        onward.setdefault(item.file, []).append(item)
    done: set[Path] = set()

    def follow(file: Path, way: list[Import]) -> list[Import]:
        begun = [item.file for item in way]
        if file in begun:
            return way[begun.index(file) :]
        found: list[Import] = []
        if file not in done:
            found = next((back for item in onward.get(file, ()) if (back := follow(item.imported, [*way, item]))), [])
            done.add(file)
        return found

    return next((found for file in onward if (found := follow(file, []))), [])


ROOT = Path(detreduce.__file__).parent
IMPORTS = list(imports_in(ROOT))


def test_packages_import_downwards() -> None:
    found = upward(IMPORTS, LAYERS)
    assert not found, "\n".join(found)


def test_every_module_has_its_layer() -> None:
    rooms = {_room(file.relative_to(ROOT)) for file in ROOT.rglob("*.py")}
    wrong = rooms ^ {name for names in LAYERS for name in names}
    assert not wrong, f"in no layer of LAYERS, or in one and no longer there: {', '.join(sorted(wrong))}"


def test_no_modules_import_each_other() -> None:
    found = circle(IMPORTS)
    assert not found, "\n".join(map(str, found))


@pytest.mark.parametrize(
    "statement",
    [
        "import made.high",
        "import made.high as other",
        "from made import high",
        "from made.high import thing",
        "from ..high import thing",
        "from .. import high",
        "def f():\n    from made.high import thing",
        "if TYPE_CHECKING:\n    from made.high import thing",
    ],
)
def test_an_upward_import_is_found_however_it_is_written(tmp_path: Path, statement: str) -> None:
    imports = made(tmp_path, {"low/a.py": statement, "high.py": "from made.low import a"})
    line = statement.count("\n") + 1
    assert upward(imports, (("low",), ("high",))) == [f"low/a.py:{line} imports high.py: high is not below low"]
    assert upward(imports, (("low",),))[0].endswith("high is in no layer")
    assert {str(item.file) for item in circle(imports)} == {"low/a.py", "high.py"}


def test_what_stands_in_two_layers_knows_neither(tmp_path: Path) -> None:
    layers = (("ground",), ("tall", "one"), ("tall", "two"), ("top",))
    good = {"tall.py": "import made.ground", "two.py": "import made.one", "top.py": "import made.tall"}
    ends = {"ground.py": "", "one.py": ""}
    assert upward(made(tmp_path / "good", good | ends), layers) == []
    bad = {"tall.py": "import made.one", "two.py": "import made.tall", "top.py": ""}
    assert len(upward(made(tmp_path / "bad", bad | ends), layers)) == 2


def test_a_circle_within_a_package_is_found(tmp_path: Path) -> None:
    files = {"p/a.py": "from made.p import b", "p/b.py": "from made.p.c import x", "p/c.py": "from . import b"}
    imports = made(tmp_path, files)
    assert upward(imports, (("p",),)) == []
    assert [str(item.file) for item in circle(imports)] == ["p/b.py", "p/c.py"]
    assert circle([item for item in imports if item.file.name != "c.py"]) == []


def made(folder: Path, files: dict[str, str]) -> list[Import]:
    """The imports of a package called made, of these files."""
    for name, text in files.items():
        file = folder / "made" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return list(imports_in(folder / "made"))
