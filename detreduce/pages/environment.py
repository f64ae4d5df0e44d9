"""The jinja environment for page templates, with the filters that all pages share. All text is escaped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from importlib.resources import files
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from detreduce.display.numbers import significant
from detreduce.display.terminal_text import visible, visible_lines
from detreduce.pages.class_colours import Looks
from detreduce.pages.pictures import Album, Picture
from detreduce.version import __version__
from detreduce.vocabulary.keeps import keep_in_words

_MARKS = re.compile(r"(?<=[^\W_][/_])()(?=\w)")
ENDS = 14
"""The number of characters that stay visible at the end of a long name when its middle is cut out."""


def make_environment(looks: Looks | None, *packages: str) -> Environment:
    """Create the environment for the templates in this package and in further `packages`.

    `looks` defines how boxes are drawn. It may be None if the page has no pictures.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(name) for name in (*packages, "detreduce.pages")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters.update(
        keep=keep_in_words,
        safe_svg=Markup,
        significant=significant,
        apart=_apart,
        breakable=_breakable,
        cut=_cut,
        in_words=_in_words,
    )
    environment.globals.update(
        thumbnail=_thumbnail(environment),
        outlines=partial(outlines, looks=looks or Looks((), ())),
        version=__version__,
        style=part("detreduce.pages", "page.css"),
        script=part("detreduce.pages", "page.js"),
    )
    return environment


def part(package: str, name: str) -> Markup:
    """Return a style sheet or a script from the templates of a package."""
    return Markup((files(package) / "templates" / name).read_text(encoding="utf-8"))


def _shown(value: Any) -> Any:
    """Return a value as the page shows it. In a text that is not markup, codes replace invisible characters."""
    return visible_lines(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _apart(name: str) -> Markup:
    """Return a name for an HTML attribute or title. Unicode marks isolate the writing direction of the name.

    Elsewhere, the element ``<bdi>`` isolates names, but attributes and titles cannot contain elements.
    """
    return escape(f"\u2068{visible(name)}\u2069")


def _breakable(text: object) -> Markup:
    """Allow line breaks in a text after ``/`` and ``_``, so that narrow pages do not break inside words."""
    return Markup("").join(
        Markup("<wbr>") if not one else escape(one) for one in _MARKS.split(visible_lines(str(text)))
    )


def _cut(name: str) -> Markup:
    """Split a name into two parts, so that the style sheet can shorten a long name in the middle.

    The style sheet cuts off the end of the first part. The beginning and the end of the name stay visible.
    """
    text = visible(name)
    first, last = text[:-ENDS], text[-ENDS:]
    if not first:
        return Markup('<bdi class="name" title="{}"><span>{}</span></bdi>').format(_apart(name), last)
    return Markup('<bdi class="name" title="{}"><span>{}</span><span>{}</span></bdi>').format(_apart(name), first, last)


def _in_words(content: Sequence[tuple[str, int]] | str) -> Markup:
    """Return the classes of an image with their numbers of boxes, or the reason why there are none, as text."""
    if isinstance(content, str):
        return Markup("{}").format(content)
    return Markup(", ").join(Markup("{} {}").format(_apart(name), count) for name, count in content)


def outlines(picture: Picture, looks: Looks) -> Markup:
    """Draw the boxes of a picture as SVG paths, one path for each colour and line style."""
    paths: dict[str, list[str]] = {}
    for x, y, w, h, kind in picture.boxes:
        left, width = round(x * picture.width, 1), round(w * picture.width, 1)
        top, height = round(y * picture.height, 1), round(h * picture.height, 1)
        paths.setdefault(looks.of_class[kind], []).append(f"M{left:g} {top:g}h{width:g}v{height:g}h-{width:g}z")
    return Markup().join(Markup('<path class="box {}" d="{}"/>').format(css, "".join(d)) for css, d in paths.items())


def _thumbnail(environment: Environment) -> Any:
    """Return the function with which templates draw an image together with its boxes and a caption."""
    macro = environment.get_template("thumbnail.html.j2")

    def draw(album: Album, row: int, note: str = "") -> Markup:
        """Return the HTML of the picture of an image."""
        picture = album.pictures[row]
        return Markup(macro.render(picture=picture, identity=f"{album.prefix}{row}", row=row, note=note))

    return draw
