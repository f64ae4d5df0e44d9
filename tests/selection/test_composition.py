from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from detreduce.arrays.object_table import ObjectTable
from detreduce.dataset.health.identical_files import identical_files
from detreduce.dataset.object_counts import label_objects
from detreduce.dataset.records import DetectionDataset, ImageRecord, Problem, Source
from detreduce.duplicates import DuplicatePair, Duplicates, near_duplicates
from detreduce.errors import DetreduceWarning, InputError
from detreduce.features.table import FeatureTable
from detreduce.reducers import reducer_class
from detreduce.selection.choose import select
from detreduce.selection.composition import check_composition, compose
from detreduce.selection.named_images import image_rows
from detreduce.selection.record import Selection
from detreduce.selection.request import CompositionRequest

CLASSES = ("ant", "bee", "cow")


def dataset_of(classes: list[list[int]], folder: Path = Path("/nowhere")) -> DetectionDataset:
    """One image for each list of classes, one box for each entry, called 00.png, 01.png, ..."""
    records = tuple(
        ImageRecord(
            id=f"images/{row:02}.png",
            name=f"{row:02}.png",
            path=folder / f"{row:02}.png",
            boxes=np.full((len(ids), 4), 0.5),
            class_ids=np.array(ids, np.int64),
            crowd=np.zeros(len(ids), bool),
        )
        for row, ids in enumerate(classes)
    )
    return DetectionDataset(records, CLASSES, (0, 1, 2), "cxcywhn", "train", Source("yolo", folder, folder))


def table_of(dataset: DetectionDataset) -> FeatureTable:
    block = np.random.default_rng(0).normal(size=(len(dataset), 5)).astype(np.float32)
    return FeatureTable(dataset, np.arange(len(dataset)), {"image": block})


def copies(*pairs: tuple[int, int]) -> Duplicates:
    """For each pair (copy, kept), image `copy` shows the same as image `kept`."""
    found = tuple(DuplicatePair(f"images/{c:02}.png", f"images/{k:02}.png", 0.9, "mirrored", False) for c, k in pairs)
    return Duplicates(tuple((pair.kept, pair.copy) for pair in found), found, 12, "pixels", 0.85)


@pytest.fixture
def pictures(tmp_path: Path) -> DetectionDataset:
    """Twelve images of noise; 1 is 0 mirrored, 5 is a copy of 4, byte for byte."""
    rng = np.random.default_rng(0)
    for row in range(12):
        pixels = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{row:02}.png")
    Image.fromarray(np.asarray(Image.open(tmp_path / "00.png"))[:, ::-1]).save(tmp_path / "01.png")
    (tmp_path / "05.png").write_bytes((tmp_path / "04.png").read_bytes())
    return dataset_of([[row % 3] for row in range(12)], tmp_path)


def test_the_steps_come_in_order_and_keep_is_the_final_size(pictures: DetectionDataset) -> None:
    selection = select(
        table_of(pictures), "mms", keep=0.5, drop_duplicates=True, must_keep=["07.png"], class_floor=2, seed=3
    )
    assert len(selection) == 6, "a fraction is of all twelve images"
    assert [step["step"] for step in selection.steps] == ["drop_duplicates", "must_keep", "class_floor", "method"]
    assert selection.image_ids[0] == "images/07.png"
    assert not {"images/00.png", "images/01.png"} <= set(selection.image_ids)
    assert selection.steps[0]["dropped"] == 2
    counts = pictures.class_counts[selection.indices[:6]] > 0
    assert (counts.sum(axis=0) == 2).all()
    assert selection.steps[3] == {"step": "method", "name": "mms", "images": 0}
    # 7 is of class 1, so one more of class 1 and two of each other class fill the floor
    assert len(selection.steps[2]["images"]) == 5


