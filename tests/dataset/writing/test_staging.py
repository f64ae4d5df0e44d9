"""An output appears complete or not at all, has one writer, and a person's files in it or next to it are never lost."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from detreduce.dataset import DetectionDataset, load_dataset
from detreduce.dataset.write import SubsetWarning, write_subset
from detreduce.dataset.writing import links, staging
from detreduce.errors import DetreduceError, InputError
from detreduce.machine import renames

Content = dict[str, bytes]


@pytest.fixture
def labelled(tmp_path: Path) -> DetectionDataset:
    """Six labelled images."""
    root = tmp_path / "set"
    for row in range(6):
        for place, data in (("images", b"\xff\xd8 %d \xff\xd9" % row), ("labels", b"0 0.5 0.5 0.2 0.%d\n" % (row + 1))):
            file = root / place / f"{row}.{'jpg' if place == 'images' else 'txt'}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
    (root / "data.yaml").write_text("train: images\nval: images\nnames: [a]\n")
    return load_dataset(root / "data.yaml")


def content(folder: Path) -> Content:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(params=["exchange", "journal"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Replace the old output in one step, or with two renames as on systems without an exchange of folders."""
    if request.param == "journal":
        monkeypatch.setattr(renames, "_renameat2", lambda: None)
    return str(request.param)


def edit(file: Path) -> None:
    before = file.stat()
    data = file.read_bytes()
    file.unlink()  # a hard link must not be changed in place
    file.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def relink(file: Path) -> None:
    file.unlink()
    file.symlink_to("/elsewhere")


HARMS: dict[str, Callable[[Path], object]] = {
    "my_vectors.npy": lambda out: (out / "my_vectors.npy").write_bytes(b"mine"),
    "weights/best.pt": lambda out: ((out / "weights").mkdir(), (out / "weights/best.pt").write_bytes(b"w")),
    "weights/": lambda out: (out / "weights").mkdir(),
    ".hidden": lambda out: (out / ".hidden").write_bytes(b""),
    "labels/mine.cache": lambda out: (out / "labels/mine.cache").write_bytes(b"mine"),
    "labels.cache": lambda out: (out / "labels.cache").write_bytes(b"mine"),
    "images/0.npy": lambda out: (out / "images/0.npy").write_bytes(b"mine"),
    "labels/0.txt": lambda out: edit(out / "labels/0.txt"),
    "data.yaml": lambda out: edit(out / "data.yaml"),
    "selection.json": lambda out: edit(out / "selection.json"),
    "images/0.jpg": lambda out: relink(out / "images/0.jpg"),
    "link": lambda out: (out / "link").symlink_to(out / "labels"),
}


@pytest.mark.parametrize("link", ["hardlink", "symlink", "copy"])
@pytest.mark.parametrize("harm", HARMS)
def test_what_a_person_made_is_named_and_kept(harm: str, link: str, labelled: DetectionDataset, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_subset(labelled, labelled.image_ids[:3], out, link=link)
    HARMS[harm](out)
    before = content(out)
    with pytest.raises(InputError, match=rf"{harm}.*--discard-changes"):
        write_subset(labelled, labelled.image_ids[3:], out, link=link, overwrite=True)
    assert content(out) == before and sorted(path.name for path in tmp_path.iterdir()) == ["out", "set"]
    with pytest.raises(InputError, match="needs overwrite"):
        write_subset(labelled, labelled.image_ids[3:], out, discard_changes=True)
    write_subset(labelled, labelled.image_ids[3:], out, link=link, overwrite=True, discard_changes=True)
    assert load_dataset(out).image_ids == labelled.image_ids[3:]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "set"]


