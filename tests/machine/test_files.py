"""One rule for system errors, for every function that writes."""

from __future__ import annotations

import errno
import io
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import detreduce as dr
from detreduce.arrays.proxy_log import MEASURES, ProxyLog
from detreduce.dataset.demo import make_demo
from detreduce.errors import DetreduceError, InputError, MissingFileError
from detreduce.experiment.ledger.export import export_rows
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.experiment.ledger.merge import merge_ledgers
from detreduce.images.store import DigestMemo, VectorStore
from detreduce.machine.files import write_atomically, writing
from detreduce.training.proxy import check_log_place
from detreduce.training.record import Counts, DataFacts, ModelFacts, TrainingRecord
from detreduce.training.run.folder import EvaluationPlan, make_run_folder

REFUSED = (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EMFILE)


@pytest.fixture
def dataset(tmp_path: Path) -> dr.DetectionDataset:
    """Two images of one class each."""
    for row in range(2):
        image, label = tmp_path / f"in/images/{row}.png", tmp_path / f"in/labels/{row}.txt"
        for place in (image, label):
            place.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (80, 40), (90 * row, 90, 90)).save(image)
        label.write_text(f"{row} 0.5 0.5 0.25 0.5\n")
    (tmp_path / "in/data.yaml").write_text("train: images\nval: images\nnames: [cat, dog]\n")
    return dr.load_dataset(tmp_path / "in/data.yaml", split="train")


def made_log() -> ProxyLog:
    rows, corners = np.array([0, 1], np.int32), np.zeros((2, 4), np.float16)
    return ProxyLog(("a", "b"), rows, rows, corners, **{name: np.ones((2, 2), kind) for name, kind in MEASURES.items()})


def made_record() -> TrainingRecord:
    return TrainingRecord(
        evaluation=None,
        energy={},
        seconds=1.0,
        counts=Counts(optimiser_steps=1, batches=1, images_seen=1, epochs=1),
        data=DataFacts(path="/d", hash="h", splits={"train": 1}, train_images=1, train_boxes=1, class_names=["a"]),
        model=ModelFacts(
            name="n", task="detect", parameters=1, weights_before=None, weights_after="w", weights_file="f"
        ),
        choose="last",
        seed=0,
        imgsz=64,
        arguments={},
        resolved={},
        history=[],
        device="cpu",
        cpu="c",
        threads=1,
        versions={},
        started="2026-01-01T00:00:00+00:00",
        run="/run",
        warnings=[],
    )


def remember(folder: Path, dataset: dr.DetectionDataset) -> None:
    memo = DigestMemo(folder)
    memo.put(dataset[0].path, dataset[0].path.stat(), 2**62, bytes(32))
    memo.flush()


def exported(form: str) -> Callable[[Path, dr.DetectionDataset], Any]:
    return lambda out, data: dr.export_selection(data, dr.select(data, keep=1), out / "file", form=form)


WRITERS: dict[str, Callable[[Path, dr.DetectionDataset], Any]] = {
    "selection": lambda out, data: dr.select(data, keep=1).save(out / "selection.json"),
    "subset": lambda out, data: dr.write_subset(data, dr.select(data, keep=1), out / "subset"),
    "list": exported("list"),
    "coco": exported("coco"),
    "fiftyone": exported("fiftyone"),
    "demo": lambda out, _: make_demo(out / "demo", scenes=4, size=32),
    "proxy log": lambda out, _: made_log().save(out / "proxy.npz"),
    "proxy's place": lambda out, _: check_log_place(out / "deep" / "proxy.npz"),
    "record": lambda out, _: made_record().save(out / "record.json"),
    "run folder": lambda out, data: make_run_folder(
        data.source.path, out / "run", label="l", evaluation=EvaluationPlan(allow_leaks=True)
    ),
    "new ledger": lambda out, _: Ledger.create(out / "ledger"),
    "ledger": lambda out, _: Ledger(out).write_json("plan.json", []),
    "scratch": lambda out, _: Ledger(out).scratch("merge"),
    "merge": lambda out, _: merge_ledgers(out.parent / "ledger", out / "into"),
    "rows": lambda out, _: export_rows([{"key": "a"}], out / "rows.csv"),
    "memo": remember,
}


