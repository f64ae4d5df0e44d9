"""Rules for every command: help, exit codes, pipes, imports, error messages."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from invocation import detreduce
from typer.testing import CliRunner

from detreduce.cli import app
from detreduce.cli.help import EXAMPLE
from detreduce.errors import DetreduceError, InputError, MissingFileError
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.selection.record import Selection

PROGRAM = "from detreduce.cli import app; app(prog_name='detreduce')"
HEAVY = (
    "torch",
    "ultralytics",
    "sklearn",
    "matplotlib",
    "pandas",
    "gudhi",
    "scipy",
    "cv2",
    "codecarbon",
    "torchvision",
    "mcp",
)


def walk(command: Any, words: tuple[str, ...] = ("detreduce",)) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Return every command with its words, including groups and the program itself."""
    yield words, command
    for name, part in getattr(command, "commands", {}).items():
        yield from walk(part, (*words, name))


COMMANDS = list(walk(typer.main.get_command(app)))
NAMES = [" ".join(words) for words, _ in COMMANDS]


def started(*arguments: object, program: str = PROGRAM, **more: Any) -> subprocess.Popen[str]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, text=True, **{**pipes, **more})


def in_shell(line: str) -> subprocess.CompletedProcess[str]:
    """Run a command line with redirections, as bash does."""
    command = f"set -o pipefail; {shlex.quote(sys.executable)} -c {shlex.quote(PROGRAM)} {line}"
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)


def in_terminal(*arguments: object, code: int = 0, **environment: str) -> str:
    """Return the output of a command on a terminal of 100 columns; `code` is its exit code."""
    ours, theirs = pty.openpty()
    variables = {**os.environ, "COLUMNS": "100", "TERM": "xterm-256color", **environment}
    with started(*arguments, stdin=theirs, stdout=theirs, stderr=theirs, env=variables) as process:
        os.close(theirs)
        written = b""
        while select.select([ours], [], [], 600.0)[0]:
            try:
                part = os.read(ours, 65536)
            except OSError:
                # the other side is closed
                break
            if not part:
                break
            written += part
        assert process.wait(timeout=600) == code, written
    os.close(ours)
    return written.decode()


def test_all_commands_are_walked() -> None:
    assert {"detreduce", "detreduce reduce", "detreduce ledger", "detreduce ledger forget"} <= set(NAMES)


@pytest.mark.parametrize(("words", "command"), COMMANDS, ids=NAMES)
def test_help_ends_in_examples_that_parse(words: tuple[str, ...], command: Any) -> None:
    result = detreduce(*words[1:], "--help")
    assert result.exit_code == 0
    shown = result.stdout.partition(f"{EXAMPLE}\n")[2].splitlines()
    assert shown, "its docstring has no paragraph that begins with Example:"
    for line in shown:
        first, *rest = shlex.split(line.strip())
        assert (first == "detreduce" and ("detreduce", *rest)[: len(words)] == words) or words == ("detreduce",)
        depth = 1 if words == ("detreduce",) else len(words) - 1
        # wrong options, values and missing arguments are errors here
        called = typer.main.get_command(app)
        for word in rest[:depth]:
            called = called.commands[word]  # type: ignore[attr-defined]
        if not hasattr(called, "commands"):
            called.make_context("detreduce", rest[depth:])


