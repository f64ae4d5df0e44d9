"""Files outside the dataset's folder: used only with the expected content, counted, and refused on request."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

import detreduce as dr
from detreduce.cli.program import app
from detreduce.dataset.load import load_split
from detreduce.dataset.paths.outside import VARIABLE, outside_notice
from detreduce.errors import InputError

BOX = "0 0.5 0.5 0.5 0.5\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A dataset in `set` with one image, and other files of the computer next to the folder `set`."""
    for name in ("set/images", "set/labels", "store", "home", "vault"):
        (tmp_path / name).mkdir(parents=True)
    for path in ("set/images/own.png", "store/cached.png", "home/photo.png"):
        Image.new("RGB", (20, 10), (len(path), 0, 0)).save(tmp_path / path)
    (tmp_path / "set/labels/own.txt").write_text(BOX)
    (tmp_path / "store/cached.txt").write_text(BOX)
    (tmp_path / "home/id_rsa").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    (tmp_path / "vault/key.jpg").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    (tmp_path / "set/data.yaml").write_text("train: images\nval: images\nnames: [ant]\n")
    return tmp_path


def names(dataset: dr.DetectionDataset) -> list[str]:
    return [record.name for record in dataset]


def test_a_dataset_without_links_has_nothing_outside(data: Path) -> None:
    for follow in (True, False):
        dataset = dr.load_dataset(data / "set/data.yaml", outside=follow)
        assert names(dataset) == ["own.png"] and dataset.outside == 0 and not outside_notice(dataset)


def test_images_and_labels_of_a_store_are_followed_and_counted(data: Path) -> None:
    (data / "set/images/linked.png").symlink_to(data / "store/cached.png")
    (data / "set/labels/linked.txt").symlink_to(data / "store/cached.txt")
    dataset = dr.load_dataset(data / "set/data.yaml")
    assert names(dataset) == ["linked.png", "own.png"] and dataset.outside == 2
    assert "2 files are outside" in outside_notice(dataset)
    refused = dr.load_dataset(data / "set/data.yaml", outside=False)
    assert names(refused) == ["own.png"] and any("outside" in problem.what for problem in refused.problems)
    assert names(load_split(refused.source, "val")) == ["own.png"]
    assert names(load_split(dataset.source, "val")) == ["linked.png", "own.png"]


def test_links_inside_are_no_outside(data: Path) -> None:
    (data / "set/images/again.png").symlink_to("own.png")
    dataset = dr.load_dataset(data / "set/data.yaml", outside=False)
    assert names(dataset) == ["again.png", "own.png"] and dataset.outside == 0


@pytest.mark.parametrize("target", ["home/id_rsa", "store/cached.txt", "vault/key.jpg"])
def test_a_file_that_is_no_image_is_not_taken(data: Path, target: str) -> None:
    (data / "set/images/secret.jpg").symlink_to(data / target)
    dataset = dr.load_dataset(data / "set/data.yaml")
    assert names(dataset) == ["own.png"]
    assert any(problem.file.name == "secret.jpg" and "not an image" in problem.what for problem in dataset.problems)
    written = dr.write_subset(dataset, dataset.image_ids, data / "out", link="copy")
    assert names(written) == ["own.png"]
    assert not any(b"PRIVATE" in path.read_bytes() for path in (data / "out").rglob("*") if path.is_file())


def test_a_file_that_is_no_label_file_is_not_taken(data: Path) -> None:
    (data / "set/images/b.png").write_bytes((data / "home/photo.png").read_bytes())
    (data / "set/labels/b.txt").symlink_to(data / "home/id_rsa")
    dataset = dr.load_dataset(data / "set/data.yaml")
    assert names(dataset) == ["own.png"]
    dr.write_subset(dataset, dataset.image_ids, data / "out", link="copy")
    assert not any(b"PRIVATE" in path.read_bytes() for path in (data / "out").rglob("*") if path.is_file())


@pytest.mark.parametrize("train", ["../home", "../../{}/home", "{}/home"])
def test_paths_of_a_yaml_that_lead_out_are_counted_and_refused(data: Path, train: str) -> None:
    path = train.format(data if train.startswith("{") else data.name)
    (data / "set/data.yaml").write_text(f"train: {path}\nnames: [ant]\n")
    assert dr.load_dataset(data / "set/data.yaml").outside == 1
    assert names(dr.load_dataset(data / "set/data.yaml", outside=False)) == []


