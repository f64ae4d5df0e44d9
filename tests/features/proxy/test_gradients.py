"""Gradients of the head, compared with plain backpropagation, and the stored gradients."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from PIL import Image

from detreduce.dataset import load_dataset
from detreduce.dataset.records import DetectionDataset
from detreduce.errors import ImageReadError, InputError
from detreduce.features.pixels.running import Running
from detreduce.features.proxy.gradients import gradient_block
from detreduce.features.proxy.head_gradients import GradientOptions, HeadGradients, _targets
from detreduce.images.batches import NetworkInput, network_input
from detreduce.images.decode import Preprocess
from detreduce.images.frame import Frame
from detreduce.ultralytics_bridge.detector import branch
from detreduce.ultralytics_bridge.pretrained import quiet_ultralytics
from detreduce.ultralytics_bridge.tensor_weights import save_tensors

OPTIONS = GradientOptions(imgsz=64)


class Evil:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


@pytest.fixture(scope="module", params=["yolov8n", "yolo26n"])
def weights(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of a detector of two classes."""
    quiet_ultralytics()
    from ultralytics.nn.tasks import DetectionModel

    torch.manual_seed(0)
    model = DetectionModel(f"{request.param}.yaml", nc=2, verbose=False)
    for layer in model.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            # like trained weights: with only random weights, all images look equal to the last layers
            layer.weight.data.uniform_(1.0, 3.0)
    model.args = {"box": 7.5, "cls": 0.5, "dfl": 1.5, "task": "detect"}
    file = tmp_path_factory.mktemp("weights") / f"{request.param}.pt"
    torch.save({"model": model, "train_args": {"task": "detect", "cls": 0.5}}, file)
    return file


@pytest.fixture
def dataset(tmp_path: Path) -> DetectionDataset:
    rng = np.random.default_rng(0)
    for row, size in enumerate([(64, 64), (64, 40), (30, 64), (64, 64), (64, 40)]):
        for folder in ("images", "labels"):
            (tmp_path / "set" / folder).mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"set/images/{row}.png")
        lines = [f"{c} 0.{4 + c} 0.5 0.4 0.{3 + row}\n" for c in range(row % 3)]
        (tmp_path / f"set/labels/{row}.txt").write_text("".join(lines))
    (tmp_path / "set/data.yaml").write_text("train: images\nval: images\nnames: [a, b]\n")
    return load_dataset(tmp_path / "set/data.yaml")


def truth(dataset: DetectionDataset, row: int) -> tuple[Any, Any]:
    mine = dataset.box_rows == row
    return dataset.boxes_xyxyn[mine], dataset.box_classes[mine]


def test_each_images_gradient_is_that_of_plain_backpropagation(weights: Path, dataset: DetectionDataset) -> None:
    head = HeadGradients(weights, 2, torch.device("cpu"), OPTIONS)
    preprocess = Preprocess(64, "letterbox")
    # 1 and 4 have one shape, so a mix-up in a batch would be visible
    items = [network_input(dataset[row].path.read_bytes(), preprocess) for row in (1, 4)]
    found = head.gradients(items, [truth(dataset, row) for row in (1, 4)])
    parameters = [parameter for layer in head.convolutions for parameter in (layer.weight, layer.bias)]
    for parameter in parameters:
        parameter.requires_grad_(True)
    for number, (item, row) in enumerate(zip(items, (1, 4), strict=True)):
        raw = head.model(torch.from_numpy(item.image[None]).permute(0, 3, 1, 2).float() / 255)[1]
        targets = _targets(item, *truth(dataset, row), torch.device("cpu"))
        parts, _ = head.loss.loss(branch(head.model.model[-1], raw), targets)
        plain = torch.autograd.grad(parts.sum(), parameters)
        whole = torch.cat([part.flatten() for part in plain]).numpy()
        assert np.abs(whole).max() > 1e-3
        assert np.abs(whole - found[1 - number]).max() > 0.05 * np.abs(whole).max(), "another image's is another"
        np.testing.assert_allclose(found[number], whole, rtol=1e-3, atol=1e-5 * np.abs(whole).max())