@pytest.mark.parametrize(("words", "command"), COMMANDS, ids=NAMES)
def test_help_fits_a_narrow_terminal(words: tuple[str, ...], command: Any) -> None:
    result = CliRunner().invoke(app, [*words[1:], "--help"], terminal_width=60)
    text, _, examples = result.stdout.partition(EXAMPLE)
    usage, *lines = text.splitlines()
    assert usage.startswith("Usage: ") and max(map(len, lines)) <= 60
    assert not any(line.endswith("...") for line in lines), "a sentence is cut"
    for parameter in command.params:
        assert parameter.help, parameter.name
    assert all(line in ("", f"  {line.strip()}") for line in examples.splitlines())


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--help",), 0),
        (("--version",), 0),
        ((), 2),
        (("methods",), 0),
        (("methods", "mms"), 0),
        (("methods", "--json"), 0),
        (("ledger", "list", "runs/x"), 0),
        (("ledger", "list", "runs/x", "--json"), 0),
        (("methods", "mmz"), 2),
        (("inspct",), 2),
        (("inspect", "nowhere.yaml"), 2),
        (("reduce", "nowhere.yaml", "-o", "out"), 2),
        (("reduce", "nowhere.yaml", "-o", "out", "--method", "mmz"), 2),
        (("reduce", "nowhere.yaml", "-o", "out", "-m", "mms", "strat=center"), 2),
        (("reduce", "nowhere.yaml", "-o", "out", "--link", "x"), 2),
        (("train", "nowhere.yaml"), 2),
        (("weights", "nowhere.yaml", "--by", "class_uniform", "-o", "w.csv"), 2),
        (("proxy", "nowhere.yaml", "-o", "p.npz"), 2),
        (("run", "nowhere.yaml"), 2),
        (("plan", "nowhere"), 2),
        (("report", "nowhere"), 2),
        (("duplicates", "nowhere.yaml"), 2),
        (("explain", "nowhere.json", "--image", "x"), 2),
        (("ledger", "export", "nowhere", "x.csv"), 2),
        (("mcp", "--root", "nowhere"), 2),
        *[((*words[1:], "--help"), 0) for words, _ in COMMANDS[1:]],
    ],
)
def test_nothing_heavy_is_imported_where_it_is_not_needed(
    arguments: tuple[str, ...], code: int, ledger: Ledger
) -> None:
    told = "import atexit, sys; atexit.register(lambda: print('imported', *sys.modules, file=sys.stderr))\n"
    with started(*arguments, program=told + PROGRAM, cwd=ledger.path.parent.parent) as process:
        _, errors = process.communicate(timeout=600)
    imported = errors.rpartition("imported ")[2].split()
    assert process.returncode == code, errors[:500]
    assert "detreduce.cli.program" in imported
    assert not set(HEAVY) & set(imported)


