"""Non-ASCII file names give the same result in every locale."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

NO_UTF8 = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
NAMES = ("a", "é", "日本", "Ω")


def python(folder: Path, *arguments: str, utf8: bool) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if name not in NO_UTF8}
    variables |= {"PYTHONUTF8": "1"} if utf8 else NO_UTF8
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=variables, capture_output=True, encoding="utf-8", check=False
    )


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    (tmp_path / "ordner ä").mkdir()
    images = []
    for number, name in enumerate(NAMES):
        file = f"{name}.jpg"
        Image.new("RGB", (8, 8), (60 * number, 0, 0)).save(tmp_path / "ordner ä" / file)
        images.append({"id": number, "file_name": file, "width": 8, "height": 8})
    boxes = [
        {"id": n, "image_id": n, "category_id": 1, "bbox": [1, 1, 3, 3], "area": 9, "iscrowd": 0} for n in range(4)
    ]
    content = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "x"}]}
    file = tmp_path / "annotations.json"
    file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return file


def test_the_command_writes_the_same_files_in_every_locale(coco: Path) -> None:
    folder = coco.parent
    written = []
    for utf8 in (True, False):
        command = (
            "-m",
            "detreduce",
            "reduce",
            coco.name,
            "--images",
            "ordner ä",
            "--method",
            "srs",
            "--keep",
            "3",
            "-o",
            f"out {utf8}",
        )
        done = python(folder, *command, utf8=utf8)
        assert done.returncode == 0, done.stderr
        out = folder / f"out {utf8}"
        chosen = json.loads((out / "selection.json").read_text(encoding="utf-8"))["image_ids"]
        written.append((chosen, sorted(path.relative_to(out) for path in out.rglob("*.jpg"))))
    assert written[0] == written[1]
    assert len(written[0][1]) == 3


def test_python_without_utf8_is_refused_if_a_name_is_not_ascii(coco: Path) -> None:
    program = "import detreduce as dr; print(len(dr.load_dataset('annotations.json', images=IMAGES)))"
    folder = coco.parent / "ascii"
    folder.mkdir()
    for name in NAMES:
        (folder / f"{name}.jpg").write_bytes(b"\xff\xd8\xff\xd9")
    refused = python(coco.parent, "-c", program.replace("IMAGES", "'ascii'"), utf8=False)
    assert "InputError" in refused.stderr and "PYTHONUTF8=1" in refused.stderr
    assert python(coco.parent, "-c", program.replace("IMAGES", "'ascii'"), utf8=True).stdout == "4\n"
    content = json.loads(coco.read_text(encoding="utf-8"))
    content["images"], content["annotations"] = content["images"][:1], content["annotations"][:1]
    coco.write_text(json.dumps(content), encoding="utf-8")
    for name in NAMES[1:]:
        (folder / f"{name}.jpg").unlink()
    assert python(coco.parent, "-c", program.replace("IMAGES", "'ascii'"), utf8=False).stdout == "1\n"