@pytest.mark.parametrize("path", ["../home", "{}/home"])
def test_the_folder_that_path_names_is_of_the_dataset(data: Path, path: str) -> None:
    (data / "set/data.yaml").write_text(f"path: {path.format(data)}\ntrain: .\nnames: [ant]\n")
    for follow in (True, False):
        dataset = dr.load_dataset(data / "set/data.yaml", outside=follow)
        assert names(dataset) == ["photo.png"] and dataset.outside == 0
    (data / "home/secret.jpg").symlink_to("id_rsa")
    assert names(dr.load_dataset(data / "set/data.yaml")) == ["photo.png"], "a link may mislead here too"


def test_the_root_of_the_file_system_is_no_folder_of_a_dataset(data: Path) -> None:
    (data / "set/data.yaml").write_text(f"path: /\ntrain: {data}/home\nnames: [ant]\n")
    assert dr.load_dataset(data / "set/data.yaml").outside == 1
    assert names(dr.load_dataset(data / "set/data.yaml", outside=False)) == []


def test_absolute_paths_in_a_list_are_counted(data: Path) -> None:
    (data / "set/train.txt").write_text(f"{data}/set/images/own.png\n{data}/home/photo.png\n")
    (data / "set/data.yaml").write_text("train: train.txt\nnames: [ant]\n")
    dataset = dr.load_dataset(data / "set/data.yaml")
    assert len(dataset) == 2 and dataset.outside == 1
    assert names(dr.load_dataset(data / "set/data.yaml", outside=False)) == ["own.png"]


def test_labels_of_labelme_may_be_links(data: Path) -> None:
    (data / "lm").mkdir()
    (data / "lm/a.png").symlink_to(data / "home/photo.png")
    text = '{"version": "5", "shapes": [], "imagePath": "a.png", "imageWidth": 20, "imageHeight": 10}'
    (data / "store/a.json").write_text(text)
    (data / "lm/a.json").symlink_to(data / "store/a.json")
    dataset = dr.load_dataset(data / "lm")
    assert len(dataset) == 1 and dataset.outside == 2


def test_a_dangling_link_is_a_problem_as_before(data: Path) -> None:
    (data / "set/images/gone.png").symlink_to(data / "store/gone.png")
    dataset = dr.load_dataset(data / "set/data.yaml")
    assert not any("not an image" in problem.what for problem in dataset.problems)


def test_a_linked_folder_is_outside(data: Path) -> None:
    (data / "set/images/more").symlink_to(data / "home")
    assert dr.load_dataset(data / "set/data.yaml").outside == 1
    assert names(dr.load_dataset(data / "set/data.yaml", outside=False)) == ["own.png"]


def test_folders_that_the_caller_names_are_inside(data: Path) -> None:
    (data / "a.json").write_text(
        '{"images": [{"id": 1, "file_name": "photo.png", "width": 20, "height": 10}], "annotations": [], '
        '"categories": [{"id": 1, "name": "ant"}]}'
    )
    dataset = dr.load_dataset(data / "a.json", images=data / "home", outside=False)
    assert len(dataset) == 1 and dataset.outside == 0
    (data / "link").symlink_to(data / "home")
    assert dr.load_dataset(data / "link", outside=False).outside == 0


@pytest.mark.filterwarnings("ignore")
def test_the_command_says_it_once_and_refuses(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    (data / "set/images/linked.png").symlink_to(data / "store/cached.png")
    run = CliRunner().invoke
    said = run(app, ["inspect", str(data / "set/data.yaml")])
    assert said.output.count("1 file is outside") == 1 and "--no-outside" in said.output
    refused = run(app, ["inspect", str(data / "set/data.yaml"), "--no-outside"])
    assert refused.exit_code == 0 and "linked.png" in refused.output and "left out" in refused.output
    again = run(app, ["inspect", str(data / "set/data.yaml")])
    assert "1 file is outside" in again.output, "the option is one of its command"


@pytest.mark.filterwarnings("ignore")
def test_the_pixel_limit_is_an_option_of_commands(data: Path) -> None:
    run = CliRunner().invoke
    place = str(data / "set/data.yaml")
    assert "above the limit" in run(app, ["inspect", place, "--check-images", "--max-pixels", "199"]).output
    assert "above the limit" not in run(app, ["inspect", place, "--check-images", "--max-pixels", "200"]).output
    bad = run(app, ["inspect", place, "--max-pixels", "0"])
    assert bad.exit_code == 2 and (bad.exception is None or isinstance(bad.exception, SystemExit | InputError))
