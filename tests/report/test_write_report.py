"""The report as a file: its words, its parts, and that no foreign script runs in it."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest
import yaml
from made_up import CLASSES, NAMES, SCRIPT, made_up_ledger

from detreduce.display.terminal_text import visible
from detreduce.errors import DetreduceError, InputError, MissingFileError
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.experiment.searches.near_duplicates import NEAR_DUPLICATES_FILE
from detreduce.report import write_report
from detreduce.report.shown_cells import shown_cells
from detreduce.training.energy import PhaseEnergy
from detreduce.training.evaluation.figures import CorruptedEvaluation, Evaluation
from detreduce.training.record import Flops


class Page(HTMLParser):
    """The elements of a page with their attributes, and its text outside scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.scripts: list[str] = []
        self._within = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._within = tag if tag in ("script", "style") else self._within

    def handle_endtag(self, tag: str) -> None:
        self._within = "" if tag in ("script", "style") else self._within

    def handle_data(self, data: str) -> None:
        if self._within == "script":
            self.scripts.append(data)
        elif not self._within:
            self.words.append(data)

    def all(self, tag: str, kind: str = "") -> list[dict[str, str | None]]:
        found = [attributes for name, attributes in self.elements if name == tag]
        return [attributes for attributes in found if not kind or kind in str(attributes.get("class")).split()]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def unpacked(page: Page) -> dict[str, Any]:
    """The images of the page's maps."""
    return json.loads(gzip.decompress(base64.b64decode(page.scripts[0])))


@pytest.fixture(scope="module")
def shown(page: Path) -> Page:
    return Page(page.read_text(encoding="utf-8"))


def test_hostile_names_are_shown_and_never_markup(shown: Page) -> None:
    for name in [*CLASSES, SCRIPT]:
        assert visible(name) in shown.text
    assert any(NAMES[0] in word for word in shown.words) and any(NAMES[5] in word for word in shown.words)
    assert not shown.all("img") and "49" not in shown.text.split()
    assert len(shown.scripts) == 2, "the map's data and the page's own script"
    data = unpacked(shown)
    assert {name.split(".jpg")[0][:-2] for name in data["names"]} == set(map(visible, NAMES))
    assert data["classes"] == [visible(name) for name in CLASSES]


def test_no_name_is_disguised(page: Path, shown: Page) -> None:
    text = page.read_text(encoding="utf-8")
    assert "fish\\u202etxt.\\u200b" in shown.text and not set("\u202e\u200b") & set(text)
    within = [words for words in shown.words if "fish" in words and "txt" in words]
    titles = [words for words in within if "\u2068" in words]
    assert titles and all(words.count("\u2068") == words.count("\u2069") for words in titles)
    assert re.search(r'<figcaption><bdi class="name"[^>]*><span>fish\\u202et', text) and re.search(
        r"</svg><bdi>fish\\u202etxt", text
    )
    data = unpacked(shown)
    assert not set("\u202e\u200b") & set("".join(data["names"] + data["classes"] + data["labels"]))


def test_the_page_needs_nothing_else(page: Path, shown: Page) -> None:
    links = [value for _, attributes in shown.elements for name, value in attributes.items() if name in ("href", "src")]
    assert all(value is not None and value.startswith(("#", "data:")) for value in links)
    style = re.search(r"<style>(.*?)</style>", page.read_text(encoding="utf-8"), re.S)
    assert style is not None and "url(" not in style[1] and "@import" not in style[1]
    assert not [attributes for tag, attributes in shown.elements if tag in ("link",) and attributes["rel"] != "icon"]
    assert page.stat().st_size < 10_000_000


def test_links_within_the_page_lead_somewhere_and_ids_are_unique(shown: Page) -> None:
    identities = [str(attributes["id"]) for _, attributes in shown.elements if "id" in attributes]
    assert len(identities) == len(set(identities))
    targets = [
        str(attributes.get("href") or attributes.get("xlink:href"))
        for _, attributes in shown.elements
        if "href" in attributes or "xlink:href" in attributes
    ]
    assert {target[1:] for target in targets if target.startswith("#")} <= set(identities)


def test_every_picture_says_what_it_shows(shown: Page) -> None:
    drawings = [attributes for attributes in shown.all("svg") if attributes.get("aria-hidden") != "true"]
    assert drawings and all(attributes.get("aria-label") for attributes in drawings)


