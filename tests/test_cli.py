from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from detreduce.cli import app, parse_keep, parse_parameters
from detreduce.errors import InputError


def detreduce(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def yolo_folder(tmp_path: Path) -> Path:
    """Eight grey images, two classes, one background image, one bad label line."""
    from PIL import Image

    for row in range(8):
        image = tmp_path / "set" / "images" / f"{row}.jpg"
        label = tmp_path / "set" / "labels" / f"{row}.txt"
        for file in (image, label):
            file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 48), (row * 30, 100, 100)).save(image)
        label.write_text("" if row == 7 else f"{row % 2} 0.5 0.5 0.2 0.2\n")
    with (tmp_path / "set" / "labels" / "3.txt").open("a") as stream:
        stream.write("9 0.5 0.5 0.1 0.1\n")
    data = tmp_path / "set" / "data.yaml"
    data.write_text("train: images\nval: images\nnames: [cat, dog]\n")
    return data


def test_inspect_counts_and_names_the_bad_line(yolo_folder: Path) -> None:
    result = detreduce("inspect", yolo_folder)
    assert result.exit_code == 0, result.output
    assert "3.txt:2" in result.output and "cat" in result.output
    content = json.loads(detreduce("inspect", yolo_folder, "--json").output)
    assert (content["images"], content["boxes"], content["background"]) == (8, 7, 1)
    assert [entry["boxes"] for entry in content["classes"]] == [4, 3]


def test_inspect_finds_unreadable_images_only_when_asked(yolo_folder: Path) -> None:
    broken = yolo_folder.parent / "images" / "5.jpg"
    broken.write_bytes(broken.read_bytes()[:200])
    assert "5.jpg" not in detreduce("inspect", yolo_folder).output
    assert "5.jpg" in detreduce("inspect", yolo_folder, "--check-images").output


def test_reduce_keeps_no_more_of_a_group_than_allowed(yolo_folder: Path, tmp_path: Path) -> None:
    arguments = ["reduce", yolo_folder, "-m", "srs", "--groups", "([0-3])?", "--max-per-group", "1", "--output"]
    result = detreduce(*arguments, tmp_path / "out", "--keep", "5")
    # 0 to 3 are a group each, and the others are one together
    assert result.exit_code == 0, result.output
    kept = sorted(int(file.stem) for file in (tmp_path / "out" / "images").iterdir())
    assert kept[:4] == [0, 1, 2, 3] and kept[4] > 3
    result = detreduce(*arguments, tmp_path / "more", "--keep", "6")
    assert result.exit_code == 2 and "max_per_group=1 leaves 5" in result.output
    result = detreduce("reduce", yolo_folder, "-m", "srs", "--groups", "folder", "--output", tmp_path / "more")
    assert result.exit_code == 2 and "makes no use of groups" in result.output


def test_reduce_writes_exactly_k_images_and_says_what_to_type_next(yolo_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = detreduce("reduce", yolo_folder, "--method", "srs", "--keep", "0.5", "--output", out)
    assert result.exit_code == 0, result.output
    assert "srs kept 4 of 8 images" in result.output
    assert f"detreduce train {out}/data.yaml" in result.output
    assert len(list((out / "images").iterdir())) == 8, "val is the same folder and is carried over untouched"
    content = json.loads((out / "selection.json").read_text())
    assert content["images"] == 4 and content["method"] == "srs"
    again = detreduce("reduce", yolo_folder, "--method", "srs", "--output", out)
    assert again.exit_code == 2 and "--overwrite" in again.output
    assert detreduce("reduce", yolo_folder, "-m", "srs", "-k", "1", "-o", out, "--overwrite").exit_code == 0
    assert json.loads((out / "selection.json").read_text())["images"] == 1


def test_reduce_with_features_must_keep_and_initial(yolo_folder: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("7.jpg\n\n")
    first = tmp_path / "first"
    vectors = tmp_path / "vectors.csv"
    vectors.write_text("image,a,b\n" + "".join(f"{row}.jpg,{row},{row * row}\n" for row in range(8)))
    options = ("--backbone", f"file:{vectors}", "--blocks", "image")
    result = detreduce("reduce", yolo_folder, "-k", "3", "-o", first, "--must-keep", names, *options)
    assert result.exit_code == 0, result.output
    chosen = json.loads((first / "selection.json").read_text())["image_ids"]
    assert chosen[0] == "images/7.jpg"
    initial = first / "selection.json"
    result = detreduce("reduce", yolo_folder, "-k", "5", "-o", tmp_path / "b", "--initial", initial, *options)
    assert result.exit_code == 0, result.output
    assert set(chosen) < set(json.loads((tmp_path / "b" / "selection.json").read_text())["image_ids"])


@pytest.mark.usefixtures("stand_in_reducers")
@pytest.mark.parametrize("method", ["srs", "by_objects"])
def test_reduce_from_labels_alone_opens_no_image(yolo_folder: Path, tmp_path: Path, method: str) -> None:
    for image in (yolo_folder.parent / "images").iterdir():
        image.write_bytes(b"no image")
    result = detreduce("reduce", yolo_folder, "-m", method, "-k", "3", "-o", tmp_path / "out", "--unreadable", "raise")
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "out" / "selection.json").read_text())["images"] == 3


