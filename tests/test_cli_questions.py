from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from detreduce.cli import app
from detreduce.cli_values import parse_class_floor
from detreduce.errors import InputError


def detreduce(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Six noise images in train, two in val: train 5 is 4 turned, val 0 is train 0 and val 1 is train 1 mirrored."""
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (50, 70, 3), dtype=np.uint8) for _ in range(5)]
    train = [*pictures, np.rot90(pictures[4])]
    val = [pictures[0], pictures[1][:, ::-1]]
    for split, images in (("train", train), ("val", val)):
        for row, image in enumerate(images):
            for folder in ("images", "labels"):
                (tmp_path / "set" / split / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(tmp_path / "set" / split / "images" / f"{row}.png")
            (tmp_path / "set" / split / "labels" / f"{row}.txt").write_text(f"{row % 2} 0.5 0.5 0.2 0.2\n")
    file = tmp_path / "set" / "data.yaml"
    file.write_text("train: train/images\nval: val/images\nnames: [cat, dog]\n")
    return file


def test_duplicates_and_leakage_in_plain_words(data: Path) -> None:
    result = detreduce("duplicates", data)
    assert result.exit_code == 0, result.output
    assert "split train: 6 images compared" in result.output
    assert "1 groups of near-duplicates by pixels" in result.output and "turned by 90 degrees" in result.output
    assert "2 of the 2 images of val are in train, 1 of them equal in every pixel." in result.output
    assert "val 0.png is train 0.png: equal pixels" in result.output
    assert "mirrored, similarity 1.00" in result.output


def test_duplicates_as_json_of_one_split_without_leakage(data: Path) -> None:
    content = json.loads(detreduce("duplicates", data, "--json").output)
    assert content["redundant"] == 1 and content["leakage"]["counts"]["train / val"] == {"exact": 1, "near": 1, "of": 2}
    assert content["split"] == "train"
    options = ("--by", "exact", "--no-leakage", "--split", "val")
    exact = json.loads(detreduce("duplicates", data, *options, "--json").output)
    assert (exact["groups"], exact["leakage"], exact["by"]) == ([], None, "content")


def test_nothing_found_is_said(data: Path) -> None:
    result = detreduce("duplicates", data, "--by", "exact", "--split", "val", "--no-leakage")
    assert "No images of equal pixels." in result.output
    (data.parent / "val" / "images" / "0.png").unlink()
    (data.parent / "val" / "images" / "1.png").unlink()
    Image.fromarray(np.random.default_rng(9).integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(
        data.parent / "val" / "images" / "x.png"
    )
    assert "Leakage between splits: none found." in detreduce("duplicates", data).output


def test_reduce_drops_duplicates_and_explain_says_so(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = detreduce("reduce", data, "-m", "srs", "-k", "5", "-o", out, "--drop-duplicates", "--class-floor", "1")
    assert result.exit_code == 0, result.output
    assert "Left out before choosing: 1 images (near-duplicates by pixels from 0.85)." in result.output
    content = json.loads((out / "selection.json").read_text())
    assert content["images"] == 5
    [pair] = content["provenance"]["duplicates"]["pairs"]
    said = detreduce("explain", out / "selection.json", "--image", Path(pair["copy"]).name)
    assert said.exit_code == 0, said.output
    assert (
        f"was dropped before srs chose, since {Path(pair['kept']).name} shows the same (turned by 90 degrees"
        in said.output
    )
    kept = detreduce("explain", out / "selection.json", "--image", pair["kept"])
    assert "of 5 in the order chosen." in kept.output and f"It stands for {Path(pair['copy']).name}" in kept.output
    assert "Boxes: 1 cat." in kept.output or "Boxes: 1 dog." in kept.output
    as_json = json.loads(detreduce("explain", out / "selection.json", "--image", pair["kept"], "--json").output)
    assert as_json["kept"] is True


def test_kept_copies_are_reported_when_they_were_not_dropped(data: Path, tmp_path: Path) -> None:
    images = data.parent / "train" / "images"
    (images / "3.png").write_bytes((images / "2.png").read_bytes())
    result = detreduce("reduce", data, "-m", "srs", "-k", "1.0", "-o", tmp_path / "out")
    assert "1 of the kept files are copies of other kept files; --drop-duplicates leaves them out." in result.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("-k", "6", "--drop-duplicates"), "5 of 6 are left without duplicates"),
        (("-k", "1", "--class-floor", "1"), "keep at least 2"),
        (("-k", "2", "--class-floor", "bird=1"), "bird"),
        (("-k", "2", "--class-floor", "many"), "a class and a number"),
        (("-k", "2", "--drop-duplicates", "--duplicates-from", "2"), "0.85 finds copies"),
        (("-k", "2", "--drop-duplicates", "--duplicates-by", "exact", "--duplicates-from", "0.9"), "leave it out"),
    ],
)
def test_bad_compositions_are_one_message(data: Path, tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    result = detreduce("reduce", data, "-m", "srs", "-o", tmp_path / "out", *options)
    assert result.exit_code == 2 and said in " ".join(result.output.split()), result.output
    assert not (tmp_path / "out").exists()


def test_explain_refuses_kindly(data: Path, tmp_path: Path) -> None:
    assert detreduce("reduce", data, "-m", "srs", "-k", "2", "-o", tmp_path / "out").exit_code == 0
    selection = tmp_path / "out" / "selection.json"
    for arguments, said in (
        ((tmp_path / "none.json", "--image", "0.png"), "no selection at"),
        ((selection, "--image", "0.pngg"), "Did you mean '0.png'"),
        ((selection, "--image", "0.png", "--data", tmp_path / "set" / "dato.yaml"), "Did you mean 'data.yaml'"),
    ):
        result = detreduce("explain", *arguments)
        assert result.exit_code == 2 and said in result.output, result.output
    data.parent.rename(tmp_path / "moved")
    result = detreduce("explain", selection, "--image", "0.png")
    assert result.exit_code == 2 and "Looked for" in result.output and "--data" in result.output
    moved = detreduce("explain", selection, "--image", "0.png", "--data", tmp_path / "moved" / "data.yaml")
    assert moved.exit_code == 0, moved.output
    assert "Nearest kept image by annotations: " in moved.output


def test_floors_are_read_for_all_classes_or_by_name() -> None:
    assert parse_class_floor([]) is None
    assert parse_class_floor(["3"]) == 3
    assert parse_class_floor(["bus=2", "a=b=10"]) == {"bus": 2, "a=b": 10}
    for bad in (["x"], ["=3"], ["bus=-1"], ["3", "4"]):
        with pytest.raises(InputError):
            parse_class_floor(bad)


def test_the_commands_have_help_with_an_example() -> None:
    for command in ("duplicates", "explain"):
        result = detreduce(command, "--help")
        assert result.exit_code == 0 and f"Example: detreduce {command}" in " ".join(result.output.split())
