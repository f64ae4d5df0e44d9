from __future__ import annotations

from pathlib import Path

from invocation import detreduce


def test_train_refuses_options_given_as_arguments(yolo_folder: Path) -> None:
    for argument, said in (("model=yolov8n.yaml", "--model yolov8n.yaml"), ("seed=1", "--seed 1")):
        result = detreduce("train", yolo_folder, argument)
        assert result.exit_code == 2 and said in result.output


def test_train_refuses_a_recipe_that_cannot_be_trained(yolo_folder: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("batch: 4\n")
    for given, said in (
        (["--recipe", tmp_path / "no.yaml"], "no.yaml"),
        (["--recipe", recipe, "batch=8"], "contradicts"),
        (["--recipe", recipe, "--images-per-epoch", "8"], "images_seen"),
    ):
        result = detreduce("train", yolo_folder, "--model", "yolov8n.yaml", *given)
        assert result.exit_code == 2
        assert said in result.output
    recipe.write_text("batch: 100000\n")
    result = detreduce("train", yolo_folder, "--model", "yolov8n.yaml", "--recipe", recipe, "--allow-leaks")
    assert result.exit_code == 2
    assert "100000 images are more than" in " ".join(result.output.split())
