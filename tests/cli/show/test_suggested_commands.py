"""The commands that messages suggest work when pasted, also a second time, and name paths as they were typed."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from invocation import detreduce
from PIL import Image

from detreduce.display.typed_paths import as_typed, remember_paths

COMMANDS = ("inspect", "duplicates")


def suggested(output: str) -> str:
    return next(line.partition(": ")[2] for line in output.splitlines() if line.startswith("Next: "))


@pytest.mark.parametrize("name", ["set", "my set", "-set", "set/data.yaml"])
@pytest.mark.parametrize("command", COMMANDS)
def test_the_next_command_works_again_and_again(
    command: str, name: str, copies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(copies.parent.parent)
    if not Path(name).exists():
        shutil.copytree("set", f"./{name}")
    typed = f"./{name}" if name.startswith("-") else name
    outputs = []
    for _ in range(2):
        words = shlex.split(suggested(detreduce(command, typed).output))
        outputs.append(words[words.index("--output") + 1])
        assert words[0] == "detreduce" and words[2] == typed
        result = detreduce(*words[1:], "--no-page")
        assert result.exit_code == 0, result.output
        assert Path(outputs[-1], "data.yaml").exists()
    assert len(set(outputs)) == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_the_next_command_names_the_same_split(command: str, copies: Path) -> None:
    (copies.parent / "val/images/2.png").write_bytes((copies.parent / "val/images/0.png").read_bytes())
    (copies.parent / "val/labels/2.txt").touch()
    words = shlex.split(suggested(detreduce(command, copies, "--split", "val").output))
    assert words[words.index("--split") + 1] == "val"


def test_the_same_command_has_the_same_name_for_its_output(copies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(copies.parent.parent)
    found = {
        tuple(shlex.split(suggested(detreduce(*command).output)))
        for command in (("inspect", "set", "--check-images"), ("duplicates", "set"))
    }
    assert len(found) == 1
    (words,) = found
    assert "--drop-leaked" in words and words[-1] == "set-clean"


def test_no_command_empties_the_train_split(yolo_folder: Path) -> None:
    # val is the train split
    output = detreduce("inspect", yolo_folder).output
    assert "--drop-leaked" not in output and "detreduce split" in suggested(output)


@pytest.mark.parametrize(
    "command",
    [
        ("inspect",),
        ("reduce", "-m", "srs", "--output", "out", "--no-page"),
    ],
)
def test_a_path_is_shown_as_it_was_typed(
    command: tuple[str, ...], yolo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    for folder, typed in ((tmp_path, "set/data.yaml"), (tmp_path / "work", "../set/data.yaml")):
        monkeypatch.chdir(folder)
        result = detreduce(command[0], typed, *command[1:])
        assert typed.removesuffix("/data.yaml") in result.output
        assert str(tmp_path) not in result.output.replace(f"Looked in {folder}", "")
    absolute = detreduce(command[0], yolo_folder, *command[1:], *["--overwrite"] * (command[0] == "reduce"))
    assert str(yolo_folder) in absolute.output


def test_only_whole_names_are_shortened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here = str(tmp_path)
    remember_paths([Path("../elsewhere/a"), Path("-b")])
    above = str(tmp_path.parent)
    for text, shown in (
        (f"{above}/elsewhere/a/x.txt:3", "../elsewhere/a/x.txt:3"),
        (f"{above}/elsewhere/ab", "../elsewhere/ab"),
        (f"{above}/elsewhere2/a", f"{above}/elsewhere2/a"),
        (f"{above}/elsewhere/a.", "../elsewhere/a."),
        (f"detreduce inspect '{here}/c d'", "detreduce inspect 'c d'"),
        (f"{here}/-b/y", "./-b/y"),
        (f"file://{here}/c", f"file://{here}/c"),
        (f"{here}2/c and {here}", f"{here}2/c and {here}"),
    ):
        assert as_typed(text) == shown
    # a person who types whole paths reads whole paths
    remember_paths([tmp_path / "c"])
    assert as_typed(f"{here}/c") == f"{here}/c"


def test_the_classes_table_is_short_and_keeps_the_common_classes(tmp_path: Path) -> None:
    names = [f"class {number}" for number in range(90)]
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    (tmp_path / "images/a.jpg").touch()
    lines = [f"{number} 0.5 0.5 0.1 0.1" for number in range(90)] + ["89 0.2 0.2 0.1 0.1"]
    (tmp_path / "labels/a.txt").write_text("\n".join(lines))
    (tmp_path / "data.yaml").write_text(f"train: images\nnames: {names}\n")
    shown = [len(re.findall(r"class \d+ ", detreduce("inspect", tmp_path, *more).output)) for more in ((), ("--all",))]
    assert shown[0] < 50 and shown[1] >= 90
    assert "│ class 89 " in detreduce("inspect", tmp_path).output


def test_the_page_of_the_next_command_replaces_no_other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "frames").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "frames/a.png")
    monkeypatch.chdir(tmp_path)
    for content in (None, "mine"):
        if content:
            Path("health.html").write_text(content)
        words = shlex.split(suggested(detreduce("inspect", "frames").output))
        result = detreduce(*words[1:], "--no-pictures")
        assert result.exit_code == 0, result.output
    assert Path("health.html").read_text() == "mine" and Path("health-2.html").exists()


def outputs_in(text: str) -> set[str]:
    """Return the outputs of all commands of detreduce in a text, except those of the examples in the help."""
    return {shlex.split(word)[0].rstrip(".,)`") for word in re.findall(r"--(?:output|recipe-file) ('[^']*'|\S+)", text)}


def commands_with_suggestions(folder: Path) -> list[tuple[object, ...]]:
    """Return commands that suggest commands: on success, and in their errors."""
    return [
        ("inspect", "set"),
        ("inspect", "set", "--check-images"),
        ("inspect", "frames", "--no-pictures"),
        ("duplicates", "set"),
        ("reduce", "set", "-m", "srs", "-k", "2", "--output", "a", "--overwrite"),
        ("reduce", "frames", "-m", "srs", "-k", "2", "--output", "b", "--overwrite"),
        ("next", "frames", "--after", "b", "-n", "1", "-m", "srs", "--output", "c", "--overwrite"),
        ("split", "frames", "--output", "d", "--overwrite"),
        ("split", "set", "--val", "2", "--output", "d", "--overwrite"),
        ("export", "b", "--as", "list"),
        ("weights", "set", "--by", "class_uniform"),
        ("proxy", "set"),
        ("reduce", "set"),
        ("reduce", "set", "-m", "vps", "--output", "e"),
        ("train", "frames", "--model", "yolov8n.yaml"),
        ("merge", "set", "set"),
        ("table", "set"),
    ]


def test_no_suggested_output_exists(copies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = copies.parent.parent
    monkeypatch.chdir(root)
    shutil.copytree("set/train/images", "frames")
    seen: set[str] = set()
    for _ in range(2):
        for words in commands_with_suggestions(root):
            found = outputs_in(detreduce(*words).output)
            taken = [name for name in found - {"a", "b", "c", "d", "e"} if Path(name).exists()]
            assert not taken, (words, taken)
            seen |= found
        # the user runs every suggested command
        for name in seen:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).touch()
    assert {"to-label.txt", "to-label-2.txt", "b-tasks", "proxy.npz", "proxy-2.npz"} <= seen


def test_the_commands_for_labelling_work_again_and_again(copies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(copies.parent.parent)
    shutil.copytree("set/train/images", "frames")
    for number in range(2):
        made = detreduce("reduce", "frames", "-m", "srs", "-k", "2", "--output", f"round {number}", "--no-page")
        commands = re.findall(r"detreduce export .*", made.output)
        assert len(commands) == 2
        for command in commands:
            result = detreduce(*shlex.split(command)[1:])
            assert result.exit_code == 0, result.output
