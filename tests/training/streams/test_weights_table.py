from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detreduce.dataset import DetectionDataset, load_dataset
from detreduce.errors import InputError
from detreduce.training.streams.table import read_weights, weights_csv


@pytest.fixture
def dataset(tiny: Path) -> DetectionDataset:
    return load_dataset(tiny)


def test_a_written_table_reads_back_exactly(dataset: DetectionDataset, tmp_path: Path) -> None:
    weights = np.random.default_rng(0).random(len(dataset))
    file = tmp_path / "weights.csv"
    file.write_bytes(weights_csv(dataset, weights))
    assert file.read_text().splitlines()[0] == "image,weight"
    np.testing.assert_array_equal(read_weights(file, dataset), weights)


def test_a_table_of_all_images_serves_a_subset_and_images_have_several_names(
    dataset: DetectionDataset, tmp_path: Path
) -> None:
    small = DetectionDataset(**{**vars(dataset), "records": dataset.records[:3]})
    first, second, third = small
    file = tmp_path / "weights.csv"
    file.write_text(
        f"weight,comment,image\n1,,{first.path}\n2,,{second.id}\n0,x,{third.name}\n7,,{dataset[9].name}\n\n"
    )
    assert read_weights(file, small).tolist() == [1, 2, 0]


def test_names_that_a_spreadsheet_would_run_read_back(tiny: Path, tmp_path: Path) -> None:
    images = tiny.parent / "train/images"
    (images / "000.jpg").rename(images / "=1+1.jpg")
    dataset = load_dataset(tiny)
    file = tmp_path / "weights.csv"
    file.write_bytes(weights_csv(dataset, np.ones(len(dataset))))
    assert "'=1+1.jpg" in file.read_text()
    assert read_weights(file, dataset).tolist() == [1.0] * len(dataset)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda lines: ["name,weight", *lines[1:]], r":1: the columns are name, weight"),
        (lambda lines: [], r":1: the columns are empty"),
        (lambda lines: lines[:-1], r"no weight for 1 of 24 images: 023\.jpg"),
        (lambda lines: [*lines[:-1], "x.jpg,1"], r"'x\.jpg' is not an image"),
        (lambda lines: [*lines, lines[4]], r":26: 003\.jpg is also on line 5"),
        (lambda lines: [*lines[:-1], "023.jpg,-1"], r":25: '-1'"),
        (lambda lines: [*lines[:-1], "023.jpg,nan"], r":25: 'nan'"),
        (lambda lines: [*lines[:-1], "023.jpg,heavy"], r":25: 'heavy'"),
        (lambda lines: [*lines[:-1], "023.jpg"], r":25: this line has no weight"),
        (lambda lines: [lines[0], *(line.partition(",")[0] + ",0" for line in lines[1:])], r"all weights are 0"),
    ],
)
def test_a_bad_table_names_its_line(dataset: DetectionDataset, tmp_path: Path, change, named: str) -> None:
    file = tmp_path / "weights.csv"
    lines = weights_csv(dataset, np.ones(len(dataset))).decode().splitlines()
    file.write_text("\n".join(change(lines)) + "\n")
    with pytest.raises(InputError, match=named):
        read_weights(file, dataset)
