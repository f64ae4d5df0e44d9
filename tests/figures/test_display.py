"""What a person sees in a notebook: one picture, in a kernel that pyplot was never imported in, and after it was."""

from __future__ import annotations

import base64
import io
import warnings

import nbclient
import nbformat
import numpy as np
import pytest
from drawn_things import HOSTILE
from PIL import Image

from detreduce.figures import class_bars
from detreduce.figures.style import Figure, short, styled

CELLS = (
    "from detreduce.figures import class_bars\nclass_bars(['a'], [1])",
    "import sys\nprint('matplotlib.pyplot' in sys.modules)",
    "figure = class_bars(['a'], [1])",
    "import matplotlib.pyplot\nfigure",
    "figure = class_bars(['a'], [1])",
)


def run_notebook(cells: tuple[str, ...]) -> list[list[dict]]:
    """Execute cells in a fresh kernel; the outputs of each."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    return [cell.outputs for cell in notebook.cells]


def test_the_value_of_a_cell_is_shown_once_with_and_without_pyplot() -> None:
    alone, imported, assigned, beside, again = run_notebook(CELLS)
    assert imported[0]["text"] == "False\n", "the first picture was shown without pyplot"
    for outputs in (alone, beside):
        (shown,) = outputs
        assert shown["output_type"] == "execute_result"
        picture = Image.open(io.BytesIO(base64.b64decode(shown["data"]["image/png"])))
        assert min(picture.size) > 100
    assert assigned == again == [], "what is only assigned is not shown"


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
    [("a" * 81, "a" * 79 + "…"), ("a" * 80, "a" * 80), (" a\n\tb ", "a b"), ("caf\udce9", "caf\\udce9"), (7, "7")],
)
def test_names_fit_beside_an_axis(name: object, shown: str) -> None:
    assert short(name) == shown
