"""Take pictures of an HTML page of detreduce, for the documentation. This needs the extra ``browser``.

detreduce inspect data/aquarium --check-images --output health.html
python scripts/pictures/pages.py health.html health [--output docs/pictures]
"""

from __future__ import annotations

import argparse
import io
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

PICTURES = Path(__file__).resolve().parent.parent.parent / "docs" / "pictures"
WIDTHS = (1440, 768, 390)
SCHEMES = ("light", "dark")
QUALITY = 62


class Cut(NamedTuple):
    """Which part of a page is shown at one width: at most `height` pixels from the top, reduced to the size `scale`."""

    height: int
    scale: float = 1.0


# a page that is read from top to bottom is shown as a whole, but smaller; other pages show only their first screen
KINDS = {
    "health": {1440: Cut(5000, 0.65), 768: Cut(5000, 0.8), 390: Cut(3400)},
    "selection": dict.fromkeys(WIDTHS, Cut(1250)),
    "report": {1440: Cut(1090), 768: Cut(1560), 390: Cut(2080)},
}


def photograph(page: Path, kind: str, output: Path) -> None:
    """Write ``KIND-WIDTH-SCHEME.jpg`` into the folder `output` for each of three widths, in light and in dark
    colours.
    """
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for width, cut in KINDS[kind].items():
            for scheme in SCHEMES:
                viewport = {"width": width, "height": 900}
                tab = browser.new_context(viewport=viewport, offline=True, color_scheme=scheme).new_page()
                tab.goto(page.absolute().as_uri())
                if tab.locator("#images-data").count():
                    tab.wait_for_selector("html[data-ready]")
                whole = Image.open(io.BytesIO(tab.screenshot(full_page=True))).convert("RGB")
                shown = whole.crop((0, 0, whole.width, min(whole.height, cut.height)))
                size = round(shown.width * cut.scale), round(shown.height * cut.scale)
                shown = shown.resize(size, Image.Resampling.LANCZOS)
                shown.save(output / f"{kind}-{width}-{scheme}.jpg", quality=QUALITY, optimize=True)
                tab.context.close()
        browser.close()


def main(arguments: Sequence[str] | None = None) -> None:
    """Take the pictures of the page that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path, help="the HTML file")
    parser.add_argument("kind", choices=KINDS, help="the kind of the page")
    parser.add_argument("--output", type=Path, default=PICTURES, help="folder for the pictures")
    given = parser.parse_args(arguments)
    photograph(given.page, given.kind, given.output)


if __name__ == "__main__":
    main()
