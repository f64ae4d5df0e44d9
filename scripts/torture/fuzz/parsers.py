"""The functions of detreduce that read files which other people or programs may have written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import operations

from fuzz import seeds

Read = Callable[[Path], object]


@dataclass(frozen=True)
class Parser:
    """A function that reads one kind of file.

    Attributes
    ----------
    name
        The name in messages and on the command line.
    make
        A function that makes valid files in an empty folder.
    target
        The path of the file that is damaged, relative to the folder.
    read
        A function that reads the files in the folder.
    seeds
        Further valid contents of the damaged file.
    """

    name: str
    make: Callable[[Path], object]
    target: str
    read: Read
    seeds: tuple[bytes, ...] = ()


def dataset(name: str) -> Read:
    """Return a function that loads the dataset `name` in a folder, uses all its boxes, and lists its problems."""

    def read(folder: Path) -> object:
        import detreduce
        from detreduce.dataset.health.counts import summarise

        return summarise(detreduce.load_dataset(folder / name))

    return read


def read_selection(folder: Path) -> object:
    import detreduce

    made = detreduce.Selection.load(folder / "selection.json")
    return repr(made), made._repr_html_(), made.to_json(), made.prefix(2)


def read_ledger(folder: Path) -> object:
    from detreduce.experiment.ledger.ledger import Ledger, finished_rows
    from detreduce.experiment.results.outcome import outcome_of

    ledger = Ledger(folder / "ledger")
    rows = finished_rows(ledger)
    if len([cell.key for cell in ledger]) < 1:
        raise AssertionError("a damaged cell hides the others")
    return rows, outcome_of(ledger).to_dict()


def read_record(folder: Path) -> object:
    from detreduce.training.record import TrainingRecord

    record = TrainingRecord.load(folder / "record.json")
    return repr(record), record.row(), record._repr_html_() if hasattr(record, "_repr_html_") else None


def read_proxy(folder: Path) -> object:
    from detreduce.arrays.proxy_log import ProxyLog

    return repr(ProxyLog.load(folder / "proxy.npz"))


def read_evidence(folder: Path) -> object:
    import numpy as np

    from detreduce.training.evaluation.evidence import Evidence

    found = Evidence.load(folder / "evidence.npz")
    return found.in_order_of(np.sort(found.images)[::-1])


def read_must_keep(folder: Path) -> object:
    import detreduce
    from detreduce.selection.named_images import read_names

    data = detreduce.load_dataset(folder / "data.yaml")
    return detreduce.select(data, "srs", keep=3, must_keep=read_names(folder / "keep.txt"))


def parsers() -> list[Parser]:
    """Return all parsers in the order in which they run."""
    yolo, cell = dataset("data.yaml"), "ledger/cells/cell-0000"
    return [
        Parser("yaml", seeds.make_mixed, "data.yaml", yolo, seeds.YAMLS),
        Parser("coco", operations.make_coco, "annotations/train.json", yolo, (seeds.COCO,)),
        Parser("voc", operations.make_voc, "Annotations/0.xml", dataset("."), seeds.VOC),
        Parser("cvat", operations.make_cvat, "annotations.xml", dataset("annotations.xml"), seeds.CVAT),
        Parser(
            "label_studio", operations.make_label_studio, "tasks.json", dataset("tasks.json"), (seeds.label_studio(),)
        ),
        Parser("labelme", seeds.make_labelme, "0.json", dataset(".")),
        Parser("createml", seeds.make_createml, "_annotations.createml.json", dataset("_annotations.createml.json")),
        Parser("labels", operations.make_yolo, "labels/train/0.txt", yolo, seeds.LABELS),
        Parser("image_list", seeds.make_listed, "train.txt", yolo),
        Parser("obj_data", seeds.make_darknet, "obj.data", dataset("obj.data")),
        Parser("selection", seeds.make_selection, "selection.json", read_selection),
        Parser("cell", seeds.make_ledger, f"{cell}/cell.json", read_ledger),
        Parser("plan", seeds.make_ledger, "ledger/plan.json", read_ledger),
        Parser("record", seeds.make_record, "record.json", read_record),
        Parser("proxy", seeds.make_proxy, "proxy.npz", read_proxy),
        Parser("evidence", seeds.make_evidence, "evidence.npz", read_evidence),
        Parser("must_keep", seeds.make_names, "keep.txt", read_must_keep),
    ]