def test_objects_are_those_of_the_images_that_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = dataset_of([[row % 3] * (row + 1) for row in range(6)])
    given: list[ObjectTable] = []
    cls = reducer_class("class_coverage")
    fit = cls.fit

    def noted(self: Any, *arguments: Any, **options: Any) -> Any:
        given.append(options["objects"])
        return fit(self, *arguments, **options)

    monkeypatch.setattr(cls, "fit", noted)
    monkeypatch.setattr("detreduce.selection.duplicate_search.identical_files", lambda paths: [])
    with_objects = replace(table_of(dataset), objects=label_objects(dataset))
    for source in (dataset, with_objects):
        select(source, "class_coverage", keep=2, drop_duplicates=copies((1, 0), (3, 2)))
        objects = given.pop()
        assert objects.n_images == 4
        assert objects.classes.tolist() == [0, 2, 1, 2] and objects.counts.tolist() == [1, 3, 5, 6]


def test_no_more_of_a_group_than_allowed() -> None:
    dataset = dataset_of([[row % 3] for row in range(12)])
    # 00 to 09 are of group 0, 10 and 11 of group 1
    selection = select(dataset, "srs", keep=4, groups=r"(\d)\d\.png", max_per_group=2, initial=["images/07.png"])
    assert sorted(image[-6] for image in selection.image_ids) == ["0", "0", "1", "1"]
    assert selection.steps[-1]["groups"] == r"(\d)\d\.png" and selection.steps[-1]["max_per_group"] == 2
    given = select(dataset, "srs", keep=4, groups=[0] * 10 + [1] * 2, max_per_group=2, initial=["images/07.png"])
    assert given.image_ids == selection.image_ids and given.steps[-1]["groups"] == "given"
    with pytest.raises(InputError, match=r"max_per_group=2 .* 4 "):
        select(dataset, "srs", keep=5, groups=r"(\d)\d\.png", max_per_group=2)
    with pytest.raises(InputError, match="groups="):
        select(dataset, "srs", keep=5, groups="folder")
    with pytest.raises(InputError, match="groups="):
        select(dataset, "srs", keep=5, max_per_group=3)


def test_the_limit_on_groups_is_checked_before_an_image_is_opened() -> None:
    dataset = dataset_of([[0]] * 12)
    check_composition(dataset, 4, CompositionRequest(groups=r"(\d)\d\.png", max_per_group=2))
    for options, said in (
        ({"groups": r"(\d)\d\.png", "max_per_group": 2}, "max_per_group=2 .* 4 "),
        ({"groups": "(a)", "max_per_group": 2}, "'00.png'"),
        ({"max_per_group": 2}, "groups="),
        (
            {"groups": "folder", "max_per_group": 5, "must_keep": [f"0{i}.png" for i in range(6)]},
            "6 of the images that must be kept are in group",
        ),
    ):
        with pytest.raises(InputError, match=said):
            check_composition(dataset, 6, CompositionRequest.of(**options))


def test_stride_takes_groups_without_a_limit() -> None:
    dataset = dataset_of([[0]] * 12)
    selection = select(dataset, "stride", keep=3, groups=r"(\d)\d\.png")
    assert selection.indices.tolist() == [0, 10, 5]


def test_dropped_images_have_no_score_and_are_never_chosen(pictures: DetectionDataset) -> None:
    selection = select(table_of(pictures), "mms", keep=10, drop_duplicates=True)
    assert len(selection) == 10
    [dropped_mirror] = {0, 1} - set(selection.indices.tolist())
    [dropped_copy] = {4, 5} - set(selection.indices.tolist())
    assert np.isnan(selection.scores[[dropped_mirror, dropped_copy]]).all()
    assert np.isfinite(np.delete(selection.scores, [dropped_mirror, dropped_copy])).any()
    assert sum(selection.categories["full"].values()) == 12
    assert sum(selection.categories["kept"].values()) == 10


def test_more_than_is_left_cannot_be_kept(pictures: DetectionDataset) -> None:
    with pytest.raises(InputError, match=r"11 images should be kept, but only 10 of 12 images.*at most 10"):
        select(pictures, "srs", keep=11, drop_duplicates=True)
    with pytest.raises(InputError, match="at most 10"):
        select(pictures, "srs", keep=1.0, drop_duplicates=0.8)
    assert len(select(pictures, "srs", keep=11, drop_duplicates="exact")) == 11


