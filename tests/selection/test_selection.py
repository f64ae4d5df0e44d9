from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stand_in_reducers import ByBoth, ByObjects, ByVectors

from detreduce.arrays.proxy_log import DYNAMICS_COLUMNS
from detreduce.dataset.object_counts import label_objects
from detreduce.dataset.records import DetectionDataset, ImageRecord, Source
from detreduce.duplicates import DuplicatePair, Duplicates
from detreduce.errors import InputError, MissingFileError
from detreduce.features.blocks import blocks_for
from detreduce.features.table import FeatureTable, scale_block
from detreduce.reducers import list_reducers, make_reducer, reducer_class
from detreduce.selection.choose import needs_extraction, select
from detreduce.selection.record import Selection


def make_dataset(n: int = 12, classes: int = 3) -> DetectionDataset:
    records = tuple(
        ImageRecord(
            id=f"images/{row:02}.jpg",
            name=f"{row:02}.jpg",
            path=Path(f"/data/images/{row:02}.jpg"),
            boxes=np.full((1, 4), 0.5),
            class_ids=np.array([row % classes]),
            crowd=np.zeros(1, bool),
        )
        for row in range(n)
    )
    names = tuple("abc"[:classes])
    source = Source("yolo", Path("/data/data.yaml"), Path("/data"))
    return DetectionDataset(records, names, tuple(range(classes)), "cxcywhn", "train", source)


def make_table(dataset: DetectionDataset, rows: list[int] | None = None) -> FeatureTable:
    kept = np.arange(len(dataset)) if rows is None else np.array(rows)
    block = np.random.default_rng(0).normal(size=(len(kept), 4)).astype(np.float32)
    return FeatureTable(dataset, kept, {"image": block})


def test_exactly_k_unique_images_with_scores_in_dataset_order() -> None:
    dataset = make_dataset()
    selection = select(make_table(dataset), method="mms", keep=0.5, seed=0)
    assert len(selection) == 6 == len(set(selection.image_ids))
    assert selection.scores.shape == (12,)
    assert [dataset[row].id for row in selection.indices] == list(selection.image_ids)
    assert not np.isnan(selection.scores[selection.indices]).any()


def test_skipped_images_are_never_chosen_and_have_no_score() -> None:
    dataset = make_dataset()
    selection = select(make_table(dataset, rows=[0, 2, 4, 6, 8, 10]), method="srs", keep=6)
    assert sorted(selection.indices) == [0, 2, 4, 6, 8, 10]
    assert np.isnan(selection.scores[[1, 3, 5, 7, 9, 11]]).all()


def test_a_bare_dataset_is_enough_for_methods_without_features() -> None:
    assert len(select(make_dataset(), method="srs", keep=3)) == 3
    with pytest.raises(InputError, match="extract_features"):
        select(make_dataset(), method="mms", keep=3)


def test_categories_by_rule_and_as_given_are_counted() -> None:
    table = make_table(make_dataset())
    by_rule = select(table, method="srs", keep=6, categories="rarest")
    assert by_rule.categories["full"] == {"a": 4, "b": 4, "c": 4}
    assert by_rule.categories["kept"] == {"a": 2, "b": 2, "c": 2}
    given = select(table, method="srs", keep=6, categories=["x"] * 9 + ["y"] * 3)
    assert given.categories["full"] == {"x": 9, "y": 3}
    with pytest.raises(InputError, match="shape"):
        select(table, method="srs", keep=6, categories=["x"])


def test_must_keep_and_initial_come_first_by_name_or_id() -> None:
    table = make_table(make_dataset())
    earlier = select(table, method="srs", keep=3, seed=5)
    selection = select(table, method="mms", keep=8, must_keep=["07.jpg"], initial=earlier)
    assert selection.image_ids[0] == "images/07.jpg"
    assert set(earlier.image_ids) <= set(selection.image_ids[:4])
    assert len(selection) == 8
    with pytest.raises(InputError, match=r"'images/77\.jpg'.*Did you mean"):
        select(table, method="mms", keep=8, must_keep=["images/77.jpg"])


