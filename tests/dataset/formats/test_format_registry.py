"""The registry of dataset formats, and the steps to add a format."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path, PurePosixPath

import pytest
from PIL import Image

from detreduce.dataset.formats import registry
from detreduce.dataset.formats.format import Format, Reload
from detreduce.dataset.health.counts import summarise
from detreduce.dataset.load import load_dataset, load_split
from detreduce.dataset.reading.box_collector import BoxCollector
from detreduce.dataset.records import DetectionDataset, ImageRecord, Source, SplitSource
from detreduce.dataset.write import subset_report, write_subset, write_yolo_view
from detreduce.dataset.writing.choice import Choice
from detreduce.dataset.writing.links import Placer
from detreduce.errors import InputError

TABLE = "boxes.table"


def load_table(source: Source, split: str) -> DetectionDataset:
    rows: dict[str, list[list[float]]] = {}
    for line in (source.root / TABLE).read_text().splitlines():
        name, *numbers = line.split()
        rows.setdefault(name, []).append([float(number) for number in numbers])
    boxes = BoxCollector()
    for name in sorted(rows):
        boxes.add(rows[name], [0] * len(rows[name]))
    arrays = zip(sorted(rows), boxes.arrays(), strict=True)
    records = tuple(ImageRecord(name, name, source.root / name, *values) for name, values in arrays)
    return DetectionDataset(records, ("thing",), ("thing",), "xyxy", split, source)


def load_path(file: Path, split: str | None, images: Path | None) -> DetectionDataset:
    return load_table(Source("table", file, file.parent, {"train": SplitSource((file.parent,), file)}), "train")


def write_table(choice: Choice, placer: Placer, target: Path) -> Reload:
    kept = {record.name for record in choice.kept}
    lines = (choice.dataset.source.root / TABLE).read_text().splitlines(keepends=True)
    placer.write(PurePosixPath(TABLE), "".join(line for line in lines if line.split()[0] in kept).encode())
    for record in choice.kept:
        placer.image(record.path, PurePosixPath(record.name))
    return partial(load_path, target / TABLE, None, None)


ROW = Format(
    name="table",
    example="a .table",
    accepts_file=lambda file: file.suffix == ".table",
    sure_files=lambda folder: [folder / TABLE],
    load_path=load_path,
    load_split=load_table,
    count_images=lambda source, split: len(load_table(source, split)),
    write=write_table,
)


def test_every_row_has_the_name_it_is_listed_under() -> None:
    assert [row.name for row in registry.all_formats()] == list(registry.FORMATS)


def test_one_line_adds_a_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / "source").mkdir(exist_ok=True)
        Image.new("RGB", (40, 20)).save(tmp_path / "source" / name)
    (tmp_path / "source" / TABLE).write_text("a.png 0 0 10 10\nb.png 0 0 20 20\nb.png 10 5 20 15\n")
    with monkeypatch.context() as patch:
        # before the format for folders of images, which accepts every folder
        others = dict(registry.FORMATS)
        patch.setattr(registry, "FORMATS", {"table": f"{__name__}:ROW", **others})
        dataset = load_dataset(tmp_path / "source")
        summary = summarise(dataset)
        assert (summary.format, summary.boxes, summary.splits) == ("table", 3, {"train": 2})
        assert load_split(dataset.source, "train").content_hash == dataset.content_hash
        assert subset_report(dataset, ["b.png"]).licences == ()
        reduced = write_subset(dataset, ["b.png"], tmp_path / "reduced")
        assert (tmp_path / "reduced" / TABLE).read_text() == "b.png 0 0 20 20\nb.png 10 5 20 15\n"
        assert load_dataset(tmp_path / "reduced").content_hash == reduced.content_hash
        converted = write_subset(dataset, ["b.png"], tmp_path / "yolo", format="yolo")
        assert converted[0].boxes.tolist() == [[0.25, 0.5, 0.5, 1.0], [0.375, 0.5, 0.25, 0.5]]
        assert len(load_dataset(write_yolo_view(dataset, tmp_path / "view"))) == 2
        with pytest.raises(InputError, match=r"'coco'.*table or yolo"):
            write_subset(dataset, ["b.png"], tmp_path / "no", format="coco")
    assert load_dataset(tmp_path / "source").source.format == "images"


def test_names_are_listed_without_importing_a_format() -> None:
    code = (
        "import sys; from detreduce.dataset.formats.registry import FORMATS; import detreduce.dataset.load;"
        "print([name for name in sys.modules if name.startswith('detreduce.dataset.formats.') and '.row' in name])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.strip() == b"[]"
