from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from invocation import detreduce
from PIL import Image


@pytest.fixture
def uneven(tmp_path: Path) -> Path:
    """Eight images with class 0, two with class 1."""
    root = tmp_path / "uneven"
    for number in range(10):
        for kind in ("images", "labels"):
            (root / "train" / kind).mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 255, (64, 64, 3), np.uint8)
        Image.fromarray(pixels).save(root / f"train/images/{number}.png")
        (root / f"train/labels/{number}.txt").write_text(f"{int(number >= 8)} 0.5 0.5 0.5 0.5\n")
    (root / "data.yaml").write_text("train: train/images\nval: train/images\nnames: [common, rare]\n")
    return root / "data.yaml"


def test_the_size_the_extremes_and_what_comes_next(uneven: Path, tmp_path: Path) -> None:
    file = tmp_path / "w.csv"
    result = detreduce("weights", uneven, "--by", "class_uniform", "--output", file)
    assert result.exit_code == 0, result.output
    assert "Effective sample size: 6.4 (64%)" in result.output
    rows = [line.split() for line in result.output.splitlines() if ".png" in line]
    # the rare images are drawn 2.5 times in ten draws
    assert [(row[1], row[3]) for row in rows[:2]] == [("8.png", "2.50"), ("9.png", "2.50")]
    assert {row[3] for row in rows[2:]} == {"0.62"}
    assert result.output.splitlines()[-1] == f"stream: {{by: weights, file: {file}}}"
    assert len(file.read_text().splitlines()) == 11


def test_a_list_for_the_plain_yolo_command(uneven: Path, tmp_path: Path) -> None:
    folder = tmp_path / "a list"
    result = detreduce("weights", uneven, "--by", "class_uniform", "--as", "list", "--output", folder)
    assert result.exit_code == 0, result.output
    # 16 lines are 1.6 times the images: 62 epochs for 100
    assert result.output.splitlines()[-1] == (
        f"Next: yolo detect train data='{folder / 'data.yaml'}' model=yolo11n.pt epochs=62"
    )
    names = [Path(line).name for line in (folder / "train.txt").read_text().splitlines()]
    assert sorted(names) == sorted([f"{number}.png" for number in range(8)] + ["8.png", "9.png"] * 4)


def test_a_short_list_says_who_is_missing_and_json_counts(uneven: Path, tmp_path: Path) -> None:
    options = ("--by", "class_uniform", "--as", "list", "--lines", "6", "--output")
    result = detreduce("weights", uneven, *options, tmp_path / "a")
    # 6 lines: each rare image expects 1.5, each common image 3/8
    assert "--lines NUMBER" in result.output
    content = json.loads(detreduce("weights", uneven, *options, tmp_path / "b", "--json").stdout)
    assert (content["lines"], content["images"]) == (6, 10)
    assert content["images_without_line"] >= 4
    assert content["effective_sample_size"] == pytest.approx(6.4)
    assert content["most"][0] == {"image": "8.png", "weight": 0.25, "times": 2.5}
    assert content["least"][0]["image"] == "0.png"


def test_weights_of_clusters_and_of_a_table(uneven: Path, tmp_path: Path) -> None:
    images = uneven.parent / "train/images"
    (images / "1.png").write_bytes((images / "0.png").read_bytes())
    file = tmp_path / "w.csv"
    options = ("--power", "0.5", "--threshold", "0.9", "--cache", tmp_path / "cache", "--output", file)
    assert detreduce("weights", uneven, "--by", "cluster_balanced", *options).exit_code == 0
    weights = dict(line.split(",") for line in file.read_text().splitlines()[1:])
    assert float(weights["2.png"]) / float(weights["0.png"]) == pytest.approx(np.sqrt(2))
    file.write_text("image,weight\n" + "".join(f"{number}.png,{int(number < 3)}\n" for number in range(10)))
    again = ("--by", "weights", "--file", file, "--as", "list", "--output", tmp_path / "list")
    assert "7 images have weight 0" in detreduce("weights", uneven, *again).output
    assert len((tmp_path / "list/train.txt").read_text().splitlines()) == 10


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--by", "class-uniform"), "class_uniform"),
        (("--by", "weights"), "--file"),
        (("--by", "class_uniform", "--file", "w.csv"), "file"),
        (("--by", "weights", "--file", "none.csv"), "none.csv"),
        (("--by", "class_uniform", "--threshold", "0.9"), "threshold"),
        (("--by", "class_uniform", "--power", "3"), "power"),
        (("--by", "class_uniform", "--lines", "3"), "--as list"),
        (("--by", "class_uniform", "--as", "list", "--lines", "0"), "lines"),
    ],
)
def test_what_is_wrong_is_one_line(uneven: Path, tmp_path: Path, options: tuple[str, ...], named: str) -> None:
    result = detreduce("weights", uneven, *options, "--output", tmp_path / "out")
    assert result.exit_code == 2
    assert named in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()


def test_an_output_that_exists_stops_before_images_are_compared(uneven: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    cache = tmp_path / "cache"
    for form in ("csv", "list"):
        result = detreduce(
            "weights", uneven, "--by", "cluster_balanced", "--as", form, "--cache", cache, "--output", tmp_path / "out"
        )
        assert result.exit_code == 2, result.output
    assert not cache.exists()
