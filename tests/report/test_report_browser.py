"""The report in a real browser: it loads without console messages and without overflow; pointer and keys work on tables
and map.
"""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from made_up import made_up_ledger
from opened_pages import keep, opened

from detreduce.report import write_report

WIDTHS = (360, 768, 1440)


def test_loads_without_a_word_a_request_or_a_script_of_others(browser: Any, page: Path) -> None:
    tab, said = opened(browser, page)
    assert tab.title() == "tiny: detreduce report"
    assert said == []
    keep(tab, "light-1440")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_overflows(browser: Any, page: Path, width: int, scheme: str) -> None:
    tab, _ = opened(browser, page, color_scheme=scheme)
    tab.set_viewport_size({"width": width, "height": 800})
    tab.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    keep(tab, f"{scheme}-{width}")


def test_a_heading_sorts_both_ways_and_says_so(browser: Any, page: Path) -> None:
    tab, _ = opened(browser, page)
    tab.locator(".folded > summary").click()
    heading = tab.locator("table.sortable th[scope=col]", has_text="mAP50-95")
    column = tab.evaluate("heading => heading.cellIndex", heading.element_handle())

    def values() -> list[float]:
        cells = tab.locator(f"table.sortable tbody tr > :nth-child({column + 1})")
        return [float(cells.nth(place).get_attribute("data-sort")) for place in range(cells.count())]

    before = values()
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert values() == sorted(before, reverse=True) != before
    heading.get_by_role("button").press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending" and values() == sorted(before)
    names = tab.locator("table.sortable th[scope=col]").first
    names.get_by_role("button").click()
    first = tab.locator("table.sortable tbody th").all_inner_texts()
    assert first == sorted(first) and heading.get_attribute("aria-sort") is None


def test_what_never_pays_comes_after_what_does(browser: Any, page: Path) -> None:
    tab, _ = opened(browser, page)
    tab.locator(".folded > summary").click()
    heading = tab.locator("table.sortable th[scope=col]", has_text="mAP50-95")
    cells = (
        f"table.sortable tbody tr > :nth-child({tab.evaluate('cell => cell.cellIndex', heading.element_handle()) + 1})"
    )
    given = ["Infinity", "3", "Infinity", "1", "2", "Infinity"]
    tab.evaluate(
        "([cells, given]) => document.querySelectorAll(cells).forEach((cell, place) => "
        "{ cell.dataset.sort = given[place] ?? ''; })",
        [cells, given],
    )
    heading.get_by_role("button").click()
    heading.get_by_role("button").click()
    order = tab.evaluate("cells => [...document.querySelectorAll(cells)].map(cell => cell.dataset.sort)", cells)
    assert order[:6] == ["1", "2", "3", "Infinity", "Infinity", "Infinity"] and set(order[6:]) <= {""}


def test_the_map_shows_images_by_pointer_and_by_keys(browser: Any, page: Path) -> None:
    tab, _ = opened(browser, page)
    packed = tab.locator("#images-data").text_content()
    data = json.loads(gzip.decompress(base64.b64decode(packed)))
    figure = tab.locator(".explorer").first
    canvas, panel = figure.locator("canvas"), figure.locator(".shown")
    place = data["selections"][0]["order"][0]
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    across, down = data["x"][place] / data["steps"], 1 - data["y"][place] / data["steps"]
    tab.mouse.move(box["x"] + 14 + across * (box["width"] - 28), box["y"] + 14 + down * (box["height"] - 28))
    name = panel.locator(".called").text_content()
    at = data["names"].index(name)
    kept = data["selections"][0]["order"]
    state = f"kept, {kept.index(at) + 1} of 15" if at in kept else "dropped"
    assert panel.locator("p").nth(1).text_content() == state
    assert (data["x"][at], data["y"][at]) == (data["x"][place], data["y"][place])
    row = data["rows"][at] if data["rows"] else at
    assert panel.locator("use").get_attribute("href") == f"#{data['prefix']}{row}"
    assert tab.locator(f"[id='{data['prefix']}{row}'] path.box").count() == 1
    canvas.focus()
    seen = set()
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown"):
        tab.keyboard.press(key)
        seen.add(panel.locator(".called").text_content())
    assert len(seen) > 1