def test_the_findings_stand_first_and_by_the_numbers(hostile: Ledger, shown: Page) -> None:
    rows = hostile.rows()
    full = [row["mAP50_95"] for row in rows if row["label"] == "full"]
    random = [row["mAP50_95"] for row in rows if row["label"] == "srs" and row["keep"] == 0.5]
    mean, chance = sum(full) / 3, sum(random) / 3
    assert f"All 30 images give mAP50-95 {mean:.3f} ± 0.005 (3 trainings), measured on val." in shown.text
    assert (
        f"a random subset (srs) gives mAP50-95 {chance:.3f} ± 0.005 (3 trainings), {mean - chance:.3f} ± 0.000 below"
        in shown.text
    )
    assert "with 50 % less training energy" in shown.text and "with 80 % less training energy" in shown.text
    assert f"equal-steps control gives mAP50-95 {chance:.3f}" in shown.text


def test_table_has_every_method_at_every_keep(hostile: Ledger, shown: Page) -> None:
    kinds = {(row["label"], repr(row["keep"])) for row in hostile.rows()}
    table = shown.all("th")
    assert sum(attributes.get("scope") == "row" for attributes in table) >= len(kinds) == 7


def test_images_in_two_splits_are_told_and_shown(page: Path, shown: Page) -> None:
    assert "2 of the 6 images of val are also in train (2 equal)" in shown.text
    words = shown.text
    assert words.index("The data has leaks") < words.index("Advice") < words.index("mAP kept")
    section = page_part(page, "leakage")
    assert len(section.all("div", "twins")) == 2
    assert "0.85" in section.text and section.text.count("val, equal pixels") == 2


def test_images_of_train_that_show_the_same_are_shown_those_kept_twice_first(hostile: Ledger, page: Path) -> None:
    section = page_part(page, "selections")
    assert section.text.count("near-duplicates by pixels with a similarity of at least 0.85") == 4
    assert section.text.count("among all 30 training images") == 4 and "3 pairs" in section.text
    assert "mirrored, similarity" in section.text and "score inf" not in section.text
    assert len(section.all("div", "twins")) == 4 * 3