def test_images_that_cannot_be_read_are_said(yolo_folder: Path, tmp_path: Path) -> None:
    broken = yolo_folder.parent / "images" / "5.jpg"
    broken.write_bytes(broken.read_bytes()[:200])
    result = detreduce("reduce", yolo_folder, "-m", "mms", "-k", "0.5", "--blocks", "image", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "Warning: unreadable images are left out" in result.stderr
    assert "5.jpg" in result.stderr
    assert "kept 4 of 8 images" in result.stdout


def test_which_duplicates_without_leaving_them_out(yolo_folder: Path, tmp_path: Path) -> None:
    for option in (("--duplicates-from", "0.6"), ("--duplicates-by", "boxes")):
        result = detreduce("reduce", yolo_folder, "-m", "srs", "-k", "3", *option, "-o", tmp_path / "out")
        assert result.exit_code == 2
        assert "need --drop-duplicates" in result.stderr
    result = detreduce("duplicates", yolo_folder, "--by", "exact", "--threshold", "0.5")
    assert result.exit_code == 2
    assert "equal pixels have no degrees" in result.stderr


def test_a_parameter_that_is_a_method(yolo_folder: Path, tmp_path: Path) -> None:
    arguments = ("reduce", yolo_folder, "-k", "3", "--blocks", "annotations", "-o", tmp_path / "out")
    result = detreduce(*arguments, "-m", "extrapolate", "scorer=nrmd", "share=6")
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "out/selection.json").read_text())["parameters"]["scorer"] == "nrmd"
    wrong = detreduce(*arguments, "-m", "extrapolate", "parameters=3")
    assert "parameters=3: give that method's own parameters by name" in wrong.stderr


@pytest.mark.usefixtures("stand_in_reducers")
def test_reduce_extracts_what_the_method_needs(yolo_folder: Path, tmp_path: Path) -> None:
    command = ("reduce", yolo_folder, "-k", "3", "--cache", tmp_path / "cache", "-o")
    for method, blocks in (("by_vectors", ["objects"]), ("by_both", ["image", "objects", "annotations"])):
        result = detreduce(*command, tmp_path / method, "-m", method)
        assert result.exit_code == 0, result.output
        provenance = json.loads((tmp_path / method / "selection.json").read_text())["provenance"]
        assert provenance["features"]["blocks"] == blocks


