"""The commands that are disturbed by faults and kills, small datasets of every format, and checks of what is left."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

ROWS = 4
_TEMPORARY = re.compile(r"\.writing-.*|.*\.detreduce-(claim|new-.*)|.*\.kept-.*")
# files whose content differs between two runs of the same command
_VARYING = {"selection.json", "selection.html", ".detreduce-files", "report.html"}

Tree = dict[str, str]


def tree(folder: Path) -> Tree:
    """Return path -> hash of its content for everything below a folder. For a symbolic link, it is the path in the
    link.
    """
    found: Tree = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            found[name] = "folder"
    return found


def steady(found: Tree) -> Tree:
    """Return a tree, in which files that differ between two runs of the same command all have the same value."""
    return {name: "varying" if Path(name).name in _VARYING else value for name, value in found.items()}


def temporary_files(folder: Path) -> list[str]:
    """Return the paths of temporary files and folders of detreduce below a folder."""
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if _TEMPORARY.fullmatch(path.name)]


def picture(file: Path, row: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (32, 24), (40 * row, 90, 90)).save(file)


def make_yolo(root: Path) -> str:
    for split, rows in (("train", range(ROWS)), ("val", range(ROWS, ROWS + 1))):
        for row in rows:
            picture(root / f"images/{split}/{row}.jpg", row)
            label = root / f"labels/{split}/{row}.txt"
            label.parent.mkdir(parents=True, exist_ok=True)
            label.write_text(f"{row % 2} 0.5 0.5 0.2 0.2\n")
    (root / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [a, b]\n")
    return "data.yaml"


def make_coco(root: Path) -> str:
    images = [{"id": row, "file_name": f"{row}.jpg", "width": 32, "height": 24} for row in range(ROWS)]
    boxes = [{"id": row, "image_id": row, "category_id": 1, "bbox": [1, 1, 5, 5]} for row in range(ROWS)]
    for row in range(ROWS):
        picture(root / f"images/{row}.jpg", row)
    (root / "annotations").mkdir()
    content = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "a"}]}
    (root / "annotations/train.json").write_text(json.dumps(content))
    (root / "data.yaml").write_text("format: coco\ntrain: {annotations: annotations/train.json, images: images}\n")
    return "data.yaml"


def make_voc(root: Path) -> str:
    box = "<xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax>"
    for row in range(ROWS):
        picture(root / f"JPEGImages/{row}.jpg", row)
        note = root / f"Annotations/{row}.xml"
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(
            f"<annotation><filename>{row}.jpg</filename><size><width>32</width><height>24</height></size>"
            f"<object><name>a</name><bndbox>{box}</bndbox></object></annotation>"
        )
    (root / "ImageSets/Main").mkdir(parents=True)
    (root / "ImageSets/Main/train.txt").write_text("".join(f"{row}\n" for row in range(ROWS)))
    return "."


def make_cvat(root: Path) -> str:
    box = '<box label="a" occluded="0" xtl="1" ytl="1" xbr="9" ybr="9" z_order="0"></box>'
    images = ""
    for row in range(ROWS):
        picture(root / f"images/{row}.jpg", row)
        images += f'  <image id="{row}" name="{row}.jpg" width="32" height="24">{box}</image>\n'
    labels = "<labels><label><name>a</name><attributes></attributes></label></labels>"
    meta = f"<meta><task>{labels}</task></meta>"
    text = f"<annotations><version>1.1</version>{meta}\n{images}</annotations>\n"
    (root / "annotations.xml").write_text(text)
    return "annotations.xml"


def make_label_studio(root: Path) -> str:
    value = {"x": 10, "y": 10, "width": 20, "height": 20, "rectanglelabels": ["a"]}
    region = {"type": "rectanglelabels", "original_width": 32, "original_height": 24, "value": value}
    tasks = []
    for row in range(ROWS):
        picture(root / f"images/{row}.jpg", row)
        tasks.append({"id": row + 1, "data": {"image": f"{row}.jpg"}, "annotations": [{"result": [region]}]})
    (root / "tasks.json").write_text(json.dumps(tasks))
    return "tasks.json"


def make_images(root: Path) -> str:
    for row in range(ROWS):
        picture(root / f"{row}.jpg", row)
    return "."


FORMATS: dict[str, Callable[[Path], str]] = {
    "yolo": make_yolo,
    "coco": make_coco,
    "voc": make_voc,
    "cvat": make_cvat,
    "label_studio": make_label_studio,
    "images": make_images,
}
LISTS = ("yolo", "coco", "images")
"""The formats that can be written as lists of images, without copies or links of the images."""


@dataclass(frozen=True)
class Operation:
    """A command that is run in a folder, and what it must not damage.

    Attributes
    ----------
    name
        The name in messages.
    prepare
        A function that makes the files for the command in an empty folder. Files in ``source`` must never change.
    arguments
        The command line. A word that starts with ``@`` is a path relative to the folder.
    whole
        Names of files and folders in the folder. After any failure, each of them must be in its old state (before the
        command) or in its new state. ``NAME/*`` means each entry of the folder NAME.
    """

    name: str
    prepare: Callable[[Path], object]
    arguments: tuple[str, ...]
    whole: tuple[str, ...] = ("out",)

    def run(self, folder: Path) -> tuple[int, str]:
        """Run the command in this process. Return its exit code, and what it wrote to stderr."""
        arguments = [str(folder / word[1:]) if word[0] == "@" else word for word in self.arguments]
        return run_command(arguments)


def run_command(arguments: list[str]) -> tuple[int, str]:
    """Run a command of detreduce in this process. Return its exit code, and what it wrote to stderr.

    If the command ends with a traceback, the exit code is 99.
    """
    from detreduce.cli import app
    from detreduce.machine import files

    files._cleaned.clear()  # a new process would also start with an empty cache
    said, before = io.StringIO(), dict(os.environ)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
            warnings.simplefilter("ignore")
            app(arguments, prog_name="detreduce")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    except BaseException as error:
        said.write(f"{type(error).__name__}: {error}")
        code = 99
    else:
        code = 0
    finally:
        os.environ.clear()
        os.environ.update(before)
    return code, said.getvalue()


def reductions(format: str, link: str, *, overwrite: bool) -> Operation:
    """Return an operation that reduces a dataset of this format, with this link mode, perhaps over an old output."""

    def prepare(folder: Path) -> None:
        FORMATS[format](folder / "source")
        if overwrite:
            code, said = run_command([*_reduce(folder, format, link), "--seed", "7"])
            assert code == 0, said

    words = [*_reduce(Path("@"), format, link), "--overwrite"]
    name = f"reduce {format}, {link}{', --overwrite' if overwrite else ''}"
    return Operation(name, prepare, tuple(word.replace("@/", "@") for word in words))


def _reduce(folder: Path, format: str, link: str) -> list[str]:
    place = {"yolo": "data.yaml", "coco": "data.yaml", "cvat": "annotations.xml", "label_studio": "tasks.json"}
    data = folder / "source" / place.get(format, "")
    return ["reduce", str(data), "--method", "srs", "--keep", "2", "--output", str(folder / "out"), "--link", link]


def all_reductions() -> list[Operation]:
    """Return the reductions of every format with every link mode, to a new output and over an old output."""
    return [
        reductions(format, link, overwrite=overwrite)
        for format in FORMATS
        for link in ("hardlink", "symlink", "copy", "list")
        if link != "list" or format in LISTS
        for overwrite in (False, True)
    ]


def _selected(folder: Path) -> None:
    make_yolo(folder / "source")
    code, said = run_command(_reduce(folder, "yolo", "symlink"))
    assert code == 0, said
    (folder / "out").rename(folder / "reduced")


def export(form: str) -> Operation:
    """Return an operation that exports a selection over an earlier export. `form` is the value of ``--as``."""

    def prepare(folder: Path) -> None:
        _selected(folder)
        words = ["export", str(folder / "reduced/selection.json"), "--as", form, "--output", str(folder / "out")]
        code, said = run_command(words)
        assert code == 0, said

    words = ("export", "@reduced/selection.json", "--as", form, "--output", "@out", "--overwrite")
    return Operation(f"export as {form}", prepare, words, ("out", "reduced"))


def _make_ledgers(folder: Path) -> None:
    """Make a ledger with four finished cells whose trainings are made up, and another ledger with two of these
    cells.
    """
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "report"))
    from made_up import made_up_ledger

    from detreduce.experiment.ledger.ledger import Ledger

    cells = [{"label": "full", "keep": 1.0, "seed": 0}, *({"label": "srs", "keep": 0.25, "seed": i} for i in range(3))]
    made_up_ledger(folder / "source" / "ledger", cells)
    shutil.copytree(folder / "source" / "ledger", folder / "ledger")
    for key in Ledger(folder / "ledger").cell_keys()[2:]:
        Ledger(folder / "ledger").forget(key)


def others() -> list[Operation]:
    """Return the operations that write exports, the cache, a ledger or a report."""
    listed = [export(form) for form in ("list", "csv", "coco", "fiftyone", "lightly-studio")]
    listed.append(
        Operation(
            "duplicates",
            lambda folder: make_yolo(folder / "source"),
            ("duplicates", "@source/data.yaml", "--cache", "@cache"),
            (),
        )
    )
    cells = ("ledger/cells/*",)
    forget = ("ledger", "forget", "@ledger", "cell-0000", "--yes")
    listed.append(Operation("ledger forget", _make_ledgers, forget, cells))
    listed.append(Operation("ledger merge", _make_ledgers, ("ledger", "merge", "@source/ledger", "@ledger"), cells))
    words = ("ledger", "export", "@ledger", "@out.csv", "--overwrite")
    listed.append(Operation("ledger export", _with(words), words, ("out.csv", *cells)))
    words = ("report", "@ledger", "--output", "@out.html", "--no-images")
    listed.append(Operation("report", _with(words), words, ("out.html", *cells)))
    return listed


def _with(words: tuple[str, ...]) -> Callable[[Path], None]:
    """Return a function that makes ledgers and runs the command once, so that there is an output to replace."""

    def prepare(folder: Path) -> None:
        _make_ledgers(folder)
        code, said = run_command([str(folder / word[1:]) if word[0] == "@" else word for word in words])
        assert code == 0, said

    return prepare


def state_of(operation: Operation, folder: Path) -> dict[str, Tree]:
    """Return the tree of each file and folder that must be in its old or its new state, by its path."""
    found = {}
    for name in operation.whole:
        places = sorted((folder / name[:-2]).iterdir()) if name.endswith("/*") else [folder / name]
        for place in places:
            content = {".": hashlib.sha256(place.read_bytes()).hexdigest()} if place.is_file() else tree(place)
            varying = place.suffix == ".html"
            found[str(place.relative_to(folder))] = {".": "varying"} if varying and content else steady(content)
    return found


def check_whole(found: dict[str, Tree], before: dict[str, Tree], after: dict[str, Tree]) -> list[str]:
    """Return a line for each output or cell that is neither in its old state nor in its new state."""
    return [
        f"{name} is in neither the old nor the new state: {sorted(set(found.get(name, {}).items()))[:6]}"
        for name in sorted({*found, *before, *after})
        if found.get(name, {}) not in (before.get(name, {}), after.get(name, {}))
    ]


@dataclass
class Tally:
    """The number of tries, the number of tries that ended in each way, and the faults."""

    tried: int = 0
    ended: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def count(self, word: str) -> None:
        """Count one try. `word` says how it ended."""
        self.tried += 1
        self.ended[word] = self.ended.get(word, 0) + 1

    def say(self, title: str) -> None:
        """Print the counts after a title."""
        ended = ", ".join(f"{count} {word}" for word, count in sorted(self.ended.items()))
        print(f"{title}: {self.tried} tried ({ended}), {len(self.faults)} faults", flush=True)
