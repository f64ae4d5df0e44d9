"""The page of a selection in a real browser: no errors, no network, use by pointer and by keys; pinned images are
saved.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from opened_pages import keep, opened
from pictured import pictured, unpacked

import detreduce as dr


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dr.ReductionResult:
    data = pictured(tmp_path_factory.mktemp("set"))
    output = tmp_path_factory.mktemp("reduced") / "out"
    return dr.reduce(data, output, "mms", 12, blocks=("annotations",))


@pytest.fixture(scope="module")
def page(made: dr.ReductionResult) -> Path:
    assert made.page is not None
    return made.page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 768, 1440])
def test_it_is_silent_and_nothing_overflows(browser: Any, page: Path, width: int, scheme: str) -> None:
    tab, said = opened(browser, page, color_scheme=scheme)
    tab.set_viewport_size({"width": width, "height": 900})
    tab.locator("#sheets [data-act=pinned]").first.click()
    tab.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert said == [] and tab.title().startswith("12 of 40 images kept")
    keep(tab, f"selection-{scheme}-{width}")


def point_of(tab: Any, data: dict[str, Any], place: int) -> tuple[float, float]:
    """Return the position of an image on the screen."""
    canvas = tab.locator("canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    across, down = data["x"][place] / data["steps"], 1 - data["y"][place] / data["steps"]
    return box["x"] + 14 + across * (box["width"] - 28), box["y"] + 14 + down * (box["height"] - 28)


def test_the_map_is_drawn_and_shows_the_image_under_the_pointer(browser: Any, page: Path) -> None:
    tab, _ = opened(browser, page)
    tab.wait_for_function(
        "() => { const canvas = document.querySelector('canvas'); const pen = canvas.getContext('2d');"
        " return pen.getImageData(0, 0, canvas.width, canvas.height).data.some(value => value); }"
    )
    data, panel = unpacked(page), tab.locator(".shown")
    first = data["selections"][0]["order"][0]
    assert panel.locator(".called").text_content() == data["names"][first]
    for place in (data["selections"][0]["order"][3], 1):
        tab.mouse.click(*point_of(tab, data, place))
        shown = data["names"].index(panel.locator(".called").text_content())
        assert (data["x"][shown], data["y"][shown]) == (data["x"][place], data["y"][place])
        state = panel.locator("p").nth(1).text_content()
        order = data["selections"][0]["order"]
        assert state == (f"kept, {order.index(shown) + 1} of 12" if shown in order else "dropped")
        assert panel.locator("use").get_attribute("href") == f"#{data['prefix']}{shown}"
        tab.mouse.click(*point_of(tab, data, place))  # lets the image go


def test_the_keys_move_zoom_pin_and_exclude(browser: Any, page: Path) -> None:
    tab, said = opened(browser, page)
    panel = tab.locator(".shown")
    tab.locator("canvas").focus()
    seen = {panel.locator(".called").text_content()}
    for key in ("ArrowRight", "ArrowLeft", "ArrowLeft", "ArrowUp", "ArrowDown", "+", "+", "ArrowDown", "-", "0"):
        tab.keyboard.press(key)
        seen.add(panel.locator(".called").text_content())
    assert len(seen) > 2
    for key, act in (("p", "pinned"), ("x", "excluded")):
        tab.keyboard.press(key)
        pressed = {
            name: panel.locator(f"[data-act={name}]").get_attribute("aria-pressed") for name in ("pinned", "excluded")
        }
        assert pressed == {name: str(name == act).lower() for name in pressed}
    tab.keyboard.press("x")
    assert not tab.locator("#curation").is_visible() and said == []


def test_filters_hold_for_the_map_and_the_list(browser: Any, page: Path) -> None:
    tab, _ = opened(browser, page)
    data = unpacked(page)
    order = set(data["selections"][0]["order"])
    listed, told = tab.locator("#listed .called, #listed .thumb"), tab.locator(".filters output")
    assert told.text_content() == "40 images" and listed.count() == 24
    tab.get_by_role("radio", name="dropped").check()
    assert told.text_content() == "28 images of 40"
    tab.locator("select[name=class]").select_option("0")
    fitting = [place for place in range(40) if place not in order and 0 in data["boxes"][place][::2]]
    assert told.text_content() == f"{len(fitting)} images of 40" and listed.count() == len(fitting)
    tab.locator("input[type=search]").fill("CAM0")
    fitting = [place for place in fitting if "cam0" in data["names"][place]]
    names = tab.locator("#listed bdi.name").all_text_contents()
    assert names == [data["names"][place] for place in fitting] != []
    tab.locator("select[name=class]").select_option("none")
    assert listed.count() == sum(
        not data["boxes"][place] and "cam0" in data["names"][place] for place in range(40) if place not in order
    )


def test_pages_of_the_list(browser: Any, page: Path) -> None:
    tab, _ = opened(browser, page)
    assert tab.locator(".pages output").text_content() == "1 to 24 of 40"
    assert tab.get_by_role("button", name="Earlier").is_disabled()
    tab.get_by_role("button", name="Later").click()
    assert tab.locator(".pages output").text_content() == "25 to 40 of 40"
    assert tab.get_by_role("button", name="Later").is_disabled() and tab.locator("#listed .thumb").count() == 16


def test_an_image_without_a_picture_has_its_boxes_in_words(
    browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PICTURES", "ON_A_SHEET", "PAIRS"):
        monkeypatch.setattr(f"detreduce.pages.selection.page.{name}", 1)
    file = pictured(tmp_path / "set", 12)
    for label in file.parent.rglob("*.txt"):
        label.write_text(label.read_text() + "0 0.7 0.7 0.1 0.1\n2 0.6 0.6 0.1 0.1\n")
    made = dr.reduce(file, tmp_path / "out", "srs", 4)
    assert made.page is not None
    tab, _ = opened(browser, made.page)
    data = unpacked(made.page)
    frames = tab.locator("#listed .words")
    bare = [boxes for place, boxes in enumerate(data["boxes"]) if str(place) not in data["pictures"]]
    assert frames.count() == len(bare) >= 6
    wanted = {
        ", ".join(f"{many} {data['classes'][number]}" for number, many in zip(boxes[::2], boxes[1::2], strict=True))
        for boxes in bare
    }
    assert any("," in text for text in wanted)
    # if the classes were columns, inner_text would have line breaks
    assert {text.replace("\u00a0", " ") for text in frames.all_inner_texts()} == wanted
    heights = tab.evaluate("[...document.querySelectorAll('.words')].map(each => each.getBoundingClientRect().height)")
    assert heights == pytest.approx([7.2 * 16] * len(bare), abs=1)


def saved(tab: Any, button: str, folder: Path) -> Path:
    with tab.expect_download() as download:
        tab.get_by_role("button", name=button).click()
    file = folder / download.value.suggested_filename
    download.value.save_as(file)
    return file


def test_what_is_pinned_and_excluded_is_saved_and_chosen_again(
    browser: Any, page: Path, made: dr.ReductionResult, tmp_path: Path
) -> None:
    tab, said = opened(browser, page, accept_downloads=True)
    bar = tab.locator("#curation")
    assert not bar.is_visible()
    data = unpacked(page)
    dropped = [place for place in range(40) if place not in data["selections"][0]["order"]]
    # also an image whose name has a character that is not shown
    pins = [dropped[0], next(place for place in dropped[1:] if "\\u202e" in data["names"][place])]
    out = data["selections"][0]["order"][:2]
    tab.get_by_role("radio", name="dropped").check()
    for place in pins:
        tab.locator("#listed .acts").nth(dropped.index(place)).get_by_text("Pin").click()
    for number in range(2):
        tab.locator("#sheets .acts").nth(number).get_by_text("Exclude").click()
    assert "2 images pinned, 2 images excluded" in bar.text_content()
    tab.get_by_role("radio", name="pinned").check()
    assert tab.locator("#listed .thumb").count() == 2
    command = tab.locator("[data-command]").text_content()
    assert command.endswith("--must-keep must-keep.txt --exclude exclude.txt")
    keep, exclude = saved(tab, "Save must-keep.txt", tmp_path), saved(tab, "Save exclude.txt", tmp_path)
    full = dr.load_dataset(made.selection.provenance["dataset"]["path"], split="train")
    assert keep.read_text(encoding="utf-8").splitlines() == [full[place].name for place in sorted(pins)]
    again = dr.reduce(
        full, tmp_path / "again", "mms", 12, blocks=("annotations",), must_keep=keep, exclude=exclude, page=False
    )
    kept = set(again.selection.indices.tolist())
    assert set(pins) <= kept and not kept & set(out)
    # the choices remain after the tab is closed, until the reader clears them
    tab.reload()
    tab.wait_for_selector("html[data-ready]")
    assert "2 images pinned, 2 images excluded" in bar.text_content()
    assert tab.locator("#sheets .acts").first.locator("[aria-pressed=true]").text_content() == "Exclude"
    tab.get_by_role("button", name="Clear").click()
    assert not bar.is_visible() and tab.locator("[aria-pressed=true]").count() == 0 and said == []


def test_everything_has_a_name_for_a_screen_reader(browser: Any, page: Path) -> None:
    tab, _ = opened(browser, page)
    unnamed = tab.evaluate(
        """() => [...document.querySelectorAll('button, a, select, input, canvas, svg[role=img], [role=region]')]
          .filter(each => each.offsetParent !== null || each.ownerSVGElement === null)
          .filter(each => !(each.getAttribute('aria-label') || each.textContent.trim() || each.closest('label')))
          .map(each => each.outerHTML.slice(0, 80))"""
    )
    assert unnamed == []
    assert tab.locator("h1").count() == 1 and tab.locator("main section:not([aria-labelledby])").count() == 0
    # every action is reached by the Tab key alone
    assert tab.locator("button:not([disabled])[tabindex='-1']").count() == 0


def test_without_features_and_without_labels(browser: Any, tmp_path: Path) -> None:
    folder = pictured(tmp_path / "set", 12, labelled=False)
    made = dr.reduce(folder, tmp_path / "out", "srs", 4)
    assert made.page is not None
    tab, said = opened(browser, made.page)
    assert said == [] and tab.locator("canvas").count() == 0
    assert tab.locator("#listed .thumb").count() == 12 and not tab.locator("select[name=class]").is_visible()
    tab.locator("#listed [data-act=pinned]").nth(5).click()
    assert "1 image pinned" in tab.locator("#curation").text_content()


def test_light_and_dark_by_choice(browser: Any, page: Path) -> None:
    tab, _ = opened(browser, page, color_scheme="light")

    def paper() -> str:
        return tab.evaluate("getComputedStyle(document.body).backgroundColor")

    assert paper() == "rgb(255, 255, 255)"
    tab.get_by_role("button", name="Switch to dark colours").click()
    assert paper() != "rgb(255, 255, 255)"
