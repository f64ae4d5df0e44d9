"""Clips of known lengths from photographs: the numbers, the boxes, and what differs between two datasets."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from detreduce.dataset.load import load_dataset
from detreduce.errors import InputError

STUDIES = str(Path(__file__).resolve().parents[2] / "scripts" / "studies")


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(STUDIES)
    monkeypatch.delitem(sys.modules, "redundancy", raising=False)
    return importlib.import_module("redundancy")


@pytest.mark.parametrize(("decay", "lengths"), [(0.0, [3, 3, 3]), (1.0, [4, 3, 2]), (40.0, [7, 1, 1])])
def test_lengths_follow_the_exponent(script: ModuleType, decay: float, lengths: list[int]) -> None:
    # 6 frames beyond the first of each clip: for decay 1 the shares are 6/11, 3/11, 2/11
    assert script.clip_lengths(3, 9, decay) == lengths


def test_every_scene_needs_an_image(script: ModuleType) -> None:
    with pytest.raises(InputError, match="2 images cannot show 3 scenes"):
        script.clip_lengths(3, 2, 0.0)


def test_boxes_move_with_the_view(script: ModuleType) -> None:
    margin = 1 - script.VIEW
    boxes = np.array([[margin, margin, margin + script.VIEW / 2, 1.0], [0.0, 0.0, margin * 1.5, 0.5], [0, 0, 1, 1]])
    seen, visible = script.frame_boxes(boxes, margin, margin)
    assert seen[0] == pytest.approx([0, 0, 0.5, 1])
    assert visible.tolist() == [True, False, True], "a third of the second box is in the view"
    assert seen[2] == pytest.approx([0, 0, 1, 1])


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five different photographs in train, the first of them twice, and two in val."""
    root, rng = tmp_path_factory.mktemp("photographs"), np.random.default_rng(0)
    for split, count in (("train", 6), ("val", 2)):
        for part in ("images", "labels"):
            (root / split / part).mkdir(parents=True)
        for number in range(count):
            blocks = rng.integers(0, 256, (6, 8, 3)).astype(np.uint8)
            picture = Image.fromarray(blocks).resize((160, 120), Image.Resampling.BICUBIC)
            if split == "train" and number == 5:
                picture = Image.open(root / "train" / "images" / "0.png")
            picture.save(root / split / "images" / f"{number}.png")
            (root / split / "labels" / f"{number}.txt").write_text("0 0.5 0.5 0.4 0.4\n")
    (root / "data.yaml").write_text("train: train/images\nval: val/images\nnames: [thing]\n")
    return root / "data.yaml"


def test_two_datasets_of_one_seed_differ_in_the_lengths_only(script: ModuleType, source: Path, tmp_path: Path) -> None:
    for name, decay in (("equal", "0"), ("unequal", "1.5")):
        options = ["--scenes", "4", "--images", "16", "--decay", decay, "--output", str(tmp_path / name)]
        script.main([str(source), *options])
    equal, unequal = (json.loads((tmp_path / name / "clips.json").read_text()) for name in ("equal", "unequal"))
    assert equal["made"]["effective_images"] == 4 and equal["made"]["unevenness"] == 1
    assert unequal["made"]["unevenness"] > 1.3 and unequal["lengths"] != equal["lengths"]
    assert sum(unequal["lengths"]) == 16 == len(load_dataset(tmp_path / "unequal" / "data.yaml", split="train"))
    assert len(load_dataset(tmp_path / "equal" / "data.yaml", split="val")) == 2
    # the first frame of each scene is the same in both, so the scenes and their order are the same
    for scene in range(4):
        first = f"train/images/scene{scene:04d}_frame000.jpg"
        assert (tmp_path / "equal" / first).read_bytes() == (tmp_path / "unequal" / first).read_bytes()
    assert equal["groups_of_several_scenes"] == 0, "the photograph that is there twice is one scene"


def test_too_few_photographs(script: ModuleType, source: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="5 different photographs with boxes, not 6"):
        script.main([str(source), "--scenes", "6", "--images", "9", "--output", str(tmp_path / "new")])
    assert not (tmp_path / "new").exists()
