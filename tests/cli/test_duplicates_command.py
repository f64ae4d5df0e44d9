from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from invocation import detreduce
from PIL import Image


def test_duplicates_and_leakage_in_plain_words(copies: Path) -> None:
    result = detreduce("duplicates", copies)
    assert result.exit_code == 0, result.output
    assert "split train: 6 images compared" in result.output
    assert "1 groups of near-duplicates by pixels" in result.output and "turned by 90 degrees" in result.output
    assert "2 of the 2 images of val are in train, 1 of them equal in every pixel." in result.output
    assert "val 0.png is train 0.png: equal pixels" in result.output
    assert "mirrored, similarity 1.00" in result.output


def test_duplicates_as_json_of_one_split_without_leakage(copies: Path) -> None:
    content = json.loads(detreduce("duplicates", copies, "--json").output)
    assert content["redundant"] == 1 and content["leakage"]["counts"]["train / val"] == {"exact": 1, "near": 1, "of": 2}
    assert content["split"] == "train"
    options = ("--by", "exact", "--no-leakage", "--split", "val")
    exact = json.loads(detreduce("duplicates", copies, *options, "--json").output)
    assert (exact["groups"], exact["leakage"], exact["by"]) == ([], None, "content")


def test_nothing_found_is_said(copies: Path) -> None:
    result = detreduce("duplicates", copies, "--by", "exact", "--split", "val", "--no-leakage")
    assert "No images of equal pixels." in result.output
    (copies.parent / "val" / "images" / "0.png").unlink()
    (copies.parent / "val" / "images" / "1.png").unlink()
    Image.fromarray(np.random.default_rng(9).integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(
        copies.parent / "val" / "images" / "x.png"
    )
    assert "Leakage between splits: none found." in detreduce("duplicates", copies).output
