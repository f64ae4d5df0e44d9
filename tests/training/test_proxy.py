"""Proxy trainings of a few seconds, their logs, and the errors before a training starts."""

from __future__ import annotations

import json
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny_dataset import make_tiny, snapshot

from detreduce.arrays.proxy_log import MEASURES, ProxyLog
from detreduce.dataset import load_dataset
from detreduce.errors import DetreduceError, InputError, MissingFileError
from detreduce.training import proxy as module
from detreduce.training import proxy_observer
from detreduce.training.evaluation.ground_truth import file_key
from detreduce.training.facts import weights_hash
from detreduce.training.harness import train
from detreduce.training.proxy import IdleEpochsWarning, idle_epochs, log_proxy_training, name_source_file
from detreduce.training.proxy_observer import Observer
from detreduce.training.run.detector_training import load_network
from detreduce.training.run.folder import EvaluationPlan, make_run_folder

SMALL: dict[str, Any] = {"epochs": 2, "imgsz": 64, "batch": 8}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny dataset with a doubled label, a corrupt image and a JPEG that ultralytics would repair in place."""
    data = make_tiny(tmp_path_factory.mktemp("source") / "tiny")
    images, labels = data.parent / "train/images", data.parent / "train/labels"
    (labels / "002.txt").write_text((labels / "002.txt").read_text() * 2)
    (images / "003.jpg").write_bytes(b"\xff\xd8 no image \xff\xd9")
    open_end = images / "004.jpg"
    open_end.write_bytes(open_end.read_bytes() + b"\0\0")
    return data


@pytest.fixture(scope="module")
def logged(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ProxyLog, Path, dict, dict]]:
    """Run one proxy without network access; return the dataset's files before and after too."""
    output = tmp_path_factory.mktemp("proxy") / "proxy.npz"
    patch = pytest.MonkeyPatch()
    patch.setenv("DETREDUCE_CACHE", str(tmp_path_factory.mktemp("cache")))

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("asked the network")

    patch.setattr(socket.socket, "connect", refuse)
    patch.setattr(socket, "getaddrinfo", refuse)
    before = snapshot(source.parent)
    try:
        log = log_proxy_training(source, "yolov8n.yaml", output=output, **SMALL)
    finally:
        patch.undo()
    yield log, output, before, snapshot(source.parent)


@pytest.mark.train
class TestOneProxy:
    def test_the_source_is_untouched_and_only_log_and_weights_are_left(self, logged: tuple) -> None:
        _, output, before, after = logged
        assert after == before
        assert sorted(path.name for path in output.parent.iterdir()) == ["proxy.npz", "proxy.pt"]

    def test_boxes_are_the_sources_without_what_was_not_trained_on(self, logged: tuple, source: Path) -> None:
        log, dataset = logged[0], load_dataset(source)
        seen = [record for record in dataset if record.name != "003.jpg"]
        assert list(log.image_ids) == [record.id for record in seen]
        assert log.box_classes.tolist() == [c for record in seen for c in record.class_ids]
        assert np.bincount(log.box_images, minlength=23).tolist() == [len(record.class_ids) for record in seen]
        # the doubled boxes of 002 are logged twice, with equal values
        twice = np.flatnonzero(log.box_images == 2)
        assert len(twice) == 4
        np.testing.assert_array_equal(log.iou[:, twice[:2]], log.iou[:, twice[2:]])

    def test_every_epoch_of_every_box_is_there(self, logged: tuple) -> None:
        log = logged[0]
        assert {getattr(log, name).shape for name in MEASURES} == {(2, 46)}
        for name, low, high in (("iou", 0, 1), ("confidence", 0, 1), ("margin", -1, 1), ("error", 0, 1.5)):
            values = getattr(log, name)
            assert values.min() >= low and values.max() <= high, name
        assert (log.loss > 0).all()

    def test_the_file_has_it_all(self, logged: tuple) -> None:
        log, output, _, _ = logged
        back = ProxyLog.load(output)
        assert back.facts == json.loads(json.dumps(log.facts))
        np.testing.assert_array_equal(back.loss, log.loss)
        assert back.facts["class_names"] == ["bright", "dark"]
        assert back.facts["energy"]["wh"] > 0 and back.facts["energy"]["seconds"] > 0
        assert (back.facts["epochs"], back.facts["imgsz"], back.facts["seed"]) == (2, 64, 0)

    def test_warnings_name_the_sources_files_and_no_evaluation(self, logged: tuple, source: Path) -> None:
        warnings = logged[0].facts["warnings"]
        corrupt = source.parent / "train" / "images" / "003.jpg"
        assert any(f"{corrupt}: ignoring corrupt image/label" in line for line in warnings)
        assert not [line for line in warnings if "detreduce-proxy-" in line or "valuated" in line]

    def test_looking_does_not_change_the_training(self, logged: tuple, source: Path, tmp_path: Path) -> None:
        record = train(source, "yolov8n.yaml", output=tmp_path / "run", **SMALL)
        kept = load_network(str(logged[1].with_suffix(".pt")))
        assert weights_hash(kept.model.state_dict()) == record.model.weights_after

    def test_a_second_one_never_overwrites(self, logged: tuple, source: Path) -> None:
        with pytest.raises(InputError, match=r"proxy\.npz exists"):
            log_proxy_training(source, "yolov8n.yaml", output=logged[1], **SMALL)