def test_boxes_lie_in_the_letterboxed_input() -> None:
    item = NetworkInput(np.zeros((96, 64, 3), np.uint8), Frame(8 / 64, 4 / 96, 56 / 64, 94 / 96))
    found = _targets(item, np.array([[0, 0, 1, 1], [0.5, 0, 1, 0.1]]), np.array([1, 0]), torch.device("cpu"))
    assert found["cls"].tolist() == [1, 0]
    wanted = [[32 / 64, 49 / 96, 48 / 64, 90 / 96], [44 / 64, 8.5 / 96, 24 / 64, 9 / 96]]
    np.testing.assert_allclose(found["bboxes"].numpy(), wanted, rtol=1e-6)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_follow_a_photograph_that_is_decoded_smaller(orientation: int, tmp_path: Path) -> None:
    """If 129 x 145 pixels are halved, the last pixel is only half in the picture, at the side that EXIF gives."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (129, 145)).save(tmp_path / "a.jpg", exif=exif)
    item = network_input((tmp_path / "a.jpg").read_bytes(), Preprocess(64, "letterbox"))
    wide, high = (145, 129) if orientation >= 5 else (129, 145)
    halved = [-(-side // 2) for side in (wide, high)]
    scale = 64 / max(halved)
    drawn = [round(side * scale) for side in halved]
    padding = [(inside - side) // 2 for inside, side in zip(item.image.shape[1::-1], drawn, strict=True)]
    missing = [drawn[axis] / (2 * halved[axis]) for axis in (0, 1)]  # half a pixel, after scaling
    found = _targets(item, np.array([[0.0, 0, 1, 1]]), np.array([0]), torch.device("cpu"))["bboxes"].numpy()[0]
    found = found * np.tile(item.image.shape[1::-1], 2)
    first, last = found[:2] - found[2:] / 2, found[:2] + found[2:] / 2
    for axis, mirrored in enumerate([orientation in (2, 3, 6, 7), orientation in (3, 4, 7, 8)]):
        before, after = mirrored * missing[axis], (not mirrored) * missing[axis]
        wanted = [padding[axis] + before, padding[axis] + drawn[axis] - after]
        np.testing.assert_allclose([first[axis], last[axis]], wanted, atol=1e-4)


def test_the_loss_takes_the_gains_of_the_weights(weights: Path) -> None:
    head = HeadGradients(weights, 2, torch.device("cpu"), OPTIONS)
    assert (head.loss.hyp.box, head.loss.hyp.cls, head.loss.hyp.dfl) == (7.5, 0.5, 1.5)


def test_the_projection_keeps_inner_products(weights: Path) -> None:
    head = HeadGradients(weights, 2, torch.device("cpu"), OPTIONS)
    if head.projection is None:
        assert sum(p.numel() for layer in head.convolutions for p in layer.parameters()) <= 640
        return
    rng = np.random.default_rng(0)
    full = rng.normal(size=(20, head.projection.components_.shape[1])).astype(np.float32)
    full[:10] += 3
    small = head.projection.transform(full)
    assert small.shape == (20, 512)
    np.testing.assert_allclose((small**2).sum(1), (full**2).sum(1), rtol=0.25)


def test_vectors_are_kept_by_content_and_labels(weights: Path, dataset: DetectionDataset, tmp_path: Path) -> None:
    first = gradient_block(dataset, weights, tmp_path / "cache", OPTIONS)
    assert first.vectors.shape[0] == 5 and np.isfinite(first.vectors).all()
    assert (first.provenance["gradients"]["embedded"], first.provenance["gradients"]["from_cache"]) == (5, 0)
    again = gradient_block(dataset, weights, tmp_path / "cache", OPTIONS)
    assert (again.provenance["gradients"]["embedded"], again.provenance["gradients"]["from_cache"]) == (0, 5)
    np.testing.assert_array_equal(again.vectors, first.vectors)
    (tmp_path / "set/labels/1.txt").write_text("1 0.3 0.3 0.2 0.2\n")
    relabelled = gradient_block(load_dataset(tmp_path / "set/data.yaml"), weights, tmp_path / "cache", OPTIONS)
    assert (relabelled.provenance["gradients"]["embedded"], relabelled.provenance["gradients"]["from_cache"]) == (1, 4)
    assert not np.array_equal(relabelled.vectors[1], first.vectors[1])
    np.testing.assert_array_equal(relabelled.vectors[[0, 2, 3, 4]], first.vectors[[0, 2, 3, 4]])
    other = gradient_block(dataset, weights, tmp_path / "cache", GradientOptions(imgsz=96))
    assert other.provenance["gradients"]["from_cache"] == 0
    assert "boxes" in first.provenance["gradients"], "vectors of boxes placed otherwise have another key"


def test_a_second_run_decodes_no_image(weights: Path, dataset: DetectionDataset, tmp_path: Path) -> None:
    first = gradient_block(dataset, weights, tmp_path / "cache", OPTIONS)
    for record in dataset:
        os.utime(record.path)  # the files must be read again
    with patch("detreduce.images.batches.decode_framed", side_effect=AssertionError("an image was decoded")):
        second = gradient_block(dataset, weights, tmp_path / "cache", OPTIONS)
    assert second.provenance["gradients"]["from_cache"] == 5 and not second.failures
    np.testing.assert_array_equal(second.vectors, first.vectors)


def test_unreadable_images_are_listed(weights: Path, dataset: DetectionDataset, tmp_path: Path) -> None:
    (tmp_path / "set/images/2.png").write_bytes(b"no image")
    block = gradient_block(dataset, weights, tmp_path / "cache", OPTIONS)
    assert list(block.failures) == [2]
    assert np.isnan(block.vectors[2]).all() and np.isfinite(block.vectors[[0, 1, 3, 4]]).all()
    with pytest.raises(ImageReadError, match=r"2\.png"):
        gradient_block(dataset, weights, tmp_path / "new", GradientOptions(64, running=Running(stop_at_failure=True)))


def test_weights_of_other_classes_are_refused(weights: Path, dataset: DetectionDataset, tmp_path: Path) -> None:
    content = (tmp_path / "set/data.yaml").read_text().replace("[a, b]", "[a, b, c]")
    (tmp_path / "set/data.yaml").write_text(content)
    with pytest.raises(InputError, match=r"2 classes.* 3"):
        gradient_block(load_dataset(tmp_path / "set/data.yaml"), weights, tmp_path / "cache", OPTIONS)
    (tmp_path / "bad.pt").write_bytes(b"no weights")
    with pytest.raises(InputError, match=r"bad\.pt"):
        gradient_block(dataset, tmp_path / "bad.pt", tmp_path / "cache", OPTIONS)


def test_tensors_give_the_same_gradients_as_the_pickle(
    weights: Path, dataset: DetectionDataset, tmp_path: Path
) -> None:
    save_tensors(weights, tmp_path / "proxy.tensors")
    start = f"{weights.stem}.yaml"
    made = gradient_block(dataset, weights, tmp_path / "a", OPTIONS).vectors
    again = gradient_block(dataset, tmp_path / "proxy.tensors", tmp_path / "b", replace(OPTIONS, start=start)).vectors
    np.testing.assert_array_equal(made, again)
    # gains of the loss that differ from the defaults
    content = torch.load(tmp_path / "proxy.tensors", weights_only=True)
    torch.save({**content, "gains": {**content["gains"], "cls": 2.0}}, tmp_path / "proxy.tensors")
    other = gradient_block(dataset, tmp_path / "proxy.tensors", tmp_path / "b", replace(OPTIONS, start=start)).vectors
    assert not np.allclose(made, other)


@pytest.mark.parametrize("start", ["yolov8n.yaml", "yolo26s.yaml"])
def test_tensors_of_another_model_are_refused(
    weights: Path, dataset: DetectionDataset, tmp_path: Path, start: str
) -> None:
    file = tmp_path / "proxy.tensors"
    save_tensors(weights, file)
    if start != f"{weights.stem}.yaml":
        with pytest.raises(InputError, match=rf"proxy\.tensors.*{start}"):
            gradient_block(dataset, file, tmp_path / "cache", replace(OPTIONS, start=start))
    content = torch.load(file, weights_only=True)
    for damaged in ({}, {**content, "gains": {"box": float("nan")}}, {**content, "state": {}}, [1], content["state"]):
        torch.save(damaged, file)
        with pytest.raises(InputError, match=r"proxy\.tensors"):
            gradient_block(dataset, file, tmp_path / "cache", replace(OPTIONS, start=f"{weights.stem}.yaml"))


def test_a_pickle_in_the_place_of_tensors_does_not_run(dataset: DetectionDataset, tmp_path: Path) -> None:
    file, evil = tmp_path / "proxy.tensors", Evil(tmp_path / "ran")
    for write in (lambda: file.write_bytes(pickle.dumps(evil)), lambda: torch.save(evil, file)):
        write()
        with pytest.raises(InputError, match=r"proxy\.tensors"):
            gradient_block(dataset, file, tmp_path / "cache", replace(OPTIONS, start="yolov8n.yaml"))
    assert not (tmp_path / "ran").exists()
    torch.load(file, weights_only=False)
    assert (tmp_path / "ran").exists(), "the pickle of this test runs code"
