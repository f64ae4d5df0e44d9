from __future__ import annotations

from html.parser import HTMLParser

import pytest

from detreduce.display.html import LONGEST, block, facts, folded, lines, picture, table, text


class Page(HTMLParser):
    """Collects the tags, and the text of each cell."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[str] = []
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        if self.cells:
            self.cells[-1] += data


HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "שלום", "🦈 & co", "'"]


@pytest.mark.parametrize("value", HOSTILE)
def test_whatever_a_value_is_it_is_shown_and_not_run(value: str) -> None:
    content = block(
        value,
        facts({value: value}),
        table([value], [[value]]),
        folded(value, [value]),
        lines([value]),
        picture(b"", value),
    )
    page = Page(content)
    known = {"div", "style", "strong", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "figure"}
    assert {tag for tag, _ in page.tags} <= known | {"img", "figcaption"}
    assert page.cells[:3] == [value] * 3, "both cells of the facts, and the heading"
    (image,) = [attributes for tag, attributes in page.tags if tag == "img"]
    assert image == {"src": "data:image/jpeg;base64,", "alt": value}


def test_words_stand_left_numbers_right_and_nothing_is_empty() -> None:
    page = Page(table(("name", "boxes"), [("a", 3), ("b", None)]))
    assert page.cells == ["name", "boxes", "a", "3", "b", ""]
    assert [attributes.get("class") for tag, attributes in page.tags if tag == "td"] == [None, "number"] * 2
    assert [attributes["scope"] for tag, attributes in page.tags if tag == "th"] == ["col", "col"]


def test_long_tables_and_lists_say_how_much_is_left_out() -> None:
    shown = table(("name",), [(number,) for number in range(10)], shown=2, what="classes")
    assert "<div>… and 8 more classes</div>" in shown
    assert shown.count("<tr>") == 3
    assert "more" not in table(("name",), [(1,), (2,)], shown=2)
    assert folded("problems", range(12)).count("<div>") == 11
    assert "… and 2 more" in folded("problems", range(12))
    assert folded("problems", []) == ""


def test_a_value_is_cut_and_always_utf8() -> None:
    assert len(text("a" * 5000)) == LONGEST
    assert text("caf\udce9").encode() == b"caf\\udce9"


def test_directions_follow_the_text() -> None:
    assert 'dir="auto">שלום<' in table(("name",), [("שלום",)])