def test_many_files_are_counted(labelled: DetectionDataset, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_subset(labelled, labelled.image_ids, out)
    for number in range(40):
        (out / f"mine{number:02}").write_text("x")
    with pytest.raises(InputError, match=r"40 .*mine00, mine01, mine02, …\)"):
        write_subset(labelled, labelled.image_ids, out, overwrite=True)


@pytest.mark.parametrize("link", ["hardlink", "symlink", "copy"])
def test_a_copied_output_is_as_it_was_written(link: str, labelled: DetectionDataset, tmp_path: Path) -> None:
    write_subset(labelled, labelled.image_ids[:3], tmp_path / "out", link=link)
    shutil.copytree(tmp_path / "out", tmp_path / "copy", symlinks=True, copy_function=shutil.copyfile)
    write_subset(labelled, labelled.image_ids[3:], tmp_path / "copy", link=link, overwrite=True)


def test_files_that_a_person_deleted_do_not_matter(labelled: DetectionDataset, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_subset(labelled, labelled.image_ids[:3], out)
    shutil.rmtree(out / "labels")
    write_subset(labelled, labelled.image_ids[3:], out, overwrite=True)
    assert len(list((out / "labels").iterdir())) == 6


def test_ultralytics_own_cache_of_the_labels_may_go(labelled: DetectionDataset, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_subset(labelled, labelled.image_ids[:3], out)
    (out / "labels.cache").write_bytes(b"\x93NUMPY and so on")
    write_subset(labelled, labelled.image_ids[3:], out, overwrite=True)
    assert not (out / "labels.cache").exists()


@pytest.mark.parametrize("manifest", ["a.jpg\nselection.json\n", "{}", '{"detreduce": "files", "version": 2}\n[]\n'])
def test_a_manifest_without_hashes_or_a_damaged_one_frees_nothing(
    manifest: str, labelled: DetectionDataset, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    write_subset(labelled, labelled.image_ids[:3], out)
    (out / ".detreduce-files").write_text(manifest)
    before = content(out)
    with pytest.raises(InputError, match="is not overwritten"):
        write_subset(labelled, labelled.image_ids[3:], out, overwrite=True)
    assert content(out) == before


def test_folders_with_such_names_beside_the_output_are_left_alone(labelled: DetectionDataset, tmp_path: Path) -> None:
    mine = [".out.detreduce-backup", ".out.detreduce-new-0123456789ab", ".out.detreduce-new-x", "out.detreduce"]
    for name in mine:
        (tmp_path / name / "new").mkdir(parents=True)
        (tmp_path / name / "new" / "file").write_text("mine")
        os.utime(tmp_path / name, (1, 1))
    for _ in range(2):
        write_subset(labelled, labelled.image_ids, tmp_path / "out", overwrite=True)
    assert [(tmp_path / name / "new" / "file").read_text() for name in mine] == ["mine"] * 4


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Callable[[], object]]]:
    """Run a function just before the output is published."""
    actions: list[Callable[[], object]] = []
    finish = links.Placer.finish

    def act(placer: links.Placer) -> None:
        finish(placer)
        for action in actions:
            action()

    monkeypatch.setattr(links.Placer, "finish", act)
    yield actions


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_what_appears_meanwhile_is_left_alone(
    kind: str, way: str, labelled: DetectionDataset, tmp_path: Path, meanwhile: list[Callable[[], object]]
) -> None:
    out = tmp_path / "out"
    (tmp_path / "place").mkdir()
    (tmp_path / "place" / "mine").write_text("mine")
    make: dict[str, Callable[[], object]] = {
        "folder": lambda: shutil.copytree(tmp_path / "place", out),
        "file": lambda: out.write_text("mine"),
        "link": lambda: out.symlink_to(tmp_path / "place"),
    }
    meanwhile.append(make[kind])
    with pytest.raises(InputError, match="appeared"):
        write_subset(labelled, labelled.image_ids, out)
    assert (out / "mine" if kind != "file" else out).read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "place", "set"]


@pytest.mark.parametrize("discard", [False, True])
@pytest.mark.parametrize("what", ["weights/best.pt", "labels/0.txt"])
def test_what_is_written_into_the_old_output_meanwhile_is_kept(
    what: str,
    discard: bool,
    way: str,
    labelled: DetectionDataset,
    tmp_path: Path,
    meanwhile: list[Callable[[], object]],
) -> None:
    out = tmp_path / "out"
    write_subset(labelled, labelled.image_ids[:3], out)
    (out / "weights").mkdir()
    meanwhile.append(lambda: (out / what).write_bytes(b"new"))
    with pytest.raises(InputError, match=what if discard else "weights"):
        write_subset(labelled, labelled.image_ids[3:], out, overwrite=True, discard_changes=discard)
    if discard:
        assert (out / what).read_bytes() == b"new" and (out / "images/0.jpg").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "set"]


