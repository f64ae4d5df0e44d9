"""Real trainings of a few seconds with a stream."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_dataset import make_tiny

from detreduce.errors import InputError
from detreduce.training.energy import EnergyMeter, PhaseEnergy
from detreduce.training.run import image_losses, trainer
from detreduce.training.run.arguments import check_arguments
from detreduce.training.run.detector_training import DetectorTraining, TrainedDetector, run_training
from detreduce.training.run.folder import make_run_folder
from detreduce.training.run.image_scores import score_images
from detreduce.training.streams.draw import GrowingDraws, WeightedDraws
from detreduce.training.streams.infobatch import InfoBatch, InfoBatchEpochs
from detreduce.training.streams.learnt import SkipLearnt
from detreduce.training.streams.partners import RecentImages
from detreduce.training.streams.stream import UNIFORM, Stream

SMALL = {"imgsz": 64, "batch": 4, "nbs": 4, "optimizer": "SGD", "lr0": 0.001, "mosaic": 1.0}


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """The names of the images of each batch, and of the partners of mosaic where the main process draws them."""
    seen: dict[str, list[list[str]]] = {"batches": [], "partners": []}
    preprocess, draw = trainer._WatchedTrainer.preprocess_batch, RecentImages.draw

    def batch_made(self: Any, batch: Any) -> Any:
        seen["batches"].append([Path(file).name for file in batch["im_file"]])
        return preprocess(self, batch)

    def drawn(self: RecentImages, count: int) -> list[int]:
        found = draw(self, count)
        seen["partners"].append([Path(self.dataset.im_files[image]).name for image in found])
        return found

    monkeypatch.setattr(trainer._WatchedTrainer, "preprocess_batch", batch_made)
    monkeypatch.setattr(RecentImages, "draw", drawn)
    return seen


def trained(
    data: Path, output: Path, stream: Stream = UNIFORM, skip: SkipLearnt | None = None, **options: Any
) -> TrainedDetector:
    per_epoch = options.pop("images_per_epoch", None)
    arguments = {**check_arguments({**SMALL, **options}), "seed": 3, "val": False}
    run = make_run_folder(data, output, label="a")
    training = DetectorTraining("yolov8n.yaml", arguments, per_epoch, stream, skip=skip)
    return run_training(training, run, EnergyMeter())


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Image 003 has twelve times the weight of the others, and the last six images have none."""
    file = tmp_path / "weights.csv"
    weights = [0.5] * 18 + [0.0] * 6
    weights[3] = 6.0
    file.write_text("image,weight\n" + "".join(f"{number:03d}.jpg,{w}\n" for number, w in enumerate(weights)))
    return file


@pytest.mark.train
@pytest.mark.parametrize("workers", [0, 2])
def test_images_come_by_their_weights_also_when_mosaic_ends_and_files_are_corrupt(
    tmp_path: Path, table: Path, watched: dict[str, list[list[str]]], workers: int
) -> None:
    data = make_tiny(tmp_path / "tiny", {"train": 24, "val": 2})
    # ultralytics leaves this image out, so the positions of the later images change
    (data.parent / "train/images/001.jpg").write_bytes(b"no image")
    stream = Stream(by="weights", file=str(table))
    done = trained(data, tmp_path / "run", stream, images_per_epoch=18, epochs=4, close_mosaic=2, workers=workers)
    assert done.watch.counts.images_seen == 72
    assert [len(batch) for batch in watched["batches"]] == [4, 4, 4, 4, 2] * 4
    names = [f"{number:03d}.jpg" for number in range(24) if number != 1]
    weights = np.array([6.0 if name == "003.jpg" else 0.5 if name < "018.jpg" else 0.0 for name in names])
    draws = WeightedDraws(weights, 3)
    drawn = [name for batch in watched["batches"] for name in batch]
    assert drawn == [names[draws.image(place)] for place in range(72)]
    # three passes of 23 draws: 23 * 6 / 14 = 9.86 times in each
    assert Counter(drawn[:69])["003.jpg"] in range(27, 31)
    if workers == 0:
        partners = Counter(name for group in watched["partners"] for name in group)
        assert partners.total() == 3 * 36, "mosaic in two epochs of four"
        assert max(partners) < "018.jpg", "an image of weight 0 is no partner either"
        assert 0.25 < partners["003.jpg"] / partners.total() < 0.6