class TestExitCodes:
    def test_done(self) -> None:
        assert detreduce("methods").exit_code == 0

    def test_the_help_says_them(self) -> None:
        assert "0 done, 1 failed, 2 bad input or usage, 130 interrupted" in " ".join(detreduce("--help").stdout.split())

    def test_no_command_is_usage(self) -> None:
        result = detreduce()
        assert result.exit_code == 2 and "Usage: " in result.stderr and result.stdout == ""

    @pytest.mark.parametrize(
        ("error", "code", "said"),
        [
            (DetreduceError("It went wrong."), 1, "Error: It went wrong.\n"),
            (OSError(28, "No space left on device", "/full/x"), 1, "Error: /full/x: No space left on device.\n"),
            (KeyboardInterrupt(), 130, "Interrupted.\n"),
            (KeyboardInterrupt("the run is in x"), 130, "Interrupted: the run is in x.\n"),
        ],
    )
    def test_failures(
        self, yolo_folder: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, said: str
    ) -> None:
        def fail(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr("detreduce.dataset.health.counts.summarise", fail)
        result = detreduce("inspect", yolo_folder)
        assert (result.exit_code, result.stderr, result.stdout) == (code, said, "")

    @pytest.mark.parametrize(
        ("error", "code", "kind"),
        [
            (InputError("It is wrong."), 2, "input"),
            (MissingFileError("It is not there."), 2, "missing_file"),
            (DetreduceError("It went wrong."), 1, "machine"),
            (OSError(28, "No space left on device", "/full/x"), 1, "machine"),
            (KeyboardInterrupt("the run is in x"), 130, "interrupted"),
        ],
    )
    def test_failures_as_json(
        self, yolo_folder: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, kind: str
    ) -> None:
        def fail(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr("detreduce.dataset.health.counts.summarise", fail)
        result = detreduce("inspect", yolo_folder, "--json")
        assert result.exit_code == code
        ((name, found),) = json.loads(result.stdout).items()
        assert (name, found.pop("message") in result.stderr) == ("error", True)
        assert found == {"kind": kind, "exit_code": code}

    @pytest.mark.parametrize(
        "arguments",
        [
            ("inspct", "--json"),
            ("inspect", "--json"),
            ("reduce", "x.yaml", "--output", "x", "--kep", "0.5", "--json"),
            ("reduce", "x.yaml", "--output", "x", "--seed", "a", "--json"),
            ("--jsn", "--json"),
        ],
    )
    def test_wrong_usage_as_json(self, arguments: tuple[str, ...]) -> None:
        # after a command that printed JSON in the same process
        assert detreduce("methods", "--json").exit_code == 0
        result = detreduce(*arguments)
        error = json.loads(result.stdout)["error"]
        assert (result.exit_code, error["exit_code"], error["kind"]) == (2, 2, "usage")
        assert not error["message"].startswith("Error") and error["message"] in result.stderr

    def test_without_the_option_errors_are_not_json(self) -> None:
        assert detreduce("inspect", "nowhere.yaml").stdout == ""
        assert detreduce("methods", "--", "--json").stdout == ""

    def test_an_error_after_the_output_began_is_not_printed_into_it(
        self, yolo_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def pieces(_: object) -> Iterator[str]:
            yield "{"
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("detreduce.cli.output.json_pieces", pieces)
        result = detreduce("inspect", yolo_folder, "--json")
        assert (result.exit_code, result.stdout) == (1, "{")

    def test_a_mistake_of_the_program_keeps_its_traceback(
        self, yolo_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("detreduce.dataset.health.counts.summarise", lambda *_: {}["x"])
        assert isinstance(detreduce("inspect", yolo_folder).exception, KeyError)

    def test_interrupted_at_a_question(self, ledger: Ledger) -> None:
        with started("ledger", "forget", ledger.path, "full-1") as process:
            assert process.stderr is not None
            while process.stderr.read(1) != "?":
                pass
            process.send_signal(signal.SIGINT)
            out, errors = process.communicate(timeout=600)
        assert process.returncode == 130
        # the question itself is on stderr; input() writes a blank after it
        assert errors.strip().endswith("Interrupted.") and "Traceback" not in errors and not out.strip()
        assert len(ledger) == 4

    def test_a_reader_that_goes_away(self) -> None:
        command = f"set -o pipefail; {shlex.quote(sys.executable)} -c {shlex.quote(PROGRAM)} methods --json | head -1"
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "[\n", "")

    @pytest.mark.parametrize("line", ["methods", "methods --json", "methods mms", "inspect {data}", "--help"])
    @pytest.mark.parametrize("end", ["| true", ">&-", ">&- 2>&- <&-"])
    def test_an_output_that_is_closed(self, yolo_folder: Path, line: str, end: str) -> None:
        done = in_shell(f"{line.format(data=yolo_folder)} {end}")
        assert (done.returncode, done.stderr) == (0, "")

    @pytest.mark.parametrize("end", ["2>&1 | true", ">&- 2>&- <&-"])
    def test_work_goes_on_when_nobody_reads(self, yolo_folder: Path, tmp_path: Path, end: str) -> None:
        done = in_shell(f"reduce {yolo_folder} -m srs --keep 3 -o {tmp_path / 'out'} {end}")
        assert done.returncode == 0 and "Traceback" not in done.stderr
        assert len(Selection.load(tmp_path / "out" / "selection.json")) == 3

    def test_a_closed_output_does_not_hide_an_error(self) -> None:
        done = in_shell("inspect /does/not/exist >&-")
        assert done.returncode == 2 and done.stderr.startswith("Error: ")


@pytest.mark.parametrize("command", ["inspect", "reduce", "train", "run"])
def test_a_missing_dataset_or_config_names_its_neighbour(tmp_path: Path, command: str) -> None:
    (tmp_path / "data.yaml").write_text("")
    extra = ("-o", tmp_path / "o") if command == "reduce" else ()
    result = detreduce(command, tmp_path / "dato.yaml", *extra)
    assert result.exit_code == 2
    assert f"Did you mean {str(tmp_path / 'data.yaml')!r}?" in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("datsets/demo.yaml", "datasets/demo.yaml"),
        ("../shraed/x/data.yaml", "../shared/x/data.yaml"),
        ("../shraed/x/dta.yaml", "../shared/x/data.yaml"),
        ("../shraed/other/data.yaml", "../shared"),
        ("../shared/x/dta.yaml", "../shared/x/data.yaml"),
        ("../shared/y/zzz.yaml", None),
    ],
)
def test_a_misspelt_folder_of_a_path_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str, meant: str | None
) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "shared" / "x").mkdir(parents=True)
    (tmp_path / "shared" / "x" / "data.yaml").write_text("")
    monkeypatch.chdir(tmp_path / "work")
    result = detreduce("inspect", typed)
    assert result.exit_code == 2 and f"The dataset {typed!r}" in result.output
    assert (f" Did you mean {meant!r}? " in result.output) if meant else "Did you mean" not in result.output


