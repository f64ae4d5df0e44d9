"""The block of a proxy log, computed by hand, and its use in a table and a selection."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from detreduce import extract_features, select
from detreduce.arrays.proxy_log import DYNAMICS_COLUMNS, ProxyLog
from detreduce.cli import app
from detreduce.dataset import load_dataset
from detreduce.dataset.records import DetectionDataset
from detreduce.errors import InputError, MissingFileError
from detreduce.features.blocks import blocks_for
from detreduce.features.proxy.dynamics import box_scores, dynamics_block, image_scores, unseen
from detreduce.selection.record import Selection

BOXES = (2, 1, 0, 1, 2, 1)
ENERGY = {"seconds": 12.5, "wh": 0.5, "g_co2": 0.1, "components": {}, "country": "ESP", "unavailable": None}


@pytest.fixture
def dataset(tmp_path: Path) -> DetectionDataset:
    """Six images with 2, 1, 0, 1, 2 and 1 boxes; classes alternate."""
    for row, count in enumerate(BOXES):
        for folder in ("images", "labels"):
            (tmp_path / "set" / folder).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (row * 40, 9, 9)).save(tmp_path / f"set/images/{row}.png")
        lines = [f"{(row + box) % 2} 0.5 0.5 0.2 0.{box + 2}\n" for box in range(count)]
        (tmp_path / f"set/labels/{row}.txt").write_text("".join(lines))
    (tmp_path / "set/data.yaml").write_text("train: images\nval: images\nnames: [a, b]\n")
    return load_dataset(tmp_path / "set/data.yaml")


def log_of(dataset: DetectionDataset, seed: int = 0, **arrays: Any) -> ProxyLog:
    rng = np.random.default_rng(seed)
    boxes = len(dataset.box_rows)
    values = {name: rng.random((4, boxes)) for name in ("iou", "confidence", "error", "margin", "loss")}
    facts = {
        "class_names": list(dataset.class_names),
        "energy": ENERGY,
        "epochs": 4,
        "imgsz": 32,
        "data": {"path": "elsewhere/data.yaml"},
    }
    return ProxyLog(
        tuple(dataset.image_ids),
        dataset.box_rows.astype(np.int32),
        dataset.box_classes.astype(np.int32),
        dataset.boxes_xyxyn.astype(np.float16),
        **{name: np.asarray(arrays.get(name, values[name]), np.float16) for name in values},
        facts=facts,
    )


def one_box(**arrays: Any) -> ProxyLog:
    boxes = np.shape(next(iter(arrays.values())))
    filled = {name: np.asarray(arrays.get(name, np.zeros(boxes))) for name in ("iou", "confidence", "error", "margin")}
    images = np.zeros(boxes[1], np.int32)
    return ProxyLog(("a",), images, images, np.zeros((boxes[1], 4)), **filled, loss=np.zeros(boxes))


class TestBoxScores:
    def test_vps_is_the_variance_of_iou_times_confidence(self) -> None:
        log = one_box(iou=[[0.5], [1.0], [0.0], [1.0]], confidence=[[1.0], [0.5], [0.9], [0.1]])
        # products 0.5, 0.5, 0, 0.1: mean 0.275, squares 0.25, 0.25, 0, 0.01
        assert box_scores(log)["vps"].tolist() == pytest.approx([0.51 / 4 - 0.275**2])

    def test_forgetting_counts_losses_and_never_learnt_counts_all_epochs(self) -> None:
        iou = [[0.6, 0.6, 0.4, 0.6], [0.6, 0.4, 0.4, 0.6], [0.6, 0.6, 0.4, 0.6], [0.6, 0.4, 0.4, 0.6]]
        confidence = [[0.3, 0.3, 0.9, 0.2]] * 4
        log = one_box(iou=iou, confidence=confidence)
        assert box_scores(log)["forgetting"].tolist() == [0, 2, 4, 4]
        assert box_scores(log, confidence=0.125)["forgetting"].tolist() == [0, 2, 4, 0]
        assert box_scores(log, iou=0.25)["forgetting"].tolist() == [0, 0, 0, 4]

    def test_el2n_is_the_mean_error_of_the_early_epochs(self) -> None:
        log = one_box(error=[[1.0], [0.5], [0.25], [0.0], [0.0]])
        assert box_scores(log)["el2n"].tolist() == pytest.approx([1.75 / 3])
        assert box_scores(log, early=1)["el2n"].tolist() == [1.0]
        for bad in (0, 6, True):
            with pytest.raises(InputError, match="early"):
                box_scores(log, early=bad)

    def test_aum_falls_with_the_margin(self) -> None:
        log = one_box(margin=[[1.0, 0.0, -1.0], [1.0, 0.5, -0.5]])
        assert box_scores(log)["aum"].tolist() == [0.0, 0.75, 1.75]


def test_an_image_has_sum_mean_and_max_of_its_boxes() -> None:
    found = image_scores(np.array([1.0, 3.0, 2.0]), np.array([0, 0, 2]), 3)
    assert found.tolist() == [[4.0, 2.0, 3.0], [0.0, 0.0, 0.0], [2.0, 2.0, 2.0]]


class TestBlock:
    def test_columns_are_where_they_are_named(self, dataset: DetectionDataset) -> None:
        log = log_of(dataset)
        block = dynamics_block(log, dataset)
        assert block.dtype == np.float32 and block.shape == (6, 13)
        assert block[:, -1].tolist() == list(BOXES)
        scores = box_scores(log)
        for column, name in enumerate(DYNAMICS_COLUMNS[:-1]):
            score, over = name.split("_")
            for row in range(6):
                mine = scores[score][dataset.box_rows == row]
                wanted = {"sum": sum, "mean": np.mean, "max": max}[over](mine) if len(mine) else 0.0
                assert block[row, column] == pytest.approx(wanted, rel=1e-6), name

    def test_the_order_of_the_logs_images_does_not_matter(self, dataset: DetectionDataset) -> None:
        log = log_of(dataset)
        order = [3, 5, 0, 4, 2, 1]
        place = np.argsort(order)
        boxes = np.argsort(place[log.box_images], kind="stable")
        arrays = {name: getattr(log, name)[:, boxes] for name in ("iou", "confidence", "error", "margin", "loss")}
        other = ProxyLog(
            tuple(log.image_ids[row] for row in order),
            place[log.box_images][boxes].astype(np.int32),
            log.box_classes[boxes],
            log.box_corners[boxes],
            **arrays,
        )
        np.testing.assert_array_equal(dynamics_block(other, dataset), dynamics_block(log, dataset))

    def test_what_the_log_lacks_is_unknown_where_there_are_boxes(self, dataset: DetectionDataset) -> None:
        part = replace(dataset, records=dataset.records[:2] + dataset.records[3:5])
        block = dynamics_block(log_of(part), dataset)
        assert unseen(log_of(part), dataset) == [2, 5]
        assert np.isnan(block[5, :-1]).all() and np.isfinite(block[[0, 1, 3, 4]]).all()
        assert block[2].tolist() == [0.0] * 13 and block[5, -1] == 1

    def test_a_log_of_more_images_serves_a_part(self, dataset: DetectionDataset) -> None:
        log = log_of(dataset)
        part = replace(dataset, records=dataset.records[3:])
        np.testing.assert_array_equal(dynamics_block(log, part), dynamics_block(log, dataset)[3:])

    def test_other_labels_and_other_images_are_refused(self, dataset: DetectionDataset) -> None:
        log = log_of(dataset)
        first = dataset.records[0]
        fewer = replace(first, boxes=first.boxes[:1], class_ids=first.class_ids[:1], crowd=first.crowd[:1])
        with pytest.raises(InputError, match=r"other labels.*0\.png"):
            dynamics_block(log, replace(dataset, records=(fewer, *dataset.records[1:])))
        swapped = replace(first, class_ids=first.class_ids[::-1].copy())
        with pytest.raises(InputError, match="other labels"):
            dynamics_block(log, replace(dataset, records=(swapped, *dataset.records[1:])))
        wider = np.array([[0, 0, 0, 0], [0, 0, 0.01, 0]])
        moved = replace(dataset.records[4], boxes=dataset.records[4].boxes + wider)
        with pytest.raises(InputError, match=r"other labels.*4\.png"):
            dynamics_block(log, replace(dataset, records=(*dataset.records[:4], moved, dataset.records[5])))
        rounded = replace(dataset.records[4], boxes=dataset.records[4].boxes + 1e-4)
        dynamics_block(log, replace(dataset, records=(*dataset.records[:4], rounded, dataset.records[5])))
        with pytest.raises(InputError, match=r"other classes \(a, b\).* b, a"):
            dynamics_block(log, replace(dataset, class_names=("b", "a")))
        with pytest.raises(InputError, match=r"none of these images.*elsewhere/data\.yaml"):
            dynamics_block(replace(log, image_ids=tuple("uvwxyz")), dataset)


class TestTable:
    def test_the_block_is_no_part_of_x_and_is_what_its_methods_choose_by(
        self, dataset: DetectionDataset, tmp_path: Path
    ) -> None:
        log = log_of(dataset)
        log.save(tmp_path / "proxy.npz")
        np.save(tmp_path / "v.npy", np.arange(12.0).reshape(6, 2))
        table = extract_features(
            dataset, f"file:{tmp_path / 'v.npy'}", blocks=("image", "dynamics"), proxy=tmp_path / "proxy.npz"
        )
        assert table.X.shape == (6, 2)
        block = dynamics_block(log, dataset)
        with_boxes = block[:, -1] > 0
        for method, column in (("vps", 0), ("forgetting", 3), ("el2n", 6), ("aum", 9)):
            chosen = select(table, method, keep=2, categories=None)
            assert sorted(chosen.indices) == sorted(np.argsort(-block[:, column])[:2])
            assert chosen.scores[with_boxes].tolist() == pytest.approx(block[with_boxes, column].tolist())
        for over in ("sum", "mean"):
            easy = select(table, "aum", keep=6, categories=None, over=over, easy_first=True)
            assert easy.image_ids[-1] == "images/2.png", "without boxes nothing is learnt"
        assert chosen.provenance["proxy_training"] == ENERGY
        assert chosen.provenance["features"]["proxy"]["epochs"] == 4
        assert chosen.provenance["features"]["dynamics"]["columns"] == list(DYNAMICS_COLUMNS)
        assert "proxy_training" not in select(table, "mms", keep=2).provenance

    def test_what_the_log_lacks_is_filled_by_neighbours(self, dataset: DetectionDataset, tmp_path: Path) -> None:
        part = replace(dataset, records=dataset.records[:4] + dataset.records[5:])
        log_of(part).save(tmp_path / "proxy.npz")
        np.save(tmp_path / "v.npy", np.array([[0.0], [1], [2], [3], [4], [50]]))
        names = ("dynamics", "image")
        table = extract_features(dataset, f"file:{tmp_path / 'v.npy'}", names, proxy=tmp_path / "proxy.npz")
        block = table.blocks["dynamics"]
        assert len(table) == 6 and list(table.blocks) == list(names)
        near = block[[0, 1, 3, 5]].mean(axis=0)
        assert block[2, -1] == 0, "an image without boxes says nothing of boxes"
        for place, column in enumerate(DYNAMICS_COLUMNS[:-1]):
            wanted = near[place + 1] * BOXES[4] if column.endswith("_sum") else near[place]
            assert block[4, place] == pytest.approx(wanted, rel=1e-5), column
        assert block[:, -1].tolist() == list(BOXES)
        assert table.provenance["dynamics"]["extrapolated"] == 1
        assert table.provenance["dynamics"]["by"] == ["image"]

    def test_without_neighbours_a_log_of_a_part_is_refused(self, dataset: DetectionDataset, tmp_path: Path) -> None:
        log_of(replace(dataset, records=dataset.records[:3])).save(tmp_path / "proxy.npz")
        with pytest.raises(InputError, match=r"3 of the 6 images.*--blocks image"):
            extract_features(dataset, blocks="dynamics", proxy=tmp_path / "proxy.npz")
        needs = ("dynamics",)
        alone = blocks_for("vps", needs, dataset, "efficientnet-lite0", None, tmp_path / "proxy.npz")
        assert alone == ("image", "objects", "annotations", "dynamics")
        asked = blocks_for("vps", needs, dataset, "efficientnet-lite0", ("annotations",), tmp_path / "proxy.npz")
        table = extract_features(dataset, blocks=asked, proxy=tmp_path / "proxy.npz")
        assert len(select(table, "vps", keep=0.5)) == 3

    def test_the_command_chooses_from_all_images(self, dataset: DetectionDataset, tmp_path: Path) -> None:
        log_of(replace(dataset, records=dataset.records[:2])).save(tmp_path / "proxy.npz")
        np.save(tmp_path / "v.npy", np.arange(6.0)[:, None])
        options = ("--proxy", tmp_path / "proxy.npz", "--backbone", f"file:{tmp_path / 'v.npy'}", "--keep", "0.5")
        command = ("reduce", dataset.source.path, "--method", "vps", *options, "--output", tmp_path / "reduced")
        result = CliRunner().invoke(app, [str(part) for part in command])
        assert result.exit_code == 0 and "unreadable" not in result.output, result.output
        selection = Selection.load(tmp_path / "reduced" / "selection.json")
        assert len(selection) == 3 and np.isfinite(selection.scores).sum() == 5
        assert selection.provenance["features"]["dynamics"]["by"] == ["image", "annotations"]

    def test_what_the_log_lacks_since_it_cannot_be_read_is_left_out(
        self, dataset: DetectionDataset, tmp_path: Path
    ) -> None:
        log_of(replace(dataset, records=dataset.records[:2] + dataset.records[4:])).save(tmp_path / "proxy.npz")
        for row in (2, 3):
            dataset.records[row].path.write_bytes(b"no image")
        assert blocks_for("vps", ("dynamics",), dataset, "x", None, tmp_path / "proxy.npz") == ("dynamics",)
        with pytest.warns(UserWarning, match=r"2\.png: skipped: .*image.* and 1 more"):
            table = extract_features(dataset, blocks="dynamics", proxy=tmp_path / "proxy.npz")
        assert table.rows.tolist() == [0, 1, 4, 5]

    def test_weights_of_another_proxy_are_refused(self, dataset: DetectionDataset, tmp_path: Path) -> None:
        log = log_of(dataset)
        replace(log, facts={**log.facts, "weights_sha256": "0" * 64}).save(tmp_path / "proxy.npz")
        (tmp_path / "proxy.pt").write_bytes(b"of another")
        with pytest.raises(InputError, match=r"proxy\.pt .*proxy\.npz"):
            extract_features(dataset, blocks="gradients", proxy=tmp_path / "proxy.npz")
        with pytest.raises(InputError, match="other classes"):
            renamed = replace(dataset, class_names=("a", "c"))
            extract_features(renamed, blocks="gradients", proxy=tmp_path / "proxy.npz")

    def test_a_proxy_is_asked_for_and_refused_where_it_serves_nothing(
        self, dataset: DetectionDataset, tmp_path: Path
    ) -> None:
        log_of(dataset).save(tmp_path / "proxy.npz")
        with pytest.raises(InputError, match=r"'dynamics'.*proxy="):
            extract_features(dataset, blocks="dynamics")
        with pytest.raises(InputError, match="dynamics and gradients"):
            extract_features(dataset, blocks="annotations", proxy=tmp_path / "proxy.npz")
        with pytest.raises(MissingFileError, match=r"proxy\.pt"):
            extract_features(dataset, blocks="gradients", proxy=tmp_path / "proxy.npz")
        with pytest.raises(InputError, match="Did you mean 'dynamics'"):
            extract_features(dataset, blocks="dynamic", proxy=tmp_path / "proxy.npz")
        with pytest.raises(InputError, match=r"'dynamics'.*proxy="):
            select(extract_features(dataset, blocks="annotations"), "vps")
        with pytest.raises(InputError, match=r"'gradients'.*proxy="):
            select(dataset, "gradmatch")
