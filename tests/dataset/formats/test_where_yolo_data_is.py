"""The places to look for images of a data.yaml: as in ultralytics, at Roboflow's broken paths, by ultralytics'
names.
"""

from __future__ import annotations

import ast
import json
import shlex
import sys
from pathlib import Path

import pytest

from detreduce.dataset import load_dataset
from detreduce.dataset.paths.finding import find, locate_dataset
from detreduce.dataset.write import write_subset
from detreduce.errors import InputError, MissingFileError
from detreduce.ultralytics_bridge import config_folder


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder and settings of ultralytics without any dataset."""
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path / "config"))


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


ROBOFLOW = """\
train: ../train/images
val: ../valid/images
test: ../test/images

nc: 1
names: ['cat']

roboflow:
  workspace: w
  license: CC BY 4.0
"""


@pytest.mark.parametrize(
    "paths",
    [
        ("../train/images", "../valid/images"),
        ("train/images", "valid/images"),
        ("Cats-3/train/images", "Cats-3/valid/images"),
        ("/content/Cats-3/train/images", "/content/Cats-3/valid/images"),
        ("C:\\data\\Cats-3\\train\\images", "C:\\data\\Cats-3\\valid\\images"),
    ],
)
def test_roboflow_exports_load_wherever_they_say_they_are(tmp_path, paths):
    root = tmp_path / "Cats-3"
    touch(root / "train/images/a.jpg", root / "train/labels/a.txt", root / "valid/images/b.jpg")
    (root / "data.yaml").write_text(f"train: {paths[0]}\nval: {paths[1]}\nnames: [cat]\n")
    dataset = load_dataset(root)
    assert [record.path for record in dataset] == [root / "train/images/a.jpg"]
    assert [record.path for record in load_dataset(root / "data.yaml", "val")] == [root / "valid/images/b.jpg"]
    assert (dataset.problems == ()) == (paths[0] == "train/images")
    write_subset(dataset, dataset.image_ids, tmp_path / "out")
    assert "train: train/images\nval: valid/images\n" in (tmp_path / "out/data.yaml").read_text()


def test_absolute_paths(tmp_path):
    touch(tmp_path / "far/train/images/a.jpg")
    (tmp_path / "data.yaml").write_text(f"train: {tmp_path}/far/train/images\nnames: [cat]\n")
    assert load_dataset(tmp_path / "data.yaml")[0].path == tmp_path / "far/train/images/a.jpg"


def test_every_path_tried_is_in_the_error(tmp_path):
    (tmp_path / "export").mkdir()
    (tmp_path / "export/data.yaml").write_text(ROBOFLOW)
    with pytest.raises(MissingFileError) as caught:
        load_dataset(tmp_path / "export/data.yaml")
    text = str(caught.value)
    assert f"the images of 'train' (../train/images) do not exist. Looked for: {tmp_path}/train/images" in text
    assert f"{tmp_path}/export/train/images" in text
    assert "\n" not in text


def settings(tmp_path: Path, datasets_dir: Path) -> None:
    place = tmp_path / "config/Ultralytics/settings.json"
    touch(place)
    place.write_text(json.dumps({"datasets_dir": str(datasets_dir)}))


@pytest.mark.parametrize("name", ["coco8.yaml", "coco8"])
def test_a_dataset_that_ultralytics_ships_is_found_by_name(tmp_path, name):
    settings(tmp_path, tmp_path / "sets")
    touch(tmp_path / "sets/coco8/images/train/1.jpg", tmp_path / "sets/coco8/images/val/2.jpg")
    label = tmp_path / "sets/coco8/labels/train/1.txt"
    touch(label)
    label.write_text("45 0.5 0.5 0.1 0.1\n")
    dataset = load_dataset(name)
    assert (len(dataset.class_names), dataset.class_names[45], dataset.problems) == (80, "bowl", ())
    assert dataset.image_ids == ["images/train/1.jpg"]
    assert locate_dataset(name) == dataset.source.path
    reduced = write_subset(dataset, dataset.image_ids, tmp_path / "out")
    assert reduced.image_ids == ["images/train/1.jpg"]


@pytest.mark.parametrize("place", ["cwd/datasets", "datasets"])
def test_without_settings_datasets_are_looked_for_beside(tmp_path, place):
    touch(tmp_path / place / "coco8/images/train/1.jpg")
    assert load_dataset("coco8.yaml")[0].path == tmp_path / place / "coco8/images/train/1.jpg"


@pytest.mark.skipif(sys.platform != "linux", reason="the system's folder for settings is elsewhere")
def test_the_settings_are_the_persons_own_after_detreduce_imported_ultralytics(tmp_path, monkeypatch):
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(config_folder.private_config_folder()))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    settings(tmp_path, tmp_path / "sets")
    touch(tmp_path / "sets/coco8/images/train/1.jpg")
    assert load_dataset("coco8.yaml")[0].path == tmp_path / "sets/coco8/images/train/1.jpg"


def test_a_file_of_that_name_goes_first(tmp_path):
    touch(tmp_path / "cwd/images/a.jpg")
    (tmp_path / "cwd/coco8.yaml").write_text("train: images\nnames: [mine]\n")
    assert load_dataset("coco8.yaml").class_names == ("mine",)
    assert locate_dataset("coco8.yaml") == tmp_path / "cwd/coco8.yaml"


def test_absent_images_say_where_they_were_sought_and_how_to_get_them(tmp_path):
    settings(tmp_path, tmp_path / "sets")
    with pytest.raises(MissingFileError) as caught:
        load_dataset("coco8.yaml")
    text = str(caught.value)
    for folder in ("cwd/coco8", "sets/coco8", "datasets/coco8", "cwd/datasets/coco8"):
        assert f"{tmp_path}/{folder}," in text
    assert "To get it, unpack https://github.com/ultralytics/assets/" in text
    assert f"coco8.zip into {tmp_path}/sets" in text and ": python -c " in text
    assert 'check_det_dataset("coco8.yaml")' in text
    assert not (tmp_path / "sets").exists()


def test_a_script_as_download_is_left_to_ultralytics(tmp_path):
    (tmp_path / "x.yaml").write_text("path: gone\ntrain: a\nnames: [a]\ndownload: |\n  import os\n  os.abort()\n")
    with pytest.raises(MissingFileError) as caught:
        load_dataset(tmp_path / "x.yaml")
    assert "abort" not in str(caught.value)
    assert "'download:'" in str(caught.value) and ": python -c " in str(caught.value)
    assert f'check_det_dataset("{tmp_path}/x.yaml")' in str(caught.value)


@pytest.mark.parametrize("folder", ["it's", "$(touch x)", 'say "hi"'])
def test_the_command_to_download_can_be_pasted(tmp_path, folder):
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "x.yaml").write_text("path: gone\ntrain: a\nnames: [a]\ndownload: https://x.y/z.zip\n")
    with pytest.raises(MissingFileError) as caught:
        load_dataset(tmp_path / folder / "x.yaml")
    words = shlex.split(str(caught.value).split("download the data: ")[1])
    call = ast.parse(words[2]).body[-1].value
    assert words[:2] == ["python", "-c"] and call.args[0].value == str(tmp_path / folder / "x.yaml")


def test_a_download_of_blanks_is_no_traceback(tmp_path):
    (tmp_path / "x.yaml").write_text("path: gone\ntrain: a\nnames: [a]\ndownload: ' '\n")
    with pytest.raises(MissingFileError, match="does not download data"):
        load_dataset(tmp_path / "x.yaml")


def test_a_yaml_in_utf16_is_an_error_that_says_so(tmp_path):
    (tmp_path / "x.yaml").write_text("train: a\nnames: [a]\n", encoding="utf-16")
    with pytest.raises(InputError, match="UTF-16"):
        load_dataset(tmp_path / "x.yaml")


def test_a_misspelt_name_names_the_nearest():
    with pytest.raises(MissingFileError, match=r"Did you mean 'coco8.yaml'\?"):
        load_dataset("cocoo8.yaml")
    with pytest.raises(MissingFileError, match=r"Did you mean 'coco8.yaml'\?"):
        locate_dataset("cocoo8.yaml")
    with pytest.raises(MissingFileError) as caught:
        find("coco8.yaml", what="experiment")
    assert "Did you mean" not in str(caught.value)


def test_what_is_read_is_what_ultralytics_reads(tmp_path, monkeypatch):
    ultralytics = pytest.importorskip("ultralytics.utils")
    assert config_folder.config_folder() == tmp_path / "config/Ultralytics"
    folder = config_folder.shipped_datasets()
    assert folder is not None and folder.samefile(Path(ultralytics.ROOT) / "cfg/datasets")
    monkeypatch.delenv("YOLO_CONFIG_DIR")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    assert config_folder.config_folder() == ultralytics.get_user_config_dir()
