"""The converter of the Mobility Aids dataset, on small inputs in the format that the released readers read."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from detreduce.dataset import load_dataset

REPOSITORY = Path(__file__).resolve().parents[2]
LISTS = {
    "TrainSet_RGB": ["seq_0001", "seq_0002", "seq_0003"],
    "TestSet1": ["seq_0004"],
    "TestSet2_seq1": ["two_0001"],
    "TestSet2_seq2": ["two_0002"],
    "TestSet2_seq3": [],
    "TestSet2_seq4": [],
}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    file = REPOSITORY / "scripts" / "datasets" / "mobility_aid.py"
    spec = importlib.util.spec_from_file_location("mobility_aid", file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    return module


def annotation(*boxes: tuple[str, int, int, int, int], header: str = "") -> str:
    """An annotation of an image of 96x54; numbers are written as text, as in files made from XML."""
    text = f"{header}annotation:\n  filename: x.png\n  size:\n    width: '96'\n    height: '54'\n    depth: '3'\n"
    if boxes:
        text += "  object:\n"
    for name, *corners in boxes:
        text += f"  - name: {name}\n    bndbox:\n"
        text += "".join(
            f"      {key}: '{value}'\n" for key, value in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)
        )
    return text


PERSON = annotation(("person", 1, 1, 9, 9))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The four downloads, with six images."""
    folder = tmp_path / "downloads"
    texts = {
        "seq_0001": annotation(("person", 10, 5, 58, 32), ("walking_frame", 0, 0, 96, 54)),
        "seq_0002": annotation(header="%YAML:1.0\n"),
        "seq_0003": annotation(("wheelchair", -8, 10, 48, 60), ("crutches", 5, 5, 5, 20), header="%YAML:1.0\n---\n"),
        "seq_0004": annotation(("pedestrian", 24, 0, 72, 54)),
        "two_0001": annotation(("push_wheelchair", 0, 0, 48, 27)),
        "two_0002": annotation(("crutches", 48, 27, 96, 54)).replace("  - name", "    name"),
    }
    for name in ("Images_RGB", "Annotations_RGB", "Annotations_RGB_TestSet2", "ImageSets"):
        (folder / name).mkdir(parents=True)
    for name, text in texts.items():
        Image.new("RGB", (96, 54)).save(folder / "Images_RGB" / f"{name}.png")
        place = "Annotations_RGB_TestSet2" if name.startswith("two") else "Annotations_RGB"
        (folder / place / f"{name}.yml").write_text(text)
    for name, lines in LISTS.items():
        (folder / "ImageSets" / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines))
    return folder


def test_the_output_is_the_dataset_that_the_yaml_names(
    script: ModuleType,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DETREDUCE_DATA", str(tmp_path / "data"))
    before = {file: file.read_bytes() for file in source.rglob("*") if file.is_file()}
    script.main([str(source)])
    said = capsys.readouterr().out
    assert "3 train images, 3 test images" in said and "10,961 train and 6,118 test" in said
    assert "1 boxes crossed the border" in said and "1 boxes without area" in said
    train = load_dataset(REPOSITORY / "datasets" / "mobility_aid.yaml")
    assert train.class_names == ("pedestrian", "wheelchair", "push_wheelchair", "crutches", "walking-frame")
    assert [record.name.rpartition("/")[2] for record in train] == ["seq_0001.png", "seq_0002.png", "seq_0003.png"]
    assert train.class_counts.tolist() == [[1, 0, 0, 0, 1], [0] * 5, [0, 1, 0, 0, 0]]
    assert not train.problems
    test = load_dataset(REPOSITORY / "datasets" / "mobility_aid.yaml", split="test")
    assert test.class_counts.sum(axis=0).tolist() == [1, 0, 1, 1, 0]
    labels = tmp_path / "data" / "mobility_aid" / "train" / "labels"
    assert (labels / "seq_0001.txt").read_text().splitlines() == [
        "0 0.35416667 0.34259259 0.5 0.5",
        "4 0.5 0.5 1 1",
    ]
    assert (labels / "seq_0003.txt").read_text() == "1 0.25 0.59259259 0.5 0.81481481\n"
    assert {file: file.read_bytes() for file in before} == before


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("Annotations_RGB/seq_0001.yml", None, "seq_0001.yml does not exist"),
        ("Images_RGB/two_0001.png", None, "two_0001.png does not exist"),
        ("ImageSets/TestSet1.txt", None, "TestSet1.txt cannot be read"),
        ("ImageSets/TestSet1.txt", "seq_0001\n", "'seq_0001' is listed twice"),
        ("ImageSets/TestSet1.txt", "../seq_0001\n", "is not the name of an image"),
        ("Annotations_RGB/seq_0001.yml", annotation(("walkingframe", 1, 1, 9, 9)), "Did you mean 'walking_frame'"),
        ("Annotations_RGB/seq_0001.yml", "annotation: [\n", "is not an annotation"),
        ("Annotations_RGB/seq_0001.yml", "- 1\n", "is not an annotation"),
        (
            "Annotations_RGB/seq_0001.yml",
            PERSON.replace("'9'", "x"),
            "is not an annotation",
        ),
    ],
)
def test_a_damaged_download_is_one_sentence_and_leaves_nothing(
    script: ModuleType, source: Path, tmp_path: Path, file: str, text: str | None, said: str
) -> None:
    (source / file).unlink()
    if text is not None:
        (source / file).write_text(text)
    with pytest.raises(SystemExit, match=said):
        script.main([str(source), str(tmp_path / "out" / "set")])
    assert not (tmp_path / "out").exists()


def test_an_output_that_exists_is_not_touched(script: ModuleType, source: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note.txt").write_text("mine")
    with pytest.raises(SystemExit, match="exists"):
        script.main([str(source), str(tmp_path / "mine")])
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["note.txt"]
