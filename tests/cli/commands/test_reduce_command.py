from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from invocation import detreduce, on_a_terminal

from detreduce.dataset import load_dataset
from detreduce.display.progress import Work
from detreduce.selection.record import Selection
from detreduce.selection.steps_in_words import steps_in_words


def test_reduce_keeps_no_more_of_a_group_than_allowed(yolo_folder: Path, tmp_path: Path) -> None:
    arguments = ["reduce", yolo_folder, "-m", "srs", "--groups", "([0-3])?", "--max-per-group", "1", "--output"]
    result = detreduce(*arguments, tmp_path / "out", "--keep", "5")
    # 0 to 3 are a group each, and the other images are one group
    assert result.exit_code == 0, result.output
    kept = sorted(int(file.stem) for file in (tmp_path / "out" / "images").iterdir())
    assert kept[:4] == [0, 1, 2, 3] and kept[4] > 3
    assert "All 5 groups represented." in result.output
    few = detreduce(*arguments, tmp_path / "few", "--keep", "3", "--json")
    assert json.loads(few.stdout)["groups"] == {"kept": 3, "full": 5}
    result = detreduce(*arguments, tmp_path / "more", "--keep", "6")
    assert result.exit_code == 2 and "max_per_group=1" in result.output
    result = detreduce("reduce", yolo_folder, "-m", "srs", "--groups", "folder", "--output", tmp_path / "more")
    assert result.exit_code == 2 and "groups=" in result.output


def test_a_choice_in_parts_is_recorded_and_explained(yolo_folder: Path, tmp_path: Path) -> None:
    arguments = ["reduce", yolo_folder, "--categories", "none", "--partitions", "4", "--keep", "2", "--output"]
    chosen = [*arguments, tmp_path / "out", "--method", "prd", "--blocks", "annotations"]
    assert detreduce(*chosen).exit_code == 0
    selection = Selection.load(tmp_path / "out" / "selection.json")
    assert selection.partitions == 4
    dropped = int(np.flatnonzero(np.isnan(selection.scores))[0])
    name = load_dataset(yolo_folder)[dropped].name
    result = detreduce("explain", tmp_path / "out", "--image", name)
    assert result.exit_code == 0 and "4 parts" in result.output
    for method in ("srs", "auto"):
        result = detreduce(*arguments, tmp_path / method, "--method", method)
        assert result.exit_code == 2 and "partitions" in result.output
        assert not (tmp_path / method).exists()


def test_reduce_writes_exactly_k_images_and_says_what_to_type_next(yolo_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = detreduce("reduce", yolo_folder, "--method", "srs", "--keep", "0.5", "--output", out)
    assert result.exit_code == 0, result.output
    assert "4 of 8 images kept by srs" in result.output
    # val is the train split, so a training would be refused
    assert f"Next: detreduce inspect {out}/data.yaml" in result.output
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
    result = detreduce("reduce", yolo_folder, "-m", "mms", "-k", "3", "-o", first, "--must-keep", names, *options)
    assert result.exit_code == 0, result.output
    chosen = json.loads((first / "selection.json").read_text())["image_ids"]
    assert chosen[0] == "images/7.jpg"
    initial = first / "selection.json"
    again = ("-m", "mms", "-k", "5", "-o", tmp_path / "b", "--initial", initial)
    result = detreduce("reduce", yolo_folder, *again, *options)
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
    assert "Warning: Unreadable images are left out" in result.stderr
    assert "5.jpg" in result.stderr
    assert "4 of 8 images kept by mms." in result.stdout


def test_which_duplicates_without_leaving_them_out(yolo_folder: Path, tmp_path: Path) -> None:
    for option in (("--duplicates-from", "0.6"), ("--duplicates-by", "boxes")):
        result = detreduce("reduce", yolo_folder, "-m", "srs", "-k", "3", *option, "-o", tmp_path / "out")
        assert result.exit_code == 2
        assert "need --drop-duplicates" in result.stderr
    result = detreduce("duplicates", yolo_folder, "--by", "exact", "--threshold", "0.5")
    assert result.exit_code == 2
    assert "--threshold" in result.stderr


def test_a_parameter_that_is_a_method(yolo_folder: Path, tmp_path: Path) -> None:
    arguments = ("reduce", yolo_folder, "-k", "3", "--blocks", "annotations", "-o", tmp_path / "out")
    result = detreduce(*arguments, "-m", "extrapolate", "scorer=nrmd", "share=6")
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "out/selection.json").read_text())["parameters"]["scorer"] == "nrmd"
    wrong = detreduce(*arguments[:-1], tmp_path / "other", "-m", "extrapolate", "parameters=3")
    assert "parameters=3" in wrong.stderr


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
        (("--blocks", "image"), "'objects'"),
        (("--blocks", "image,object"), "Did you mean 'objects'"),
        (("--backbone", "file:vectors.npy"), "file:vectors.npy"),
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
    assert result.exit_code == 2 and "list of category rules" in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--method", "mmz"), "Did you mean 'mms'"),
        (("--keep", "lots"), "25% is a quarter"),
        (("--keep", "1.5"), "1.5"),
        (("--keep", "900"), "900"),
        (("--categories", "rarst"), "Did you mean 'rarest'"),
        (("--method", "mms", "--backbone", "efficientnet"), "efficientnet-lite0"),
        (("--link", "hardlnk"), "'hardlink'"),
        (("--split", "tset"), "train"),
        (("--must-keep", "/nowhere.txt"), "/nowhere.txt"),
        (("start",), "name=value"),
        (("--method", "mms", "strat=center"), "Did you mean 'start'"),
        (("keep=0.5",), "--keep 0.5"),
        (("random_state=1",), "--seed 1"),
        (("--method", "mms", "start=centre"), "centre"),
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


