"""Common properties of figures: how they are shown and saved, and how names are written."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from drawn_things import HOSTILE
from PIL import Image

from detreduce.figures import class_bars
from detreduce.figures.style import Figure, short, styled


def test_the_picture_lies_on_white_and_a_saved_figure_on_the_page() -> None:
    figure = class_bars(["a"], [1])
    shown = Image.open(io.BytesIO(figure._repr_png_())).convert("RGBA")
    assert shown.getpixel((0, 0)) == (255, 255, 255, 255)
    assert np.asarray(shown).std() > 0, "something is drawn"
    content = io.BytesIO()
    with styled():
        figure.savefig(content, format="png")
    assert Image.open(content).convert("RGBA").getpixel((0, 0))[3] == 0


def test_what_no_font_has_is_shown_without_a_warning() -> None:
    figure = class_bars(HOSTILE, range(len(HOSTILE)))
    assert isinstance(figure, Figure)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert figure._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a" * 81, "a" * 79 + "…"),
        ("a" * 80, "a" * 80),
        (" a\n\tb ", "a b"),
        ("caf\udce9", "caf\\udce9"),
        ("a\u202eb\x1b", "a\\u202eb\\x1b"),
        (7, "7"),
    ],
)
def test_names_fit_beside_an_axis(name: object, shown: str) -> None:
    assert short(name) == shown
