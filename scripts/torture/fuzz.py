"""Give every parser damaged files: `python scripts/torture/fuzz.py`.

Each input is a small valid file with a few mutations: bytes that are changed, cut, doubled or mixed with another file,
and numbers, texts and parts of JSON, YAML, XML and arrays that are replaced by extreme ones. The parser runs in a
worker process. It must return a result or raise an error of detreduce, within 5 seconds and 1 GB of memory. A warning
must be one of detreduce too. Each fault is printed with the number of its input. `--only` makes this input again.

    python scripts/torture/fuzz.py                             # 10,000 inputs for each parser
    python scripts/torture/fuzz.py coco voc --inputs 1000      # fewer inputs, for some parsers
    python scripts/torture/fuzz.py coco --only 17 --save bad   # input 17 of a parser again, with its traceback
    python scripts/torture/fuzz.py --short                     # 100 inputs for each parser, as in the tests
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import html
import io
import json
import multiprocessing
import os
import random
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import operations
from operations import picture

INPUTS, SHORT_INPUTS = 10_000, 100
WORKERS = 2
SECONDS = 5
"""Longest time of one input. Code that no signal interrupts is killed a little later."""
MEMORY = 1 << 30
"""Most memory that a parser may use beyond that of a new worker, in bytes."""
ADDRESSES = 2 << 30
"""Most address space that a worker may get beyond its start, in bytes. It includes memory that is never used."""

Read = Callable[[Path], object]


class Hang(BaseException):
    """An input took longer than `SECONDS`. No parser catches it."""


@dataclass(frozen=True)
class Parser:
    """A reader of one kind of file.

    Attributes
    ----------
    name
        Name in messages and on the command line.
    make
        Function that makes valid files in an empty folder.
    target
        The file that is damaged, relative to the folder.
    read
        Function that reads the folder.
    seeds
        More valid contents of the file.
    """

    name: str
    make: Callable[[Path], object]
    target: str
    read: Read
    seeds: tuple[bytes, ...] = ()


# --- the parsers, and valid files for them


def dataset(name: str) -> Read:
    """Return the function that loads a dataset in a folder, uses all its boxes and lists its problems."""

    def read(folder: Path) -> object:
        import detreduce
        from detreduce.dataset.checks import summarise

        return summarise(detreduce.load_dataset(folder / name))

    return read


def make_labelme(root: Path) -> None:
    shape = {"label": "a", "shape_type": "rectangle", "points": [[1, 1], [9, 9]], "flags": {}, "group_id": None}
    for row in range(2):
        picture(root / f"{row}.jpg", row)
        note = {"version": "5.0.1", "flags": {}, "shapes": [shape], "imagePath": f"{row}.jpg", "imageData": None}
        (root / f"{row}.json").write_text(json.dumps({**note, "imageHeight": 24, "imageWidth": 32}))


def make_createml(root: Path) -> None:
    box = {"label": "a", "coordinates": {"x": 6, "y": 6, "width": 8, "height": 8}}
    for row in range(2):
        picture(root / f"{row}.jpg", row)
    entries = [{"image": f"{row}.jpg", "annotations": [box]} for row in range(2)]
    (root / "_annotations.createml.json").write_text(json.dumps(entries))


def make_listed(root: Path) -> None:
    operations.make_yolo(root)
    (root / "train.txt").write_text("".join(f"./images/train/{row}.jpg\n" for row in range(operations.ROWS)))
    (root / "data.yaml").write_text("train: train.txt\nval: images/val\nnames: [a, b]\n")


def make_mixed(root: Path) -> None:
    """Make what all `YAMLS` name."""
    operations.make_voc(root)
    operations.make_coco(root)
    operations.make_yolo(root)
    (root / "train.txt").write_text("0\n1\n")


def make_darknet(root: Path) -> None:
    make_listed(root)
    (root / "data.yaml").unlink()
    (root / "obj.names").write_text("a\nb\n")
    (root / "obj.data").write_text("classes = 2\ntrain = train.txt\nnames = obj.names\nbackup = backup/\n")


def make_selection(root: Path) -> None:
    import detreduce

    operations.make_yolo(root)
    data = detreduce.load_dataset(root / "data.yaml")
    made = detreduce.select(data, "class_coverage", keep=3, must_keep=[data[1].id], class_floor=1)
    # how long it took to choose must not change the inputs
    (root / "selection.json").write_text(re.sub(r'"seconds": [0-9.e-]+', '"seconds": 0.5', made.to_json()))


def read_selection(folder: Path) -> object:
    import detreduce

    made = detreduce.Selection.load(folder / "selection.json")
    return repr(made), made._repr_html_(), made.to_json(), made.prefix(2)


def make_ledger(root: Path) -> None:
    tests = str(Path(__file__).resolve().parents[2] / "tests" / "report")
    if tests not in sys.path:
        sys.path.insert(0, tests)
    from made_up import made_up_ledger

    made_up_ledger(root / "made", [{"label": "full", "keep": 1.0, "seed": 0}, {"label": "srs", "keep": 0.5, "seed": 0}])
    (root / "made").rename(root / "ledger")
    keys = sorted(place.name for place in (root / "ledger/cells").iterdir())
    (root / "ledger/plan.json").write_text(json.dumps([{"key": key} for key in keys]))


def read_ledger(folder: Path) -> object:
    from detreduce.experiment.ledger.ledger import Ledger, finished_rows
    from detreduce.experiment.outcome import outcome_of

    ledger = Ledger(folder / "ledger")
    rows = finished_rows(ledger)
    if len([cell.key for cell in ledger]) < 1:
        raise AssertionError("a damaged cell hides the others")
    return rows, outcome_of(ledger).to_dict()


def make_record(root: Path) -> None:
    make_ledger(root)
    place = next((root / "ledger").rglob("record.json"))
    (root / "record.json").write_bytes(place.read_bytes())


def read_record(folder: Path) -> object:
    from detreduce.training.record import TrainingRecord

    record = TrainingRecord.load(folder / "record.json")
    return repr(record), record.row(), record._repr_html_() if hasattr(record, "_repr_html_") else None


def make_proxy(root: Path) -> None:
    import numpy as np

    from detreduce.arrays.proxy_log import MEASURES, ProxyLog

    generator = np.random.default_rng(0)
    arrays: dict[str, Any] = {name: generator.random((3, 5)).astype(kind) for name, kind in MEASURES.items()}
    rows, kinds = np.array([0, 0, 2, 2, 2], np.int32), np.array([0, 1, 1, 0, 0], np.int32)
    corners = generator.random((5, 4)).astype(np.float16)
    log = ProxyLog(("a.jpg", 7, "b.jpg"), rows, kinds, corners, **arrays, facts={"epochs": 3, "seed": 3})
    log.save(root / "proxy.npz")


def read_proxy(folder: Path) -> object:
    from detreduce.arrays.proxy_log import ProxyLog

    return repr(ProxyLog.load(folder / "proxy.npz"))


def make_evidence(root: Path) -> None:
    import numpy as np

    from detreduce.training.evaluation.evidence import THRESHOLDS, Evidence

    images = np.array(["a.jpg", "b.jpg"])
    hit = np.ones((3, THRESHOLDS), bool)
    truth = np.ones((2, 2), np.int32)
    rows, kinds = np.array([0, 1, 0], np.int32), np.array([0, 0, 1], np.int32)
    Evidence(images, truth, rows, kinds, np.array([0.9, 0.8, 0.7]), hit, ~hit).save(root / "evidence.npz")


def read_evidence(folder: Path) -> object:
    import numpy as np

    from detreduce.training.evaluation.evidence import Evidence

    found = Evidence.load(folder / "evidence.npz")
    return found.in_order_of(np.sort(found.images)[::-1])


def make_names(root: Path) -> None:
    operations.make_yolo(root)
    (root / "keep.txt").write_text("0.jpg\n1.jpg\n\n2.jpg\n")


def read_must_keep(folder: Path) -> object:
    import detreduce
    from detreduce.selection.named_images import read_names

    data = detreduce.load_dataset(folder / "data.yaml")
    return detreduce.select(data, "srs", keep=3, must_keep=read_names(folder / "keep.txt"))


YAMLS = (
    b"path: .\ntrain: [images/train, images/val]\nval: images/val\nnc: 2\nnames:\n  0: a\n  1: b\nkpt_shape: [17, 3]\n",
    b"train: &a images/train\nval: *a\n# note\nnames: {0: 'a', 1: \"b\"}\nflip_idx: [0, 1]\nroboflow: {license: MIT}\n",
    b"format: coco\ntrain: {annotations: annotations/train.json, images: images}\n",
    b"format: coco\npath: .\ntrain: {annotations: annotations/train.json, images: images}\nval: {annotations: "
    b"annotations/train.json, images: [images]}\n",
    b"format: voc\npath: .\nsplits: {train: ImageSets/Main/train.txt}\n",
    b"format: voc\npath: .\ntrain: train\n",
)
LABELS = (
    b"0 0.1 0.2 0.3 0.4\n1 0.9 0.9 0.1 0.1\n\n",
    b"1 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5\n",
    b"0 0.5 0.5 0.1 0.1 0.4 0.4 2 0.6 0.6 1\r\n",
)
COCO = json.dumps(
    {
        "info": {"year": 2017, "description": "\u00e4"},
        "licenses": [{"id": 1, "name": "x", "url": "http://example.org"}],
        "images": [{"id": "0", "file_name": "0.jpg", "width": 32, "height": 24, "license": 1}],
        "annotations": [
            {"id": 1, "image_id": "0", "category_id": 3, "bbox": [1.5, 1, 5, 5], "area": 25, "iscrowd": 0},
            {"id": 2, "image_id": "0", "category_id": 3, "segmentation": [[1, 1, 9, 1, 9, 9]], "iscrowd": 0},
            {
                "id": 3,
                "image_id": "0",
                "category_id": 3,
                "bbox": [0, 0, 9, 9],
                "segmentation": {"counts": [0, 9], "size": [24, 32]},
                "iscrowd": 1,
                "keypoints": [1, 2, 2],
            },
        ],
        "categories": [{"id": 3, "name": "a", "supercategory": "b"}, {"id": 4, "name": "c", "keypoints": ["k"]}],
    }
).encode()
VOC = (
    b'<?xml version="1.0" encoding="iso-8859-1"?><annotation><filename>0.jpg</filename><size><width>32</width>'
    b"<height>24</height><depth>3</depth></size><object><name>\xe4 &amp; b</name><difficult>1</difficult><pose/>"
    b"<bndbox><xmin>1.5</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object></annotation>",
    b"<!DOCTYPE annotation [<!ENTITY a 'b'>]><annotation><object><name>&a;</name><polygon><x1>1</x1><y1>1</y1><x2>9"
    b"</x2><y2>9</y2></polygon></object></annotation>",
)
CVAT = (
    b"<annotations><meta><job><subset>train</subset><labels><label><name>a</name></label></labels></job></meta>"
    b'<image id="0" name="0.jpg" subset="train" width="32" height="24"><polygon label="a" points="1,1;9,1;9,9"/>'
    b'<box label="b" xtl="1" ytl="1" xbr="9" ybr="9" rotation="30"><attribute name="x">1</attribute></box>'
    b'<ellipse label="a" cx="9" cy="9" rx="3" ry="2"/>'
    b'<mask label="a" rle="0, 9" left="1" top="1" width="3" height="3"/></image>'
    b"</annotations>",
)


def _label_studio() -> bytes:
    value = {"x": 10, "y": 10, "width": 20, "height": 20, "rotation": 30, "rectanglelabels": ["a", "b"]}
    region = {"id": "r", "type": "rectanglelabels", "original_width": 32, "original_height": 24, "value": value}
    polygon = {**region, "type": "polygonlabels", "value": {"points": [[1, 1], [9, 9], [1, 9]], "polygonlabels": ["a"]}}
    task = {"id": 1, "data": {"image": "/data/local-files/?d=0.jpg"}, "predictions": []}
    done = [{"result": [region, polygon], "was_cancelled": False, "completed_by": {"id": 1}}]
    small = {"id": 2, "image": "http://h/upload/1-1.jpg", "label": [{**value, "original_width": 32}]}
    return json.dumps([{**task, "annotations": done}, small]).encode()


def parsers() -> list[Parser]:
    """Return all parsers."""
    yolo, cell = dataset("data.yaml"), "ledger/cells/cell-0000"
    return [
        Parser("yaml", make_mixed, "data.yaml", yolo, YAMLS),
        Parser("coco", operations.make_coco, "annotations/train.json", yolo, (COCO,)),
        Parser("voc", operations.make_voc, "Annotations/0.xml", dataset("."), VOC),
        Parser("cvat", operations.make_cvat, "annotations.xml", dataset("annotations.xml"), CVAT),
        Parser("label_studio", operations.make_label_studio, "tasks.json", dataset("tasks.json"), (_label_studio(),)),
        Parser("labelme", make_labelme, "0.json", dataset(".")),
        Parser("createml", make_createml, "_annotations.createml.json", dataset("_annotations.createml.json")),
        Parser("labels", operations.make_yolo, "labels/train/0.txt", yolo, LABELS),
        Parser("image_list", make_listed, "train.txt", yolo),
        Parser("obj_data", make_darknet, "obj.data", dataset("obj.data")),
        Parser("selection", make_selection, "selection.json", read_selection),
        Parser("cell", make_ledger, f"{cell}/cell.json", read_ledger),
        Parser("plan", make_ledger, "ledger/plan.json", read_ledger),
        Parser("record", make_record, "record.json", read_record),
        Parser("proxy", make_proxy, "proxy.npz", read_proxy),
        Parser("evidence", make_evidence, "evidence.npz", read_evidence),
        Parser("must_keep", make_names, "keep.txt", read_must_keep),
    ]


# --- mutations


VALUES: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 1, 2**31, 2**63, 2**64, -(2**70), 10**400, 1.5, -0.0, 1e-320, 1e308),
    *(
        float("nan"),
        float("inf"),
        float("-inf"),
        "",
        "x",
        "0",
        "nan",
        "1e999",
        " ",
        "a\0b",
        "\ud800",
        "\u202e",
        "../../x",
    ),
    *("x" * 5000, "9" * 5000, "http://[::1", "=1+1", [], [None], [[1]], ["x"], {}, {"x": 1}, {"x": {"y": []}}, [1] * 5),
)
TOKENS: tuple[bytes, ...] = (
    *(b"null", b"true", b"~", b"-1", b"0", b"1e999", b"-1e999", b"nan", b"NaN", b"Infinity", b".inf", b".nan", b"0x7f"),
    *(b"9" * 20, b"9" * 5000, b"1_000", b"1e-400", b"\xc2\xb2", b"\xd9\xa3", b"2026-01-01", b"12:30:45", b"=", b"<<"),
    *(
        b'""',
        b"''",
        b"[]",
        b"{}",
        b"\0",
        b"\xff\xfe",
        b"\xed\xa0\x80",
        b"\\ud800",
        b"\xef\xbb\xbf",
        b"\x85",
        b"\r",
        b"\t",
    ),
    *(b"[" * 3000, b"[" * 3000 + b"]" * 3000, b'{"a":' * 3000, b"<a>" * 3000, b"- " * 3000, b"<image " * 300),
    *(
        b"&a [*a]",
        b"*a",
        b"&a",
        b"!!python/object/apply:os.getcwd []",
        b"!!binary x",
        b"!!set {a}",
        b"? [a]",
        b"|",
        b"%",
    ),
    *(
        b"&#0;",
        b"&#xD800;",
        b"&x;",
        b"&",
        b"<",
        b"]]>",
        b"<!--",
        b"<![CDATA[",
        b"<!DOCTYPE a [<!ENTITY x 'y'>]>",
        b"/>",
    ),
    *(
        b"..",
        b"../../x",
        b"*",
        b"**",
        b"?",
        b"x" * 300,
        b"x" * 70_000,
        b"./",
        b"~x",
        b"http://[x",
        b"$HOME",
        b"file:///x",
    ),
)
_XML_VALUE = re.compile(rb'(?<==")[^"<>]*(?=")|(?<=>)[^<>]+(?=<)')
_TOKEN = re.compile(rb"[0-9.eE+-]+|\w+|[^\w\s]|\s+")


def mutate(generator: random.Random, name: str, seeds: Sequence[bytes]) -> bytes:
    """Return a damaged copy of one of the `seeds`, which are contents of a file called `name`."""
    data = generator.choice(seeds)
    edit = EDITS.get(Path(name).suffix)
    if edit and generator.random() < 0.5:
        data = edit(generator, data)
        if generator.random() < 0.7:
            return data
    for _ in range(generator.choice((1, 1, 1, 2, 3, 8))):
        data = generator.choice(MUTATIONS)(generator, data, seeds)
    return data


def _flip(generator: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    changed = bytearray(data or b"\0")
    for _ in range(generator.choice((1, 1, 4, 30))):
        at = generator.randrange(len(changed))
        changed[at] = (
            changed[at] ^ 1 << generator.randrange(8) if generator.random() < 0.5 else generator.randrange(256)
        )
    return bytes(changed)


def _span(generator: random.Random, data: bytes) -> tuple[int, int]:
    start = generator.randint(0, len(data))
    return start, min(len(data), start + generator.choice((1, 2, 8, 40, 400)))


def _cut(generator: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    start, end = _span(generator, data)
    return data[:start] if generator.random() < 0.4 else data[:start] + data[end:]


def _double(generator: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    start, end = _span(generator, data)
    return data[:start] + data[start:end] * generator.choice((2, 2, 3, 50)) + data[end:]


def _splice(generator: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    other = generator.choice(seeds)
    start, end = _span(generator, other)
    at = generator.randint(0, len(data))
    return data[:at] + (other[start:] if generator.random() < 0.5 else other[start:end] + data[at:])


def _replace(generator: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    tokens = list(_TOKEN.finditer(data))
    if not tokens:
        return generator.choice(TOKENS)
    old = generator.choice(tokens)
    return data[: old.start()] + generator.choice(TOKENS) + data[old.end() :]


def _insert(generator: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    at = generator.choice((0, len(data), generator.randint(0, len(data))))
    return data[:at] + generator.choice(TOKENS) + data[at:]


def _recode(generator: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    return data.decode("latin-1").encode(
        generator.choice(("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "cp037")), "replace"
    )


# replaced tokens reach deeper into a parser than changed bytes
MUTATIONS = (_flip, _cut, _double, _splice, _insert, _insert, _replace, _replace, _replace, _replace, _recode)


def _edit_json(generator: random.Random, data: bytes) -> bytes:
    """Return a JSON text with some values replaced, removed, doubled or added."""
    content = json.loads(data)
    for _ in range(generator.choice((1, 1, 2, 5))):
        inside = list(_containers(content))
        if not inside:
            break
        holder = generator.choice(inside)
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        key = generator.choice(keys)
        what = generator.random()
        if what < 0.6:
            holder[key] = copy.deepcopy(generator.choice(VALUES))
        elif what < 0.75:
            del holder[key]
        elif isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        else:
            holder[generator.choice(("x", "", "id", "0", str(key).upper()))] = copy.deepcopy(holder[key])
    return json.dumps(content).encode()


def _containers(value: Any) -> Iterator[Any]:
    """Yield all lists and dicts in a value that are not empty."""
    if isinstance(value, dict | list) and value:
        yield value
        for part in value.values() if isinstance(value, dict) else value:
            yield from _containers(part)


def _edit_arrays(generator: random.Random, data: bytes) -> bytes:
    """Return an .npz archive with damaged arrays and valid checksums, which raw changes of bytes do not give."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for _ in range(generator.choice((1, 1, 2))):
        name = generator.choice(list(members))
        what = generator.random()
        if what < 0.1:
            del members[name]
            if not members:
                break
        elif what < 0.2:
            members[name] = generator.choice(list(members.values()))
        elif what < 0.5:
            # shape, type and order are a Python literal in the first 128 bytes
            header = _replace(generator, members[name][10:128], ())[:60_000]
            members[name] = members[name][:8] + len(header).to_bytes(2, "little") + header + members[name][128:]
        elif what < 0.6:
            start = members[name].find(b"{", 128)
            text = members[name][start:] if start > 0 else b"{}"
            facts = _edit_json(generator, text) if text.endswith(b"}") else text
            members[name] = _array_of(facts)
        else:
            members[name] = generator.choice(MUTATIONS)(generator, members[name], list(members.values()))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return made.getvalue()