def test_export_names_the_nearest_selection(tmp_path: Path) -> None:
    (tmp_path / "selection.json").write_text("{}")
    result = detreduce("export", tmp_path / "slection.json", "--as", "list", "-o", tmp_path / "kept.txt")
    assert result.exit_code == 2
    assert "The selection" in result.output and "selection.json'?" in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("reduse",), "No such command 'reduse'. Did you mean 'reduce'? See `detreduce --help`."),
        (("ledger", "lst"), "No such command 'lst'. Did you mean 'list'? See `detreduce ledger --help`."),
        (
            ("reduce", "x", "--metod", "mms", "-o", "y"),
            "There is no option --metod. Did you mean '--method'? See `detreduce reduce --help`.",
        ),
        (
            ("tune", "x", "--model", "y", "--time", "3"),
            "There is no option --time. Did you mean '--minutes'? See `detreduce tune --help`.",
        ),
        (("inspect", "x", "--time", "3"), "There is no option --time. See `detreduce inspect --help`."),
        (
            ("explain", "x", "a b.jpg"),
            "To explain one image, write --image 'a b.jpg'. See `detreduce explain --help`.",
        ),
        (
            ("reduce", "x", "-o", "y", "--link", "hardlnk"),
            "Invalid value for '--link': 'hardlnk' is not one of 'hardlink', 'symlink', 'copy', 'list'. "
            "Did you mean 'hardlink'? See `detreduce reduce --help`.",
        ),
        (
            ("reduce", "x", "-o", "y", "--seed", "abc"),
            "Invalid value for '--seed': 'abc' is not a whole number. See `detreduce reduce --help`.",
        ),
        (
            ("reduce", "x"),
            "Missing option '--output' / '-o'. Name a new folder or file for the result, "
            "for instance --output reduced. See `detreduce reduce --help`.",
        ),
        (
            ("inspect",),
            "Missing argument 'DATA'. Name the dataset, for instance data.yaml or a folder of images. "
            "See `detreduce inspect --help`.",
        ),
    ],
)
def test_wrong_usage_is_one_line_with_the_nearest(arguments: tuple[str, ...], said: str) -> None:
    result = detreduce(*arguments)
    assert (result.exit_code, result.stderr, result.stdout) == (2, f"Error: {said}\n", "")


def test_every_option_and_every_command_is_in_a_group_of_the_help() -> None:
    from detreduce.cli.help import GROUPS

    def commands(group: Any) -> list[Any]:
        return [
            inner for one in group.commands.values() for inner in (commands(one) if hasattr(one, "commands") else [one])
        ]

    program = typer.main.get_command(app)
    assert all(one.rich_help_panel for one in program.commands.values())
    for command in commands(program):
        for option in command.params:
            if option.param_type_name == "option":
                assert option.rich_help_panel in GROUPS, (command.name, option.name)
    lines = detreduce("reduce", "--help").stdout.splitlines()
    shown = [line.rstrip(":") for line in lines if line.rstrip(":") in GROUPS]
    assert shown == [name for name in GROUPS if name in shown] and len(shown) > 3
    assert "Train for less:" in detreduce("--help").stdout.splitlines()