def test_a_saved_selection_comes_back_whole(tmp_path: Path) -> None:
    table = make_table(make_dataset(), rows=list(range(10)))
    selection = select(table, method="mms", keep=4)
    assert np.isinf(selection.scores).any() and np.isnan(selection.scores).any()
    loaded = Selection.load(selection.save(tmp_path / "new" / "selection.json"))
    assert loaded.image_ids == selection.image_ids
    np.testing.assert_array_equal(loaded.indices, selection.indices)
    np.testing.assert_array_equal(loaded.scores, selection.scores)
    assert (loaded.method, loaded.keep, loaded.seed) == ("mms", 4, 0)
    assert loaded.parameters["start"] == "center"
    assert loaded.provenance["dataset"]["content_hash"] == make_dataset().content_hash
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["selection.json"]


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"image_ids": 3}'])
def test_what_is_no_selection_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "s.json"
    file.write_text(text)
    with pytest.raises(InputError, match="not a selection"):
        Selection.load(file)
    with pytest.raises(MissingFileError):
        Selection.load(tmp_path / "none.json")


def test_the_content_hash_follows_content_not_place() -> None:
    one, other = make_dataset(), make_dataset()
    assert one.content_hash == other.content_hash
    assert one.content_hash != make_dataset(11).content_hash
    assert one.content_hash != make_dataset(classes=2).content_hash


def test_scaled_blocks_weigh_the_same() -> None:
    rng = np.random.default_rng(0)
    for block, standardise in ((rng.normal(5, 100, (50, 1280)), False), (rng.normal(size=(50, 3)) * [1, 50, 0], True)):
        scaled = scale_block(block, standardise=standardise).astype(np.float64)
        np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-6)
        np.testing.assert_allclose((scaled**2).sum(axis=1).mean(), 1, rtol=1e-5)
    assert not scale_block(np.ones((4, 2)), standardise=True).any()


def test_ambiguous_names_and_reserved_parameters_are_refused() -> None:
    dataset = make_dataset(4)
    twins = tuple(replace(record, name="same.jpg") if row < 2 else record for row, record in enumerate(dataset))
    table = make_table(replace(dataset, records=twins))
    with pytest.raises(InputError, match="2 images have the name"):
        select(table, method="srs", keep=3, must_keep=["same.jpg"])
    assert select(table, method="srs", keep=3, must_keep="images/01.jpg").image_ids[0] == "images/01.jpg"
    with pytest.raises(InputError, match="seed="):
        select(table, method="srs", keep=3, random_state=4)


def test_coco_ids_are_found_as_numbers_and_as_text() -> None:
    dataset = make_dataset(4)
    numbered = replace(dataset, records=tuple(replace(record, id=row + 7) for row, record in enumerate(dataset)))
    for wanted in (9, "9", "02.jpg"):
        assert select(make_table(numbered), method="srs", keep=2, must_keep=[wanted]).image_ids[0] == 9


def test_categories_none_is_one_category_and_missing_labels_are_refused() -> None:
    table = make_table(make_dataset())
    assert select(table, method="srs", keep=4, categories=None).categories["full"] == {"0": 12}
    with pytest.raises(InputError, match="row 3"):
        select(table, method="srs", keep=4, categories=[1.0, 2, 2, float("nan"), *range(8)])


def test_names_that_are_not_utf8_survive_the_file(tmp_path: Path) -> None:
    dataset = make_dataset(2)
    odd = tuple(replace(record, id=f"caf\udce9{row}.jpg") for row, record in enumerate(dataset))
    selection = select(make_table(replace(dataset, records=odd)), method="srs", keep=2)
    assert Selection.load(selection.save(tmp_path / "s.json")).image_ids == selection.image_ids


def with_vectors(dataset: DetectionDataset, rows: list[int] | None = None) -> FeatureTable:
    table = make_table(dataset, rows)
    labels = label_objects(dataset).take(table.rows)
    return replace(table, objects=replace(labels, vectors=np.ones((len(labels.counts), 2), np.float32)))