def test_what_appears_while_the_old_output_is_deleted_is_put_beside(
    way: str, labelled: DetectionDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, remove = tmp_path / "out", staging.remove
    write_subset(labelled, labelled.image_ids[:3], out)

    def write_then_remove(folder: Path, files: dict) -> None:
        (folder / "weights").mkdir()
        (folder / "weights/last.pt").write_bytes(b"new")
        remove(folder, files)

    monkeypatch.setattr(staging, "remove", write_then_remove)
    with pytest.warns(SubsetWarning, match=r"out\.kept-"):
        write_subset(labelled, labelled.image_ids[3:], out, overwrite=True)
    kept = next(path for path in tmp_path.iterdir() if path.name.startswith("out.kept-"))
    assert content(kept) == {"weights/last.pt": b"new"}
    assert load_dataset(out).image_ids == labelled.image_ids[3:]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device", "/disk/x")])
def test_an_interrupted_run_leaves_nothing(
    labelled: DetectionDataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: type[BaseException] | OSError,
    way: str,
) -> None:
    out = tmp_path / "out"
    write_subset(labelled, labelled.image_ids[:3], out)
    before = content(tmp_path)
    place, count = links.Placer.image, [0]

    def fail_on_second(self: links.Placer, *args: object) -> None:
        count[0] += 1
        if count[0] == 2:
            raise error
        place(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(links.Placer, "image", fail_on_second)
    expected = KeyboardInterrupt if error is KeyboardInterrupt else DetreduceError
    for target in (out, tmp_path / "fresh", tmp_path / "far/below/fresh"):
        count[0] = 0
        with pytest.raises(expected, match=None if error is KeyboardInterrupt else "No space left.*/disk/x"):
            write_subset(labelled, labelled.image_ids, target, overwrite=True)
    assert content(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "set"]


@pytest.mark.parametrize("step", ["exchange", "rename", "rename_new"])
def test_the_old_output_stays_where_the_last_step_fails(
    step: str, labelled: DetectionDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    write_subset(labelled, labelled.image_ids[:3], out)
    before = content(out)

    def refuse(*args: object) -> None:
        raise PermissionError(13, "Permission denied", str(args[0]))

    if step != "exchange":
        monkeypatch.setattr(staging, "exchange", lambda one, other: False)
    owner = Path if step == "rename" else staging
    monkeypatch.setattr(owner, step, refuse)
    with pytest.raises(DetreduceError, match="Permission denied"):
        write_subset(labelled, labelled.image_ids[3:], out, overwrite=True)
    monkeypatch.undo()
    if step == "rename_new":
        # the rename back was not refused
        assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "set"]
    assert content(out) == before


def test_two_writers_of_one_output(
    labelled: DetectionDataset, tmp_path: Path, meanwhile: list[Callable[[], object]]
) -> None:
    out = tmp_path / "out"
    write_subset(labelled, labelled.image_ids[:3], out)
    other: list[BaseException] = []

    def write_too() -> None:
        try:
            write_subset(labelled, labelled.image_ids[:1], out, overwrite=True)
        except BaseException as error:
            other.append(error)

    def run() -> None:
        meanwhile.clear()
        thread = threading.Thread(target=write_too)
        thread.start()
        thread.join()
        code = (
            "import sys, detreduce as dr; d = dr.load_dataset(sys.argv[1]); dr.reduce(d, sys.argv[2], overwrite=True)"
        )
        command = [sys.executable, "-c", code, str(labelled.source.path), str(out)]
        said.append(subprocess.run(command, capture_output=True, text=True, check=False))

    said: list[subprocess.CompletedProcess[str]] = []
    meanwhile.append(run)
    write_subset(labelled, labelled.image_ids[3:], out, overwrite=True)
    assert len(other) == 1 and isinstance(other[0], DetreduceError) and "in use" in str(other[0])
    assert said[0].returncode and "DetreduceError" in said[0].stderr and str(os.getpid()) in said[0].stderr
    assert load_dataset(out).image_ids == labelled.image_ids[3:]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "set"]


def test_an_output_that_is_reduced_to_is_claimed_before_the_slow_steps(
    labelled: DetectionDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from detreduce.machine.claims import claimed
    from detreduce.reduction import run, steps

    def unreached(*args: object) -> None:
        raise AssertionError("a step ran")

    monkeypatch.setattr(steps.Reduction, "run", unreached)
    failed: list[BaseException] = []

    def reduce() -> None:
        try:
            run.reduce(labelled, tmp_path / "out")
        except BaseException as error:
            failed.append(error)

    with claimed(tmp_path / "out"):
        thread = threading.Thread(target=reduce)
        thread.start()
        thread.join()
    assert isinstance(failed[0], DetreduceError) and "in use" in str(failed[0])


def test_no_mode_is_ever_set(labelled: DetectionDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hard link shares its mode with the source."""

    def refuse(*args: object, **options: object) -> None:
        raise AssertionError(f"a mode was set: {args}")

    for record in labelled:
        record.path.chmod(0o400)
    fresh = load_dataset(labelled.source.path)
    for name in ("chmod", "fchmod", "lchmod", "utime", "chown"):
        if hasattr(os, name):
            monkeypatch.setattr(os, name, refuse)
    for link in ("hardlink", "copy", "symlink"):
        write_subset(fresh, fresh.image_ids, tmp_path / "out", link=link, overwrite=True)
    monkeypatch.undo()
    assert {record.path.stat().st_mode & 0o777 for record in fresh} == {0o400}


def test_an_output_with_the_longest_name(labelled: DetectionDataset, tmp_path: Path) -> None:
    out = tmp_path / ("é" * 127)
    for ids in (labelled.image_ids[:2], labelled.image_ids[2:]):
        write_subset(labelled, ids, out, overwrite=True)
    assert load_dataset(out).image_ids == labelled.image_ids[2:]
    assert len(list(tmp_path.iterdir())) == 2


def test_an_empty_folder_is_filled(way: str, labelled: DetectionDataset, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_subset(labelled, labelled.image_ids, tmp_path / "out")
    assert len(load_dataset(tmp_path / "out")) == 6


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_where_files_cannot_be_locked_the_file_itself_is_the_claim(
    code: int, labelled: DetectionDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    def refuse(*args: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    write_subset(labelled, labelled.image_ids, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "set"]
    (tmp_path / ".out.detreduce-claim").write_text("claimed by detreduce: process 7 on elsewhere\n")
    with pytest.raises(DetreduceError, match=r"process 7 on elsewhere.*delete .*\.out\.detreduce-claim"):
        write_subset(labelled, labelled.image_ids, tmp_path / "out", overwrite=True)


def test_the_claim_of_a_dead_process_is_taken_over_and_other_files_are_not(
    labelled: DetectionDataset, tmp_path: Path
) -> None:
    claim = tmp_path / ".out.detreduce-claim"
    for left in ("", "claimed by detr", "claimed by detreduce: process 7 on elsewhere\n"):
        claim.write_text(left)
        write_subset(labelled, labelled.image_ids, tmp_path / "out", overwrite=True)
        assert not claim.exists()
    claim.write_text("my notes")
    with pytest.raises(InputError, match=r"\.out\.detreduce-claim"):
        write_subset(labelled, labelled.image_ids, tmp_path / "out", overwrite=True)
    assert claim.read_text() == "my notes"