def test_without_a_search_the_page_says_what_was_looked_for(hostile: Ledger, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    shutil.copytree(hostile.path, ledger)
    (ledger / NEAR_DUPLICATES_FILE).unlink()
    section = page_part(write_report(ledger), "selections")
    assert "identical files; there was no search for near-duplicates" in section.text
    assert "`detreduce run`" in section.text


def test_each_class_has_its_look_and_a_legend(page: Path) -> None:
    whole = Page(page.read_text(encoding="utf-8"))
    looks = [str(attributes["class"]) for attributes in whole.all("path", "box")]
    assert set(looks) <= {f"box c{number} l0" for number in range(5)} and len(set(looks)) == 5
    style = page.read_text(encoding="utf-8")
    assert all(f".c{number} {{" in style for number in range(6)) and ".l1 {" in style and ".l2 {" in style
    legend = re.search(r'<ul class="legend".*?</ul>', style, re.S)
    assert legend is not None and Page(legend[0]).text.split() == " ".join(map(visible, by_boxes())).split()


def by_boxes() -> list[str]:
    """The classes, the commonest first, of train."""
    boxes = [0] * len(CLASSES)
    for row in range(30):
        boxes[row % len(CLASSES)] += 1 + row % 3
    return [CLASSES[place] for place in sorted(range(len(CLASSES)), key=lambda place: -boxes[place])]


def page_part(path: Path, identity: str) -> Page:
    """A section of the page by its id."""
    found = re.search(rf'<section id="{identity}".*?</section>', path.read_text(encoding="utf-8"), re.S)
    assert found is not None, identity
    return Page(found[0])


def test_pictures_are_held_once_and_boxes_drawn(shown: Page) -> None:
    pictures = shown.all("image")
    assert 0 < len(pictures) <= 30 + 6 and len({attributes["href"] for attributes in pictures}) >= 29
    assert len(shown.all("use")) > len(pictures), "shown more often than held"
    # 30 images have 60 boxes, and the images of val have 12
    boxes = "".join(str(attributes["d"]) for attributes in shown.all("path", "box"))
    assert 60 <= boxes.count("M") == boxes.count("z") <= 72


def test_how_to_get_it_again(hostile: Ledger, shown: Page) -> None:
    assert f"detreduce run {hostile.path / 'config.yaml'} --output {hostile.path}" in shown.text
    kept = yaml.safe_load((hostile.path / "config.yaml").read_text(encoding="utf-8"))
    assert [yaml.safe_load(words) for words in shown.words if words.startswith("name: tiny")] == [kept]
    (link,) = [attributes for attributes in shown.all("a") if attributes.get("download")]
    assert yaml.safe_load(unquote(str(link["href"]).partition(",")[2])) == kept
    for fact in ("AdamW, batch 4", "ultralytics", "a processor", "ESP", "modelled", "constant"):
        assert fact in shown.text


def test_without_images_and_without_selections(hostile: Ledger, tmp_path: Path) -> None:
    page = Page(write_report(hostile, tmp_path / "a.html", images=False).read_text(encoding="utf-8"))
    assert not page.all("image") and page.all("canvas") and NAMES[2] in page.text
    page = Page(write_report(hostile, tmp_path / "b.html", selections=1).read_text(encoding="utf-8"))
    assert len(page.all("details", "selection")) == 1 and "3 more selections are not shown" in page.text
    assert not Page(write_report(hostile, tmp_path / "c.html", selections=0).read_text(encoding="utf-8")).all(
        "details", "selection"
    )


def test_a_dataset_that_is_gone_or_another_is_told(hostile: Ledger, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    shutil.copytree(hostile.path, ledger)
    config = yaml.safe_load((ledger / "config.yaml").read_text(encoding="utf-8"))
    label = next((Path(config["dataset"]).parent / "train" / "labels").iterdir())
    before = label.read_text()
    try:
        label.write_text("0 0.5 0.5 0.1 0.1\n0 0.5 0.5 0.1 0.1\n0 0.5 0.5 0.3 0.1\n0 0.2 0.5 0.1 0.1\n")
        page = Page(write_report(ledger).read_text(encoding="utf-8"))
    finally:
        label.write_text(before)
    assert "is not the dataset of the selection" in page.text and not page.all("details", "selection")
    config["dataset"] = str(tmp_path / "gone.yaml")
    (ledger / "config.yaml").write_text(yaml.safe_dump(config))
    page = Page(write_report(ledger).read_text(encoding="utf-8"))
    assert "The images are not shown" in page.text and "gone.yaml" in page.text and page.all("table")
    assert "--data" in page.text


def test_a_dataset_that_was_moved_is_given(hostile: Ledger, tmp_path: Path) -> None:
    ledger, moved = tmp_path / "ledger", tmp_path / "moved"
    shutil.copytree(hostile.path, ledger)
    config = yaml.safe_load((ledger / "config.yaml").read_text(encoding="utf-8"))
    shutil.copytree(Path(config["dataset"]).parent, moved)
    (ledger / "config.yaml").write_text(yaml.safe_dump(config | {"dataset": str(tmp_path / "gone.yaml")}))
    page = Page(write_report(ledger, dataset=moved / "data.yaml").read_text(encoding="utf-8"))
    assert len(page.all("details", "selection")) == 4 and page.all("image") and "not shown:" not in page.text


def test_costs_of_trainings_that_all_overlapped_are_left_out_everywhere(tmp_path: Path) -> None:
    cells = [{"label": label, "keep": 0.1, "seed": seed} for label in ("srs", "mms") for seed in range(3)]
    for overlapped in (True, False):
        ledger = made_up_ledger(tmp_path / f"{overlapped}", cells, overlapped=overlapped)
        report, notebook = page_part(write_report(ledger), "results"), Page(ledger._repr_html_())
        assert [notebook.text.count("overlapped"), report.text.count("overlapped")] == [int(overlapped)] * 2
        for page in (report, notebook):
            headings = {word.strip() for word in page.words}
            assert [name in headings for name in ("Wh", "g CO2", "minutes")] == [not overlapped] * 3
            assert "TFLOPs" in headings


@pytest.mark.parametrize("cells", [1, 500])
def test_from_one_cell_to_many(tmp_path: Path, cells: int) -> None:
    given = [
        {
            "label": f"srs(by=m{number // 10})" if number >= 10 else "srs",
            "keep": (0.1, 0.5)[number % 2],
            "seed": number % 10 // 2,
        }
        for number in range(cells)
    ]
    path = write_report(made_up_ledger(tmp_path / "ledger", given))
    page = Page(path.read_text(encoding="utf-8"))
    assert path == tmp_path / "ledger" / "report.html" and path.stat().st_size < 10_000_000
    table = [attributes for attributes in page.all("th") if attributes.get("scope") == "row"]
    assert len(table) >= (1 if cells == 1 else 100)


def test_verdicts_are_in_the_first_sentences(tmp_path: Path) -> None:
    cells = [
        {"label": label, "keep": 0.1, "seed": seed, "lift": lift + 0.002 * (seed % 2) * (label != "srs")}
        for label, lift in (("srs", 0.0), ("mms", -0.1), ("csod", 0.1), ("moderate", 0.001))
        for seed in range(5)
    ]
    page = Page(write_report(made_up_ledger(tmp_path / "ledger", cells)).read_text(encoding="utf-8"))
    assert "Shown better than random: csod (+0.05" in page.text and "Shown worse than random: mms (-0.0" in page.text


LOST = [0.01, 0.02, 0.03]


def test_what_is_lost_has_its_uncertainty_in_sentence_and_table(tmp_path: Path) -> None:
    cells = [{"label": "full", "keep": 1.0, "seed": seed} for seed in range(3)]
    cells += [{"label": "srs", "keep": 0.1, "seed": seed, "lift": -2 * LOST[seed]} for seed in range(3)]
    ledger = made_up_ledger(tmp_path / "ledger", cells)
    by_seed = [{row["label"]: row["mAP50_95"] for row in ledger.rows() if row["training_seed"] == s} for s in range(3)]
    lost = [row["full"] - row["srs"] for row in by_seed]
    mean = sum(lost) / 3
    # s = 0.01, half-width 4.3027 s / sqrt(3) = 0.025
    page = Page(write_report(ledger).read_text(encoding="utf-8"))
    interval = (-mean - 0.024841, -mean + 0.024841)
    assert f"{mean:.3f} ± 0.010 below all images (95 % interval {interval[0]:+.3f} to {interval[1]:+.3f}" in page.text
    assert f"{-mean:+.3f} ± 0.010 [{interval[0]:+.3f}, {interval[1]:+.3f}] worse than all images" in page.text


FULL = {"label": "full", "keep": 1.0, "seed": 0}
SRS = {"label": "srs", "keep": 0.1, "seed": 0}
BLIND: dict[str, Any] = {"changes": {"evaluation": None}}
UNMETERED: dict[str, Any] = {"changes": {"energy": {}, "flops": None}}


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([FULL], "1 training finished, "),
        ([SRS], "No training on all images (the control full) is finished"),
        ([{**SRS, "label": "mms"}], "no random subsets (srs or random)"),
        ([FULL, SRS], "below all images (one seed"),
        ([{**FULL, "seed": 7}, SRS], "below all images (no training seed in common"),
        ([FULL | BLIND, SRS], "the difference to all images is not known"),
        ([FULL, SRS | BLIND], "an unknown mAP50-95 (1 training)"),
        ([FULL | UNMETERED, SRS], "the saving is not known"),
        ([FULL, SRS | {"changes": {"energy": {}}}], "% less computation; the energy is not known"),
        ([{"label": "full_equal_iterations", "keep": 0.1, "seed": 0}], "1 training finished"),
    ],
)
def test_what_is_not_known_is_said_in_words(tmp_path: Path, cells: list[dict[str, Any]], said: str) -> None:
    page = Page(write_report(made_up_ledger(tmp_path / "ledger", cells)).read_text(encoding="utf-8"))
    assert said in page.text
    assert not re.search(r"\b(nan|inf|None)\b", page.text)


