"""The example notebook runs from its first cell to its last, and is stored without outputs."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

REPOSITORY = Path(__file__).resolve().parent.parent.parent
NOTEBOOKS = sorted((REPOSITORY / "docs" / "notebooks").glob("*.ipynb"))
# use the kernel of this Python, whatever kernels are installed
KERNEL = "python3"


def test_there_is_a_notebook() -> None:
    assert [file.name for file in NOTEBOOKS] == ["first_steps.ipynb"]


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_it_is_kept_without_outputs(file: Path) -> None:
    for cell in nbformat.read(file, as_version=4).cells:
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None, "clear all outputs before you commit"


@pytest.mark.train
@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_it_runs(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("YOLO_OFFLINE", "true")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")])))
    notebook = nbformat.read(file, as_version=4)
    client = NotebookClient(notebook, timeout=1800, kernel_name=KERNEL, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    results = [output for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]
    kinds = [kind for output in results for kind in output["data"]]
    assert kinds.count("text/html") >= 4 and kinds.count("image/png") >= 2
    assert (tmp_path / "first-steps" / "reduced" / "selection.json").is_file()
