"""The findings of a health check that opens images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from detreduce.dataset import load_dataset
from detreduce.dataset.health.finding import Finding
from detreduce.duplicates.health import check_pixels


def test_damage_duplicates_and_leaks(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pictures = [np.kron(rng.integers(0, 256, (8, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8) for _ in range(5)]
    content = {"train": [pictures[0], pictures[0], pictures[1][:, ::-1], pictures[1], pictures[2], pictures[3]],
               "val": [pictures[2], pictures[3][::-1], pictures[4]]}  # fmt: skip
    for split, images in content.items():
        for row, image in enumerate(images):
            for folder in ("images", "labels"):
                (tmp_path / split / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(tmp_path / split / "images" / f"{row}.png")
            (tmp_path / split / "labels" / f"{row}.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (tmp_path / "train/images/bad.jpg").write_bytes(b"no image")
    (tmp_path / "train/labels/bad.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (tmp_path / "data.yaml").write_text("train: train/images\nval: val/images\nnames: [a]\n")
    found = check_pixels(load_dataset(tmp_path), cache=tmp_path / "cache")
    lines = {one.check: (one.verdict, one.count) for one in found.findings}
    assert lines == {
        "images": ("wrong", 1),
        "exact duplicates": ("look", 1),
        "near-duplicates": ("look", 1),
        "leaks by pixels": ("wrong", 2),
    }
    said = [one.what for one in found.findings]
    assert any("1 of 6 images of train has the same" in one for one in said)
    assert any("1 of 6 images of train is nearly" in one for one in said)
    files = [Finding("leaks", "good", ""), Finding("equal names", "look", ""), Finding("files", "good", "")]
    checks = [one.check for one in found.with_files(files)]
    assert not {"leaks", "equal names"} & set(checks) and "files" in checks, "no good line next to leaks by pixels"
    # one fact is one line: the one that counts more images
    for count, kept in ((1, "leaks by pixels"), (2, "leaks"), (3, "leaks")):
        both = found.with_files([Finding("leaks", "wrong", "", count)])
        assert [one.check for one in both if one.check.startswith("leaks")] == [kept]
    told = found.to_dict()
    assert told["damaged"] == 1 and told["leakage"]["counts"]["train / val"] == {"exact": 1, "near": 1, "of": 3}
    # 7 images: a pair with equal pixels, a mirrored pair, and three others
    assert told["redundancy"] == {
        "images": 7, "clusters": 5, "largest_cluster": 2, "effective_images": 4.455, "unevenness": 1.122
    }  # fmt: skip
    good = check_pixels(load_dataset(tmp_path, split="val"), cache=tmp_path / "cache").findings
    assert [one.verdict for one in good] == ["good", "good", "good", "wrong"]


def test_the_files_that_val_and_test_share_are_named(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pictures = [np.kron(rng.integers(0, 256, (8, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8) for _ in range(4)]
    content = {"train": pictures[:1], "val": pictures[1:3], "test": [pictures[3], pictures[2][:, ::-1]]}
    for split, images in content.items():
        for row, image in enumerate(images):
            for folder in ("images", "labels"):
                (tmp_path / split / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(tmp_path / split / "images" / f"{row}.png")
            (tmp_path / split / "labels" / f"{row}.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    lines = "".join(f"{split}: {split}/images\n" for split in content)
    (tmp_path / "data.yaml").write_text(f"{lines}names: [a]\n")
    found = {one.check: one for one in check_pixels(load_dataset(tmp_path), cache=tmp_path / "cache").findings}
    advice = found["shared by val and test"].advice
    assert str(tmp_path / "test/images/1.png") in advice and "0.png" not in advice and "val/images" not in advice