def test_named_images_are_dropped_as_no_duplicate(pictures: DetectionDataset) -> None:
    names = ["00.png", "01.png", "05.png"]
    selection = select(pictures, "srs", keep=11, drop_duplicates=True, must_keep=names)
    assert set(selection.image_ids) == {record.id for record in pictures} - {"images/04.png"}
    again = select(pictures, "srs", keep=11, drop_duplicates=True, initial=[f"images/{name}" for name in names])
    assert set(again.image_ids) == set(selection.image_ids)
    assert again.provenance["duplicates"]["kept_twice"] == 0


def test_duplicates_are_reported_whether_dropped_or_not(pictures: DetectionDataset) -> None:
    plain = select(pictures, "srs", keep=1.0).provenance["duplicates"]
    assert plain["looked_for"] == "identical files"
    assert [(pair["copy"], pair["kept"]) for pair in plain["pairs"]] == [("images/05.png", "images/04.png")]
    assert plain["kept_twice"] == 1
    dropped = select(pictures, "srs", keep=5, drop_duplicates=True).provenance["duplicates"]
    assert dropped["looked_for"] == "near-duplicates by pixels with a similarity of at least 0.85"
    assert {pair["exact"] for pair in dropped["pairs"]} == {True, False}
    assert dropped["kept_twice"] == 0


def test_what_was_found_before_is_used_as_it_is() -> None:
    table = table_of(dataset_of([[row % 3] for row in range(12)]))
    found = copies((3, 2), (9, 8))
    selection = select(table, "srs", keep=10, drop_duplicates=found)
    assert {"images/03.png", "images/09.png"}.isdisjoint(selection.image_ids)
    kept = select(table, "srs", keep=11, drop_duplicates=found, must_keep=["03.png"])
    assert set(kept.image_ids) == {f"images/{row:02}.png" for row in range(12)} - {"images/09.png"}


def test_an_image_is_not_dropped_for_one_that_is_not_there() -> None:
    whole = table_of(dataset_of([[0]] * 12))
    table = whole.take(np.array([0, 1, 3, 4]))
    assert len(select(table, "srs", keep=1.0, drop_duplicates=copies((3, 2)))) == 4


def test_features_categories_and_groups_follow_the_images_that_are_left() -> None:
    dataset = dataset_of([[row % 3] for row in range(12)])
    table = table_of(dataset)
    without = table.take(np.array([row for row in range(12) if row not in (3, 9)]))
    dropped = select(table, "mms", keep=5, drop_duplicates=copies((3, 2), (9, 8)), categories=list("aabbaabbaabb"))
    taken = select(without, "mms", keep=5, categories=list("aabaabbabb"))
    assert dropped.image_ids == taken.image_ids
    composed = compose(table, 5, CompositionRequest(copies((3, 2), (9, 8))))
    assert composed.take(np.arange(12), "groups").tolist() == [0, 1, 2, 4, 5, 6, 7, 8, 10, 11]
    with pytest.raises(InputError, match="groups has shape"):
        composed.take(np.arange(10), "groups")


def test_a_table_takes_its_objects_along() -> None:
    table = table_of(dataset_of([[0], [1, 1], [2]]))
    assert table.take(np.array([1, 2])).image_ids == ["images/01.png", "images/02.png"]
    assert ObjectTable.from_boxes([0, 1, 1, 2], [0, 1, 1, 2], 3, 3).take([1, 2]).counts.tolist() == [2, 1]


