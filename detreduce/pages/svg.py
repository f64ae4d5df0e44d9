"""Convert matplotlib figures to SVG for a page, with the page's colours and font, tooltips and descriptions."""

from __future__ import annotations

import io
import re
import warnings
from xml.etree import ElementTree

from matplotlib.figure import Figure

from detreduce.figures.style import BLUE, GREEN, GRID, INK, MUTED, ORANGE, PURPLE, SKY, YELLOW, styled

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--grid",
    BLUE: "--blue",
    ORANGE: "--orange",
    GREEN: "--green",
    PURPLE: "--purple",
    SKY: "--sky",
    YELLOW: "--yellow",
}
TITLE = "title:"
"""If an artist's gid begins with this prefix, browsers show the rest of the gid as a tooltip."""
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}\b")
_FONT = re.compile(r"font: *([\w. ]*?[\d.]+px)[^;]*")


def inline_svg(figure: Figure, name: str, label: str) -> str:
    """Return a figure as an ``<svg>`` element. The page has to define its colours as CSS variables.

    Parameters
    ----------
    figure
        The figure. If the gid of an artist begins with `TITLE`, the rest of the gid becomes a tooltip.
    name
        A prefix for all ids in the SVG. The prefix makes the ids unique in the page.
    label
        A description for screen readers.
    """
    text = io.StringIO()
    with styled(), warnings.catch_warnings():
        # ignore missing glyphs, because the browser has fonts for glyphs that matplotlib does not have
        warnings.filterwarnings("ignore", "Glyph")
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    root = ElementTree.fromstring(text.getvalue().encode())
    for unwanted in root.findall(f"{{{SVG}}}metadata"):
        root.remove(unwanted)
    for element in root.iter():
        _adapt(element, name)
    for size in ("width", "height", "version"):
        root.attrib.pop(size, None)
    root.set("role", "img")
    root.set("aria-label", label)
    return ElementTree.tostring(root, encoding="unicode")


def _adapt(element: ElementTree.Element, name: str) -> None:
    """Adapt an element to the page: set its title, put `name` before ids, and replace colours by CSS variables."""
    identity = element.get("id", "")
    if identity.startswith(TITLE):
        title = ElementTree.Element(f"{{{SVG}}}title")
        title.text = identity.removeprefix(TITLE)
        element.insert(0, title)
        del element.attrib["id"]
    elif identity:
        element.set("id", f"{name}-{identity}")
    link = element.get(f"{{{XLINK}}}href", "")
    if link.startswith("#"):
        element.set(f"{{{XLINK}}}href", f"#{name}-{link[1:]}")
    for attribute in ("clip-path", "style"):
        if value := element.get(attribute):
            element.set(attribute, value.replace("url(#", f"url(#{name}-"))
    if style := element.get("style"):
        style = _COLOUR.sub(lambda match: _variable(match[0]), style)
        element.set("style", _FONT.sub(r"font: \1 var(--font)", style))
    for attribute in ("fill", "stroke"):
        if value := element.get(attribute):
            element.set(attribute, _COLOUR.sub(lambda match: _variable(match[0]), value))


def _variable(colour: str) -> str:
    """Return the CSS variable for a colour, or the colour itself if the page has no variable for it."""
    found = VARIABLES.get(colour.lower())
    return f"var({found})" if found else colour
