"""FiftyOne and LightlyStudio read the exports. Without these programs, the tests are skipped.

Both are too large for the extra `dev`. The extra has labelformat, with which LightlyStudio reads COCO.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

import detreduce as dr


@pytest.fixture
def dataset(tmp_path: Path) -> dr.DetectionDataset:
    for number in range(6):
        name = f"{number % 2}/{number}"
        image, label = tmp_path / f"in/images/{name}.png", tmp_path / f"in/labels/{name}.txt"
        for place in (image, label):
            place.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (80, 40), (40 * number, 90, 90)).save(image)
        label.write_text(f"{number % 2} 0.5 0.5 0.25 0.5\n" if number else "")
    (tmp_path / "in/data.yaml").write_text("train: images\nnames: [cat, dog]\n")
    return dr.load_dataset(tmp_path / "in/data.yaml")


@pytest.fixture
def selection(dataset: dr.DetectionDataset) -> dr.Selection:
    return dr.select(dataset, "srs", keep=2, seed=3)


def test_fiftyone_reads_its_folder(dataset, selection, tmp_path, monkeypatch):
    """Use the importer of `fo.Dataset.from_dir`. The call itself needs the database, which is not started."""
    monkeypatch.setenv("FIFTYONE_DO_NOT_TRACK", "1")
    types = pytest.importorskip("fiftyone.types")
    importers = pytest.importorskip("fiftyone.utils.data.importers")
    folder = dr.export_selection(dataset, selection, tmp_path / "out", form="fiftyone")
    importer, _ = importers.build_dataset_importer(types.FiftyOneDataset, dataset_dir=str(folder))
    importer = importers._handle_legacy_formats(importer)
    with importer:
        samples = list(importer)
        info = importer.get_dataset_info()
    assert info["default_classes"] == ["cat", "dog"]
    assert info["detreduce"]["method"] == "srs"
    by_id = {sample["image_id"]: sample for sample in samples}
    assert list(by_id) == dataset.image_ids
    for record in dataset:
        sample = by_id[record.id]
        kept = record.id in selection.image_ids
        assert Path(sample.filepath).samefile(record.path)
        assert (sample["kept"], "kept" in sample.tags) == (kept, kept)
        assert [box.label for box in sample["ground_truth"].detections] == [
            dataset.class_names[key] for key in record.class_ids
        ]
    ranked = sorted((sample["rank"], key) for key, sample in by_id.items() if sample["kept"])
    assert [key for _, key in ranked] == list(selection.image_ids)


def test_what_lightly_studio_reads_coco_with_reads_its_folder(dataset, selection, tmp_path):
    coco = pytest.importorskip("labelformat.formats.coco")
    folder = dr.export_selection(dataset, selection, tmp_path / "out", form="lightly-studio")
    read = coco.COCOObjectDetectionInput(folder / "annotations.json")
    assert [category.name for category in read.get_categories()] == ["cat", "dog"]
    found = list(read.get_labels())
    by_content = {record.path.read_bytes(): record for record in dataset}
    assert len(found) == len(by_content) == len(dataset)
    for label in found:
        record = by_content[(folder / "images" / label.image.filename).read_bytes()]
        # the first folder becomes the tag
        assert label.image.filename.split("/")[0] == ("kept" if record.id in selection.image_ids else "dropped")
        assert (label.image.width, label.image.height) == (80, 40)
        assert [one.category.name for one in label.objects] == [dataset.class_names[key] for key in record.class_ids]
        for one in label.objects:
            assert (one.box.xmin, one.box.ymin, one.box.xmax, one.box.ymax) == pytest.approx((30, 10, 50, 30))


def test_lightly_studio_reads_its_folder(dataset, selection, tmp_path, monkeypatch):
    # otherwise it would contact a server of its maker
    monkeypatch.setenv("LIGHTLY_STUDIO_ANALYTICS_ENABLED", "false")
    ls = pytest.importorskip("lightly_studio")
    folder = dr.export_selection(dataset, selection, tmp_path / "out", form="lightly-studio")
    ls.db_manager.connect(db_file=str(tmp_path / "studio.db"), cleanup_existing=True)
    try:
        studio = ls.ImageDataset.create(name="kept and dropped")
        studio.add_samples_from_coco(
            annotations_json=folder / "annotations.json",
            images_path=folder / "images",
            tag_depth=1,
            embed=False,
            embed_annotations=False,
        )
        tags = {Path(sample.file_path_abs).name: set(sample.tags) for sample in studio}
    finally:
        ls.db_manager.close()
    assert tags == {record.path.name: {"kept" if record.id in selection.image_ids else "dropped"} for record in dataset}
