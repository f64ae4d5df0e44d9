"""Images of train that are also in val or test are left out, and selection.json says which."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import detreduce as dr
from detreduce.cli import app
from detreduce.dataset.health.leaks import find_leaks
from detreduce.duplicates.leakage import matches_in_words
from detreduce.errors import DetreduceWarning, InputError


@pytest.fixture
def leaky(tmp_path: Path) -> Path:
    """Eight images in train: 0 is a copy of val 0, 1 and 2 are val 1 mirrored and turned, 3 is test 0."""
    rng = np.random.default_rng(0)
    pictures = [np.kron(rng.integers(0, 256, (8, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8) for _ in range(9)]
    content = {
        "train": [pictures[0], pictures[1][:, ::-1], np.rot90(pictures[1]), pictures[2], *pictures[3:7]],
        "val": [pictures[0], pictures[1], pictures[7]],
        "test": [pictures[2], pictures[8]],
    }
    for split, images in content.items():
        for row, image in enumerate(images):
            for folder in ("images", "labels"):
                (tmp_path / split / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(tmp_path / split / "images" / f"{split}{row}.png")
            (tmp_path / split / "labels" / f"{split}{row}.txt").write_text(f"{row % 2} 0.5 0.5 0.2 0.2\n")
    data = tmp_path / "data.yaml"
    data.write_text("train: train/images\nval: val/images\ntest: test/images\nnames: [cat, dog]\n")
    return data


def test_every_copy_is_left_out_and_listed(leaky, tmp_path):
    out = tmp_path / "out"
    result = CliRunner().invoke(
        app, ["reduce", str(leaky), "-m", "srs", "-k", "1.0", "--drop-leaked", "-o", str(out), "--no-page"]
    )
    assert result.exit_code == 0, result.output
    assert "Leaks: 4 images of train match 3 images of val or test. They are left out" in result.output
    assert "Left out: 4 images of train match 3 images of val or test." in result.output
    stored = json.loads((out / "selection.json").read_text())
    step = stored["steps"][0]
    assert (step["step"], step["dropped"]) == ("drop_leaked", 4)
    assert step["images"] == [f"train/images/train{row}.png" for row in (0, 1, 2, 3)]
    pairs = {pair["name"]: (pair["other_split"], pair["other_name"], pair["exact"]) for pair in step["pairs"]}
    assert pairs["train0.png"] == ("val", "val0.png", True)
    assert pairs["train1.png"] == ("val", "val1.png", False)
    assert pairs["train3.png"] == ("test", "test0.png", True)
    kept = dr.load_dataset(out)
    assert [record.name for record in kept] == [f"train{row}.png" for row in (4, 5, 6, 7)]
    splits = {split: dr.load_dataset(out / "data.yaml", split=split) for split in ("train", "val", "test")}
    assert not find_leaks(splits).in_train
    assert dr.Selection.load(out / "selection.json").keep == 4


def test_what_cannot_be_decoded_is_a_leak_if_its_bytes_are_equal(leaky, tmp_path):
    for split, name in (("train", "train4"), ("val", "val2"), ("train", "train5")):
        file = leaky.parent / split / "images" / f"{name}.png"
        file.write_bytes(b"no image at all" if name != "train5" else b"other bytes")
    with pytest.warns(DetreduceWarning, match="train5"):
        dr.reduce(leaky, tmp_path / "out", "srs", keep=1.0, drop_leaked=True, page=False)
    kept = dr.load_dataset(tmp_path / "out")
    assert [record.name for record in kept] == [f"train{row}.png" for row in (5, 6, 7)]
    splits = {split: dr.load_dataset(tmp_path / "out/data.yaml", split=split) for split in ("train", "val", "test")}
    assert not find_leaks(splits).in_train


def test_a_fraction_refers_to_the_images_that_remain(leaky, tmp_path):
    result = dr.reduce(leaky, tmp_path / "out", "srs", keep=0.5, drop_leaked=True, page=False)
    assert len(result.selection) == 2
    again = dr.reduce(leaky, tmp_path / "again", "srs", keep=0.5, drop_leaked=True, page=False)
    assert again.selection.image_ids == result.selection.image_ids


def test_two_images_of_val_that_match_one_of_train_both_count(leaky, tmp_path):
    copy = leaky.parent / "val/images/again.png"
    copy.write_bytes((leaky.parent / "val/images/val0.png").read_bytes())
    (leaky.parent / "val/labels/again.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    result = dr.reduce(leaky, tmp_path / "out", "srs", keep=2, drop_leaked=True, page=False)
    step = result.selection.steps[0]
    assert (step["dropped"], step["matched"]) == (4, 4)
    assert matches_in_words(step["pairs"], step["matched"]) == "4 images of train match 4 images of val or test"


def test_explain_says_why(leaky, tmp_path):
    dr.reduce(leaky, tmp_path / "out", "srs", keep=2, drop_leaked=True, page=False)
    done = CliRunner().invoke(app, ["explain", str(tmp_path / "out"), "--image", "train0.png"])
    assert "because it is the same as val val0.png (equal pixels)" in done.output, done.output


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"must_keep": ["train1.png"]}, "'train1.png' is in must_keep, but it is also in val"),
        ({"keep": 5}, "only 4 of 8 images remain without images of val and test"),
        ({"split": "val", "data": "val-only"}, "has no val or test split"),
        ({"data": "same"}, "All images are also in val or test"),
    ],
)
def test_what_cannot_be_done_is_one_error(leaky, tmp_path, change, message):
    if data := change.pop("data", ""):
        splits = "val: val/images\n" if data == "val-only" else "train: val/images\nval: val/images\n"
        leaky.write_text(f"{splits}names: [cat, dog]\n")
    with pytest.raises(InputError, match=message):
        dr.reduce(leaky, tmp_path / "out", "srs", **{"keep": 2, **change}, drop_leaked=True, page=False)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("exclude", [[], ["train0.png"], ["train0.png", "train3.png"]])
def test_leaks_that_are_kept_are_named_with_what_to_add(leaky, tmp_path, exclude):
    lines: list[str] = []
    dr.reduce(leaky, tmp_path / "out", "srs", keep="all", exclude=exclude, page=False, say=lines.append)
    splits = {split: dr.load_dataset(tmp_path / "out" / "data.yaml", split=split) for split in ("train", "val", "test")}
    found = [line for line in lines if line.startswith("Leaks: ")]
    assert len(found) == bool(find_leaks(splits).in_train)
    assert all("--drop-leaked" in line for line in found)
    assert sum(line.count("1 of the") for line in found) == len(find_leaks(splits).in_train)
    lines.clear()
    dr.reduce(leaky, tmp_path / "clean", "srs", keep="all", drop_leaked=True, page=False, say=lines.append)
    assert not any("--drop-leaked" in line for line in lines)


@pytest.mark.parametrize("drop", [False, True])
def test_no_training_is_suggested_that_refuses_the_data(leaky, tmp_path, drop):
    asked = ["reduce", str(leaky), "--keep", "all", "--method", "srs", "--output", str(tmp_path / "out"), "--no-page"]
    done = CliRunner().invoke(app, [*asked, *["--drop-leaked"] * drop])
    assert done.exit_code == 0, done.output
    splits = {split: dr.load_dataset(tmp_path / "out" / "data.yaml", split=split) for split in ("train", "val", "test")}
    refused = bool(find_leaks(splits).in_train)
    assert refused is not drop
    (suggested,) = (line.split()[2] for line in done.output.splitlines() if line.startswith("Next: detreduce"))
    assert suggested == ("inspect" if refused else "train")