def test_small_amounts_keep_their_digits(tmp_path: Path) -> None:
    small = PhaseEnergy(seconds=0.3, wh=0.0412, g_co2=0.001)
    changes = {"energy": {"training": small}, "seconds": 0.3, "flops": Flops(forward=1e9, backward=0, method="made up")}
    cells = [SRS | {"changes": changes}]
    words = page_part(write_report(made_up_ledger(tmp_path / "ledger", cells)), "results").text.split()
    for shown in ("0.0412", "0.005"):
        assert shown in words, f"Wh and minutes: {shown}"
    assert not {"0.0", "0.00"} & set(words)


def test_learning_curves_are_of_mAP_where_it_was_measured(tmp_path: Path) -> None:
    history = [{"train/box_loss": 3.0 / epoch, "metrics/mAP50-95(B)": 0.1 * epoch} for epoch in (1, 2, 3)]
    validated = SRS | {"changes": {"history": history}}
    text = write_report(made_up_ledger(tmp_path / "all", [validated])).read_text(encoding="utf-8")
    assert "Learning curves: mAP50-95" in text and "Learning curves: loss" not in text
    text = write_report(made_up_ledger(tmp_path / "some", [validated, SRS | {"seed": 1}])).read_text(encoding="utf-8")
    assert "1 of 2 trainings were validated" in text and "Learning curves: loss" in text
    text = write_report(made_up_ledger(tmp_path / "none", [SRS])).read_text(encoding="utf-8")
    assert "Learning curves: mAP50-95" not in text and "Learning curves: loss" in text


