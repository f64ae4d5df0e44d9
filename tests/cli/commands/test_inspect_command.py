from __future__ import annotations

import json
from pathlib import Path

from invocation import detreduce
from PIL import Image


def test_inspect_counts_and_names_the_bad_line(yolo_folder: Path) -> None:
    result = detreduce("inspect", yolo_folder)
    assert result.exit_code == 0, result.output
    assert "3.txt:2" in result.output and "cat" in result.output
    content = json.loads(detreduce("inspect", yolo_folder, "--json").output)
    assert (content["images"], content["boxes"], content["background"]) == (8, 7, 1)
    assert [entry["boxes"] for entry in content["classes"]] == [4, 3]


def test_inspect_finds_unreadable_images_only_when_asked(yolo_folder: Path) -> None:
    broken = yolo_folder.parent / "images" / "5.jpg"
    broken.write_bytes(broken.read_bytes()[:200])
    assert "5.jpg" not in detreduce("inspect", yolo_folder).output
    assert "5.jpg" in detreduce("inspect", yolo_folder, "--check-images").output


def test_a_folder_of_datasets_lists_the_commands(tmp_path: Path) -> None:
    for name in ("one", "two"):
        for part in ("images", "labels"):
            (tmp_path / "sets" / name / part).mkdir(parents=True)
        for number in range(250):
            (tmp_path / "sets" / name / "images" / f"{number}.jpg").touch()
            (tmp_path / "sets" / name / "labels" / f"{number}.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    unread = " ".join(detreduce("inspect", tmp_path).output.split())
    assert "files or more that look like YOLO labels" in unread, "only a sample is opened"
    for name in ("one", "two"):
        (tmp_path / "sets" / name / "data.yaml").write_text("train: images\nnames: [a]\n")
    (tmp_path / "sets" / "other.yaml").write_text("key: 1\n")
    result = detreduce("inspect", tmp_path)
    assert result.exit_code == 2 and "a folder with 2 datasets" in result.output
    commands = [line.strip() for line in result.output.splitlines() if line.startswith("  ")]
    assert commands == [f"detreduce inspect {tmp_path}/sets/{name}/data.yaml" for name in ("one", "two")]


def test_a_folder_of_yamls_names_them(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("format: coco\ntrain: a.json\n")
    result = detreduce("inspect", tmp_path)
    assert result.exit_code == 2 and f"detreduce inspect {tmp_path}/a.yaml" in result.output


def test_no_problem_in_the_files_is_said_of_the_files_only(yolo_folder: Path) -> None:
    (yolo_folder.parent / "labels" / "3.txt").write_text("")
    assert "Problems in the files: none" in detreduce("inspect", yolo_folder).output


def test_only_the_first_of_many_classes_are_shown(tmp_path: Path) -> None:
    make_many = {"names": [f"class {number}" for number in range(230)], "train": "images"}
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "images/a.png")
    (tmp_path / "labels/a.txt").write_text("\n".join(f"{number} 0.5 0.5 0.1 0.1" for number in range(230)))
    (tmp_path / "data.yaml").write_text(json.dumps(make_many))
    shown = detreduce("inspect", tmp_path).output
    assert "class 39 " in shown and "class 40 " not in shown and "... and 190 rarer classes. Use --all" in shown
    assert "class 229" in detreduce("inspect", tmp_path, "--all").output
    reduced = detreduce("reduce", tmp_path, "--keep", "1", "-o", tmp_path / "out").output
    assert "... and 190 rarer classes. --json" in reduced


def test_epochs_give_the_planned_passes_over_different_images(yolo_folder: Path, tmp_path: Path) -> None:
    opened = ("--check-images", "--cache", tmp_path / "cache")
    content = json.loads(detreduce("inspect", yolo_folder, "--epochs", "6", "--json", *opened).output)
    found = content["advice"]
    assert found["redundancy"] == content["images_checked"]["redundancy"]
    assert found["planned_passes"] == round(8 * 6 / found["redundancy"]["effective_images"], 3)
    unopened = json.loads(detreduce("inspect", yolo_folder, "--epochs", "6", "--json").output)["advice"]
    assert unopened["redundancy"] is None and unopened["planned_passes"] is None
    page = tmp_path / "health.html"
    shown = " ".join(detreduce("inspect", yolo_folder, "--epochs", "6", "-o", page, *opened).output.split())
    assert "planned passes" in shown and "planned passes" in page.read_text() and found["evidence"]["link"] in shown
    assert detreduce("inspect", yolo_folder, "--epochs", "0").exit_code == 2