def test_what_cannot_be_written_is_told_before_features_are_extracted(
    yolo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("detreduce.features.extract.extract_features", lambda *_, **__: pytest.fail("too late"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("x")
    for extra in (("-o", tmp_path / "out"), ("-o", tmp_path / "o", "-k", "900")):
        assert detreduce("reduce", yolo_folder, "-m", "mms", *extra).exit_code == 2


def test_without_a_method_it_is_what_the_results_support(yolo_folder: Path, tmp_path: Path) -> None:
    result = detreduce("reduce", yolo_folder, "-o", tmp_path / "out")
    assert result.exit_code == 0 and "docs/results.md" in result.output
    selection = json.loads((tmp_path / "out" / "selection.json").read_text())
    assert selection["method"] == "herding" and selection["parameters"] == {"match": "class_means"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--method", "vps"], "--proxy proxy.npz"),
        (["--method", "srs", "--proxy", "proxy.npz"], "proxy proxy.npz"),
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


def test_reduce_says_how_well_the_kept_images_stand_for_all(yolo_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = detreduce("reduce", yolo_folder, "-m", "mms", "-k", "4", "-o", out, "--blocks", "annotations", "--details")
    assert result.exit_code == 0, result.output
    for words in ("covering radius", "random subset", "class divergence", "100% is best"):
        assert words in result.output
    kept = json.loads((out / "selection.json").read_text())["representativeness"]
    assert kept["kept"] == 4 and kept["epsilon"]["value"] >= 0
    result = detreduce("reduce", yolo_folder, "-m", "srs", "-k", "1", "-o", tmp_path / "one", "--json")
    measured = json.loads(result.stdout)["representativeness"]
    assert measured["epsilon"] is None and len(measured["lost"]) == 2


def test_a_terminal_is_told_which_step_reduce_is_at(
    yolo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began: list[tuple[str, int | None, bool]] = []

    class Board:
        def begin(self, work: Work) -> None:
            began.append((work.title, work.total, work.behind))

        show = hide = tell = staticmethod(lambda *_: None)

    monkeypatch.setattr("detreduce.display.progress._is_terminal", lambda: True)
    monkeypatch.setattr("detreduce.display.progress._BOARD", Board())
    arguments = ("reduce", yolo_folder, "-m", "mms", "-k", "4", "-o", tmp_path / "out", "--cache", tmp_path / "cache")
    result = detreduce(*arguments, "--blocks", "image,annotations")
    assert result.exit_code == 0, result.output
    steps = [title for title, total, behind in began if behind and total is None]
    assert [title for title in dict.fromkeys(steps) if title != "loading libraries"] == [
        "reading the dataset",
        "checking the dataset and the options",
        "extracting features",
        "looking for duplicates",
        "choosing by mms",
        "measuring representativeness",
        "making the page of pictures",
        "writing the reduced dataset",
    ]
    # the line counts all three categories, because each category ends before its own line would appear
    assert ("choosing by mms", 8, True) in began


def test_reduce_names_lost_categories(yolo_folder: Path, tmp_path: Path) -> None:
    result = detreduce("reduce", yolo_folder, "-m", "srs", "-k", "1", "-o", tmp_path / "out", "--details")
    # three categories of 4, 3 and 1 images, and one seat
    said = "No image is kept of these categories: dog (3 images), background (1 image)."
    assert said in result.output
    reason = "Not measured, because no features were given: epsilon, covering radius, coverage, discrepancy, diagram"
    assert reason in result.output


@pytest.mark.parametrize("width", [60, 80, 160])
def test_how_well_the_kept_stand_for_all_fits_the_terminal(
    yolo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    options = ("-m", "mms", "-k", "2", "--blocks", "annotations", "-o", tmp_path / "out", "--details")
    lines = on_a_terminal(monkeypatch, width, "reduce", yolo_folder, *options)
    others = ("Next: ", "Pictures of", "List ", "Written to ")
    table = [line for line in lines if not line.startswith(others)]
    assert max(map(len, table)) <= width and "…" not in "".join(lines)
    text = " ".join(" ".join(table).replace("│", " ").split())
    assert "the same distance in all features together" in text
    # a category is lost
    assert "not covered" in text and "random" in text and "typical" in text


def test_a_random_draw_is_said(yolo_folder: Path, tmp_path: Path) -> None:
    arguments = ("-m", "des", "-k", "3", "--categories", "none", "--blocks", "annotations", "-o", tmp_path / "out")
    result = detreduce("reduce", yolo_folder, *arguments)
    assert result.exit_code == 0 and "des with one category is random" in result.stderr


def test_kept_copies_are_reported_when_they_were_not_dropped(copies: Path, tmp_path: Path) -> None:
    images = copies.parent / "train" / "images"
    (images / "3.png").write_bytes((images / "2.png").read_bytes())
    result = detreduce("reduce", copies, "-m", "srs", "-k", "1.0", "-o", tmp_path / "out")
    assert "1 of the kept files is a copy of another kept file. --drop-duplicates leaves copies out." in result.output


def test_it_is_said_that_near_duplicates_were_not_looked_for(copies: Path, tmp_path: Path) -> None:
    said = f"\nList near-duplicates: detreduce duplicates {copies}\n"
    arguments = ("reduce", copies, "-m", "srs", "-k", "2", "-o")
    assert said in detreduce(*arguments, tmp_path / "a").stdout
    assert "no search for" not in detreduce(*arguments, tmp_path / "b", "--drop-duplicates").output
    assert "no search for" not in detreduce(*arguments, tmp_path / "c", "--json").output


def test_it_is_said_that_val_was_not_compared_with_train(copies: Path, tmp_path: Path) -> None:
    arguments = ("reduce", copies, "-m", "srs", "-k", "2", "--drop-duplicates", "-o")
    said = "Images of val were not compared with train"
    assert said in " ".join(detreduce(*arguments, tmp_path / "a").output.split())
    assert said not in " ".join(detreduce(*arguments, tmp_path / "b", "--drop-leaked").output.split())
    copies.write_text(re.sub(r"^val:.*$", "", copies.read_text(), flags=re.MULTILINE))
    assert said not in " ".join(detreduce(*arguments, tmp_path / "c").output.split())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("-k", "6", "--drop-duplicates"), "5 of 6 images remain without duplicates"),
        (("-k", "1", "--class-floor", "1"), "at least 2"),
        (("-k", "2", "--class-floor", "bird=1"), "bird"),
        (("-k", "2", "--class-floor", "many"), "a class and a number"),
        (("-k", "2", "--drop-duplicates", "--duplicates-from", "2"), "0.85 finds copies"),
        (("-k", "2", "--drop-duplicates", "--duplicates-by", "exact", "--duplicates-from", "0.9"), "exact duplicates"),
    ],
)
def test_bad_compositions_are_one_message(copies: Path, tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    result = detreduce("reduce", copies, "-m", "srs", "-o", tmp_path / "out", *options)
    assert result.exit_code == 2 and said in " ".join(result.output.split()), result.output
    assert not (tmp_path / "out").exists()


def test_how_to_keep_images_without_boxes(yolo_folder: Path, tmp_path: Path) -> None:
    dataset = load_dataset(yolo_folder, split="train")
    background = [image.name for image in dataset if not len(image.boxes)]
    asked = ("reduce", yolo_folder, "-m", "class_coverage", "-k", "3", "--no-page")
    assert "add --must-keep FILE." in detreduce(*asked, "-o", tmp_path / "a").stdout
    names = tmp_path / "names.txt"
    names.write_text("\n".join(background))
    result = detreduce(*asked, "-o", tmp_path / "b", "--must-keep", names)
    assert "1 of 1 background images" in result.stdout and "add --must-keep" not in result.stdout


def test_images_without_labels_are_to_be_labelled(yolo_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = detreduce("reduce", yolo_folder.parent / "images", "-m", "srs", "-k", "3", "-o", out)
    assert f"Next: label the images in {out}\n" in result.stdout, result.output
    command = next(line for line in result.stdout.splitlines() if "--as list" in line).partition("detreduce ")[2]
    assert "Ultralytics" not in result.stdout
    made = detreduce(*command.replace("to-label.txt", str(tmp_path / "list.txt")).split())
    assert made.exit_code == 0 and len((tmp_path / "list.txt").read_text().splitlines()) == 3


def test_a_fraction_is_of_all_images(copies: Path, tmp_path: Path) -> None:
    result = detreduce("reduce", copies, "-m", "srs", "-k", "0.5", "-o", tmp_path / "out", "--drop-duplicates")
    assert "before choosing. 50 % of all 6 images is 3 of the 5 that remain." in " ".join(result.stdout.split())


def test_terminal_and_page_say_the_same_about_named_and_left_out_images(copies: Path, tmp_path: Path) -> None:
    for name, image in (("keep", "2.png"), ("out", "3.png")):
        (tmp_path / f"{name}.txt").write_text(image)
    lists = ("--must-keep", tmp_path / "keep.txt", "--exclude", tmp_path / "out.txt")
    made = detreduce("reduce", copies, "-m", "srs", "-k", "0.5", "-o", tmp_path / "out", "--drop-duplicates", *lists)
    assert made.exit_code == 0, made.output
    selection = Selection.load(tmp_path / "out" / "selection.json")
    page = (tmp_path / "out" / "selection.html").read_text()
    said = list(steps_in_words(selection))
    assert said == [
        "1 excluded by name.",
        "1 near-duplicate left out before choosing.",
        "1 kept by name.",
        "50 % of all 6 images is 3 of the 4 that remain.",
    ]
    assert " ".join(said) in " ".join(made.output.split()) and " ".join(said) in page


def test_the_first_sentence_says_what_came_out(yolo_folder: Path, tmp_path: Path) -> None:
    result = detreduce("reduce", yolo_folder, "-m", "srs", "-k", "1.0", "-o", tmp_path / "all", "--drop-duplicates")
    assert (
        "8 of 8 images kept: all remaining images. All 2 classes present; 1 of 1 background images." in result.stdout
    ), result.output
    assert "covering radius" not in result.stdout


def test_an_unreadable_label_is_no_background_image(yolo_folder: Path, tmp_path: Path) -> None:
    (yolo_folder.parent / "labels/5.txt").write_text("cat 0.5 0.5 0.1 0.1\n")
    result = detreduce("reduce", yolo_folder, "-m", "srs", "-k", "1.0", "-o", tmp_path / "all")
    assert "1 of 1 background images." in result.stdout, result.output
    page = (tmp_path / "all/selection.html").read_text(encoding="utf-8")
    assert "1 of 1 background images" in page


def test_an_output_that_yolo_cannot_read_says_so(yolo_folder: Path, tmp_path: Path) -> None:
    images = [{"id": row, "file_name": f"{row}.jpg", "width": 64, "height": 48} for row in range(8)]
    boxes = [{"id": row, "image_id": row, "category_id": 1, "bbox": [1, 1, 9, 9]} for row in range(8)]
    content = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "cat"}]}
    (yolo_folder.parent / "images" / "all.json").write_text(json.dumps(content))
    coco = yolo_folder.parent / "images" / "all.json"
    for data, options, said in ((coco, [], True), (coco, ["--format", "yolo"], False), (yolo_folder, [], False)):
        result = detreduce("reduce", data, "-m", "srs", "-o", tmp_path / "out", "--overwrite", *options)
        assert result.exit_code == 0, result.output
        assert ("add --format yolo" in result.output) == said
