"""A selection in a notebook."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detreduce.dataset.records import DetectionDataset, ImageRecord, Source
from detreduce.errors import InputError
from detreduce.features.table import FeatureTable
from detreduce.selection.choose import select
from detreduce.selection.record import Selection


@pytest.fixture
def dataset() -> DetectionDataset:
    """Eight images, six with a box of the first class, two of the second."""

    def record(row: int) -> ImageRecord:
        path = Path(f"/data/images/{row}.jpg")
        return ImageRecord(path.name, path.name, path, np.full((1, 4), 0.5), np.array([row // 6]), np.zeros(1, bool))

    source = Source("yolo", Path("/data/<b>.yaml"), Path("/data"))
    return DetectionDataset(tuple(map(record, range(8))), ("$x$", "<script>"), (0, 1), "cxcywhn", "train", source)


@pytest.fixture
def features(dataset: DetectionDataset) -> FeatureTable:
    """Seven of the images lie on a line; the third image could not be read."""
    rows = np.array([0, 1, 3, 4, 5, 6, 7])
    block = np.column_stack([rows, 2 * rows]).astype(np.float32)
    return FeatureTable(dataset, rows, {"image": block}, {"blocks": ["image"]})


@pytest.fixture
def selection(features: FeatureTable) -> Selection:
    return select(features, method="mms", keep=4)


def test_the_table_says_what_chose_what_from_what(selection: Selection) -> None:
    page = selection._repr_html_()
    assert "Selection: 4 of 8 images" in page
    for name, value in (
        ("method", "mms"),
        ("start", "center"),
        ("keep", 4),
        ("seed", 0),
        ("dataset", "/data/&lt;b&gt;.yaml"),
    ):
        assert f'<th scope="row">{name}</th><td dir="auto">{value}</td>' in page
    assert "<script" not in page
    kept = selection.categories["kept"]
    for name, images, shown in (("$x$", 5, "$x$"), ("<script>", 2, "&lt;script&gt;")):
        number = '<td class="number">'
        assert (
            f"{shown}</td>{number}{images}</td>{number}{kept[name]}</td>{number}{kept[name] / images:.0%}</td>" in page
        )


def test_without_features_the_picture_is_of_the_categories(selection: Selection) -> None:
    (axes,) = selection.plot().axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["$x$", "<script>"]
    full, kept = ([bar.get_width() for bar in bars] for bars in axes.containers)
    assert full == [5, 2]
    assert kept == [selection.categories["kept"][name] for name in ("$x$", "<script>")]


def test_with_features_it_is_a_map_of_kept_and_dropped(selection: Selection, features: FeatureTable) -> None:
    (axes,) = selection.plot(features).axes
    dropped, kept = (mark.get_offsets()[:, 0] for mark in axes.collections)
    assert len(kept) == 4 and len(dropped) == 3
    # all images lie on a line, which is their first component
    place = {row: number for number, row in enumerate(features.rows.tolist())}
    wanted = sorted(place[row] for row in selection.indices.tolist())
    order = np.argsort(np.argsort([*kept, *dropped]))[:4].tolist()
    assert sorted(order) in (wanted, sorted(6 - number for number in wanted))
    assert "100%" in axes.get_xlabel()


def test_features_of_another_dataset_are_refused(selection: Selection, features: FeatureTable) -> None:
    other = replace(features.dataset, records=features.dataset.records[:7])
    table = FeatureTable(other, np.arange(7), features.blocks)
    with pytest.raises(InputError, match=r"7 images.*8 images"):
        selection.plot(table)
    with pytest.raises(InputError, match=r"7 images.*8 images"):
        selection.to_frame(other)


def test_features_without_columns_are_refused(selection: Selection, features: FeatureTable) -> None:
    with pytest.raises(InputError, match="no features to draw"):
        selection.plot(replace(features, blocks={}))


def test_a_row_an_image_kept_or_dropped(selection: Selection, dataset: DetectionDataset) -> None:
    frame = selection.to_frame(dataset)
    assert frame["image_id"].tolist() == dataset.image_ids == frame["name"].tolist()
    chosen = frame[frame["kept"]].sort_values("rank")
    assert chosen["image_id"].tolist() == list(selection.image_ids)
    assert chosen["rank"].tolist() == [1, 2, 3, 4]
    assert frame.loc[~frame["kept"], "rank"].isna().all()
    np.testing.assert_array_equal(frame["score"], selection.scores)
    assert frame["category"].tolist() == ["$x$", "$x$", None, "$x$", "$x$", "$x$", "<script>", "<script>"]


def test_without_the_dataset_only_kept_images_have_a_name(selection: Selection) -> None:
    frame = selection.to_frame()
    assert len(frame) == 8 and "name" not in frame
    assert frame.loc[frame["kept"], "image_id"].notna().all()
    assert frame.loc[~frame["kept"], "image_id"].isna().all()
    assert frame["image_id"][selection.indices[0]] == selection.image_ids[0]


def test_selections_of_old_files_are_shown_too(selection: Selection) -> None:
    old = replace(selection, category_codes=None, provenance={}, steps=(), categories={})
    assert "Selection: 4 of 8 images" in old._repr_html_()
    assert "category" not in old.to_frame()
    assert not old.plot().axes[0].containers[0]


def test_a_saved_one_is_drawn_as_before(selection: Selection, features: FeatureTable, tmp_path: Path) -> None:
    loaded = Selection.load(selection.save(tmp_path / "s.json"))
    one, other = (item.plot(features).axes[0].collections[1].get_offsets() for item in (selection, loaded))
    np.testing.assert_array_equal(one, other)
    assert loaded._repr_html_() == selection._repr_html_()