@pytest.mark.parametrize(("steps", "idle"), [([1, 2, 3], 0), ([0, 0, 1, 1], 3), ([0, 1], 1)])
def test_epochs_without_a_step_are_counted(steps: list[int], idle: int) -> None:
    said = idle_epochs(steps, 64, 4)
    assert said == "" if not idle else said.startswith(f"{idle} of {len(steps)} epochs had no optimiser step")


@pytest.mark.train
def test_a_proxy_that_takes_no_step_says_so(tmp_path: Path) -> None:
    """Nine images are three batches of up to four; ultralytics would accumulate 16 batches."""
    tiny = make_tiny(tmp_path / "tiny")
    for image in sorted((tiny.parent / "train/images").iterdir())[9:]:
        image.unlink()
        (tiny.parent / "train/labels" / f"{image.stem}.txt").unlink(missing_ok=True)
    short: dict[str, Any] = {"epochs": 2, "imgsz": 64, "batch": 4, "warmup_epochs": 0}
    with pytest.warns(IdleEpochsWarning, match=r"nbs=64 images.*nbs=4"):
        log = log_proxy_training(tiny, "yolo11n.yaml", output=tmp_path / "a.npz", **short)
    assert [line for line in log.facts["warnings"] if "epochs had no optimiser step" in line]
    with warnings.catch_warnings():
        warnings.simplefilter("error", IdleEpochsWarning)
        log = log_proxy_training(tiny, "yolo11n.yaml", output=tmp_path / "b.npz", nbs=4, **short)
    assert not [line for line in log.facts["warnings"] if "optimiser step" in line]


@pytest.mark.train
@pytest.mark.parametrize("model", ["yolo11n.yaml", "yolo26n.yaml"])
def test_other_generations_of_yolo(tiny: Path, tmp_path: Path, model: str) -> None:
    log = log_proxy_training(load_dataset(tiny), model, output=tmp_path / "proxy.npz", single_cls=True, **SMALL)
    assert log.iou.shape == (2, 46)
    # with one class, a box cannot be confused with another class
    np.testing.assert_array_equal(log.margin, log.confidence)
    np.testing.assert_allclose(log.error, 1 - log.confidence.astype(float), atol=1e-3)


@pytest.mark.train
def test_coco_ids_classes_and_crowds(tmp_path: Path) -> None:
    images, annotations = [], []
    for number in range(6):
        Image.new("RGB", (64, 48), (40 * number, 90, 90)).save(tmp_path / f"{number}.jpg")
        images.append({"id": 100 - number, "file_name": f"{number}.jpg", "width": 64, "height": 48})
        for crowd, category in ((0, 9), (1, 4), (0, 4)):
            box = [5 + number, 6, 20, 20]
            annotations.append(
                {"id": len(annotations) + 1, "image_id": 100 - number, "category_id": category, "bbox": box}
                | {"iscrowd": crowd, "area": 400}
            )
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 4, "name": "a"}, {"id": 9, "name": "b"}],
    }
    (tmp_path / "train.json").write_text(json.dumps(content))
    dataset = load_dataset(tmp_path / "train.json", split="train")
    log = log_proxy_training(dataset, "yolov8n.yaml", output=tmp_path / "out" / "p.npz", **SMALL)
    assert log.image_ids == (100, 99, 98, 97, 96, 95)
    assert log.box_classes.tolist() == [1, 0] * 6
    assert log.box_images.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


