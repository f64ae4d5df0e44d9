from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from invocation import detreduce
from PIL import Image


def test_duplicates_and_leakage_in_plain_words(copies: Path) -> None:
    result = detreduce("duplicates", copies)
    assert result.exit_code == 0, result.output
    assert "turned by 90 degrees" in result.output
    # the summary comes last, where a terminal shows it
    summary = result.output[result.output.index("Duplicates: ") :].splitlines()
    assert summary[0] == (
        "Duplicates: 1 of the 6 images of train repeat another image (by pixels, with a similarity of at least 0.85; "
        "1 group)."
    )
    assert summary[1] == "Leakage between splits:" and len(summary) == 4
    command, name = summary[-1].split(" --output ")
    assert command == f"Next: detreduce reduce {copies} --keep all --drop-leaked"
    assert not Path(name).exists()
    assert "2 of the 2 images of val are in train, 1 of them equal in every pixel." in result.output
    assert "train 0.png, val 0.png: equal pixels" in result.output
    assert "mirrored, similarity 1.00" in result.output


def test_duplicates_as_json_of_one_split_without_leakage(copies: Path) -> None:
    content = json.loads(detreduce("duplicates", copies, "--json").output)
    assert content["redundant"] == 1 and content["leakage"]["counts"]["train / val"] == {"exact": 1, "near": 1, "of": 2}
    assert content["split"] == "train"
    options = ("--by", "exact", "--no-leakage", "--split", "val")
    exact = json.loads(detreduce("duplicates", copies, *options, "--json").output)
    assert (exact["groups"], exact["leakage"], exact["by"]) == ([], None, "content")


def test_twenty_pairs_are_shown(tmp_path: Path) -> None:
    for row in range(24):
        file = tmp_path / "set" / "images" / f"{row}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 48), (row // 12, 100, 100)).save(file)
    lines = detreduce("duplicates", tmp_path / "set", "--by", "exact").output.splitlines()
    assert sum(line.startswith("  ") and line.endswith(": equal pixels") for line in lines) == 20
    assert "  ... and 2 more pairs. Use --all to list all pairs." in lines
    assert lines[-2].startswith("Duplicates: 22 of the 24 images") or lines[-3].startswith("Duplicates: 22 of the 24")
    # what was typed can be typed again
    assert lines[-1].startswith(f"Next: detreduce reduce {tmp_path / 'set'} --keep all")
    looked = detreduce("inspect", tmp_path / "set").output.splitlines()
    assert looked[-1] == f"Next: detreduce inspect {tmp_path / 'set'} --check-images --page"
    everything = detreduce("duplicates", tmp_path / "set", "--by", "exact", "--all").output.splitlines()
    assert sum(line.endswith(": equal pixels") for line in everything) == 22


def test_nothing_found_is_said(copies: Path) -> None:
    result = detreduce("duplicates", copies, "--by", "exact", "--split", "val", "--no-leakage")
    assert "Duplicates: none among the 2 images of val (in every pixel)." in result.output
    (copies.parent / "val" / "images" / "0.png").unlink()
    (copies.parent / "val" / "images" / "1.png").unlink()
    Image.fromarray(np.random.default_rng(9).integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(
        copies.parent / "val" / "images" / "x.png"
    )
    assert "Leakage between splits: none found." in detreduce("duplicates", copies).output


def test_duplicates_by_features_are_found_and_dropped(copies: Path, tmp_path: Path) -> None:
    """The vectors of 3 and 0 are equal, and the vectors of 1 and 2 are nearly equal. The pictures do not matter."""
    vectors = tmp_path / "vectors.csv"
    # scaled by column, then compared by cosine
    points = {0: (9, 0), 1: (0, 9), 2: (1, 9), 3: (9, 0), 4: (-9, 1), 5: (0, -9)}
    vectors.write_text("image,x,y\n" + "".join(f"{row}.png,{x},{y}\n" for row, (x, y) in points.items()))
    backbone = ("--backbone", f"file:{vectors}")
    found = json.loads(detreduce("duplicates", copies, "--by", "features", *backbone, "--json").output)
    assert (found["by"], found["threshold"], found["leakage"]) == ("features", 0.95, None)
    assert sorted(sorted(Path(image).name for image in group) for group in found["groups"]) == [
        ["0.png", "3.png"],
        ["1.png", "2.png"],
    ]
    said = detreduce("duplicates", copies, "--by", "features", "--threshold", "0.9999", *backbone)
    assert "(by features, with a similarity of at least 0.9999; 1 group)" in said.output, said.output
    assert detreduce("duplicates", copies, "--by", "features", "--threshold", "1.5", *backbone).exit_code == 2
    ignored = detreduce("duplicates", copies, *backbone)
    assert ignored.exit_code == 2 and "--by features" in ignored.output
    (tmp_path / "stay.txt").write_text("3.png\n")
    for method in ("srs", "mms"):
        out = tmp_path / method
        options = ("--drop-duplicates", "--duplicates-by", "features", "--must-keep", tmp_path / "stay.txt", *backbone)
        result = detreduce(
            "reduce", copies, "-m", method, "-k", "5", "-o", out, *options, "--duplicates-from", "0.9999"
        )
        assert result.exit_code == 0, result.output
        assert "1 image dropped (near-duplicates by features with a similarity of at least 0.9999)" in result.output
        content = json.loads((out / "selection.json").read_text())
        assert sorted(Path(image).name for image in content["image_ids"]) == [f"{row}.png" for row in (1, 2, 3, 4, 5)]
    result = detreduce("reduce", copies, "-k", "5", "-o", tmp_path / "more", *options)
    assert result.exit_code != 0 and "only 4 of 6 images remain without duplicates" in " ".join(result.output.split())
