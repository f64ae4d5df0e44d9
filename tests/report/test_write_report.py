"""The report as a file: what it says, what it holds, and that nothing in it runs that should not."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from made_up import CLASSES, NAMES, SCRIPT, made_up_ledger

from detreduce.errors import DetreduceError, InputError, MissingFileError
from detreduce.experiment.ledger import Ledger
from detreduce.report import write_report


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

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def shown(page: Path) -> Page:
    return Page(page.read_text(encoding="utf-8"))


def test_hostile_names_are_shown_and_never_markup(shown: Page) -> None:
    for name in [*CLASSES, SCRIPT]:
        assert name in shown.text
    assert any(NAMES[0] in word for word in shown.words) and any(NAMES[5] in word for word in shown.words)
    assert not shown.all("img") and "49" not in shown.text.split()
    assert len(shown.scripts) == 2, "the map's data and the page's own script"
    data = json.loads(shown.scripts[0])
    assert {image["name"].split(".jpg")[0][:-2] for image in data["images"].values()} == set(NAMES)


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
        f"a random subset (srs) gives mAP50-95 {chance:.3f} ± 0.005 (3 trainings), {mean - chance:.3f} below"
        in shown.text
    )
    assert "with 50 % less training energy" in shown.text and "with 80 % less training energy" in shown.text
    assert f"As many training steps on all images give {chance:.3f}" in shown.text


def test_table_has_every_method_at_every_keep(hostile: Ledger, shown: Page) -> None:
    kinds = {(row["label"], repr(row["keep"])) for row in hostile.rows()}
    table = shown.all("th")
    assert sum(attributes.get("scope") == "row" for attributes in table) >= len(kinds) == 7


def test_images_in_two_splits_are_told_and_shown(shown: Page) -> None:
    assert "train / val: 2 of 6 images of the later split are also in the earlier one" in shown.text
    assert sum("twins" in str(attributes.get("class")) for attributes in shown.all("div")) == 2


def test_pictures_are_held_once_and_boxes_drawn(shown: Page) -> None:
    pictures = shown.all("image")
    assert 0 < len(pictures) <= 30 + 6 and len({attributes["href"] for attributes in pictures}) >= 30
    assert len(shown.all("use")) > len(pictures), "shown more often than held"
    assert sum("box" in str(attributes.get("class")) for attributes in shown.all("rect")) > 30


def test_how_to_get_it_again(hostile: Ledger, shown: Page) -> None:
    assert f"detreduce run {hostile.path / 'config.yaml'} --output {hostile.path}" in shown.text
    for fact in ("AdamW, batch 4", "ultralytics", "a processor", "ESP", "modelled", "constant"):
        assert fact in shown.text


def test_without_images_and_without_selections(hostile: Ledger, tmp_path: Path) -> None:
    page = Page(write_report(hostile, tmp_path / "a.html", images=False).read_text(encoding="utf-8"))
    assert not page.all("image") and page.all("circle") and NAMES[2] in page.text
    page = Page(write_report(hostile, tmp_path / "b.html", selections=1).read_text(encoding="utf-8"))
    assert len(page.all("details")) == 1 and "3 more are not shown" in page.text
    assert not Page(write_report(hostile, tmp_path / "c.html", selections=0).read_text(encoding="utf-8")).all("details")


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
    assert "its images or labels changed since" in page.text and not page.all("details")
    config["dataset"] = str(tmp_path / "gone.yaml")
    (ledger / "config.yaml").write_text(yaml.safe_dump(config))
    page = Page(write_report(ledger).read_text(encoding="utf-8"))
    assert "The images are not shown" in page.text and "gone.yaml" in page.text and page.all("table")


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


def test_bad_input_is_told(hostile: Ledger, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no ledger"):
        write_report(tmp_path / "nothing")
    with pytest.raises(InputError, match="no finished cell yet"):
        write_report(Ledger.create(tmp_path / "empty"))
    with pytest.raises(InputError, match="selections=-1"):
        write_report(hostile, selections=-1)
    (tmp_path / "file").write_text("")
    with pytest.raises(DetreduceError, match=r"report\.html cannot be written"):
        write_report(hostile, tmp_path / "file" / "report.html", selections=0)
    folder = tmp_path / "folder"
    folder.mkdir()
    assert write_report(hostile, folder, selections=0) == folder / "report.html"


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