class Looking(SimpleNamespace):
    """The parts of a trainer that an Observer uses, without a training: finished weights and ultralytics' validation
    loader.
    """

    @classmethod
    def at(cls, data_yaml: Path, weights: str, imgsz: int) -> Looking:
        from ultralytics import YOLO
        from ultralytics.cfg import get_cfg
        from ultralytics.data.utils import check_det_dataset

        model = YOLO(weights).model.float().eval()
        return cls(
            args=get_cfg(overrides={"imgsz": imgsz, "task": "detect", "workers": 0}),
            data=check_det_dataset(str(data_yaml)),
            ema=SimpleNamespace(ema=model),
            device=next(model.parameters()).device,
            watch=SimpleNamespace(say=lambda note: None, optimiser_steps=0),
            amp=False,
            batch_size=4,
            epoch=0,
            epochs=1,
            stop=False,
        )

    def get_dataloader(self, path: Any, batch_size: int, rank: int, mode: str) -> Any:
        from ultralytics.data import build_dataloader, build_yolo_dataset

        assert not self.args.cache
        dataset = build_yolo_dataset(self.args, path, batch_size, self.data, mode=mode, rect=True, stride=32)
        return build_dataloader(dataset, batch=batch_size, workers=0, shuffle=False, rank=rank)


def test_boxes_lie_in_the_input_where_ultralytics_has_them(tmp_path: Path) -> None:
    """The letterboxed corners against the labels of ultralytics' own loader, for images of several shapes."""
    rng = np.random.default_rng(0)
    for number, size in enumerate([(90, 40), (40, 90), (64, 64), (33, 71), (200, 31)]):
        for folder in ("images", "labels"):
            (tmp_path / "set" / folder).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size).save(tmp_path / f"set/images/{number}.png")
        lines = [f"{c} {x:.4f} {y:.4f} 0.3 0.2" for c, (x, y) in enumerate(rng.uniform(0.2, 0.8, (2, 2)))]
        (tmp_path / f"set/labels/{number}.txt").write_text("\n".join(lines))
    (tmp_path / "set/data.yaml").write_text("train: images\nval: images\nnames: [a, b]\n")
    leaky = EvaluationPlan(allow_leaks=True)
    run = make_run_folder(tmp_path / "set/data.yaml", tmp_path / "run", label="x", evaluation=leaky)
    observer = Observer(run)
    trainer = Looking.at(run.data_yaml, "yolov8n.yaml", 96)
    compared = 0
    for batch in observer._images(trainer):
        height, width = batch["img"].shape[2:]
        for number, file in enumerate(batch["im_file"]):
            row = observer.row_of[file_key(file)]
            inside = slice(observer._starts[row], observer._starts[row + 1])
            corners, classes = observer._truth(inside, batch, number, single_class=False)
            theirs = batch["bboxes"][batch["batch_idx"] == number].numpy() * [width, height, width, height]
            ours = corners.numpy()
            centred = np.hstack([(ours[:, :2] + ours[:, 2:]) / 2, ours[:, 2:] - ours[:, :2]])
            # ultralytics scales both sides by one ratio, and the resized image has whole pixels
            np.testing.assert_allclose(centred, theirs, atol=0.75)
            assert classes.tolist() == batch["cls"][batch["batch_idx"] == number].flatten().tolist()
            compared += len(ours)
    assert compared == 10


