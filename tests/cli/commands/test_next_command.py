from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
from invocation import detreduce
from made_videos import make_video
from PIL import Image


def make_pool(folder: Path) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(8):
        Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize((96, 72)).save(folder / f"{number}.png")
    return folder


def test_rounds_on_the_command_line(tmp_path: Path) -> None:
    pool = make_pool(tmp_path / "pool")
    one, two, three = (tmp_path / f"round{number}" for number in (1, 2, 3))
    assert detreduce("reduce", pool, "-m", "srs", "-k", "3", "-o", one).exit_code == 0
    result = detreduce("next", pool, "--after", one, "--count", "2", "-m", "srs", "-o", two)
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert f"After {one}: 3 images, not labelled yet" in said
    assert "Chosen: 2 of 8 images by srs. 3 images remain for later rounds." in said
    assert f"detreduce export {two / 'selection.json'} --as list" in said
    last = detreduce(
        "next", pool, "--after", one, "--after", two / "selection.json", "-n", "3", "-m", "srs", "-o", three, "--json"
    )
    content = json.loads(last.stdout)
    assert (content["images"], content["remaining"], content["known"]) == (3, 0, 5)
    names = [file.name for folder in (one, two, three) for file in folder.glob("*.png")]
    assert len(names) == len(set(names)) == 8
    listed = detreduce("export", three / "selection.json", "--as", "list", "-o", tmp_path / "list.txt")
    assert listed.exit_code == 0, listed.output
    assert len((tmp_path / "list.txt").read_text().splitlines()) == 3


def test_frames_of_a_video_are_not_offered_twice(tmp_path: Path) -> None:
    video = make_video(tmp_path / "drive.mp4", 20, scenes=range(20))
    outputs = [tmp_path / "round1", tmp_path / "round2"]
    first = detreduce("reduce", video, "--every", "1", "-m", "stride", "-k", "3", "-o", outputs[0])
    assert first.exit_code == 0, first.output
    options = ("--every", "1", "--after", outputs[0] / "selection.json", "-n", "3", "-m", "srs")
    second = detreduce("next", video, *options, "-o", outputs[1])
    assert second.exit_code == 0, second.output
    frames = [set(json.loads((output / "selection.json").read_text())["image_ids"]) for output in outputs]
    assert len(frames[1]) == 3 and not frames[0] & frames[1]
    command = next(line for line in second.output.splitlines() if "--as list" in line).partition("detreduce ")[2]
    listed = detreduce(*shlex.split(command.replace("to-label.txt", str(tmp_path / "list.txt"))))
    assert listed.exit_code == 0, listed.output
    assert all(Path(line).is_file() for line in (tmp_path / "list.txt").read_text().splitlines())


def test_what_cannot_be_chosen_has_exit_code_2(tmp_path: Path) -> None:
    pool = make_pool(tmp_path / "pool")
    for arguments, message in (
        (["--after", tmp_path / "non", "-n", "1"], "does not exist"),
        (["--after", pool, "-n", "1"], "can still be offered"),
        (["-n", "1"], "--after"),
        (["--after", pool, "-n", "1", "-m", "srrs"], "Did you mean 'srs'"),
    ):
        result = detreduce("next", pool, *arguments, "-o", tmp_path / "out")
        assert result.exit_code == 2, result.output
        assert message in " ".join(result.output.split()), result.output
    assert not (tmp_path / "out").exists()
