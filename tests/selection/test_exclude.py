"""Images that a person never wants to keep: they are left out before every other step, whatever the other options
are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_composition import copies, dataset_of, table_of

from detreduce.errors import InputError
from detreduce.features.table import FeatureTable
from detreduce.selection.choose import select
from detreduce.selection.composition import check_composition
from detreduce.selection.explanation import explain
from detreduce.selection.request import CompositionRequest

DATASET = dataset_of([[row % 3] for row in range(12)])


@pytest.fixture
def no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detreduce.selection.duplicate_search.identical_files", lambda paths: [])


@given(st.data())
def test_an_excluded_image_is_never_kept(data: Any) -> None:
    rows = st.integers(0, 11)
    excluded = data.draw(st.sets(rows, min_size=1, max_size=4))
    pinned = data.draw(st.sets(rows, max_size=3)) - excluded
    earlier = data.draw(st.sets(rows, max_size=2))
    options: dict[str, Any] = {
        "exclude": [data.draw(st.sampled_from([f"{row:02}.png", f"images/{row:02}.png"])) for row in sorted(excluded)],
        "must_keep": [f"{row:02}.png" for row in sorted(pinned)],
        "initial": [f"images/{row:02}.png" for row in sorted(earlier)],
        "class_floor": data.draw(st.sampled_from([None, 1])),
        "groups": data.draw(st.sampled_from([None, "folder", [row // 4 for row in range(12)]])),
        "drop_duplicates": data.draw(st.sampled_from([copies(), copies((1, 0), (3, 2))])),
    }
    if options["groups"] is not None:
        options["max_per_group"] = 12
    for method, source in (("srs", DATASET), ("mms", table_of(DATASET))):
        chosen = select(source, method, 4 if not pinned and not earlier else 6, **options)
        kept = set(chosen.indices.tolist())
        assert not kept & excluded and pinned <= kept and earlier - excluded <= kept
        assert chosen.steps[0] == {"step": "exclude", "images": [f"images/{row:02}.png" for row in sorted(excluded)]}
        # rows and scores refer to the whole dataset
        assert [DATASET[row].id for row in chosen.indices.tolist()] == list(chosen.image_ids)
        assert np.isnan(chosen.scores[sorted(excluded)]).all() and len(chosen.scores) == 12


@pytest.mark.usefixtures("no_files")
def test_nothing_to_exclude_changes_nothing() -> None:
    plain = select(DATASET, "srs", 5)
    assert select(DATASET, "srs", 5, exclude=[]).image_ids == plain.image_ids
    assert select(DATASET, "srs", 5, exclude=None).steps == plain.steps


def test_an_excluded_image_does_not_stand_for_its_duplicates() -> None:
    found = copies((1, 0), (3, 2))
    chosen = select(DATASET, "srs", 10, drop_duplicates=found, exclude=["00.png"])
    assert 1 in chosen.indices and 3 not in chosen.indices and chosen.steps[1]["dropped"] == 1


def test_the_search_for_duplicates_does_not_see_excluded_images(tmp_path: Path) -> None:
    from PIL import Image

    rng = np.random.default_rng(0)
    for row in range(6):
        Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(tmp_path / f"{row:02}.png")
    for copy in ("01.png", "02.png"):
        (tmp_path / copy).write_bytes((tmp_path / "00.png").read_bytes())
    dataset = dataset_of([[0]] * 6, tmp_path)
    for source in (dataset, table_of(dataset)):
        chosen = select(source, "srs", 4, drop_duplicates=True, exclude=["00.png"])
        assert chosen.steps[1]["dropped"] == 1 and len({1, 2} & set(chosen.indices.tolist())) == 1


@pytest.mark.usefixtures("no_files")
def test_a_person_may_not_want_both() -> None:
    request = CompositionRequest.of(must_keep=["04.png"], exclude=["images/04.png"])
    for attempt in (
        lambda: check_composition(DATASET, 3, request),
        lambda: select(DATASET, "srs", 3, must_keep=["04.png"], exclude=["images/04.png"]),
    ):
        with pytest.raises(InputError, match=r"04\.png.*must_keep.*exclude"):
            attempt()


@pytest.mark.usefixtures("no_files")
def test_what_cannot_be_excluded_is_told_at_once() -> None:
    for exclude, keep, message in (
        (["99.png"], 3, r"99\.png.*excluded.*does not have it"),
        ([f"{row:02}.png" for row in range(9)], 4, "only 3 of 12 images remain without excluded images"),
        (3, 3, "exclude=3"),
    ):
        with pytest.raises(InputError, match=message):
            check_composition(DATASET, keep, CompositionRequest.of(exclude=exclude))
        with pytest.raises(InputError, match=message):
            select(DATASET, "srs", keep, exclude=exclude)


@pytest.mark.usefixtures("no_files")
def test_an_image_that_cannot_be_read_may_be_excluded() -> None:
    table = table_of(DATASET)
    readable = FeatureTable(DATASET, table.rows[1:], {"image": table.blocks["image"][1:]})
    chosen = select(readable, "mms", 4, exclude=["00.png", "05.png"])
    assert chosen.steps[0]["images"] == ["images/05.png"]


@pytest.mark.usefixtures("no_files")
def test_explain_names_the_step() -> None:
    chosen = select(DATASET, "srs", 4, exclude=["05.png"])
    found = explain(chosen, "05.png", dataset=DATASET, features=table_of(DATASET))
    assert found.step == "exclude" and not found.kept