@pytest.mark.train
def test_an_epoch_of_a_stream_has_as_many_images_as_the_dataset(
    tmp_path: Path, watched: dict[str, list[list[str]]]
) -> None:
    data = make_tiny(tmp_path / "tiny", {"train": 10, "val": 2})
    (data.parent / "train/labels/004.txt").write_text("")
    done = trained(data, tmp_path / "run", Stream(by="class_uniform"), epochs=1, workers=0)
    assert done.watch.counts.images_seen == 10
    # images 000 and 004 are background: p = 1/10; the others 1/2 (1/8 + 1/8) = 1/8
    draws = WeightedDraws(np.array([0.1 if row in (0, 4) else 0.125 for row in range(10)]), 3)
    assert [name for batch in watched["batches"] for name in batch] == [
        f"{draws.image(place):03d}.jpg" for place in range(10)
    ]


@pytest.mark.train
def test_the_core_comes_first(
    tmp_path: Path, watched: dict[str, list[list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from detreduce.training.streams import resolve

    order = np.random.default_rng(0).permutation(16)
    monkeypatch.setattr(resolve, "core_order", lambda dataset, meter: (order, PhaseEnergy(wh=1.0)))
    data = make_tiny(tmp_path / "tiny", {"train": 16, "val": 2})
    done = trained(data, tmp_path / "run", Stream(by="core_first"), images_per_epoch=8, epochs=4, workers=0)
    draws = GrowingDraws(order, total=32, seed=3)
    drawn = [int(name[:3]) for batch in watched["batches"] for name in batch]
    assert drawn == [draws.image(place) for place in range(32)]
    assert set(drawn[:6]) <= set(order[:8].tolist())
    assert "stream" in done.watch.meter.phases


@pytest.mark.train
@pytest.mark.parametrize("workers", [0, 2])
def test_learnt_images_are_left_out(
    tmp_path: Path, watched: dict[str, list[list[str]]], monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    asked = []

    def scores(trainer: Any) -> Any:
        asked.append(trainer.epoch)
        found = score_images(trainer)
        assert found.shape == (12,) and ((found >= 0) & (found <= 1)).all()
        return np.where(np.arange(12) < 8, 0.95, 0.1)

    monkeypatch.setattr(trainer, "score_images", scores)
    data = make_tiny(tmp_path / "tiny", {"train": 12, "val": 2})
    skip = SkipLearnt(refresh=2)
    done = trained(data, tmp_path / "run", skip=skip, epochs=6, close_mosaic=2, warmup_epochs=1, workers=workers)
    # epoch 0 is the warm-up, epochs 4 and 5 have no mosaic; in the epochs between, the four hard images are a batch
    assert [len(batch) for batch in watched["batches"]] == [4] * (3 + 1 + 1 + 1 + 3 + 3)
    assert [sorted(batch) for batch in watched["batches"][3:6]] == [[f"{row:03d}.jpg" for row in range(8, 12)]] * 3
    assert asked == [1, 3]
    assert (done.watch.counts.images_seen, done.watch.counts.images_scored) == (48, 24)


@pytest.mark.train
@pytest.mark.parametrize("workers", [0, 2])
def test_images_with_a_small_loss_are_left_out_and_the_others_weigh_twice(
    tmp_path: Path, watched: dict[str, list[list[str]]], monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    weighed: list[dict[str, float]] = []
    buffers: list[list[int]] = []
    record, weigh, restart = InfoBatchEpochs.record, image_losses._weigh, trainer._restart_loader

    def recorded(self: InfoBatchEpochs, images: Any, losses: Any) -> None:
        assert np.isfinite(losses).all()
        assert min(losses) > 0
        # the first eight images have a small loss
        record(self, images, [0.5 if image < 8 else 4.0 for image in images])

    def weighted(predictions: Any, weights: Any) -> None:
        weighed.append(dict(zip(watched["batches"][-1], weights.tolist(), strict=True)))
        weigh(predictions, weights)

    def restarted(loader: Any, former: Any) -> None:
        restart(loader, former)
        buffers.append(list(loader.dataset.buffer))

    monkeypatch.setattr(InfoBatchEpochs, "record", recorded)
    monkeypatch.setattr(image_losses, "_weigh", weighted)
    monkeypatch.setattr(trainer, "_restart_loader", restarted)
    data = make_tiny(tmp_path / "tiny", {"train": 12, "val": 2})
    done = trained(data, tmp_path / "run", skip=InfoBatch(), epochs=4, close_mosaic=1, workers=workers)
    # epochs 1 and 2 leave out four of the eight images; 0.875 of four epochs are 3.5, so epoch 3 has all images
    assert [len(batch) for batch in watched["batches"]] == [4] * (3 + 2 + 2 + 3)
    drawn = [name for batch in watched["batches"] for name in batch]
    assert sorted(drawn[:12]) == sorted(drawn[28:]) == [f"{row:03d}.jpg" for row in range(12)]
    for epoch in (drawn[12:20], drawn[20:28]):
        assert len(set(epoch)) == 8
        assert {f"{row:03d}.jpg" for row in range(8, 12)} < set(epoch)
    assert weighed == [{name: 2.0 if name < "008.jpg" else 1.0 for name in batch} for batch in watched["batches"][3:7]]
    assert (done.watch.counts.images_seen, done.watch.counts.batches, done.watch.counts.images_scored) == (40, 10, 0)
    # mosaic images of a restarted loader have partners from the epoch before
    assert len(buffers) == 2
    assert all(len(set(buffer)) >= 8 for buffer in buffers)


@pytest.mark.train
def test_infobatch_gives_the_same_weights_again(tmp_path: Path) -> None:
    data = make_tiny(tmp_path / "tiny", {"train": 8, "val": 2})
    runs = [
        trained(data, tmp_path / f"run{number}", skip=InfoBatch(), epochs=3, workers=number and 2)
        for number in (0, 1, 2)
    ]
    assert runs[1].model.weights_after == runs[2].model.weights_after
    assert {run.watch.counts.images_seen for run in runs} <= set(range(8 * 2 + 4, 8 * 3))


def test_what_decides_the_length_of_an_epoch_twice_is_refused(tmp_path: Path) -> None:
    data = make_tiny(tmp_path / "tiny", {"train": 6, "val": 2})
    with pytest.raises(InputError, match="skip_learnt"):
        trained(data, tmp_path / "run", skip=SkipLearnt(), epochs=1, images_per_epoch=4)


@pytest.mark.parametrize("options", [{"images_per_epoch": 4}, {"stream": Stream(by="class_uniform")}])
def test_batches_of_one_shape_stop_before_the_training(tmp_path: Path, options: dict[str, Any]) -> None:
    data = make_tiny(tmp_path / "tiny", {"train": 6, "val": 2})
    with pytest.raises(InputError, match="rect=True"):
        trained(data, tmp_path / "run", **options, epochs=1, rect=True)


def test_a_stream_that_does_not_fit_stops_before_the_training(tmp_path: Path, table: Path) -> None:
    data = make_tiny(tmp_path / "tiny", {"train": 26, "val": 2})
    with pytest.raises(InputError, match=r"weights\.csv has no weight for 2 of 26 images: 024\.jpg, 025\.jpg"):
        trained(data, tmp_path / "run", Stream(by="weights", file=str(table)), epochs=1)