@pytest.mark.parametrize("weights", ["yolov8n.pt", "yolo26n.pt"])
def test_what_is_logged_is_what_the_detector_says(shared: Path, tmp_path: Path, weights: str) -> None:
    """Against the network's own decoded output and ultralytics' own labels, on photographs that the weights know."""
    import torch

    data = _some_of_coco128(shared, tmp_path / "set")
    run = make_run_folder(data, tmp_path / "run", label="x", evaluation=EvaluationPlan(allow_leaks=True))
    observer = Observer(run)
    trainer = Looking.at(run.data_yaml, str(shared / "weights" / weights), 320)
    observer.look(trainer)
    log = observer.log({})
    row_of = {image_id: row for row, image_id in enumerate(log.image_ids)}
    confident = 0
    for batch in observer._images(trainer):
        with torch.no_grad():
            decoded = trainer.ema.ema(batch["img"].float() / 255)[0].numpy()
        height, width = batch["img"].shape[2:]
        for number, file in enumerate(batch["im_file"]):
            mine = batch["batch_idx"].numpy() == number
            truth = batch["bboxes"].numpy()[mine] * [width, height, width, height]
            boxes = np.flatnonzero(log.box_images == row_of[run.source[observer.row_of[file_key(file)]].id])
            found, classes = decoded[number][:4].T, batch["cls"].numpy()[mine].ravel().astype(int)
            # ultralytics changes the order of boxes if some are doubled, so the boxes are compared as a set
            best = [
                (c, (_iou(_corners(box), _corners(found)) * decoded[number][4 + c]).max())
                for box, c in zip(truth, classes, strict=True)
            ]
            logged = log.iou[0, boxes].astype(float) * log.confidence[0, boxes]
            ours = sorted(zip(log.box_classes[boxes].tolist(), logged, strict=True))
            assert [c for c, _ in ours] == [c for c, _ in sorted(best)]
            np.testing.assert_allclose([v for _, v in ours], [v for _, v in sorted(best)], atol=0.03)
            confident += sum(value > 0.4 for _, value in best)
    assert confident >= 10, "the weights recognise what they are shown"


def _some_of_coco128(shared: Path, folder: Path) -> Path:
    """Twelve photographs with labels in the numbers that COCO's weights use."""
    source = load_dataset(shared / "data/coco128")
    names = load_network(str(shared / "weights/yolov8n.pt")).names
    index = [{name: number for number, name in names.items()}[name] for name in source.class_names]
    for place in ("images", "labels"):
        (folder / place).mkdir(parents=True)
    for record in list(source)[:12]:
        (folder / "images" / record.path.name).symlink_to(record.path)
        width, height = record.size
        lines = []
        for c, (x, y, w, h) in zip(record.class_ids, record.boxes, strict=True):
            lines.append(f"{index[c]} {(x + w / 2) / width} {(y + h / 2) / height} {w / width} {h / height}\n")
        (folder / "labels" / f"{record.path.stem}.txt").write_text("".join(lines))
    content = "train: images\nval: images\nnames:\n"
    (folder / "data.yaml").write_text(content + "".join(f"  {key}: {name!r}\n" for key, name in names.items()))
    return folder / "data.yaml"


def _corners(boxes: np.ndarray) -> np.ndarray:
    half = boxes[..., 2:] / 2
    return np.concatenate([boxes[..., :2] - half, boxes[..., :2] + half], axis=-1)