@pytest.mark.usefixtures("stand_in_reducers")
def test_methods_get_the_objects_that_they_declare(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = make_dataset()
    table = with_vectors(dataset, [1, 2, 5])
    with monkeypatch.context() as patch:
        patch.setattr(FeatureTable, "X", property(lambda table: pytest.fail("features are put together for nothing")))
        for cls in (ByObjects, ByVectors):
            assert len(select(table, method=cls.name, keep=2)) == 2
            assert cls.seen == (table.objects, (3, 0))
    select(table, method="by_both", keep=2)
    assert ByBoth.seen == (table.objects, (3, 4))
    select(table, method="mms", keep=2)  # the method refuses objects, so it got no objects


@pytest.mark.usefixtures("stand_in_reducers")
def test_labels_alone_are_enough_for_methods_without_vectors() -> None:
    dataset = make_dataset()
    select(dataset, method="by_objects", keep=3)
    objects, _ = ByObjects.seen
    assert (len(objects), objects.n_classes, objects.vectors) == (12, 3, None)
    assert objects.classes.tolist() == [0, 1, 2] * 4 and objects.counts.tolist() == [1] * 12
    assert objects.size_counts is not None and objects.size_counts[:, 2].tolist() == [1] * 12
    select(make_table(dataset, [1, 5, 9, 10]), method="by_both", keep=3)
    assert ByBoth.seen[0].images.tolist() == [0, 1, 2, 3] and ByBoth.seen[0].classes.tolist() == [1, 2, 0, 1]


@pytest.mark.usefixtures("stand_in_reducers")
def test_object_vectors_that_are_missing_are_asked_for() -> None:
    dataset = make_dataset()
    table = make_table(dataset)
    for source in (dataset, table, replace(table, objects=label_objects(dataset))):
        with pytest.raises(InputError, match=r"'by_vectors' needs object vectors.*blocks=\('objects',\)"):
            select(source, method="by_vectors", keep=3)
    with pytest.raises(InputError, match=r"'by_objects' needs boxes"):
        select(replace(dataset, labelled=False), method="by_objects", keep=3)


def test_which_methods_need_a_table() -> None:
    assert [needs_extraction(cls()) for cls in (ByObjects, ByVectors, ByBoth)] == [False, True, True]
    assert [needs_extraction(make_reducer(name)) for name in ("vps", "gradmatch", "srs")] == [True, True, False]


def test_methods_that_learn_from_a_proxy_get_its_block_and_no_other_unasked() -> None:
    dataset = make_dataset()
    assert blocks_for("vps", ("dynamics",), dataset, "efficientnet-lite0") == ("dynamics",)
    assert blocks_for("vps", ("dynamics",), dataset, "efficientnet-lite0", ("image",)) == ("image", "dynamics")
    everything = ("image", "objects", "annotations", "gradients")
    assert blocks_for("both", ("features", "gradients"), dataset, "efficientnet-lite0") == everything
    with pytest.raises(InputError, match=r"'dynamics'.*: image\."):
        blocks_for("vps", ("dynamics",), replace(dataset, labelled=False), "efficientnet-lite0")
    with pytest.raises(InputError, match=r"'dynamics'.*proxy="):
        select(dataset, "vps", keep=3)


def test_every_parameter_of_every_method_can_be_given_to_select() -> None:
    taken = {name for name, own in inspect.signature(select).parameters.items() if own.kind is not own.VAR_KEYWORD}
    for name in list_reducers():
        assert not taken & set(make_reducer(name).get_params()) - {"keep"}, name


def of_everything(n: int = 48) -> FeatureTable:
    """A table with the blocks that any method needs, and groups of ten images by name."""
    rng = np.random.default_rng(3)
    dataset = make_dataset(n)
    records = tuple(replace(record, class_ids=rng.integers(3, size=1)) for record in dataset.records)
    dataset = replace(dataset, records=records)
    labels = label_objects(dataset)
    vectors = rng.normal(size=(len(labels.counts), 5)).astype(np.float32)
    widths = {"image": 4, "dynamics": len(DYNAMICS_COLUMNS), "gradients": 6, "uncertainty": 3, "disagreement": 1}
    blocks = {name: rng.normal(size=(n, width)).astype(np.float32) for name, width in widths.items()}
    return FeatureTable(dataset, np.arange(n), blocks, objects=replace(labels, vectors=vectors))


COMPOSITIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "first": {"must_keep": ["07.jpg", "31.jpg"], "class_floor": 2},
    "all": {
        "drop_duplicates": True, "must_keep": ["07.jpg"], "class_floor": 2, "groups": r"(\d)\d", "max_per_group": 6
    },
}  # fmt: skip


