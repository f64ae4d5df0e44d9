"""The output of a notebook that runs in its own kernel: tables, and each picture once."""

from __future__ import annotations

import base64
import io
import json

import nbclient
import nbformat
import pytest
from PIL import Image

CELLS = {
    "dataset": "import detreduce as dr\ndataset = dr.load_dataset('data.yaml', split='train')\ndataset",
    "selected": "features = dr.extract_features(dataset, blocks=('annotations',))\n"
    "selection = dr.select(features, method='mms', keep=2)",
    "selection": "selection",
    "map": "selection.plot(features)",
    "without pyplot": "import sys\nprint('matplotlib.pyplot' in sys.modules)",
    "assigned": "figure = selection.plot()",
    "beside pyplot": "import matplotlib.pyplot\nfigure",
    "assigned beside pyplot": "figure = dataset.plot()",
    "ledger": "dr.Ledger('.')",
    "frame": "selection.to_frame(dataset)",
}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict]]:
    """The outputs of each cell."""
    folder = tmp_path_factory.mktemp("notebook")
    for name in "abcd":
        for kind in ("images", "labels"):
            (folder / kind).mkdir(exist_ok=True)
        Image.new("RGB", (64, 64), "navy").save(folder / "images" / f"{name}.png")
        (folder / "labels" / f"{name}.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    content = {"train": "images", "val": "images", "names": ["<script>document.title = 'run'</script>"]}
    (folder / "data.yaml").write_text(json.dumps(content))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS.values()])
    nbclient.NotebookClient(
        notebook, timeout=1800, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    return {name: cell.outputs for name, cell in zip(CELLS, notebook.cells, strict=True)}


@pytest.mark.parametrize(
    ("cell", "says"), [("dataset", "DetectionDataset"), ("selection", "2 of 4"), ("ledger", "Ledger: ")]
)
def test_objects_are_tables_that_run_nothing(shown: dict[str, list[dict]], cell: str, says: str) -> None:
    (output,) = shown[cell]
    page = output["data"]["text/html"]
    assert says in page and "<script" not in page


def test_a_figure_is_shown_once_with_and_without_pyplot(shown: dict[str, list[dict]]) -> None:
    assert shown["without pyplot"][0]["text"] == "False\n", "the first picture was shown without it"
    for cell in ("map", "beside pyplot"):
        (output,) = shown[cell]
        assert output["output_type"] == "execute_result"
        picture = Image.open(io.BytesIO(base64.b64decode(output["data"]["image/png"])))
        assert min(picture.size) > 100


def test_a_selection_shows_kept_and_dropped_images(shown: dict[str, list[dict]]) -> None:
    page = shown["selection"][0]["data"]["text/html"]
    assert page.index("First kept") < page.index("Some dropped") and page.count("data:image/jpeg") == 4


@pytest.mark.parametrize("cell", ["selected", "assigned", "assigned beside pyplot"])
def test_what_is_only_assigned_is_not_shown(shown: dict[str, list[dict]], cell: str) -> None:
    assert [output for output in shown[cell] if "data" in output] == []


def test_frames_are_those_of_pandas(shown: dict[str, list[dict]]) -> None:
    assert "dataframe" in shown["frame"][0]["data"]["text/html"]
