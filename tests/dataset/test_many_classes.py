"""With very many classes, no function makes a dense table of images and classes."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import detreduce as dr
from detreduce.cli.program import app
from detreduce.dataset.records import DetectionDataset
from detreduce.dataset.writing.report import subset_report

CLASSES, IMAGES = 2500, 40
PACKAGE = Path(dr.__file__).parent


def test_no_module_uses_the_dense_table() -> None:
    users = [
        f"{file.name}:{node.lineno}"
        for file in PACKAGE.rglob("*.py")
        if ".class_counts" in (text := file.read_text())
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute) and node.attr == "class_counts"
    ]
    assert users == [], "use sparse_class_counts"


@pytest.fixture
def many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    rng = np.random.default_rng(0)
    for row in range(IMAGES):
        split = "val" if row < 4 else "train"
        image, label = (tmp_path / f"{kind}/{split}/{row:02}" for kind in ("images", "labels"))
        image.parent.mkdir(parents=True, exist_ok=True)
        label.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (24, 32, 3), np.uint8)).save(image.with_suffix(".png"))
        kinds = rng.integers(CLASSES, size=3).tolist()
        label.with_suffix(".txt").write_text("".join(f"{kind} 0.5 0.5 0.{kind % 7 + 2} 0.3\n" for kind in kinds))
    data = tmp_path / "data.yaml"
    names = json.dumps([f"c{number}" for number in range(CLASSES)])
    data.write_text(f"path: .\ntrain: images/train\nval: images/val\nnames: {names}\n")
    refuse = property(lambda self: pytest.fail("a dense table was made"))
    monkeypatch.setattr(DetectionDataset, "class_counts", refuse)
    monkeypatch.setenv("DETREDUCE_CACHE", str(tmp_path / "cache"))
    return data


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exit_code == 0, result.output
    return result.output


def test_commands_need_no_dense_table(many: Path, tmp_path: Path) -> None:
    options = ["--categories", "combination", "--method", "srs", "--class-floor", "1", "--keep", "1.0"]
    run("reduce", many, *options, "--output", tmp_path / "out")
    run("explain", tmp_path / "out", "--image", "20.png", "--json")
    run("inspect", many, "--page", "--output", tmp_path / "health.html")


def test_methods_need_no_dense_table(many: Path, tmp_path: Path) -> None:
    table = dr.extract_features(dr.load_dataset(many), blocks=("annotations",))
    assert table.blocks["annotations"].shape[1] < 200
    for method, rule in (("mms", "none"), ("srs", "dominant"), ("class_coverage", "rarest")):
        selection = dr.select(table, method, keep=0.5, categories=rule)
        assert len(selection) == 18
        measures = dr.measure_representativeness(table.dataset, selection, categories=rule)
        assert measures.class_divergence.value > 0
    dr.export_selection(table.dataset, selection, tmp_path / "kept.csv", form="csv")


def test_a_warning_names_a_few_of_many_lost_classes(many: Path) -> None:
    dataset = dr.load_dataset(many)
    report = subset_report(dataset, [dataset[0].id])
    lost = sum(item.lost for item in report.classes)
    assert report.warnings[0].count("(1)") == 20
    assert f"and {lost - 20} more" in report.warnings[0]
