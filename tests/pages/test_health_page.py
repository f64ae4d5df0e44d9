"""The page of a health check: its content, its path, and the files that it does not replace."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pictured import pictured
from typer.testing import CliRunner

from detreduce.cli import app
from detreduce.pages import health_page as module
from detreduce.pages.environment import _breakable


def inspect(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["inspect", *map(str, arguments)])


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(file): (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.rglob("*") if file.is_file()}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return pictured(tmp_path / "set")


def test_the_page_is_written_and_the_dataset_is_left_alone(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = contents(tmp_path / "set")
    result = inspect(data, "--page")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1] == "Written to health.html"
    assert contents(tmp_path / "set") == before
    text = (tmp_path / "health.html").read_text()
    assert '<meta name="generator" content="detreduce ' in text
    for part in ("findings", "classes", "sizes", "positions"):
        assert f'<section id="{part}"' in text
    assert "No image was opened" in text
    assert not re.search(r'(?:src|href)="(?!#|data:)', text), "nothing is loaded from elsewhere"


def test_the_page_of_another_dataset_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sets = [pictured(tmp_path / name) for name in ("a", "b")]
    for place, data in enumerate((*sets, *sets)):
        result = inspect(data, "--page", "--no-pictures")
        other = place % 2
        assert result.output.splitlines()[-1] == f"Written to health{'-2' * other}.html"
        assert ("is the page of another dataset" in result.output) == bool(other)
    assert sorted(file.name for file in tmp_path.glob("*.html")) == ["health-2.html", "health.html"]
    for number, data in enumerate(sets):
        assert str(data) in (tmp_path / ("health-2.html" if number else "health.html")).read_text().replace("<wbr>", "")


def test_pairs_have_pictures(data, tmp_path):
    folder = data.parent
    train = next(iter(sorted(folder.rglob("images/**/*.*"))))
    for split in ("images", "labels"):
        (folder / "other" / split).mkdir(parents=True)
    (folder / "other/images" / f"copy{train.suffix}").write_bytes(train.read_bytes())
    text = data.read_text()
    data.write_text(re.sub(r"^val:.*$", "val: other/images", text, flags=re.MULTILINE))
    page = tmp_path / "page.html"
    for more in ((), ("--check-images", "--cache", tmp_path / "cache")):
        result = inspect(data, "--output", page, *more)
        assert result.exit_code == 0, result.output
        assert "--drop-leaked" in result.output
        written = page.read_text()
        assert "Images in two splits" in written
        assert written.count("data:image/jpeg;base64,") >= 2
        assert ("No image was opened" in written) is not bool(more)
    assert inspect(data, "--output", page, "--no-pictures").exit_code == 0
    assert "data:image/jpeg" not in page.read_text()


def test_what_others_wrote_is_not_replaced(data, tmp_path):
    page = tmp_path / "mine.html"
    page.write_text("mine")
    result = inspect(data, "--output", page)
    assert result.exit_code == 2 and "not overwritten" in result.output
    assert page.read_text() == "mine"


def test_json_keeps_its_keys_and_has_the_findings(data, tmp_path):
    found = json.loads(inspect(data, "--json", "-o", tmp_path).output)
    assert found["page"] == str(tmp_path / "health.html")
    assert {"path", "format", "split", "images", "boxes", "classes", "splits", "problems"} <= found.keys()
    assert found["verdict"] == found["health"][0]["verdict"]
    assert {"check", "verdict", "what", "count", "advice"} == found["health"][0].keys()
    assert "counts" in found["leaks"]


def test_many_classes_and_odd_names_stay_small_and_escaped(tmp_path):
    names = ["<b>bold</b>", *(f"class{number}" for number in range(1200))]
    folder = tmp_path / "set"
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    for number in range(5):
        (folder / "images" / f"<i>{number}.jpg").write_bytes(b"none")
        (folder / "labels" / f"<i>{number}.txt").write_text(
            "".join(f"{kind} 0.5 0.5 0.2 0.2\n" for kind in range(0, 1201, 2))
        )
    data = folder / "data.yaml"
    data.write_text(f"train: images\nval: images\nnames: {json.dumps(names)}\n")
    page = tmp_path / "page.html"
    result = inspect(data, "-o", page)
    assert result.exit_code == 0, result.output
    text = page.read_text()
    assert "<b>bold" not in text and "&lt;b&gt;bold" in text and "<i>0" not in text
    assert page.stat().st_size < 1_000_000
    assert "801 more are not listed" in text


def test_images_without_labels_have_a_page_too(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set/a.jpg").write_bytes(b"x")
    assert inspect(tmp_path / "set", "-o", tmp_path / "page.html").exit_code == 0
    assert '<section id="classes"' not in (tmp_path / "page.html").read_text()
    assert module.HEALTH_PAGE == "health.html"


def test_a_path_may_be_broken_after_its_marks_only():
    assert _breakable("/work/a_<b>/_c.json") == "/work/<wbr>a_&lt;b&gt;/_c.json"
    assert _breakable("data/train/_annotations.json") == "data/<wbr>train/<wbr>_annotations.json"
