from __future__ import annotations

from pathlib import Path

from invocation import detreduce


def test_train_refuses_options_given_as_arguments(yolo_folder: Path) -> None:
    for argument, said in (("model=yolov8n.yaml", "--model yolov8n.yaml"), ("seed=1", "--seed 1")):
        result = detreduce("train", yolo_folder, argument)
        assert result.exit_code == 2 and said in result.output
