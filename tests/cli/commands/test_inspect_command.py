from __future__ import annotations

import json
from pathlib import Path

from invocation import detreduce


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