def _edit_yaml(generator: random.Random, data: bytes) -> bytes:
    """Return a YAML with some values replaced, removed, doubled or added. It is written as JSON."""
    import yaml

    return _edit_json(generator, json.dumps(yaml.safe_load(data)).encode())


def _edit_xml(generator: random.Random, data: bytes) -> bytes:
    """Return an XML with some texts and values of attributes replaced. It can still be parsed."""
    for _ in range(generator.choice((1, 1, 2, 5))):
        old = generator.choice(list(_XML_VALUE.finditer(data)))
        new = html.escape(str(generator.choice(VALUES))).encode("ascii", "replace").replace(b"\0", b"?")
        data = data[: old.start()] + new + data[old.end() :]
    return data


EDITS = {".json": _edit_json, ".npz": _edit_arrays, ".yaml": _edit_yaml, ".xml": _edit_xml}


def _array_of(content: bytes) -> bytes:
    import numpy as np

    file = io.BytesIO()
    np.lib.format.write_array(file, np.frombuffer(content, np.uint8))
    return file.getvalue()


# --- workers


@dataclass
class Kitchen:
    """The valid files of each parser, in the folder of a worker."""

    folder: Path
    seeds: dict[str, list[bytes]] = field(default_factory=dict)

    def place(self, parser: Parser) -> Path:
        """Return the folder of a parser, with valid files."""
        folder = self.folder / parser.name
        if parser.name not in self.seeds:
            folder.mkdir()
            parser.make(folder)
            self.seeds[parser.name] = [(folder / parser.target).read_bytes(), *parser.seeds]
        return folder

    def make(self, parser: Parser, number: int) -> bytes:
        """Return one damaged file."""
        self.place(parser)
        # the working folder is in some seeds: it must not change the inputs
        home = str(self.folder).encode()
        seeds = [seed.replace(home, b"/home") for seed in self.seeds[parser.name]]
        return mutate(random.Random(f"{parser.name} {number}"), parser.target, seeds)

    def try_one(self, parser: Parser, number: int) -> tuple[str, str]:
        """Read one damaged file. Return ``read``, ``refused`` or a fault, and the traceback of a fault."""
        from detreduce.errors import DetreduceError, DetreduceWarning

        target = self.place(parser) / parser.target
        target.write_bytes(self.make(parser, number))
        signal.signal(signal.SIGALRM, _stop)
        signal.alarm(SECONDS)
        try:
            with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
                warnings.simplefilter("error")
                warnings.simplefilter("ignore", DetreduceWarning)
                parser.read(target.parents[len(Path(parser.target).parts) - 1])
            end = "read", ""
        except DetreduceError as error:
            chain: BaseException | None = error
            while chain is not None and not isinstance(chain, MemoryError):
                chain = chain.__cause__ or chain.__context__
            end = ("refused", "") if chain is None else ("MemoryError", traceback.format_exc())
        except Hang:
            end = f"longer than {SECONDS} s", traceback.format_exc()
        except BaseException as error:
            end = f"{type(error).__name__}: {str(error)[:120]}", traceback.format_exc()
        finally:
            signal.alarm(0)
        return end