class TestOutput:
    def test_colours_are_for_terminals(self) -> None:
        assert "\x1b[" in in_terminal("methods", "mms", NO_COLOR="")
        assert not re.search(r"\x1b\[[0-9;]*3[0-9]", in_terminal("methods", "mms", NO_COLOR="1"))
        with started("methods", "mms") as process:
            out, errors = process.communicate()
        assert "\x1b" not in out and errors == ""

    def test_errors_are_red_and_warnings_yellow(self, yolo_folder: Path, tmp_path: Path) -> None:
        wrong = ("methods", "nrdm")
        assert "\x1b[1;31mError:\x1b[0m There is no method" in in_terminal(*wrong, code=2, NO_COLOR="")
        assert "\x1b[1mError:\x1b[0m There is no method" in in_terminal(*wrong, code=2, NO_COLOR="1")
        assert "\x1b" not in in_terminal(*wrong, code=2, NO_COLOR="", TERM="dumb")
        (yolo_folder.parent / "images" / "5.jpg").write_bytes(b"no image")
        kept = ("reduce", str(yolo_folder), "-m", "mms", "-k", "3", "--blocks", "image", "-o", str(tmp_path / "out"))
        shown = in_terminal(*kept, NO_COLOR="")
        assert "\x1b[1;33mWarning:\x1b[0m Unreadable images" in shown and "\x1b[1;33mProblems in the data:" in shown

    def test_piped_tables_are_whole(self, yolo_folder: Path) -> None:
        name = "cat " * 100 + "end"
        yolo_folder.write_text(f"train: images\nval: images\nnames: ['{name}', dog]\n")
        lines = detreduce("inspect", yolo_folder).stdout.splitlines()
        assert any(name in line and "│" in line for line in lines) and "…" not in "".join(lines)

    def test_json_is_alone_on_stdout(self, yolo_folder: Path, ledger: Ledger, tmp_path: Path) -> None:
        (yolo_folder.parent / "images" / "5.jpg").write_bytes(b"no image")
        reduced = tmp_path / "reduced"
        for arguments in (
            ("inspect", yolo_folder),
            ("reduce", yolo_folder, "-m", "mms", "-k", "3", "--blocks", "image", "-o", reduced),
            ("duplicates", yolo_folder),
            ("explain", reduced / "selection.json", "--image", "1.jpg"),
            ("methods",),
            ("methods", "mms"),
            ("run", self._config(yolo_folder), "--dry-run"),
            ("ledger", "list", ledger.path),
            ("ledger", "export", ledger.path, tmp_path / "x.csv"),
            ("ledger", "merge", ledger.path, tmp_path / "y"),
            ("ledger", "forget", ledger.path, "full-1", "--yes"),
        ):
            result = detreduce(*arguments, "--json")
            assert result.exit_code == 0, result.output
            json.loads(result.stdout, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
        # warnings about the image that cannot be read, and about the demo
        assert (
            "5.jpg"
            in detreduce(
                "reduce", yolo_folder, "-m", "mms", "-k", "3", "--blocks", "image", "-o", tmp_path / "again", "--json"
            ).stderr
        )

    @staticmethod
    def _config(data: Path) -> Path:
        file = data.parent / "experiment.yaml"
        file.write_text(
            f"name: x\ndataset: {data}\nreduce: {{methods: [srs], keep: [0.5]}}\ntrain: {{model: yolov8n.yaml}}\n"
        )
        return file

    def test_every_command_that_finds_something_has_json(self) -> None:
        for words, command in COMMANDS:
            if not hasattr(command, "commands"):
                assert "as_json" in [parameter.name for parameter in command.params], words


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("reduce", "data.yaml", "--match", "mmd", "-o", "out"), "match=VALUE"),
        (("train", "data.yaml", "--epochs", "3"), "epochs=VALUE"),
    ],
)
def test_a_parameter_with_dashes_is_told_how_to_write_it(arguments: tuple[str, ...], says: str) -> None:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 2 and says in result.output


def imported_by(*arguments: object) -> set[str]:
    """Run a command in a new process. Return the large libraries that it imported."""
    program = f"{PROGRAM[: PROGRAM.index(';')]}; import sys\ntry:\n    app(prog_name='detreduce')\nfinally:\n    "
    program += f"print('imported', *[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    process = started(*arguments, program=program)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, output + errors
    return set(errors.splitlines()[-1].split()[1:])


def test_commands_that_open_no_image_do_not_import_torch(yolo_folder: Path, tmp_path: Path) -> None:
    """Torch takes seconds to import. scikit-learn, which imports pandas, is only needed by methods."""
    data = tmp_path / "alone.yaml"
    data.write_text(f"path: {yolo_folder.parent}\ntrain: images\nnames: [cat, dog]\n")
    other = tmp_path / "other"
    shutil.copytree(yolo_folder.parent, other)
    chosen = tmp_path / "chosen"
    reduced = ["reduce", data, "--method", "class_coverage", "--no-page", "--keep", "0.5", "--output", chosen]
    selection = chosen / "selection.json"
    slow = {"torch", "torchvision", "ultralytics", "matplotlib", "gudhi", "codecarbon", "mcp"}
    assert not slow & imported_by(*reduced)
    slow |= {"sklearn", "pandas"}
    commands = {
        "inspect": [data],
        "export": [selection, "--as", "csv", "--output", tmp_path / "kept.csv"],
        "duplicates": [data, "--by", "exact"],
        "split": [data, "--output", tmp_path / "split"],
        "merge": [data, other / "data.yaml", "--output", tmp_path / "merged"],
        "explain": [selection, "--image", "images/0.jpg"],
    }
    imported = {name: slow & imported_by(name, *arguments) for name, arguments in commands.items()}
    assert not any(imported.values()), imported
