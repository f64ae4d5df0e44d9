"""Real trainings of a few seconds, and all errors before a training starts."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_dataset import make_tiny, snapshot

from detreduce.dataset import load_dataset
from detreduce.dataset.write import write_subset
from detreduce.display.listener import listening
from detreduce.errors import DetreduceError, InputError, MissingFileError
from detreduce.training import harness
from detreduce.training.evaluation.evidence import EVIDENCE_NAME, Evidence
from detreduce.training.evaluation.resampling import mean_ap
from detreduce.training.facts import selection_hash
from detreduce.training.harness import train
from detreduce.training.record import TrainingRecord
from detreduce.training.run import trainer, warm_up
from detreduce.training.run.arguments import OPTIMIZERS, check_arguments
from detreduce.training.run.detector_training import explain_failure, load_network
from detreduce.training.run.folder import EvaluationPlan, make_run_folder

SMALL = {"epochs": 2, "imgsz": 64, "batch": 8, "model": "yolov8n.yaml"}

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny dataset with a case that makes ultralytics write: a JPEG with bytes after its end marker, under two
    names.
    """
    data = make_tiny(tmp_path_factory.mktemp("source") / "tiny")
    images = data.parent / "train/images"
    open_end = images / "001.jpg"
    open_end.write_bytes(open_end.read_bytes() + b"\0\0")
    shutil.copyfile(open_end, images / "disguised.png")
    shutil.copyfile(data.parent / "train/labels/001.txt", data.parent / "train/labels/disguised.txt")
    (data.parent / "selection.json").write_text('{"image_ids": []}')
    return data