def _stop(*_: object) -> None:
    raise Hang


def work(tasks: Connection) -> None:
    """Read damaged files until there are no more. Answer how each ended."""
    import detreduce  # noqa: F401

    every = {parser.name: parser for parser in parsers()}
    with (
        tempfile.TemporaryDirectory() as folder,
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stderr(nowhere),
    ):
        os.environ.update(XDG_CACHE_HOME=folder, DETREDUCE_CACHE=folder, YOLO_CONFIG_DIR=folder)
        os.chdir(folder)
        kitchen = Kitchen(Path(folder))
        prepared: set[str] = set()
        start = 0
        while (task := tasks.recv()) is not None:
            name, number = task
            if name not in prepared:
                resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                place = kitchen.place(every[name])
                with contextlib.suppress(Exception):
                    every[name].read(place)  # imports
                prepared.add(name)
                start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                pages = int(Path("/proc/self/statm").read_text().split()[0])
                soft = pages * resource.getpagesize() + ADDRESSES
                resource.setrlimit(resource.RLIMIT_AS, (soft, resource.RLIM_INFINITY))
            began = time.monotonic()
            how, detail = kitchen.try_one(every[name], number)
            used = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) * 1024
            if used > MEMORY and how in ("read", "refused"):
                how = f"{used >> 20:,} MiB"
                prepared.clear()
            tasks.send((how, detail, time.monotonic() - began, used))


