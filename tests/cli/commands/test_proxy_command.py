from __future__ import annotations

import json
from pathlib import Path

import pytest
from invocation import detreduce


@pytest.mark.train
def test_a_proxy_and_what_is_chosen_by_it(yolo_folder: Path, tmp_path: Path) -> None:
    (yolo_folder.parent / "labels" / "3.txt").write_text("1 0.5 0.5 0.2 0.2\n")
    log = tmp_path / "proxy.npz"
    made = detreduce("proxy", yolo_folder, "--model", "yolov8n.yaml", "-o", log, "epochs=2", "imgsz=32", "batch=4")
    assert made.exit_code == 0, made.output
    assert "7 boxes in 8 images" in made.output and f"--method vps --proxy {log}" in made.output
    for method in ("vps", "gradmatch"):
        reduced = detreduce("reduce", yolo_folder, "-m", method, "-k", "3", "--proxy", log, "-o", tmp_path / method)
        assert reduced.exit_code == 0, reduced.output
        chosen = json.loads((tmp_path / method / "selection.json").read_text())
        assert chosen["images"] == 3
        assert chosen["provenance"]["proxy_training"]["seconds"] > 0