@pytest.mark.usefixtures("stand_in_reducers")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--blocks", "image"), "name 'objects' among the blocks"),
        (("--blocks", "image,object"), "Did you mean 'objects'"),
        (("--backbone", "file:vectors.npy"), "gives no feature map"),
    ],
)
def test_blocks_that_a_method_cannot_do_without(
    yolo_folder: Path, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    result = detreduce("reduce", yolo_folder, "-m", "by_vectors", "-k", "3", "-o", tmp_path / "out", *options)
    assert result.exit_code == 2 and said in result.output


def test_categories_by_rules_from_a_file(yolo_folder: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("categories:\n- {name: cats, only: [cat]}\n")
    command = ("reduce", yolo_folder, "-m", "srs", "-k", "4", "-o", tmp_path / "out", "--categories", rules)
    assert detreduce(*command).exit_code == 0
    kept = json.loads((tmp_path / "out" / "selection.json").read_text())["categories"]["kept"]
    assert kept["cats"] == 2
    rules.write_text("categories: rarest")
    result = detreduce(*command, "--overwrite")
    assert result.exit_code == 2 and "no list of category rules" in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--method", "mmz"), "Did you mean 'mms'"),
        (("--keep", "lots"), "0.25 keeps a quarter"),
        (("--keep", "1.5"), "1.5"),
        (("--keep", "900"), "900"),
        (("--categories", "rarst"), "Did you mean 'rarest'"),
        (("--backbone", "efficientnet"), "efficientnet-lite0"),
        (("--link", "hardlnk"), "'hardlink'"),
        (("--split", "tset"), "train"),
        (("--must-keep", "/nowhere.txt"), "/nowhere.txt"),
        (("start",), "name=value"),
        (("strat=center",), "Did you mean 'start'"),
        (("keep=0.5",), "--keep 0.5"),
        (("random_state=1",), "--seed 1"),
        (("start=centre",), "centre"),
        (("--format", "coko"), "coko"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(
    yolo_folder: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    result = detreduce("reduce", yolo_folder, "--output", tmp_path / "out", *arguments)
    assert result.exit_code == 2, result.output
    assert said in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["inspect", "reduce", "train", "run"])
def test_a_missing_dataset_or_config_names_its_neighbour(tmp_path: Path, command: str) -> None:
    (tmp_path / "data.yaml").write_text("")
    extra = ("-o", tmp_path / "o") if command == "reduce" else ()
    result = detreduce(command, tmp_path / "dato.yaml", *extra)
    assert result.exit_code == 2
    assert "Did you mean 'data.yaml'?" in result.output


def test_train_refuses_options_given_as_arguments(yolo_folder: Path) -> None:
    for argument, said in (("model=yolov8n.yaml", "--model yolov8n.yaml"), ("seed=1", "--seed 1")):
        result = detreduce("train", yolo_folder, argument)
        assert result.exit_code == 2 and said in result.output


def test_what_cannot_be_written_is_told_before_features_are_extracted(
    yolo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("detreduce.features.extract.extract_features", lambda *_, **__: pytest.fail("too late"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("x")
    for extra in (("-o", tmp_path / "out"), ("-o", tmp_path / "o", "-k", "900")):
        assert detreduce("reduce", yolo_folder, *extra).exit_code == 2


@pytest.mark.train
def test_a_proxy_and_what_is_chosen_by_it(yolo_folder: Path, tmp_path: Path) -> None:
    (yolo_folder.parent / "labels" / "3.txt").write_text("1 0.5 0.5 0.2 0.2\n")
    log = tmp_path / "proxy.npz"
    made = detreduce("proxy", yolo_folder, "--model", "yolov8n.yaml", "-o", log, "epochs=2", "imgsz=32", "batch=4")
    assert made.exit_code == 0, made.output
    assert "7 boxes in 8 images" in made.output and f"--method vps --proxy {log}" in made.output
    for method in ("vps", "gradmatch"):
        reduced = detreduce("reduce", yolo_folder, "-m", method, "-k", "3", "--proxy", log, "-o", tmp_path / method)
        assert reduced.exit_code == 0, reduced.output
        chosen = json.loads((tmp_path / method / "selection.json").read_text())
        assert chosen["images"] == 3
        assert chosen["provenance"]["proxy_training"]["seconds"] > 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--method", "vps"], "give it as --proxy proxy.npz"),
        (["--method", "srs", "--proxy", "proxy.npz"], "does not learn from a proxy training"),
        (["--method", "aum", "--proxy", "none.npz"], "There is no proxy log at none.npz"),
    ],
)
def test_a_proxy_is_asked_for_where_it_serves(
    yolo_folder: Path, tmp_path: Path, arguments: list[str], says: str
) -> None:
    result = detreduce("reduce", yolo_folder, *arguments, "--output", tmp_path / "out")
    assert result.exit_code == 2
    assert says in result.output
    assert not (tmp_path / "out").exists()


def test_the_comparison_fits_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    from detreduce import terminal
    from detreduce.experiment.statistics import Summary

    out = Console(width=80, record=True, markup=False)
    monkeypatch.setattr(terminal, "console", lambda: out)
    mean = {"mAP50": 0.5234, "mAP50_95": 0.3, "Wh": 2.24, "g_co2": 0.39, "minutes": 6.0}
    terminal.show_comparison("x", [Summary("mms(start=3)", 0.25, 112, 3, False, mean, mean, mean)])
    text = out.export_text()
    assert "0.523 ± 0.523" in text and "2.24 ± 2.24" in text and "…" not in text


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, width: int, *arguments: object) -> list[str]:
    from rich.console import Console

    from detreduce import terminal

    out = Console(width=width, highlight=False, markup=False, force_terminal=True, record=True, file=io.StringIO())
    monkeypatch.setattr(terminal, "console", lambda: out)
    assert detreduce(*arguments).exit_code == 0
    return out.export_text().splitlines()


def test_methods_lists_the_registered_ones() -> None:
    from detreduce.reducers import list_reducers, reducer_class

    found = json.loads(detreduce("methods", "--json").output)
    assert [entry["name"] for entry in found] == list_reducers()
    for entry in found:
        cls = reducer_class(entry["name"])
        assert entry == {key: list(cls.needs) if key == "needs" else getattr(cls, key) for key in entry}
    declared = {"name", "family", "keeps", "summary", "needs", "cost", "fails", "source"}
    assert set(found[0]) == declared | {"deterministic", "nested", "order_dependent"}


def test_piped_methods_are_a_whole_line_for_each_fact() -> None:
    from detreduce.reducers import list_reducers, reducer_class

    lines = detreduce("methods").output.splitlines()
    assert all(line == line.rstrip() for line in lines)
    for name in list_reducers():
        cls = reducer_class(name)
        start = lines.index(f"{name} ({cls.family})")
        assert [line.split(maxsplit=1) for line in lines[start + 1 : start + 6]] == [
            ["keeps", f"{cls.keeps}: {cls.summary}"],
            ["needs", ", ".join(cls.needs) or "nothing"],
            ["cost", cls.cost],
            ["fails", cls.fails],
            ["source", cls.source],
        ]


@pytest.mark.parametrize("width", [60, 80, 160])
def test_methods_fit_the_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    from detreduce.reducers import list_reducers, reducer_class

    lines = on_a_terminal(monkeypatch, width, "methods")
    assert max(map(len, lines)) <= width and not any("…" in line for line in lines)
    words = " ".join(lines).replace("│", " ").split()
    for name in list_reducers():
        assert name in words and set(reducer_class(name).fails.split()) <= set(words)
    assert ("│" in "".join(lines)) == (width == 160)


@pytest.mark.parametrize("width", [60, 80, 160])
def test_one_method_in_full(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    lines = on_a_terminal(monkeypatch, width, "methods", "phl")
    example = "  detreduce reduce data.yaml --method phl --keep 0.25 --output reduced/ landmark=representative"
    assert lines.count(example) == 1, "a command is not broken, so that it can be copied"
    assert max(len(line) for line in lines if line != example) <= min(width, 80)
    for text in ("phl (ranking)", "  max_neighbours=200", "  --seed, in Python random_state=0", "  as_released=false"):
        assert text in lines
    assert "the nearest so many count." in " ".join(" ".join(lines).split())
    assert "- The seed decides nothing but ties." in lines


def test_one_method_as_json() -> None:
    found = json.loads(detreduce("methods", "mms", "--json").output)
    assert found["name"] == "mms" and found["keeps"] == "diverse" and found["nested"] is True
    assert [(entry["name"], entry["default"]) for entry in found["parameters"]] == [
        ("start", "center"),
        ("keep", 0.25),
        ("random_state", 0),
    ]
    assert "--method mms" in found["example"]


@pytest.mark.parametrize("extra", [(), ("--json",)])
def test_an_unknown_method_is_answered_with_the_nearest(extra: tuple[str, ...]) -> None:
    result = detreduce("methods", "nrdm", *extra)
    assert result.exit_code == 2 and "Did you mean 'nrmd'?" in result.output and "Traceback" not in result.output


def test_every_command_has_help_with_an_example() -> None:
    for command in ("inspect", "reduce", "train", "run", "methods"):
        result = detreduce(command, "--help")
        assert result.exit_code == 0 and f"Example: detreduce {command}" in " ".join(result.output.split())


def test_help_imports_nothing_heavy() -> None:
    script = "import sys; sys.argv = ['detreduce', '--help']\nimport detreduce.cli\n"
    script += "try:\n    detreduce.cli.main()\nexcept SystemExit:\n    pass\n"
    script += "print(sorted({'torch', 'ultralytics', 'numpy', 'sklearn', 'pandas', 'rich'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.splitlines()[-1] == "[]"


def test_keep_is_a_count_without_a_point() -> None:
    assert parse_keep("1") == 1 and isinstance(parse_keep("1"), int)
    assert parse_keep("1.0") == 1.0 and isinstance(parse_keep("1.0"), float)
    assert parse_keep("1e-1") == 0.1
    with pytest.raises(InputError, match="not a number"):
        parse_keep("a quarter")


def test_parameters_are_read_as_yaml() -> None:
    assert parse_parameters(["epochs=50", "lr0=0.01", "cos_lr=true", "name=a=b", "classes=[0, 1]"]) == {
        "epochs": 50,
        "lr0": 0.01,
        "cos_lr": True,
        "name": "a=b",
        "classes": [0, 1],
    }
    for bad in ("epochs", "=3", "a-b=3", "x=["):
        with pytest.raises(InputError):
            parse_parameters([bad])


def test_reduce_says_how_well_the_kept_images_stand_for_all(yolo_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = detreduce("reduce", yolo_folder, "-m", "mms", "-k", "4", "-o", out, "--blocks", "annotations")
    assert result.exit_code == 0, result.output
    for words in ("covering radius", "at random", "class divergence", "100% is best"):
        assert words in result.output
    kept = json.loads((out / "selection.json").read_text())["representativeness"]
    assert kept["kept"] == 4 and kept["epsilon"]["value"] >= 0
    result = detreduce("reduce", yolo_folder, "-m", "srs", "-k", "1", "-o", tmp_path / "one", "--json")
    measured = json.loads(result.stdout)["representativeness"]
    assert measured["epsilon"] is None and len(measured["lost"]) == 2


def test_reduce_names_lost_categories(yolo_folder: Path, tmp_path: Path) -> None:
    result = detreduce("reduce", yolo_folder, "-m", "srs", "-k", "1", "-o", tmp_path / "out")
    # three categories of 4, 3 and 1 images, and one seat
    assert "Nothing is kept of dog (3 images), background (1 images)" in result.output
    reason = "Not measured, since no features were given: epsilon, covering radius, coverage, discrepancy, diagram"
    assert reason in result.output


@pytest.mark.parametrize("width", [60, 80, 160])
def test_how_well_the_kept_stand_for_all_fits_the_terminal(
    yolo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    options = ("-m", "mms", "-k", "2", "--blocks", "annotations", "-o", tmp_path / "out")
    lines = on_a_terminal(monkeypatch, width, "reduce", yolo_folder, *options)
    table = [line for line in lines if line[:1] in "┏┃┡│└"]
    assert max(map(len, table)) <= width and "…" not in "".join(lines)
    text = " ".join(" ".join(table).replace("│", " ").split())
    # a category is lost
    assert "infinite" in text and "random" in text and "typical" in text


def test_a_random_draw_is_said(yolo_folder: Path, tmp_path: Path) -> None:
    arguments = ("-m", "des", "-k", "3", "--categories", "none", "--blocks", "annotations", "-o", tmp_path / "out")
    result = detreduce("reduce", yolo_folder, *arguments)
    assert result.exit_code == 0 and "is a random draw" in result.stderr