@dataclass
class Worker:
    """A worker process, and what it does now."""

    process: Any
    tasks: Connection
    task: tuple[str, int] | None = None
    since: float = 0.0

    @classmethod
    def start(cls) -> Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=work, args=(theirs,), daemon=True)
        process.start()
        theirs.close()
        return cls(process, ours)

    def give(self, task: tuple[str, int] | None) -> None:
        self.task, self.since = task, time.monotonic()
        self.tasks.send(task)


@dataclass
class Tried:
    """What came of the inputs of one parser."""

    ended: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    memory: int = 0
    faults: dict[str, list[int]] = field(default_factory=dict)


def main(short: bool, names: Sequence[str] = (), inputs: int | None = None, first: int = 0) -> list[str]:
    """Give all parsers, or those in `names`, a number of damaged files. Return the faults."""
    count = inputs if inputs is not None else SHORT_INPUTS if short else INPUTS
    chosen = [parser.name for parser in parsers() if not names or parser.name in names]
    tried = {name: Tried() for name in chosen}
    tasks = ((name, number) for name in chosen for number in range(first, first + count))
    workers = [Worker.start() for _ in range(WORKERS)]
    left = dict.fromkeys(chosen, count)
    try:
        for worker in workers:
            worker.give(next(tasks, None))
        while busy := [worker for worker in workers if worker.task]:
            ready = wait([worker.tasks for worker in busy], timeout=1)
            for place, worker in enumerate(workers):
                if not worker.task:
                    continue
                name, number = worker.task
                if worker.tasks in ready:
                    try:
                        how, _, seconds, memory = worker.tasks.recv()
                    except (EOFError, OSError):
                        how, seconds, memory = "the process ended", 0.0, 0
                # the first task of a worker includes all imports
                elif time.monotonic() - worker.since > SECONDS + 90:
                    how, seconds, memory = f"longer than {SECONDS} s, in code that no signal interrupts", 0.0, 0
                else:
                    continue
                one = tried[name]
                one.slowest, one.memory = max(one.slowest, seconds), max(one.memory, memory)
                fault = how not in ("read", "refused")
                one.ended["faults" if fault else how] += 1
                if fault:
                    one.faults.setdefault(re.sub(r"\d+|'[^']*'", "…", how), []).append(number)
                if how.startswith(("the process", "longer than")) and (how[-1] != "s" or not worker.process.is_alive()):
                    worker.process.kill()
                    worker = workers[place] = Worker.start()
                left[name] -= 1
                if not left[name]:
                    _say(name, one)
                worker.give(next(tasks, None))
    finally:
        for worker in workers:
            worker.process.join(2)
            worker.process.kill()
    return [
        f"{name}: {how}: {len(numbers)} inputs, such as {', '.join(map(str, numbers[:5]))}"
        for name, one in tried.items()
        for how, numbers in one.faults.items()
    ]


