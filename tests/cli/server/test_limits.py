"""Paths of clients stay below the root of the server."""

from __future__ import annotations

from pathlib import Path

import pytest

from detreduce.cli.server.limits import Limits
from detreduce.errors import InputError, MissingFileError


@pytest.fixture
def limits(tmp_path: Path) -> Limits:
    for folder in ("root/in", "rootbeside", "outside"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "x.yaml").touch()
    (tmp_path / "root" / "leads-out").symlink_to(tmp_path / "outside")
    (tmp_path / "root" / "leads-in").symlink_to(tmp_path / "root" / "in")
    return Limits.of(tmp_path / "root")


@pytest.mark.parametrize("text", ["in/x.yaml", "leads-in/x.yaml", "in/../in/x.yaml", "{root}/in/x.yaml", "."])
def test_inputs_below_the_root(limits: Limits, text: str) -> None:
    found = limits.find_input(text.format(root=limits.root), "dataset")
    assert found.exists() and found.is_relative_to(limits.root)


@pytest.mark.parametrize(
    "text",
    [
        *("..", "../outside/x.yaml", "../rootbeside/x.yaml", "/etc/passwd", "leads-out/x.yaml", "leads-out"),
        *("in/../../outside", "leads-out/../outside", "", "a\0b"),
    ],
)
def test_no_path_leaves_the_root(limits: Limits, text: str) -> None:
    with pytest.raises(InputError) as raised:
        limits.find_input(text, "dataset")
    assert not isinstance(raised.value, MissingFileError)
    with pytest.raises(InputError):
        limits.find_output(text)


def test_outputs(limits: Limits) -> None:
    assert limits.find_output("new/folder") == limits.root / "new" / "folder"
    assert limits.find_output("leads-in/new") == limits.root / "in" / "new"
    for text in (".", "leads-out/new", "../new"):
        with pytest.raises(InputError):
            limits.find_output(text)


def test_a_missing_input_has_its_own_error(limits: Limits) -> None:
    with pytest.raises(MissingFileError):
        limits.find_input("in/y.yaml", "dataset")
    with pytest.raises(InputError):
        limits.find_input("x" * 300 + "/" + "y" * 5000, "dataset")


def test_the_root_may_be_a_link(limits: Limits, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(limits.root)
    linked = Limits.of(tmp_path / "link")
    assert linked.root == limits.root
    assert linked.find_input(str(tmp_path / "link" / "in"), "dataset") == limits.root / "in"
    with pytest.raises(InputError):
        Limits.of(tmp_path / "nowhere")


def test_weights_need_the_option(limits: Limits) -> None:
    (limits.root / "w.pt").touch()
    assert limits.find_backbone("efficientnet-lite0") == "efficientnet-lite0"
    assert limits.find_backbone("file:in/x.yaml") == f"file:{limits.root}/in/x.yaml"
    allowed = Limits.of(limits.root, weights=True)
    assert allowed.find_backbone("yolo:w.pt") == f"yolo:{limits.root}/w.pt"
    for given, text in ((limits, "yolo:w.pt"), (allowed, "yolo:../w.pt"), (allowed, "yolo:yolo11n.pt")):
        with pytest.raises(InputError):
            given.find_backbone(text)
    for text in ("torchvision:resnet18", "file:../outside/x.yaml", "other"):
        with pytest.raises(InputError):
            allowed.find_backbone(text)