def _iou(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    return shared / (np.prod(box[2:] - box[:2]) + np.prod(others[:, 2:] - others[:, :2], axis=1) - shared)


@pytest.mark.train
class TestStopped:
    def test_a_diverged_training_is_one_error(
        self, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = proxy_observer.raw_predictions

        def diverged(*args: Any) -> Any:
            corners, logits = real(*args)
            return corners, logits * float("nan")

        monkeypatch.setattr(proxy_observer, "raw_predictions", diverged)
        with pytest.raises(DetreduceError, match="diverged in epoch 1"):
            log_proxy_training(tiny, "yolov8n.yaml", output=tmp_path / "out" / "p.npz", **SMALL)
        assert not (tmp_path / "out").exists()

    def test_an_interrupted_one_leaves_nothing(
        self, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def stop(*args: Any) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(proxy_observer, "match", stop)
        monkeypatch.setattr(module.tempfile, "tempdir", str(tmp_path))
        with pytest.raises(KeyboardInterrupt, match="files are deleted"):
            log_proxy_training(tiny, "yolov8n.yaml", output=tmp_path / "out" / "p.npz", **SMALL)
        assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


class TestRefused:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"epochs": 1}, "at least 2"),
            ({"epoch": 3}, "no training argument 'epoch'.*'epochs'"),
            ({"imgsz": "big"}, "imgsz='big'"),
            ({"country": "ESPA"}, "Did you mean 'ESP'"),
            ({"val": True}, "val=True cannot be set here: a proxy is not validated"),
            ({"output": "/dev/null/p.npz"}, "/dev/null/p.npz"),
            ({"output": "proxy.json"}, r"a proxy log is a \.npz"),
            ({"model": "yolov8n-seg.yaml"}, "'segment'.*plain YOLO detector"),
            ({"model": "yolov8s-world.yaml"}, "WorldDetect.*plain YOLO detector"),
            ({"model": "yolov8nn.yaml"}, r"Did you mean 'yolov8n\.yaml'"),
        ],
    )
    def test_bad_arguments(self, tiny: Path, tmp_path: Path, arguments: dict, message: str) -> None:
        with pytest.raises(InputError, match=message):
            log_proxy_training(tiny, **{"model": "yolov8n.yaml", "output": tmp_path / "p.npz", **SMALL, **arguments})
        assert [path.name for path in tmp_path.iterdir()] == ["tiny"]

    def test_weights_that_lie_where_the_logs_own_would(self, tiny: Path, tmp_path: Path) -> None:
        (tmp_path / "p.pt").write_bytes(b"mine")
        with pytest.raises(InputError, match=r"p\.pt exists"):
            log_proxy_training(tiny, "yolov8n.yaml", output=tmp_path / "p.npz", **SMALL)

    def test_another_split(self, tiny: Path, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"train split.*'val'"):
            log_proxy_training(load_dataset(tiny, "val"), "yolov8n.yaml", output=tmp_path / "p.npz", **SMALL)

    def test_a_dataset_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(MissingFileError):
            log_proxy_training(tmp_path / "data.yaml", "yolov8n.yaml", output=tmp_path / "p.npz", **SMALL)


def test_a_coco_dataset_is_read_again_by_its_yaml_or_its_json(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (30, 20)).save(tmp_path / "pictures" / "a.png")
    content = {
        "images": [{"id": 7, "file_name": "a.png", "width": 30, "height": 20}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4]}],
        "categories": [{"id": 1, "name": "ant"}],
    }
    (tmp_path / "boxes.json").write_text(json.dumps(content))
    (tmp_path / "coco.yaml").write_text("format: coco\npath: .\ntrain: {annotations: boxes.json, images: pictures}\n")
    by_yaml = load_dataset(tmp_path / "coco.yaml")
    by_json = load_dataset(tmp_path / "boxes.json", images=tmp_path / "pictures")
    for dataset in (by_yaml, by_json):
        place, images = module._place(dataset, None)
        assert load_dataset(place, images=images).image_ids == [7]


def test_a_place_that_is_tried_is_left_as_it_was(tmp_path: Path) -> None:
    target = module.check_log_place(tmp_path / "a" / "b" / "p.npz")
    assert target == tmp_path / "a" / "b" / "p.npz" and not list(tmp_path.iterdir())


def test_messages_name_the_source_instead_of_the_view(tiny: Path, tmp_path: Path) -> None:
    run = make_run_folder(tiny, tmp_path / "run", label="x", evaluation=EvaluationPlan())
    row_of = proxy_observer.rows_by_file(run)
    of_view = run.datasets["train"][2].path
    image = run.source[2].path
    said = f"{of_view}: ignoring corrupt image/label: cannot identify image file '{of_view}'"
    wanted = f"{image}: ignoring corrupt image/label: cannot identify image file '{image}'"
    assert name_source_file(said, run, row_of) == wanted
    val = run.datasets["val"][0].path
    assert name_source_file(f"{val}: 1 duplicate labels removed", run, row_of).startswith(f"{val.resolve()}: 1 dup")
    cache = run.path / "data" / "labels" / "train.cache"
    assert name_source_file(f"No labels found in {cache}.", run, row_of) == "No labels found in labels/train.cache."
    assert name_source_file("AdamW is chosen", run, row_of) == "AdamW is chosen"