def _say(name: str, one: Tried) -> None:
    ended = ", ".join(f"{count:,} {how}" for how, count in sorted(one.ended.items()))
    print(
        f"{name}: {sum(one.ended.values()):,} inputs ({ended}), at most {one.slowest:.1f} s, {one.memory >> 20} MiB",
        flush=True,
    )


def again(name: str, number: int, save: Path | None) -> bool:
    """Read one damaged file in this process, and print its traceback. Return whether it is a fault."""
    parser = next(parser for parser in parsers() if parser.name == name)
    with tempfile.TemporaryDirectory() as folder:
        kitchen = Kitchen(Path(folder))
        parser.read(kitchen.place(parser))  # imports
        how, detail = kitchen.try_one(parser, number)
        if save:
            save.write_bytes(kitchen.make(parser, number))
    print(f"{detail}{name} {number}: {how}")
    return how not in ("read", "refused")


if __name__ == "__main__":
    known = [parser.name for parser in parsers()]
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("names", nargs="*", metavar="PARSER", help=f"default: all of {', '.join(known)}")
    arguments.add_argument("--short", action="store_true", help=f"{SHORT_INPUTS} inputs for each parser")
    arguments.add_argument("--inputs", type=int, help=f"inputs for each parser; default: {INPUTS:,}")
    arguments.add_argument("--first", type=int, default=0, help="number of the first input; default: 0")
    arguments.add_argument("--only", type=int, metavar="NUMBER", help="read this input of one parser only")
    arguments.add_argument("--save", type=Path, metavar="FILE", help="with --only, write the input to this file")
    options = arguments.parse_args()
    if unknown := set(options.names) - set(known):
        arguments.error(f"unknown parsers: {', '.join(sorted(unknown))}. Use {', '.join(known)}")
    if options.only is not None:
        if len(options.names) != 1:
            arguments.error("--only needs one parser")
        sys.exit(again(options.names[0], options.only, options.save))
    found = main(options.short, options.names, options.inputs, options.first)
    print("\n".join(found))
    sys.exit(1 if found else 0)
