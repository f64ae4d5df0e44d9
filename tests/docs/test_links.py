"""Links between pages outside the site lead to existing files. mkdocs checks the links inside the site."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
LINK = re.compile(r"(?:\]\(|src=\")(?!https?:)([^)\"#]*)(#[^)\"]*)?[)\"]")


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_relative_links_lead_to_files_and_headings(name: str) -> None:
    page = REPOSITORY / name
    links = LINK.findall(page.read_text(encoding="utf-8"))
    assert links
    for path, anchor in links:
        target = REPOSITORY / path if path else page
        assert target.exists(), path
        assert not anchor or anchor[1:] in anchors(target), path + anchor


def test_the_readme_is_one_page() -> None:
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8")) <= 8000


def test_the_pages_are_in_the_order_of_the_work() -> None:
    pages = yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    assert [name for page in pages for name in page] == [
        *("Home", "Install", "Clean", "Choose", "Train for less", "Tutorial", "Methods", "Experiments", "Results"),
        *("How numbers are obtained", "Formats", "Large datasets", "Other tools", "API", "Contributing"),
    ]