def test_pictures_are_really_drawn(browser: Any, page: Path) -> None:
    tab, _ = opened(browser, page)
    use = tab.locator(".sheet use").first
    use.scroll_into_view_if_needed()
    box = use.bounding_box()
    assert box is not None and box["width"] > 40 and box["height"] > 30


def test_light_and_dark_by_the_system_and_by_choice(browser: Any, page: Path) -> None:
    def paper(tab: Any) -> str:
        return tab.evaluate("getComputedStyle(document.body).backgroundColor")

    light, _ = opened(browser, page, color_scheme="light")
    dark, _ = opened(browser, page, color_scheme="dark")
    assert paper(light) == "rgb(255, 255, 255)" != paper(dark)
    light.get_by_role("button", name="Switch to dark colours").click()
    assert paper(light) == paper(dark)
    assert light.get_by_role("button", name="Switch to light colours").inner_text() == "Light"
    dark.get_by_role("button", name="Switch to light colours").click()
    assert paper(dark) == "rgb(255, 255, 255)"


def test_all_of_it_goes_on_paper(browser: Any, page: Path) -> None:
    tab, _ = opened(browser, page, color_scheme="dark")
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert tab.locator("details:not([open])").count() == 0
    tab.evaluate("dispatchEvent(new Event('afterprint'))")
    assert tab.locator("details:not([open])").count() == 6
    tab.emulate_media(media="print")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not tab.locator("nav").is_visible()
    # A4 landscape without its margins, at 96 pixels an inch
    tab.set_viewport_size({"width": 1047, "height": 700})
    table = tab.locator("table.sortable")
    assert table.evaluate("table => table.scrollWidth <= table.parentElement.clientWidth")


@pytest.mark.parametrize("width", [390, 768, 1440])
def test_the_table_loses_nothing_at_any_width(browser: Any, page: Path, width: int) -> None:
    tab, _ = opened(browser, page)
    tab.locator(".folded > summary").click()
    tab.set_viewport_size({"width": width, "height": 800})
    cells = tab.locator("table.sortable tbody :is(th, td)")
    boxes = cells.evaluate_all(
        "cells => cells.filter(cell => cell.textContent.trim()).map(cell => {"
        "const box = cell.getBoundingClientRect();"
        "return [box.left, box.right, cell.scrollWidth - cell.clientWidth]; })"
    )
    assert len(boxes) > 50
    assert all(left >= 0 and right <= width and over <= 1 for left, right, over in boxes)
    assert tab.locator("table.sortable td.main").first.is_visible()
    # the roles stay although the style makes blocks of the rows
    assert (
        tab.locator("table.sortable").get_by_role("rowheader").count() == tab.locator("table.sortable tbody tr").count()
    )


@pytest.mark.parametrize("width", [390, 768, 1440])
def test_the_first_screen_says_what_to_do(browser: Any, page: Path, width: int) -> None:
    tab, _ = opened(browser, page)
    tab.set_viewport_size({"width": width, "height": 900})
    assert tab.locator(".leaks").bounding_box()["y"] < tab.locator("h1").bounding_box()["y"]
    assert tab.locator(".sentence").bounding_box()["y"] < 400
    assert tab.locator(".card").count() == 3 and tab.locator(".eight .thumb").count() == 8
    narrow, wide = tab.locator(".first-chart .narrow"), tab.locator(".first-chart .wide")
    assert narrow.is_visible() == (width == 390) and wide.is_visible() == (width != 390)
    size = tab.locator(".first-chart svg:visible text").first.evaluate("text => text.getBoundingClientRect().height")
    assert size > 8


@pytest.mark.parametrize("cells", [1, 500])
def test_from_one_cell_to_many(browser: Any, tmp_path: Path, cells: int) -> None:
    given = [
        {
            "label": f"srs(by=m{place // 6})" if place > 5 else "srs",
            "keep": (0.1, 0.5)[place % 2],
            "seed": place % 6 // 2,
        }
        for place in range(cells)
    ]
    tab, said = opened(browser, write_report(made_up_ledger(tmp_path, given)))
    assert said == []
    for width in WIDTHS:
        tab.set_viewport_size({"width": width, "height": 800})
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
    keep(tab, f"cells-{cells}")