@pytest.mark.parametrize("composition", COMPOSITIONS)
@pytest.mark.parametrize("method", [name for name in list_reducers() if reducer_class(name).nested])
def test_a_prefix_is_the_selection_at_that_smaller_keep(method: str, composition: str) -> None:
    table = of_everything()
    options = {**COMPOSITIONS[composition], **{"fes": {"epochs": 2}, "extrapolate": {"share": 0.5}}.get(method, {})}
    if "drop_duplicates" in options:
        ids = table.dataset.image_ids
        pairs = tuple(DuplicatePair(ids[row + 1], ids[row], 0.9, "same way up", False) for row in (0, 9, 30))
        options["drop_duplicates"] = Duplicates(tuple((p.kept, p.copy) for p in pairs), pairs, 48, "pixels", 0.85)
    longest = select(table, method, 0.5, 4, **options)
    for keep in (0.5, 0.25, 9, 8):
        one, fitted = longest.prefix(keep), select(table, method, keep, 4, **options)
        assert one.image_ids == fitted.image_ids and one.indices.tolist() == fitted.indices.tolist()
        assert (one.keep, one.categories, one.steps) == (fitted.keep, fitted.categories, fitted.steps)
        assert one.provenance["duplicates"] == fitted.provenance["duplicates"]
        np.testing.assert_allclose(one.scores[one.indices], fitted.scores[fitted.indices], rtol=1e-6)


def test_what_is_no_prefix_is_refused(tmp_path: Path) -> None:
    table = make_table(make_dataset(), [0, 1, 2, 3, 5, 6, 7, 8])
    selection = Selection.load(select(table, "mms", 0.5, must_keep=["01.jpg", "02.jpg"]).save(tmp_path / "s.json"))
    assert len(selection.prefix(0.25)) == 2, "a quarter of the eight that can be read"
    for keep, said in ((5, "5 images.* 2 to 4"), (1, "1 image.* 2 to 4")):
        with pytest.raises(InputError, match=said):
            selection.prefix(keep)
    with pytest.raises(InputError, match="'clc' is not nested"):
        select(table, "clc", 4).prefix(2)


def test_a_selection_in_parts_composes_and_says_so(tmp_path: Path) -> None:
    """Named images come first, floors hold, duplicates are left out, and the file has the number of parts."""
    dataset = make_dataset(90, classes=3)
    pair = DuplicatePair("images/07.jpg", "images/08.jpg", 1.0, "same way up", True)
    chosen = select(
        make_table(dataset),
        "prd",
        0.3,
        partitions=4,
        must_keep=["33.jpg"],
        exclude=["34.jpg"],
        class_floor={"c": 12},
        groups=[f"video {row // 9}" for row in range(90)],
        max_per_group=4,
        drop_duplicates=Duplicates(((pair.kept, pair.copy),), (pair,), 90, "pixels", 0.85),
    )
    assert len(chosen) == 27 and chosen.indices[0] == 33
    assert not {34, 7} & set(chosen.indices.tolist())
    assert np.bincount(chosen.indices // 9).max() <= 4
    assert (chosen.indices % 3 == 2).sum() >= 12
    again = Selection.load(chosen.save(tmp_path / "selection.json"))
    assert again.partitions == 4 == again.steps[-1]["partitions"]
    with pytest.raises(InputError, match="partitions"):
        again.prefix(20)
    with pytest.raises(InputError, match="srs"):
        select(dataset, "srs", partitions=4)