def test_bad_input_is_told(hostile: Ledger, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="not a ledger"):
        write_report(tmp_path / "nothing")
    with pytest.raises(InputError, match="no finished cell"):
        write_report(Ledger.create(tmp_path / "empty"))
    with pytest.raises(InputError, match="selections=-1"):
        write_report(hostile, selections=-1)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/report\.html"):
        write_report(hostile, tmp_path / "file" / "report.html", selections=0)
    folder = tmp_path / "folder"
    folder.mkdir()
    assert write_report(hostile, folder, selections=0) == folder / "report.html"


def test_a_full_disk_is_no_mistake_of_the_caller(
    hostile: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(DetreduceError, match="No space left") as caught:
        write_report(hostile, tmp_path / "report.html", selections=0)
    assert not isinstance(caught.value, InputError)
    assert isinstance(caught.value.__cause__, OSError)


def test_an_image_that_cannot_be_read_is_named_without_a_picture(hostile: Ledger, tmp_path: Path) -> None:
    config = yaml.safe_load((hostile.path / "config.yaml").read_text(encoding="utf-8"))
    image = sorted((Path(config["dataset"]).parent / "train" / "images").iterdir())[3]
    before = image.read_bytes()
    try:
        image.write_bytes(before[:40])
        page = Page(write_report(hostile, tmp_path / "r.html").read_text(encoding="utf-8"))
    finally:
        image.write_bytes(before)
    assert image.name in page.text + page.scripts[0] and len(page.all("image")) < 36


def test_keeps_take_turns_where_not_every_selection_is_shown() -> None:
    def cell(label: str, keep: float) -> Any:
        about = {"label": label, "keep": keep, "control": None, "selection_seed": 0, "training_seed": 0}
        return SimpleNamespace(cell=about, selection={"images": int(100 * keep)})

    shown, left_out = shown_cells([cell(label, keep) for label in "abc" for keep in (0.1, 0.5)], 3)
    assert [(found.cell["label"], found.cell["keep"]) for found, _ in shown] == [("a", 0.5), ("b", 0.5), ("a", 0.1)]
    assert left_out == 3


def test_a_file_that_is_no_report_is_never_replaced(hostile: Ledger, tmp_path: Path) -> None:
    mine = tmp_path / "notes.html"
    mine.write_text("<html>mine</html>")
    with pytest.raises(InputError, match=r"notes\.html is not a report"):
        write_report(hostile, mine, selections=0)
    assert mine.read_text() == "<html>mine</html>"
    mine.unlink()
    for _ in range(2):
        write_report(hostile, mine, selections=0)
    old = mine.read_text()
    start = old.index('<meta name="generator"')
    mine.write_text(old[:start] + old[old.index("\n", start) + 1 :])
    write_report(hostile, mine, selections=0)
    assert mine.read_text() == old, "a report of version 0.1 has no generator"


def test_corruptions_have_a_table_only_where_they_were_tried(tmp_path: Path) -> None:
    text = write_report(made_up_ledger(tmp_path / "none", [SRS])).read_text(encoding="utf-8")
    assert 'href="#robustness"' not in text and 'id="robustness"' not in text
    figures = {"splits": ["val"], "images": 6, "boxes": 9, "mAP50": 0.3, "precision": 0.5, "recall": 0.5}
    tried = [
        CorruptedEvaluation(corruption="jpeg", severity=one, evaluation=Evaluation(mAP50_95=value, **figures))
        for one, value in ((1, 0.2), (5, 0.1))
    ]
    text = write_report(made_up_ledger(tmp_path / "some", [SRS | {"changes": {"corrupted": tried}}])).read_text("utf-8")
    words = page_part(tmp_path / "some" / "report.html", "robustness").text.split()
    assert 'href="#robustness"' in text and words.count("0.150") == 2 and "jpeg" in words