def test_an_earlier_selection_goes_on_when_new_images_have_come() -> None:
    old = dataset_of([[row % 3] for row in range(6)])
    new = dataset_of([[row % 3] for row in range(12)])
    earlier = select(table_of(old), "mms", keep=3)
    later = select(table_of(new), "mms", keep=7, initial=earlier)
    assert later.image_ids[:3] == earlier.image_ids
    assert len(set(later.image_ids)) == 7
    assert {step["step"] for step in later.steps} == {"initial", "method"}
    # the new images are candidates; with the remaining old images left out, they are the only candidates
    only_new = select(table_of(new), "mms", keep=12, initial=earlier)
    assert {f"images/{row:02}.png" for row in range(6, 12)} <= set(only_new.image_ids)
    assert any(image > "images/05.png" for image in later.image_ids)
    # the same images now stand among the new ones: only the ids must match, not the rows
    moved = replace(new, records=new.records[6:] + new.records[:6])
    assert set(select(table_of(moved), "srs", keep=4, initial=earlier).image_ids) > set(earlier.image_ids)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"must_keep": ["00.png", "01.png", "02.png"]}, "3 images are named .*at least 3"),
        ({"class_floor": 1}, "class_floor needs 3 images.*at least 3"),
        ({"must_keep": ["0.png"]}, "'0.png' .*Did you mean"),
        ({"class_floor": {"bea": 1}}, "Did you mean 'bee'"),
        ({"class_floor": -1}, "class_floor=-1"),
        ({"class_floor": True}, "class_floor=True"),
        ({"drop_duplicates": "exat"}, "Did you mean 'exact'"),
        ({"drop_duplicates": 7}, "threshold=7"),
    ],
)
def test_what_cannot_be_is_said(options: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        select(dataset_of([[row % 3] for row in range(12)]), "srs", keep=2, **options)


def test_a_floor_for_one_class_and_for_a_class_with_too_few_images() -> None:
    dataset = dataset_of([[0]] * 8 + [[0, 1]] * 2 + [[]] * 2)
    for seed in range(5):
        selection = select(dataset, "srs", keep=3, class_floor={"bee": 1}, seed=seed)
        assert dataset.class_counts[selection.indices][:, 1].any()
    every = select(dataset, "srs", keep=4, class_floor=3)
    held = dataset.class_counts[every.indices] > 0
    assert held.sum(axis=0).tolist()[1] == 2, "both that there are"
    assert held.sum(axis=0)[0] >= 3
    assert every.steps[0]["floor"] == {"ant": 3, "bee": 3, "cow": 3}


def test_the_floor_does_not_depend_on_the_order_of_the_rows() -> None:
    dataset = dataset_of([[row % 3] for row in range(12)])
    shuffled = replace(dataset, records=dataset.records[::-1])
    request = CompositionRequest(class_floor=2)
    chosen = [set(compose(table_of(d), 12, request, seed=1).steps[0]["images"]) for d in (dataset, shuffled)]
    assert chosen[0] == chosen[1]
    other = [set(compose(table_of(dataset), 12, request, seed=s).steps[0]["images"]) for s in range(6)]
    assert len({frozenset(item) for item in other}) > 1


def test_names_that_fit_several_images_are_refused() -> None:
    dataset = dataset_of([[0], [1]])
    twins = replace(dataset, records=tuple(replace(record, name="same.png") for record in dataset))
    with pytest.raises(InputError, match="2 images have the name"):
        image_rows(table_of(twins), ["same.png"])


def test_identical_files_are_those_of_equal_bytes(tmp_path: Path) -> None:
    big = bytes(range(256)) * 40
    contents = [big, big, b"x" + big[1:], b"short", b"short", b"longer", b"", b""]
    paths = []
    for place, content in enumerate(contents):
        paths.append(tmp_path / str(place))
        paths[-1].write_bytes(content)
    assert identical_files([*paths, tmp_path / "none"]) == [[0, 1], [3, 4], [6, 7]]
    assert identical_files([]) == []


def test_the_steps_come_back_from_the_file(pictures: DetectionDataset, tmp_path: Path) -> None:
    selection = select(pictures, "srs", keep=6, drop_duplicates=near_duplicates(pictures), class_floor={"ant": 1})
    loaded = Selection.load(selection.save(tmp_path / "selection.json"))
    assert [dict(step) for step in loaded.steps] == [dict(step) for step in selection.steps]
    np.testing.assert_array_equal(loaded.category_codes, selection.category_codes)
    assert loaded.provenance["duplicates"] == selection.provenance["duplicates"]


def test_a_floor_keeps_to_the_limit_on_groups() -> None:
    dataset = dataset_of([[0], [0], [0], [1], [1], [2], [2], [2]])
    groups = ["a"] * 5 + ["b"] * 3
    selection = select(table_of(dataset), "srs", keep=5, class_floor=2, groups=groups, max_per_group=3)
    taken = [int(image[7:9]) for image in selection.image_ids]
    assert sum(row < 5 for row in taken) <= 3
    assert len(taken) == 5
    # the floor asks for four ants and bees, and three fit
    assert selection.steps[-2]["step"] == "class_floor"
    assert len(selection.steps[-2]["images"]) == 3 + 2
    with pytest.raises(InputError, match=r"class_floor needs 6 images.*at least 6"):
        select(table_of(dataset), "srs", keep=5, class_floor=2)


def table_without(dataset: DetectionDataset, lost: list[int]) -> FeatureTable:
    whole = table_of(dataset)
    rows = np.setdiff1d(np.arange(len(dataset)), lost)
    problems = tuple(Problem(dataset[row].path, "skipped: broken") for row in lost)
    return replace(whole.take(rows), problems=problems)


def test_a_fraction_is_of_all_images_also_of_those_that_cannot_be_read() -> None:
    dataset = dataset_of([[row % 3] for row in range(12)])
    table = table_without(dataset, [2, 7])
    assert len(select(table, "mms", keep=0.5)) == len(select(dataset, "srs", keep=0.5)) == 6
    with pytest.raises(InputError, match="11 images should be kept, but only 10 of 12 could be read"):
        select(table, "mms", keep=11)


def test_what_cannot_be_read_any_more() -> None:
    dataset = dataset_of([[row % 3] for row in range(12)])
    table = table_without(dataset, [2, 7])
    with pytest.raises(InputError, match=r"'02\.png' .*could not be read"):
        select(table, "srs", keep=5, must_keep=["02.png"])
    earlier = select(dataset, "srs", keep=8, seed=1)
    lost = {"images/02.png", "images/07.png"} & set(earlier.image_ids)
    assert lost
    with pytest.warns(DetreduceWarning, match=f"{len(lost)} images? of the earlier selection cannot be read"):
        later = select(table, "mms", keep=9, initial=earlier)
    assert set(earlier.image_ids) - lost < set(later.image_ids)


def test_parameters_that_name_rows_follow_the_images_that_are_left() -> None:
    table = table_of(dataset_of([[0]] * 12))
    plain = select(table, "mms", keep=3, start=6, categories=None)
    dropped = select(table, "mms", keep=3, start=6, categories=None, drop_duplicates=copies((2, 9)))
    assert plain.indices[0] == dropped.indices[0] == 6
    assert dropped.parameters == {"start": 6}, "as it was given"
    with pytest.raises(InputError, match="start=2 is the row of an image"):
        select(table, "mms", keep=3, start=2, categories=None, drop_duplicates=copies((2, 9)))
    scores = np.arange(12.0)
    chosen = select(table, "extrapolate", keep=3, scores=scores, drop_duplicates=copies((11, 9)))
    assert sorted(chosen.indices.tolist()) == [8, 9, 10]


def named_dataset(**classes: int | None) -> DetectionDataset:
    """One image for each name, with a box of the given class, or without boxes."""
    plain = dataset_of([[] if label is None else [label] for label in classes.values()])
    records = tuple(
        replace(record, id=f"images/{name}.png", name=f"{name}.png")
        for record, name in zip(plain.records, classes, strict=True)
    )
    return replace(plain, records=records)


def test_a_floor_is_met_though_a_group_that_it_needs_could_be_filled() -> None:
    dataset = named_dataset(a_0=0, a_1=1, b_0=0, c_0=0, d_0=0)
    for seed in range(12):
        selection = select(
            dataset, "class_coverage", 3, seed, groups=r"(\w)_\d", max_per_group=1, class_floor={"ant": 1, "bee": 1}
        )
        assert "images/a_1.png" in selection.image_ids
        assert selection.steps[0]["reached"] == {"ant": 1, "bee": 1}


def test_a_class_below_its_floor_is_said_with_the_reason(recwarn: pytest.WarningsRecorder) -> None:
    dataset = dataset_of([[0], [0], [0], [1], [1], [0, 1]])
    with pytest.warns(DetreduceWarning) as said:
        selection = select(dataset, "srs", 5, class_floor=4, drop_duplicates=copies((4, 3)))
    assert [str(warning.message) for warning in said] == [
        "Classes below class_floor because their other images are duplicates: bee (2 of 4). "
        "Classes below class_floor because no more images have them: cow (0 of 4)."
    ]
    assert said[0].filename == __file__, "the caller's line"
    assert selection.steps[1]["floor"] == {"ant": 4, "bee": 4, "cow": 4}
    assert selection.steps[1]["reached"] == {"ant": 4, "bee": 2, "cow": 0}
    with pytest.warns(DetreduceWarning, match=r"max_per_group=3: bee \(1 of 2\)\.$"):
        select(dataset, "srs", 3, class_floor={"bee": 2, "ant": 1}, must_keep=["00.png", "01.png"], groups="folder",
               max_per_group=3)  # fmt: skip
    recwarn.clear()
    met = select(dataset, "srs", 4, class_floor={"ant": 2, "bee": 3})
    assert met.steps[0]["reached"] == {"ant": 2, "bee": 3}
    assert not [warning for warning in recwarn if issubclass(warning.category, DetreduceWarning)]


def test_a_warning_names_the_first_classes_below_their_floor() -> None:
    names = tuple(f"c{label}" for label in range(8))
    dataset = replace(dataset_of([[0], [1], [0]]), class_names=names, class_keys=tuple(range(8)))
    with pytest.warns(DetreduceWarning, match=r": c1 \(1 of 2\), .*c5 \(0 of 2\) and 2 more\."):
        select(dataset, "srs", 3, class_floor=2)


def test_a_floor_needs_labels() -> None:
    unlabelled = replace(dataset_of([[], []]), class_names=(), class_keys=(), labelled=False)
    for ask in (
        lambda floor: select(unlabelled, "srs", 1, class_floor=floor),
        lambda floor: check_composition(unlabelled, 1, CompositionRequest(class_floor=floor)),
    ):
        with pytest.raises(InputError, match=r"class_floor needs boxes, .*/nowhere"):
            ask(1)
        ask(0)


def test_too_many_kept_first_of_a_group_are_said_as_what_they_are() -> None:
    dataset = dataset_of([[0]] * 6)
    for options in ({}, {"class_floor": 1}):
        with pytest.raises(InputError, match=r"2 of the .* group .*max_per_group=1 "):
            select(dataset, "srs", 3, must_keep=["00.png", "01.png"], groups="folder", max_per_group=1, **options)


def test_duplicates_of_another_dataset_are_refused() -> None:
    dataset = dataset_of([[0]] * 6)
    for found in (copies((3, 11)), copies((11, 3))):
        for ask in (
            select,
            lambda dataset, _, k, **options: check_composition(dataset, k, CompositionRequest.of(**options)),
        ):
            with pytest.raises(InputError, match=r"drop_duplicates names the image 'images/11\.png', which /nowhere"):
                ask(dataset, "srs", 3, drop_duplicates=found)


@pytest.mark.parametrize("seed", range(20))
def test_floors_keep_to_the_limit_on_groups_after_duplicates_are_dropped(seed: int) -> None:
    rng = np.random.default_rng(seed)
    classes = rng.integers(3, size=12)
    dataset = dataset_of([[int(label)] for label in classes])
    groups, dropped = rng.permutation(np.arange(12) % 3), rng.choice(12, 5, replace=False)
    kept = np.setdiff1d(np.arange(12), dropped)
    found = copies(*((int(copy), int(kept[0])) for copy in dropped))
    composition = CompositionRequest.of(drop_duplicates=found, class_floor=2, groups=groups, max_per_group=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DetreduceWarning)
        composed = compose(table_of(dataset), 6, composition)
    first = composed.positions[composed.first]
    assert np.bincount(groups[first]).max() <= 2
    # every class gets its floor, unless its groups are full: then no image of the class could be added
    for label in range(3):
        lacking = [row for row in kept if classes[row] == label and row not in first]
        if (classes[first] == label).sum() < 2:
            assert all((groups[first] == groups[row]).sum() == 2 for row in lacking)