@pytest.mark.parametrize("code", REFUSED, ids=errno.errorcode.get)
@pytest.mark.parametrize("writer", WRITERS)
def test_what_the_machine_refuses_is_no_mistake_of_the_caller(
    writer: str, code: int, dataset: dr.DetectionDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Ledger.create(tmp_path / "ledger")
    out = tmp_path / "out"
    out.mkdir()
    refuse_below(out, code, monkeypatch)
    with pytest.raises(DetreduceError) as caught:
        WRITERS[writer](out, dataset)
    assert not isinstance(caught.value, InputError)
    assert isinstance(caught.value.__cause__, OSError) and caught.value.__cause__.errno == code
    assert str(out) in str(caught.value) and os.strerror(code) in str(caught.value)
    monkeypatch.undo()
    assert not list(out.iterdir())


def refuse_below(folder: Path, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse to make or write files below a folder."""

    def guarded(whole: Callable[..., Any], writes: Callable[..., bool]) -> Callable[..., Any]:
        def call(place: Any, *args: Any, **options: Any) -> Any:
            if not isinstance(place, int) and folder in Path(place).parents and writes(*args, **options):
                raise OSError(code, os.strerror(code), os.fspath(place))
            return whole(place, *args, **options)

        return call

    monkeypatch.setattr(io, "open", guarded(io.open, lambda mode="r", *_, **__: not set(mode).isdisjoint("wxa+")))
    monkeypatch.setattr(os, "open", guarded(os.open, lambda flags, *_, **__: bool(flags & (os.O_WRONLY | os.O_RDWR))))
    monkeypatch.setattr(os, "mkdir", guarded(os.mkdir, lambda *_, **__: True))


def test_a_cache_that_cannot_be_written_warns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache").mkdir()
    store = VectorStore(tmp_path / "cache", {"backbone": "b"})
    store.add(bytes(32), np.ones(3, np.float32))
    refuse_below(tmp_path / "cache", errno.ENOSPC, monkeypatch)
    with pytest.warns(dr.errors.DetreduceWarning, match=os.strerror(errno.ENOSPC)):
        store.flush()
    assert not store.writable


@pytest.mark.parametrize("place", ["file/below", "file/far/below", "folder"])
def test_a_path_that_cannot_be_one_is_the_callers(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=str(tmp_path / place)) as caught:
        write_atomically(tmp_path / place, lambda file: file.write(b"x"))
    assert isinstance(caught.value.__cause__, OSError)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == "kept" and not list((tmp_path / "folder").iterdir())


def test_errors_on_purpose_go_through_as_they_are() -> None:
    missing = MissingFileError("gone")
    with pytest.raises(MissingFileError) as caught, writing("x"):
        raise missing
    assert caught.value is missing
    with pytest.raises(ZeroDivisionError), writing("x"):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(28, "Full", "/a/b.part"), "/a/b cannot be written: Full."),
        (OSError(28, "Full", "/far/c"), "/a/b cannot be written: Full (/far/c)."),
        (OSError("words"), "/a/b cannot be written: words."),
        (shutil.Error([("/a", "/b", "[Errno 28] Full")]), "/a/b cannot be written: [Errno 28] Full."),
    ],
)
def test_the_message_names_the_place_and_the_reason(error: OSError, says: str) -> None:
    with pytest.raises(DetreduceError) as caught, writing(Path("/a/b")):
        raise error
    assert str(caught.value) == says
    with pytest.raises(DetreduceError) as caught, writing(Path("/a/b"), "Nothing is left."):
        raise error
    assert str(caught.value) == f"{says} Nothing is left."


def test_a_failed_write_leaves_the_former_file(tmp_path: Path) -> None:
    write_atomically(tmp_path / "deep" / "file", lambda file: file.write(b"former"))

    def half(file: Any) -> None:
        file.write(b"half")
        raise OSError(errno.ENOSPC, "Full")

    with pytest.raises(DetreduceError):
        write_atomically(tmp_path / "deep" / "file", half)
    assert {path.name: path.read_bytes() for path in (tmp_path / "deep").iterdir()} == {"file": b"former"}


def test_an_interrupted_write_leaves_no_part(tmp_path: Path) -> None:
    def interrupted(file: Any) -> None:
        file.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file", interrupted)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="no named pipes here")
def test_a_device_a_pipe_and_a_socket_are_never_replaced(dataset: dr.DetectionDataset, tmp_path: Path) -> None:
    pipe, listener = tmp_path / "pipe.csv", socket.socket(socket.AF_UNIX)
    os.mkfifo(pipe)
    listener.bind(str(tmp_path / "s"))
    (tmp_path / "link").symlink_to(os.devnull)
    selection = dr.select(dataset, "srs", keep=1)
    writers: list[Callable[[Path], object]] = [
        lambda path: write_atomically(path, lambda file: file.write(b"x")),
        lambda path: dr.export_selection(dataset, selection, path, form="csv", overwrite=True),
        lambda path: export_rows([{"a": 1}], path, overwrite=True),
        selection.save,
        made_log().save,
    ]
    for write in writers:
        with pytest.raises(InputError, match="a device, a pipe or a socket"):
            write(pipe)
    for path in (tmp_path / "s", tmp_path / "link"):
        with pytest.raises(InputError, match="a device, a pipe or a socket"):
            writers[0](path)
    assert pipe.is_fifo() and (tmp_path / "s").is_socket() and (tmp_path / "link").is_symlink()
    listener.close()
