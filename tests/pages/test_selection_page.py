"""The page of a selection as a file: its text, its data, and that no content runs as code."""

from __future__ import annotations

import re
import shlex
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pictured import CLASSES, NAMES, SCRIPT, name_of, pictured, unpacked
from typer.testing import CliRunner

import detreduce as dr
from detreduce.cli import program
from detreduce.dataset.records import DetectionDataset, ImageRecord, Source
from detreduce.display.terminal_text import visible
from detreduce.errors import InputError, MissingFileError
from detreduce.features.table import FeatureTable
from detreduce.pages import pictures
from detreduce.pages.class_colours import looks_of
from detreduce.pages.image_data import PageImages, pack_images, pack_within
from detreduce.pages.image_labels import image_labels
from detreduce.pages.pictures import Album
from detreduce.pages.selection.page import PageSource, selection_page
from detreduce.pages.selection.summary import command_again
from detreduce.pages.selection.view import view_selection
from detreduce.selection.named_images import image_rows, read_names


class Page(HTMLParser):
    """The elements of a page, and its text outside scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._within = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._within = tag if tag in ("script", "style") else self._within

    def handle_endtag(self, tag: str) -> None:
        self._within = "" if tag in ("script", "style") else self._within

    def handle_data(self, data: str) -> None:
        if not self._within:
            self.words.append(data)

    def all(self, tag: str, kind: str = "") -> list[dict[str, str | None]]:
        found = [attributes for name, attributes in self.elements if name == tag]
        return [attributes for attributes in found if not kind or kind in str(attributes.get("class")).split()]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def read(page: Path) -> Page:
    return Page(page.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pictured(tmp_path_factory.mktemp("set"))


@pytest.fixture(scope="module")
def made(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dr.ReductionResult:
    output = tmp_path_factory.mktemp("reduced") / "out"
    return dr.reduce(data, output, "mms", 12, blocks=("annotations",), drop_duplicates="exact")


def test_it_says_what_was_asked_and_what_came_out(made: dr.ReductionResult) -> None:
    assert made.page == made.output / "selection.html" and made.to_dict()["page"] == str(made.page)
    page = read(made.page)
    kept = made.dataset
    background = sum(not len(record.boxes) for record in kept)
    assert "12 of 40 images kept" in page.text and "chosen by mms with seed 0" in page.text
    assert "All 3 classes present" in page.text and f"{background} of 4 background images" in page.text
    assert "1 copy with equal pixels left out before choosing" in page.text
    assert "2 of 2 folders represented" in page.text


def test_hostile_names_are_shown_and_never_markup(made: dr.ReductionResult) -> None:
    page, data = read(made.page), unpacked(made.page)
    text = made.page.read_text(encoding="utf-8")
    assert visible(SCRIPT) in page.text and not page.all("img") and "owned'</script><script" not in text
    assert len(page.all("script")) == 2 and not set("\u202e") & set(text)
    assert set(data["names"]) == {visible(record.name) for record in dr.load_dataset(made_from(made))}
    assert data["classes"] == [visible(name) for name in CLASSES]
    links = [value for _, attributes in page.elements for name, value in attributes.items() if name in ("href", "src")]
    assert links and all(value is not None and value.startswith(("#", "data:")) for value in links)
    identities = [str(attributes["id"]) for _, attributes in page.elements if "id" in attributes]
    assert len(identities) == len(set(identities)) and {link[1:] for link in links if link[0] == "#"} <= set(identities)


def made_from(made: dr.ReductionResult) -> str:
    return str(made.selection.provenance["dataset"]["path"])


def test_it_holds_every_image_with_its_rank_and_its_boxes(made: dr.ReductionResult) -> None:
    full, data = dr.load_dataset(made_from(made), split="train"), unpacked(made.page)
    assert data["rows"] is None and data["selections"][0]["order"] == made.selection.indices.tolist()
    for row, record in enumerate(full):
        counts = dict(zip(data["boxes"][row][::2], data["boxes"][row][1::2], strict=True))
        assert counts == {c: n for c, n in enumerate(full.class_counts[row].tolist()) if n}
        assert data["names"][row] == visible(record.name)
    assert all(0 <= value <= data["steps"] for value in [*data["x"], *data["y"]])


def test_pictures_are_on_contact_sheets_with_words_for_screen_readers(made: dr.ReductionResult) -> None:
    page = read(made.page)
    text = made.page.read_text(encoding="utf-8")
    for title in ("First kept", "Dropped, nearest to a kept image", "Dropped, furthest from all kept images"):
        assert title in page.text
    drawings = [attributes for attributes in page.all("svg") if attributes.get("aria-hidden") != "true"]
    assert drawings and all(attributes.get("aria-label") for attributes in drawings)
    assert len(page.all("div", "twins")) == 1 and text.count("<image ") == 40
    assert all(attributes.get("type") == "button" for attributes in page.all("button"))
    assert "fish" in page.text and page.all("table", "shares")


def test_lists_name_each_image_so_that_must_keep_finds_it(made: dr.ReductionResult, tmp_path: Path) -> None:
    full, data = dr.load_dataset(made_from(made), split="train"), unpacked(made.page)
    keys = [data["keys"].get(str(row), data["names"][row]) for row in range(len(full))]
    (tmp_path / "names.txt").write_text("".join(f"{key}\n" for key in keys), encoding="utf-8")
    table = FeatureTable(full, np.arange(len(full)), {})
    assert image_rows(table, read_names(tmp_path / "names.txt")).tolist() == list(range(len(full)))
    # a name with a hidden character is shown with a code and listed as it is
    assert any("\\u202e" in name for name in data["names"]) and any("\u202e" in key for key in keys)


def test_what_a_list_cannot_name_is_not_offered() -> None:
    names = ["a.jpg", "a.jpg", "b\nc.jpg", "d\udcff.jpg", " e.jpg", "f.jpg"]
    ids = [1, 2, "b\nc.jpg", "d\udcff.jpg", " e.jpg", "f.jpg"]
    dataset = of_records(names, ids)
    view = view_selection(dr.select(dataset, "first", 2, drop_duplicates=no_duplicates()), dataset, None)
    labels = image_labels(None, dataset, looks())
    packed = pack_images(PageImages(dataset, [view], None, labels, Album(dataset, capacity=0)), names_for_lists=True)
    import base64
    import gzip
    import json

    keys = json.loads(gzip.decompress(base64.b64decode(packed)))["keys"]
    assert keys == {"0": "1", "1": "2", "2": None, "3": None, "4": None}


def of_records(names: list[str], ids: list[Any]) -> DetectionDataset:
    none = np.empty((0, 4)), np.empty(0, np.int64), np.empty(0, bool)
    records = tuple(
        ImageRecord(identity, name, Path("/nowhere") / str(row), *none)
        for row, (identity, name) in enumerate(zip(ids, names, strict=True))
    )
    source = Source("yolo", Path("/nowhere/data.yaml"), Path("/nowhere"))
    return DetectionDataset(records, ("ant",), (0,), "cxcywhn", "train", source)


def no_duplicates() -> Any:
    from detreduce.duplicates import Duplicates

    return Duplicates((), (), 0, "pixels", 0.85)


def looks() -> Any:
    from detreduce.pages.class_colours import looks_of

    return looks_of(["ant"], [1])


def test_what_was_pinned_and_excluded_is_pinned_and_excluded_on_the_page(data: Path, tmp_path: Path) -> None:
    pinned, excluded = name_of(data.parent, 4).name, name_of(data.parent, 6).name
    full = dr.load_dataset(data, split="train")
    names = {Path(record.name).name: record.name for record in full}
    made = dr.reduce(data, tmp_path / "out", "srs", 5, must_keep=[names[pinned]], exclude=[names[excluded]])
    held = unpacked(made.page)["selections"][0]
    assert [full[place].name for place in held["pinned"]] == [names[pinned]]
    assert [full[place].name for place in held["excluded"]] == [names[excluded]]
    assert "1 kept by name. 1 excluded by name." in read(made.page).text.replace(
        "1 excluded by name. 1 kept by name.", "1 kept by name. 1 excluded by name."
    )


def test_without_features_the_map_is_of_the_boxes_or_is_not_there(data: Path, tmp_path: Path) -> None:
    labelled = dr.reduce(data, tmp_path / "labelled", "srs", 5)
    assert read(labelled.page).all("canvas") and "features (annotations)" in read(labelled.page).text
    folder = pictured(tmp_path / "set", 12, labelled=False)
    bare = dr.reduce(folder, tmp_path / "bare", "srs", 5)
    page = read(bare.page)
    assert not page.all("canvas") and "There is no map" in page.text and "no labels" in page.text
    assert len(page.all("figure", "thumb")) >= 5 and "x" not in unpacked(bare.page)


def test_no_page_is_written_where_none_is_wanted(data: Path, tmp_path: Path) -> None:
    made = dr.reduce(data, tmp_path / "out", "srs", 5, page=False)
    assert made.page is None and "page" not in made.to_dict() and not (tmp_path / "out" / "selection.html").exists()


def test_the_page_belongs_to_the_output_and_is_replaced_with_it(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    made = dr.reduce(data, output, "srs", 5)
    first = made.page.read_bytes()
    for again in (lambda: dr.reduce(data, output, "srs", 6, overwrite=True), lambda: dr.write_selection_page(output)):
        again()
        assert made.page.read_bytes() != first
    # also if the page was made later, and after somebody deleted it
    made.page.unlink()
    assert dr.write_selection_page(output) == made.page
    dr.reduce(data, output, "srs", 7, overwrite=True)
    made.page.write_text("notes of mine")
    with pytest.raises(InputError, match=r"selection\.html"):
        dr.reduce(data, output, "srs", 8, overwrite=True)
    with pytest.raises(InputError, match="not a report of detreduce"):
        dr.write_selection_page(output)
    assert made.page.read_text() == "notes of mine"


def test_it_is_the_same_page_when_it_is_made_again(made: dr.ReductionResult, tmp_path: Path) -> None:
    again = dr.write_selection_page(made.output, tmp_path / "again.html")
    assert again.read_bytes() == made.page.read_bytes()
    bare = dr.write_selection_page(made.output / "selection.json", tmp_path / "bare.html", images=False)
    assert "<image " not in bare.read_text(encoding="utf-8")
    with pytest.raises(MissingFileError, match="nothing"):
        dr.write_selection_page(tmp_path / "nothing")


def test_the_commands_report_and_explain_make_it(made: dr.ReductionResult, tmp_path: Path) -> None:
    output = tmp_path / "out"
    shutil.copytree(made.output, output)
    (output / "selection.html").unlink()
    run = CliRunner().invoke(program.app, ["report", str(output)])
    assert run.exit_code == 0 and f"{output}/selection.html" in run.output, run.output
    made_then = (output / "selection.html").stat().st_mtime_ns
    for place in (output, output / "selection.json"):
        run = CliRunner().invoke(program.app, ["explain", str(place)])
        assert run.exit_code == 0 and run.output.strip() == f"{output}/selection.html", run.output
    assert (output / "selection.html").stat().st_mtime_ns == made_then
    (output / "selection.html").unlink()
    run = CliRunner().invoke(program.app, ["explain", str(output), "--json"])
    assert run.exit_code == 0 and (output / "selection.html").is_file(), run.output


def test_the_command_chooses_again(made: dr.ReductionResult, data: Path, tmp_path: Path) -> None:
    full = dr.load_dataset(data, split="train")
    words = command_again(made.selection, full, tmp_path / "out")
    line = f"{' '.join(words)} --blocks annotations --no-page"
    run = CliRunner().invoke(program.app, shlex.split(line)[1:])
    assert run.exit_code == 0, run.output
    from detreduce.selection.record import Selection

    assert Selection.load(tmp_path / "out-curated" / "selection.json").image_ids == made.selection.image_ids


def test_all_images_that_remain_have_no_method_order_or_score(data: Path, tmp_path: Path) -> None:
    made = dr.reduce(data, tmp_path / "out", keep="all")
    page = read(made.page)
    assert "Request: all remaining images of the train split of" in page.text
    assert "have similar boxes" in page.text and "look alike" not in page.text
    assert not any(word in page.text for word in ("srs", "score", "seed", "distance", "First kept", "order of choice"))
    full = dr.load_dataset(data, split="train")
    view = view_selection(made.selection, full, None)
    assert list(view.order) == sorted(made.selection.indices.tolist()) != made.selection.indices.tolist()
    words = command_again(made.selection, full, tmp_path / "out")
    assert "--method" not in words and words[words.index("--keep") + 1] == "all"
    run = CliRunner().invoke(program.app, [*words[1:], "--no-page"])
    assert run.exit_code == 0, run.output
    from detreduce.selection.record import Selection

    again = Selection.load(tmp_path / "out-curated" / "selection.json")
    assert set(again.image_ids) == set(made.selection.image_ids)


IMAGES = 100_000


def test_a_hundred_thousand_images_stay_below_ten_megabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    # names that do not compress, as in exports of labelling tools
    names = [f"train/IMG_{row:06}_jpg.rf.{generator.bytes(16).hex()}.jpg" for row in range(IMAGES)]
    boxes, crowd = np.full((4, 4), 0.3), np.zeros(4, bool)
    records = tuple(
        ImageRecord(name, name, Path("/nowhere"), boxes, generator.integers(0, 80, 4), crowd) for name in names
    )
    classes = tuple(f"class {number}" for number in range(80))
    source = Source("yolo", Path("/nowhere/data.yaml"), Path("/nowhere"))
    dataset = DetectionDataset(records, classes, tuple(range(80)), "cxcywhn", "train", source)
    table = FeatureTable(dataset, np.arange(IMAGES), {"image": generator.normal(size=(IMAGES, 3)).astype(np.float32)})
    selection = dr.select(table, "srs", 0.25, drop_duplicates=no_duplicates())
    monkeypatch.setattr(pictures, "_small", lambda _: ("data:image/jpeg;base64," + "A" * 9000, 176, 132))
    page = selection_page(PageSource(selection, dataset, table))
    assert len(page) < 10_000_000 and page.count(b"<image ") <= 400
    assert page.count(b"class 79") < 20, "classes are named once in the data"


def test_images_are_left_out_where_the_page_would_be_too_large(made: dr.ReductionResult) -> None:
    full = dr.load_dataset(made_from(made), split="train")
    view = view_selection(made.selection, full, None)
    album = Album(full, capacity=0)
    labels = image_labels(made.selection, full, SimpleNamespace(of_class=("c0 l0", "c1 l0", "c2 l0")))  # type: ignore[arg-type]
    images = PageImages(full, [view], None, labels, album)
    whole, count = pack_within(images)
    assert count == 40
    packed, count = pack_within(images, len(whole) - 1)
    assert 12 <= count < 40 and len(packed) <= len(whole) - 1
    import base64
    import gzip
    import json

    held = json.loads(gzip.decompress(base64.b64decode(packed)))
    assert set(made.selection.indices.tolist()) <= set(held["rows"]), "kept images stay"
    assert [held["rows"][place] for place in held["selections"][0]["order"]] == made.selection.indices.tolist()


def test_an_infinite_measure_says_what_is_not_covered(made: dr.ReductionResult) -> None:
    full = dr.load_dataset(made_from(made), split="train")
    stored = dr.measure_representativeness(full, made.selection).to_dict()
    stored |= {"covering_radius": {"value": "inf", "at_random": None}, "lost": ["background"]}
    page = selection_page(PageSource(replace(made.selection, representativeness=stored), full)).decode()
    assert "not covered: background" in page and "infinite" not in page


def test_names_of_the_dataset_are_in_no_attribute_that_runs(made: dr.ReductionResult) -> None:
    assert NAMES[0] in read(made.page).text
    assert not [name for _, attributes in read(made.page).elements for name in attributes if name.startswith("on")]
    assert not re.search(r"javascript:", made.page.read_text(encoding="utf-8"))


def test_unreadable_labels_are_not_shown_as_background(tmp_path: Path) -> None:
    data = pictured(tmp_path)
    for row in (9, 29):
        image = name_of(tmp_path, row)
        (tmp_path / "labels" / image.relative_to(tmp_path / "images")).with_suffix(".txt").write_text("0 half\n")
    dataset = dr.load_dataset(data)
    rows = np.flatnonzero(dataset.unreadable).tolist()
    names = [dataset[row].name for row in rows]
    chosen = dr.select(dataset, "srs", keep=40)
    (tmp_path / "page.html").write_bytes(selection_page(PageSource(chosen, dataset)))
    page = unpacked(tmp_path / "page.html")
    assert page["unreadable"] == [page["names"].index(visible(name)) for name in names] and len(names) == 2
    assert page["labels"][-2:] == ["background", "unreadable labels"] and page["looks"][-2:] == [[-1, 0], [-1, 0]]
    for row in rows:
        assert page["label"][row] == page["labels"].index("unreadable labels")
    assert "labels cannot be read" in Album(dataset, capacity=0)._picture(rows[0], None).content
    plain = image_labels(None, dataset, looks_of(dataset.class_labels, [1, 1, 1]))
    assert sorted(np.flatnonzero(plain.codes == -2).tolist()) == rows and (plain.codes == -1).sum() == 2