@pytest.fixture(scope="module")
def run(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TrainingRecord, Path, dict, dict]]:
    """Run one training without network access; return the dataset's files before and after too."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    patch = pytest.MonkeyPatch()
    patch.setenv("DETREDUCE_CACHE", str(tmp_path_factory.mktemp("cache")))

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("asked the network")

    patch.setattr(socket.socket, "connect", refuse)
    patch.setattr(socket, "getaddrinfo", refuse)
    before = snapshot(source.parent)
    try:
        record = train(source, output=folder, **SMALL)
    finally:
        patch.undo()
    yield record, folder, before, snapshot(source.parent)


@pytest.mark.train
class TestOneTraining:
    def test_the_source_is_untouched(self, run: tuple) -> None:
        _, folder, before, after = run
        assert after == before
        assert (folder / "data/train/labels.cache").is_file(), "ultralytics' cache is in the run"
        assert not list(folder.glob("evaluation*")), "scaffolding is taken away"

    def test_counts_are_known_answers(self, run: tuple) -> None:
        record = run[0]
        # 25 images in batches of 8: 4 batches an epoch, 8 in all. nbs 64 / batch 8 would accumulate 8 batches. The
        # warm-up (one epoch: 4 batches) raises this number from 1 to 8 with np.interp.
        assert record.counts.batches == 8
        assert record.counts.images_seen == 50
        assert record.counts.epochs == 2
        assert record.counts.optimiser_steps == _steps_by_hand(batches=8, warmup=4, accumulate=8)
        assert [row["epoch"] for row in record.history] == [1, 2]

    def test_weights_are_those_of_the_last_epoch(self, run: tuple) -> None:
        record, folder, _, _ = run
        assert record.model.weights_file == "weights/last.pt"
        assert [path.name for path in (folder / "weights").iterdir()] == ["last.pt"]
        assert record.model.weights_before is None
        assert record.model.parameters > 1e6
        assert not any("metrics/" in key for row in record.history for key in row), "nothing validated while training"
        assert "validation" not in record.energy

    def test_figures_are_of_the_test_split(self, run: tuple) -> None:
        evaluation = run[0].evaluation
        assert evaluation.splits == ["test"]
        assert evaluation.images == 6
        assert evaluation.boxes == 10
        assert evaluation.coco.boxes == 10
        assert evaluation.agreement is not None

    def test_the_evidence_of_each_image_is_beside_the_record(self, run: tuple) -> None:
        record, folder, _, _ = run
        evidence = Evidence.load(folder / EVIDENCE_NAME)
        assert sorted(evidence.images) == [f"test/{number:03}.jpg" for number in range(6)]
        assert evidence.truth.sum() == record.evaluation.coco.boxes
        coco = record.evaluation.coco
        assert mean_ap(evidence, np.ones(6)) == pytest.approx([coco.mAP50, coco.mAP50_95], abs=1e-9)

    def test_what_it_cost(self, run: tuple) -> None:
        record = run[0]
        assert set(record.energy) == {"training", "evaluation"}
        assert record.energy["training"].wh > 0
        assert record.seconds == record.energy["training"].seconds
        row = record.row()
        assert row["Wh"] == record.energy["training"].wh
        assert row["minutes"] == record.seconds / 60
        assert row["images"] == 25

    def test_what_was_run(self, run: tuple, source: Path) -> None:
        record = run[0]
        assert record.data.selection_hash == selection_hash(source, [])
        assert record.data.selection_hash is not None
        assert record.data.splits == {"train": 25, "val": 6, "test": 6}
        assert record.data.train_boxes == 48
        assert record.resolved["optimizer"] == "AdamW"
        assert record.resolved["lr0"] == pytest.approx(0.002 * 5 / 6, abs=1e-6), "ultralytics' own for two classes"
        assert record.resolved["momentum"] == pytest.approx(0.9)
        assert {"python", "torch", "ultralytics", "detreduce", "codecarbon", "numpy"} <= set(record.versions)
        assert record.started.endswith("+00:00")
        assert any("end marker" in line or "corrupt JPEG" in line for line in record.warnings)

    def test_the_record_reads_back(self, run: tuple) -> None:
        record, folder, _, _ = run
        assert TrainingRecord.load(folder) == record
        assert TrainingRecord.load(folder / "record.json") == record

    def test_operations_are_counted(self, run: tuple) -> None:
        record = run[0]
        assert record.flops is not None
        assert record.row()["TFLOPs"] == pytest.approx((record.flops.forward + record.flops.backward) * 50 / 1e12)
        assert record.row()["passes"] == 2

    def test_plots_are_made_only_if_asked_for(self, run: tuple) -> None:
        assert run[0].plots == [] and not (run[1] / "evaluation").exists()

    def test_a_second_run_never_overwrites(self, run: tuple, source: Path) -> None:
        with pytest.raises(InputError, match="not an empty folder"):
            train(source, output=run[1], **SMALL)

    def test_the_same_seed_gives_the_same_weights(self, run: tuple, source: Path, tmp_path: Path) -> None:
        record = run[0]
        again = train(source, output=tmp_path / "again", **SMALL)
        assert again.model.weights_after == record.model.weights_after
        assert again.evaluation == record.evaluation
        assert again.data.hash == record.data.hash
        other = train(source, output=tmp_path / "other", **{**SMALL, "epochs": 1}, seed=1)
        assert other.model.weights_after != record.model.weights_after


def _steps_by_hand(batches: int, warmup: int, accumulate: int) -> int:
    steps, last, now = 0, -1, accumulate
    for batch in range(batches):
        if batch <= warmup:
            now = max(1, round(1 + (accumulate - 1) * batch / warmup))
        if batch - last >= now:
            steps, last = steps + 1, batch
    return steps


@pytest.mark.train
def test_best_validates_each_epoch_apart_from_training(tiny: Path, tmp_path: Path) -> None:
    record = train(
        tiny, output=tmp_path / "run", choose="best", evaluate_on="val+test", evaluation_plots=True,
        corruptions="blur", **SMALL,
    )  # fmt: skip
    assert [(one.corruption, one.severity, one.evaluation.images) for one in record.corrupted] == [
        ("blur", 1, 12), ("blur", 3, 12), ("blur", 5, 12)
    ]  # fmt: skip
    assert record.energy["robustness"].seconds > 0 and not (tmp_path / "run" / "corrupted").exists()
    assert TrainingRecord.load(tmp_path / "run") == record and "mAP50_95_blur" in record.row()
    assert {"BoxPR_curve.png", "confusion_matrix.png"} <= {plot.name for plot in record.plots}
    assert record.model.weights_file == "weights/best.pt"
    assert all("metrics/mAP50(B)" in row for row in record.history)
    assert record.energy["validation"].seconds > 0
    assert record.evaluation is not None
    assert record.evaluation.splits == ["val", "test"]
    assert record.evaluation.images == 12
    assert record.evaluation.boxes == 20
    assert any("too high" in line for line in record.warnings)


@pytest.mark.train
def test_real_photographs_from_pretrained_weights(shared: Path, tmp_path: Path) -> None:
    """One epoch on aquarium with a frozen backbone learns something, and both figures agree."""
    before = {path: path.stat().st_mtime_ns for path in (shared / "data/aquarium").rglob("*")}
    record = train(
        shared / "data/aquarium/data.yaml",
        shared / "weights/yolov8n.pt",
        output=tmp_path / "run",
        evaluate_on="val+test",
        epochs=1,
        imgsz=160,
        freeze=10,
    )
    assert {path: path.stat().st_mtime_ns for path in (shared / "data/aquarium").rglob("*")} == before
    assert record.evaluation is not None and record.evaluation.agreement is not None
    assert record.evaluation.images == 190
    assert record.evaluation.mAP50 > 0.02
    assert record.evaluation.agreement.ok, record.evaluation.agreement.note
    assert record.counts.images_seen == 448
    assert record.model.weights_before == hashlib.sha256((shared / "weights/yolov8n.pt").read_bytes()).hexdigest()


@pytest.mark.train
def test_faulty_labels_are_told_and_a_dataset_without_test_uses_val(tmp_path: Path) -> None:
    data = make_tiny(tmp_path / "tiny", {"train": 12, "val": 4})
    labels = tmp_path / "tiny/train/labels/002.txt"
    labels.write_text(labels.read_text() * 2)
    record = train(data, output=tmp_path / "run", **{**SMALL, "epochs": 1})
    assert record.evaluation is not None
    assert record.evaluation.splits == ["val"]
    assert any("duplicate labels removed" in line and "002.jpg" in line for line in record.warnings)
    assert "\x1b" not in json.dumps(record.warnings)


@pytest.mark.train
@pytest.mark.parametrize(("task", "main"), [("seg", "(M)"), ("pose", "(P)"), ("obb", "(B)")])
def test_other_tasks_have_the_trainers_figures(tmp_path: Path, task: str, main: str) -> None:
    data = make_tiny(tmp_path / "tiny", {"train": 8, "test": 4})
    for file in data.parent.rglob("labels/*.txt"):
        lines = []
        for class_id, *numbers in (line.split() for line in file.read_text().splitlines()):
            x, y, w, h = map(float, numbers)
            corners = [x - w / 2, y - h / 2, x + w / 2, y - h / 2, x + w / 2, y + h / 2, x - w / 2, y + h / 2]
            values = [x, y, w, h, x, y, 2] if task == "pose" else corners
            lines.append(" ".join(map(str, [class_id, *values])) + "\n")
        file.write_text("".join(lines))
    if task == "pose":
        data.write_text(data.read_text() + "kpt_shape: [1, 3]\nflip_idx: [0]\n")
    record = train(data, output=tmp_path / "run", **{**SMALL, "epochs": 1, "model": f"yolov8n-{task}.yaml"})
    evaluation = record.evaluation
    assert evaluation is not None
    assert evaluation.coco is None
    assert evaluation.agreement is None
    assert evaluation.mAP50 == evaluation.trainer[f"metrics/mAP50{main}"]
    assert evaluation.boxes == 6


@pytest.mark.train
def test_a_train_split_alone_has_no_figures(tmp_path: Path) -> None:
    data = make_tiny(tmp_path / "tiny", {"train": 8})
    record = train(data, output=tmp_path / "run", **{**SMALL, "epochs": 1})
    assert record.evaluation is None
    assert record.row()["mAP50"] is None
    assert any("there is no val split, and there is no test split" in line for line in record.warnings)


@pytest.mark.train
@pytest.mark.parametrize("how", ["empty", "gone", "unreadable", "no boxes"])
def test_what_stands_in_for_val_is_never_evaluated_on(tmp_path: Path, how: str) -> None:
    data = make_tiny(tmp_path / "tiny", {"train": 8, "val": 2})
    val = data.parent / "val/images"
    if how in ("empty", "gone"):
        shutil.rmtree(val)
    if how == "empty":
        val.mkdir()
    for image in val.glob("*.jpg") if how == "unreadable" else ():
        image.write_bytes(b"no image")
    for label in (data.parent / "val/labels").iterdir() if how == "no boxes" else ():
        label.write_text("")
    with pytest.raises(InputError, match="needs a val split"):
        train(data, output=tmp_path / "run", choose="best", **SMALL)
    with pytest.raises(InputError, match=r"evaluate_on='val'.*val split"):
        train(data, output=tmp_path / "run", evaluate_on="val", **SMALL)
    assert not (tmp_path / "run").exists()
    if how in ("empty", "gone"):
        record = train(data, output=tmp_path / "run", **{**SMALL, "epochs": 1})
        assert record.evaluation is None
        assert any(line.startswith("Nothing was evaluated") and "val" in line for line in record.warnings)
        assert set(record.data.splits) == {"train"}
    else:
        run = make_run_folder(data, tmp_path / "run", label="a", evaluation=EvaluationPlan())
        assert not run.truths
        assert run.warnings[0].startswith("Nothing was evaluated")


@pytest.mark.train
@pytest.mark.parametrize(
    ("error", "kind"), [(InputError("no use."), InputError), (ZeroDivisionError("0"), DetreduceError)]
)
def test_a_failed_evaluation_keeps_the_training(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, kind: type[Exception]
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr(harness, "evaluate", fail)
    with pytest.raises(kind, match=r"training itself is finished.*weights.last\.pt"):
        train(tiny, output=tmp_path / "run", **{**SMALL, "epochs": 1})
    assert (tmp_path / "run/weights/last.pt").is_file()


@pytest.mark.train
def test_images_left_out_are_not_counted_and_stdout_stays_clean(tiny: Path, tmp_path: Path, capfd: Any) -> None:
    """With a corrupt image and a cache in memory (ultralytics shows a bar); without a terminal, a second counts as a
    minute.
    """
    (tiny.parent / "train/images/003.jpg").write_bytes(b"\xff\xd8 no image \xff\xd9")
    patch = pytest.MonkeyPatch()
    patch.setattr(trainer, "LINE_SECONDS", 0.0)
    try:
        record = train(tiny, output=tmp_path / "run", cache="ram", **{**SMALL, "epochs": 1})
    finally:
        patch.undo()
    assert record.data.splits["train"] == 24
    assert record.data.train_images == 23
    assert record.data.train_boxes == 44
    assert any("1 of the 24 images" in line for line in record.warnings)
    written = capfd.readouterr()
    assert written.out == ""
    assert len(written.err.splitlines()) == 3
    assert "training: epoch 1/1 loss" in written.err and "min left" in written.err


def test_warming_up_changes_neither_weights_nor_seeds(tmp_path: Path) -> None:
    import torch

    network = load_network("yolov8n.yaml")
    before = {name: value.clone() for name, value in network.model.state_dict().items()}
    seeds = torch.get_rng_state()
    modes = [module.training for module in network.model.modules()]
    warm_up._one_step(network.model, "cpu")
    assert torch.equal(torch.get_rng_state(), seeds)
    assert all(torch.equal(value, before[name]) for name, value in network.model.state_dict().items())
    assert [module.training for module in network.model.modules()] == modes
    assert all(parameter.grad is None for parameter in network.model.parameters())


@pytest.mark.train
def test_a_stopped_training_leaves_no_record(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from detreduce.training.run.trainer import Watch

    def stop(self: Watch, trainer: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Watch, "_epoch_ended", stop)
    with pytest.raises(KeyboardInterrupt, match="unfinished run is in"):
        train(tiny, output=tmp_path / "run", **SMALL)
    assert (tmp_path / "run").is_dir()
    with pytest.raises(MissingFileError, match=r"record\.json does not exist"):
        TrainingRecord.load(tmp_path / "run")


class TestRefused:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"epoch": 3}, "no training argument 'epoch'.*'epochs'"),
            ({"epochs": "many"}, "epochs"),
            ({"epochs": 0}, "epochs=0"),
            ({"project": "x"}, "output="),
            ({"resume": True}, "resume=True"),
            ({"val": True}, 'choose="best"'),
            ({"device": "0,1"}, "one device"),
            ({"choose": "first"}, "choose='first'"),
            ({"evaluate_on": "tset"}, "evaluate_on='tset'"),
            ({"country": "ESPA"}, "Did you mean 'ESP'"),
            ({"country": "ESPA", "epoch": 3}, "Did you mean 'ESP'"),
            ({"optimizer": "Adm"}, "optimizer='Adm'.*Did you mean 'Adam'"),
            ({"imgsz": "big"}, "imgsz='big'"),
            ({"epochs": True}, "epochs=True"),
            ({"workers": -1}, "workers=-1"),
            ({"batch": 0}, "batch=0"),
            ({"batch": 2.5}, "batch=2.5"),
            ({"lr0": 7}, "lr0=7"),
            ({"save": False}, "weights are always kept"),
            ({"images": "elsewhere"}, "images="),
        ],
    )
    def test_bad_arguments(self, tiny: Path, tmp_path: Path, arguments: dict, message: str) -> None:
        with pytest.raises(InputError, match=message):
            train(tiny, output=tmp_path / "run", **{**SMALL, **arguments})
        assert not (tmp_path / "run").exists()

    def test_a_folder_that_was_there_stays_empty(self, tiny: Path, tmp_path: Path) -> None:
        (tmp_path / "run").mkdir()
        with pytest.raises(InputError, match="device"):
            train(tiny, output=tmp_path / "run", **SMALL, device=97)
        assert not list((tmp_path / "run").iterdir())

    def test_optimizers_are_ultralytics_own_in_any_case(self) -> None:
        from ultralytics.engine.trainer import BaseTrainer

        text = inspect.getsource(BaseTrainer.build_optimizer)
        assert set(ast.literal_eval(text.split("optimizers = ", 1)[1].splitlines()[0])) == set(OPTIMIZERS)
        assert check_arguments({"optimizer": "rmsPROP"})["optimizer"] == "RMSprop"

    def test_arguments_are_had_without_torch(self) -> None:
        code = (
            "import sys; from detreduce.training.run.arguments import RESERVED, check_arguments\n"
            "assert not {'torch', 'ultralytics'} & set(sys.modules)"
        )
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

    def test_a_device_that_is_not_there(self, tiny: Path, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="device"):
            train(tiny, output=tmp_path / "run", **SMALL, device=97)
        assert not (tmp_path / "run").exists()

    def test_missing_splits(self, tmp_path: Path) -> None:
        data = make_tiny(tmp_path / "tiny", {"train": 4, "test": 2})
        with pytest.raises(InputError, match="there is no val split"):
            train(data, output=tmp_path / "run", evaluate_on="val", **SMALL)
        with pytest.raises(InputError, match="needs a val split"):
            train(data, output=tmp_path / "run", choose="best", **SMALL)

    def test_nothing_to_train_on(self, tiny: Path, tmp_path: Path) -> None:
        for file in (tiny.parent / "train/labels").iterdir():
            file.write_text("")
        with pytest.raises(InputError, match=r"none of the images .*\(24\)"):
            train(tiny, output=tmp_path / "run", **SMALL)

    def test_a_class_that_the_dataset_does_not_have(self, tiny: Path, tmp_path: Path) -> None:
        (tiny.parent / "train/labels/003.txt").write_text("7 0.5 0.5 0.2 0.2\n")
        record = train(tiny, output=tmp_path / "run", **SMALL)
        assert record.data.problems is not None and record.data.problems.refused == 1

    def test_weights_that_are_not_there(self, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def unreachable(*args: object, **kwargs: object) -> None:
            raise OSError("no route")

        monkeypatch.setattr(socket, "create_connection", unreachable)
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.chdir(tmp_path)
        with pytest.raises(MissingFileError, match=r"yolo11n.pt is not in this .* ./yolo11n.pt.*--model yolo11n.yaml"):
            train(tiny, "yolo11n.pt", epochs=1)
        with pytest.raises(MissingFileError, match=r"Did you mean 'yolo11n\.pt'"):
            train(tiny, "yolo11nn.pt", epochs=1)
        with pytest.raises(MissingFileError, match=r"nowhere/a\.pt"):
            train(tiny, "nowhere/a.pt", epochs=1)
        with pytest.raises(MissingFileError, match=r"Did you mean 'yolov8n\.yaml'"):
            train(tiny, "yolov8nn.yaml", epochs=1)
        with pytest.raises(InputError, match=r"yolo11n.*\.pt.*\.yaml"):
            train(tiny, "yolo11n", epochs=1)
        assert [path.name for path in tmp_path.iterdir()] == ["tiny"]

    def test_weights_that_are_none(self, tiny: Path, tmp_path: Path) -> None:
        (tmp_path / "bad.pt").write_bytes(b"not weights")
        with pytest.raises(InputError, match="cannot read this model"):
            train(tiny, tmp_path / "bad.pt", output=tmp_path / "run", epochs=1)

    def test_a_dataset_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(MissingFileError):
            train(tmp_path / "data.yaml", **SMALL)


def test_runs_get_names_of_their_own(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths = [make_run_folder(tiny, None, label="a", evaluation=EvaluationPlan()).path for _ in range(2)]
    assert [str(path.relative_to(tmp_path.resolve())) for path in paths] == ["runs/train/a-1", "runs/train/a-2"]
    view = load_dataset(paths[0] / "data/data.yaml", split="train")
    assert len(view) == 24
    assert all(record.path.is_symlink() for record in view)
    assert not any(record.label_path.is_symlink() for record in view if record.label_path)


def test_before_a_training_a_line_says_that_no_pixels_were_compared(tiny: Path, tmp_path: Path) -> None:
    for allowed in (False, True):
        said: list[str] = []
        with listening(said.append):
            make_run_folder(tiny, tmp_path / str(allowed), label="a", evaluation=EvaluationPlan(allow_leaks=allowed))
        told = [line for line in said if "files were compared, but pixels were not" in line]
        assert len(told) == (not allowed) and all("--check-images" in line for line in told)


def test_only_jpegs_without_end_marker_are_copies(source: Path, tmp_path: Path) -> None:
    run = make_run_folder(source, tmp_path / "run", label="a", evaluation=EvaluationPlan())
    images = run.path / "data" / "train" / "images"
    assert sorted(path.name for path in images.iterdir() if not path.is_symlink()) == ["001.jpg", "disguised.png"]
    assert (images / "disguised.png").read_bytes() == (source.parent / "train/images/disguised.png").read_bytes()


def test_a_fresh_process_leaves_the_users_settings_and_the_network_alone(tmp_path: Path) -> None:
    """Importing ultralytics through detreduce in an empty home folder makes no file there and resolves no host name."""
    code = (
        "import socket\n"
        "def refuse(*a, **k): raise SystemExit('asked the network')\n"
        "socket.getaddrinfo = refuse; socket.socket.connect = refuse\n"
        "from detreduce.ultralytics_bridge.pretrained import quiet_ultralytics\n"
        "quiet_ultralytics()\n"
        "import ultralytics.utils as u\n"
        "print(u.ONLINE, u.SETTINGS_FILE)\n"
    )
    home = tmp_path / "home"
    home.mkdir()
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("YOLO_", "XDG_", "DETREDUCE_"))
    }
    environment |= {"HOME": str(home), "DETREDUCE_CACHE": str(tmp_path / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == "False"
    assert str(tmp_path / "cache") in done.stdout
    assert "Settings" not in done.stdout + done.stderr
    assert not (home / ".config/Ultralytics").exists()


@pytest.mark.train
def test_all_the_data_in_as_many_steps_as_a_subset(tmp_path: Path) -> None:
    """The assumption of the control full_equal_iterations: only the images differ."""
    data = make_tiny(tmp_path / "tiny")
    (tmp_path / "part").mkdir()
    reduced = write_subset(load_dataset(data), load_dataset(data).image_ids[:11], tmp_path / "part")
    settings = {**SMALL, "epochs": 4, "batch": 4, "nbs": 8, "close_mosaic": 2, "warmup_epochs": 1, "lr0": 0.001}
    settings["optimizer"] = "AdamW"
    seen: dict[str, list[list[str]]] = {}

    def watched(self: Any, batch: Any) -> Any:
        seen.setdefault(str(self.save_dir.name), []).append([Path(file).name for file in batch["im_file"]])
        return original(self, batch)

    original = trainer._WatchedTrainer.preprocess_batch
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer._WatchedTrainer, "preprocess_batch", watched)
        one = train(reduced.source.path, output=tmp_path / "reduced", **settings)
        control = train(data, output=tmp_path / "control", images_per_epoch=11, **settings)
    assert control.counts == one.counts
    assert (control.counts.batches, control.counts.images_seen) == (12, 44)
    assert control.data.train_images == 24
    rates = [
        [{key: row[key] for key in row if key.startswith("lr/")} for row in each.history] for each in (one, control)
    ]
    assert rates[0] == rates[1]
    assert [len(batch) for batch in seen["control"]] == [len(batch) for batch in seen["reduced"]] == [4, 4, 3] * 4
    drawn = [name for batch in seen["control"] for name in batch]
    assert len(set(drawn[:24])) == 24, "a pass is all the images, over the end of an epoch and of the mosaic"
    assert control.images_per_epoch == 11
    assert control.row()["passes"] == pytest.approx(44 / 24)


@pytest.mark.parametrize("images", [0, -3, 2.5, True])
def test_an_epoch_of_no_images(tiny: Path, tmp_path: Path, images: Any) -> None:
    with pytest.raises(InputError, match="images_per_epoch"):
        train(tiny, output=tmp_path / "run", images_per_epoch=images, **SMALL)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(28, "No space left on device", "/run/last.pt"), DetreduceError),
        (PermissionError(13, "Permission denied"), DetreduceError),
        (RuntimeError("[enforce fail at inline_container.cc:603] unexpected pos 64 vs 0"), DetreduceError),
        (RuntimeError("CUDA out of memory."), DetreduceError),
        (FileNotFoundError("Dataset 'x' images not found"), InputError),
        (RuntimeError("mistake of a library"), RuntimeError),
    ],
)
def test_what_stops_a_training_is_one_kind_of_error(tiny: Path, tmp_path: Path, error: Exception, kind: type) -> None:
    run = make_run_folder(tiny, tmp_path / "run", label="a")
    assert type(explain_failure(error, run)) is kind
