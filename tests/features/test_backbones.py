"""The real backbones, compared with their original packages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hand_made import dataset_of

from detreduce.errors import InputError
from detreduce.features import extract_features
from detreduce.features.backbones import make_backbone
from detreduce.features.pixels.precision import Networks, probe_images
from detreduce.images.decode import decode

CPU = torch.device("cpu")


def image_rows(paths: list[Path], backbone: str, cache: Path, **options: object) -> np.ndarray:
    dataset = dataset_of(paths, paths[0].parent)
    return extract_features(dataset, backbone, ("image",), cache=cache, **options).blocks["image"]  # type: ignore[arg-type]


def test_efficientnet_equals_the_package_and_knows_a_daisy(tmp_path: Path) -> None:
    from efficientnet_lite_pytorch import EfficientNet
    from torchvision.models._meta import _IMAGENET_CATEGORIES

    backbone = make_backbone("efficientnet-lite0")
    reference = EfficientNet.from_name("efficientnet-lite0")
    reference.load_state_dict(torch.load(backbone.weights, weights_only=True))
    reference.eval()
    images = probe_images(backbone.preprocess)
    batch = torch.from_numpy(np.stack(images))
    network = Networks(backbone, CPU)("float32")
    ours = network.pool(network.feature_map(batch))
    with torch.inference_mode():
        pixels = (batch.permute(0, 3, 1, 2).float() - 127) / 128
        expected = reference.extract_features(pixels).mean((2, 3))
        best = [_IMAGENET_CATEGORIES[i] for i in reference._fc(ours).argmax(1).tolist()]
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)
    assert best[1] == "daisy"
    assert ours.shape == (len(images), 1280)


@pytest.mark.shared
@pytest.mark.parametrize(("weights", "last"), [("yolov8n", 9), ("yolo26n", 10)])
def test_yolo_equals_its_own_layers_and_embed(shared: Path, tmp_path: Path, weights: str, last: int) -> None:
    from ultralytics import YOLO

    file = shared / "weights" / f"{weights}.pt"
    paths = sorted((shared / "data" / "aquarium" / "valid" / "images").glob("*.jpg"))[:7]
    ours = image_rows(paths, f"yolo:{file}", tmp_path, imgsz=320, precision="float32")
    layers = YOLO(file).model.float().eval().model[: last + 1]
    preprocess = make_backbone(f"yolo:{file}", 320).preprocess
    for row, path in zip(ours, paths, strict=True):
        x = torch.from_numpy(preprocess(decode(path.read_bytes()))).permute(2, 0, 1)[None].float() / 255
        with torch.inference_mode():
            for layer in layers:
                x = layer(x)
        expected = x.mean((2, 3))[0].numpy()
        assert np.linalg.norm(row - expected) < 1e-4 * np.linalg.norm(expected)
    embedded = [YOLO(file).embed(str(path), imgsz=320, embed=[last], verbose=False)[0].numpy() for path in paths[:2]]
    np.testing.assert_allclose(ours[:2], embedded, rtol=1e-3, atol=1e-3)


@pytest.mark.shared
def test_auto_takes_bfloat16_only_within_its_tolerance(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("detreduce.features.pixels.precision._native_bfloat16", lambda device: True)
    paths = sorted((shared / "data" / "aquarium" / "valid" / "images").glob("*.jpg"))[:2]
    chosen = {}
    for tolerance in (1e-2, 1.0):
        monkeypatch.setattr("detreduce.features.pixels.precision.TOLERANCE", tolerance)
        table = extract_features(
            dataset_of(paths, paths[0].parent),
            f"yolo:{shared}/weights/yolov8n.pt",
            ("image",),
            imgsz=64,
            cache=tmp_path,
        )
        chosen[tolerance] = table.provenance["image"]["precision"]
        assert table.provenance["image"]["precision_choice"]["bfloat16_error"] > 1e-3
    assert chosen == {1e-2: "float32", 1.0: "bfloat16"}


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "regnet_y_400mf"])
def test_torchvision_from_a_local_state(tmp_path: Path, name: str, photos: list[Path]) -> None:
    from torchvision.models import get_model

    torch.manual_seed(0)
    network = get_model(name, weights=None).eval()
    state = {key: value for key, value in network.state_dict().items() if not key.startswith(("fc", "classifier"))}
    torch.save({"state_dict": state}, tmp_path / "state.pt")
    ours = image_rows(photos[:3], f"torchvision:{name}@{tmp_path / 'state.pt'}", tmp_path / "c", precision="float32")
    pooled = []
    pool = network.avgpool if hasattr(network, "avgpool") else network.avg_pool
    pool.register_forward_hook(lambda module, inputs, output: pooled.append(output.flatten(1)))
    preprocess = make_backbone(f"torchvision:{name}@{tmp_path / 'state.pt'}").preprocess
    batch = np.stack([preprocess(decode(path.read_bytes())) for path in photos[:3]])
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    pixels = torch.from_numpy(((batch / 255 - mean) / std).astype(np.float32)).permute(0, 3, 1, 2)
    with torch.inference_mode():
        network(pixels)
    np.testing.assert_allclose(ours, pooled[0].numpy(), rtol=1e-3, atol=1e-4)


def test_bad_weights_files(tmp_path: Path, photos: list[Path]) -> None:
    (tmp_path / "bad.pt").write_text("no weights")
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pt")
    for backbone in (f"yolo:{tmp_path}/bad.pt", f"yolo:{tmp_path}/other.pt"):
        with pytest.raises(InputError, match="not an ultralytics model"):
            image_rows(photos, backbone, tmp_path / "c")
    with pytest.raises(InputError, match="not a state dict"):
        image_rows(photos, f"torchvision:resnet18@{tmp_path}/bad.pt", tmp_path / "c")
    with pytest.raises(InputError, match="does not fit resnet18"):
        image_rows(photos, f"torchvision:resnet18@{tmp_path}/other.pt", tmp_path / "c")


def test_probe_is_of_one_shape() -> None:
    assert {image.shape for image in probe_images(make_backbone("efficientnet-lite0").preprocess)} == {(224, 224, 3)}
    assert cv2.getBuildInformation()


@pytest.mark.parametrize("name", ["vit_b_16", "swin_t", "googlenet"])
def test_architectures_without_a_known_map_are_refused_by_name(name: str) -> None:
    with pytest.raises(InputError, match=f"{name}.* feature map"):
        make_backbone(f"torchvision:{name}")


def test_names_of_torchvision_are_answered() -> None:
    with pytest.raises(InputError, match="Did you mean 'torchvision:resnet50'"):
        make_backbone("resnet50")
    # a detector would fetch a backbone's weights
    with pytest.raises(InputError, match="classifier 'fasterrcnn_resnet50_fpn'"):
        make_backbone("torchvision:fasterrcnn_resnet50_fpn")


def test_pickles_are_no_state_files(tmp_path: Path, photos: list[Path]) -> None:
    import torch

    torch.save({"a": Path("x")}, tmp_path / "pickle.pt")
    with pytest.raises(InputError, match=r"pickle\.pt .* resnet18") as error:
        image_rows(photos[:1], f"torchvision:resnet18@{tmp_path}/pickle.pt", tmp_path / "c")
    assert "\n" not in str(error.value) and "weights_only" not in str(error.value)


def roi_mean(feature_map: np.ndarray, box: np.ndarray) -> np.ndarray:
    """RoI-align in plain numpy: the mean of a (c, h, w) map inside a box in cells, where the edges of the map are 0 and
    w.
    """
    places = []
    for low, high, size in ((box[0], box[2], feature_map.shape[2]), (box[1], box[3], feature_map.shape[1])):
        # two bins per side; the number of points in a bin is the number of its cells, rounded up
        points = 2 * max(1, int(np.ceil((high - low) / 2)))
        centres = low + (np.arange(points) + 0.5) * (high - low) / points - 0.5
        weights = np.maximum(0, 1 - np.abs(np.clip(centres, 0, size - 1)[:, None] - np.arange(size)))
        places.append(weights.mean(axis=0))
    return np.einsum("cyx,y,x->c", feature_map, places[1], places[0])


@pytest.mark.parametrize("name", ["efficientnet-lite0", "resnet18", "yolov8n"])
def test_objects_of_every_backbone_equal_roi_align_in_numpy(
    tmp_path: Path, photos: list[Path], request: pytest.FixtureRequest, name: str
) -> None:
    if name == "resnet18":
        from torchvision.models import get_model

        torch.manual_seed(0)
        torch.save(get_model(name, weights=None).state_dict(), tmp_path / "state.pt")
        name = f"torchvision:resnet18@{tmp_path / 'state.pt'}"
    elif name == "yolov8n":
        name = f"yolo:{request.getfixturevalue('shared')}/weights/yolov8n.pt"
    corners = np.array([[0.1, 0.2, 0.9, 0.7], [0.3, 0.3, 0.35, 0.42], [0.0, 0.0, 1.0, 1.0]])
    dataset = dataset_of(photos[:3], photos[0].parent)
    boxes = np.hstack([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]])
    kinds, none = np.arange(3), np.zeros(3, bool)
    records = tuple(replace(record, boxes=boxes, class_ids=kinds, crowd=none) for record in dataset)
    dataset = replace(dataset, records=records, class_names=("a", "b", "c"), class_keys=(0, 1, 2))
    options = {"imgsz": 320, "precision": "float32", "cache": tmp_path / "cache"}
    table = extract_features(dataset, name, ("image", "objects"), **options)  # type: ignore[arg-type]
    assert table.objects is not None and table.objects.vectors is not None
    backbone = make_backbone(name, 320)
    network = Networks(backbone, CPU)("float32")
    for row, path in enumerate(photos[:3]):
        image = decode(path.read_bytes())
        pixels = backbone.preprocess(image)
        feature_map = network.feature_map(torch.from_numpy(pixels[None]))[0].numpy()
        high, wide = pixels.shape[:2] if backbone.preprocess.shape == "stretch" else (0, 0)
        left = top = 0
        if not wide:  # letterboxed: the longer side is 320, and the shorter side is centred
            wide, high = (round(side * 320 / max(image.shape[:2])) for side in (image.shape[1], image.shape[0]))
            left, top = (pixels.shape[1] - wide) // 2, (pixels.shape[0] - high) // 2
        for pair, box in zip(table.objects.vectors[3 * row : 3 * row + 3], corners, strict=True):
            cells = (box * [wide, high, wide, high] + [left, top, left, top]) / 32
            expected = roi_mean(feature_map, cells)
            assert np.linalg.norm(pair - expected) < 1e-3 * np.linalg.norm(expected)
