"""The pictures of the methods, and that they and the table of methods are true."""

from __future__ import annotations

import importlib.util
import io
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from detreduce.arrays.object_table import ObjectTable
from detreduce.features.table import SEPARATE_BLOCKS
from detreduce.reducers import make_reducer
from detreduce.reducers.methods.srs import StratifiedRandom
from detreduce.reducers.registry import BUILT_IN

REPOSITORY = Path(__file__).resolve().parents[2]
PICTURES = REPOSITORY / "docs" / "methods"
# their picks may differ between machines
MACHINE = ("clc", "fes", "forgetting")
REDRAW = "run python scripts/methods.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pictures", REPOSITORY / "scripts" / "pictures" / "methods.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    # dataclasses look up their module in sys.modules
    sys.modules["pictures"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def points(script: ModuleType) -> Any:
    return script.example()


def fitted(name: str, points: Any) -> Any:
    reducer = make_reducer(name, keep=0.1, random_state=0)
    extras = {need: points.extras[need] for need in ("objects", "groups") if need in reducer.needs}
    trained = [name for name in SEPARATE_BLOCKS if name in reducer.needs]
    X = points.matrices[trained[0]] if trained else points.X
    return reducer.fit(X, points.categories, **extras)


def strays(points: Any) -> set[int]:
    """The six points without a near neighbour."""
    gaps = np.linalg.norm(points.X[:, None] - points.X[None], axis=2) + np.diag(np.full(len(points.X), np.inf))
    found = np.argsort(gaps.min(axis=1))[-6:]
    assert gaps.min(axis=1)[found].min() > 2 * np.sort(gaps.min(axis=1))[-7]
    return set(found.tolist())


def test_there_is_a_picture_of_every_method_and_no_other() -> None:
    assert {file.stem for file in PICTURES.glob("*.png")} == set(BUILT_IN), REDRAW


@pytest.mark.parametrize("name", list(BUILT_IN))
def test_the_picture_shows_what_the_method_keeps(script: ModuleType, points: Any, name: str) -> None:
    file = PICTURES / f"{name}.png"
    assert file.stat().st_size < 20_000
    with Image.open(file) as image:
        assert image.size == (240, 240)
        shown = [int(row) for row in image.text["picks"].split()]
    assert len(shown) == round(0.1 * len(points.X))
    chosen = script.picks(name, points).tolist()
    assert chosen == fitted(name, points).selected_idx_.tolist()
    assert shown == chosen or name in MACHINE, REDRAW


def test_what_is_drawn_strongly_is_what_was_chosen(script: ModuleType, points: Any) -> None:
    chosen = np.array([3, 250, 40, 119])
    (axes,) = script.draw(points, chosen).axes
    strong = [part.get_offsets() for part in axes.collections if part.get_gid() == "kept"]
    faint = [part.get_offsets() for part in axes.collections if part.get_gid() != "kept"]
    assert {tuple(xy) for part in strong for xy in part} == {tuple(xy) for xy in points.X[chosen]}
    assert sum(map(len, faint)) == len(points.X) - len(chosen)
    low, high = np.transpose([axes.get_xlim(), axes.get_ylim()])
    assert (low < points.X.min(axis=0)).all() and (points.X.max(axis=0) < high).all(), "points lie outside"


def test_the_script_draws_into_a_folder(script: ModuleType, points: Any, tmp_path: Path) -> None:
    script.main(["--methods", "mms", "rkm", "--output", str(tmp_path / "new")])
    assert {file.name for file in (tmp_path / "new").iterdir()} == {"mms.png", "rkm.png"}
    expected = io.BytesIO()
    script.draw(points, fitted("mms", points).selected_idx_).savefig(expected)
    with Image.open(tmp_path / "new" / "mms.png") as image, Image.open(expected) as drawn:
        np.testing.assert_array_equal(np.asarray(image), np.asarray(drawn))


def test_methods_that_need_more_get_it(script: ModuleType, points: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class NeedsObjects(StratifiedRandom):
        needs: ClassVar[tuple[str, ...]] = ("features", "objects", "groups")

        def fit(self, X: Any, categories: Any = None, **extras: Any) -> Any:
            seen.update(extras)
            return super().fit(X, categories, **extras)

    seen: dict[str, Any] = {}
    monkeypatch.setattr(script, "make_reducer", lambda name, **params: NeedsObjects(**params))
    assert len(script.picks("theirs", points)) == round(0.1 * len(points.X))
    assert isinstance(seen["objects"], ObjectTable) and len(seen["objects"]) == len(seen["groups"]) == len(points.X)


class TestWhatTheTableClaims:
    """The words under "keeps" and "when it fails", on the points that are drawn."""

    def test_mms_keeps_every_outlier_and_rkm_none(self, points: Any) -> None:
        assert strays(points) <= set(fitted("mms", points).selected_idx_)
        assert not strays(points) & set(fitted("rkm", points).selected_idx_)

    def test_rkm_may_leave_a_category_without_an_image(self, points: Any) -> None:
        assert fitted("rkm", points).seats_.min() == 0
        assert fitted("mms", points).seats_.min() > 0

    def test_mms_keeps_images_farther_apart_than_a_draw(self, points: Any) -> None:
        def nearest_apart(name: str) -> float:
            X = points.X[fitted(name, points).selected_idx_]
            gaps = np.linalg.norm(X[:, None] - X[None], axis=2)
            return float((gaps + np.diag(np.full(len(X), np.inf))).min(axis=1).mean())

        assert nearest_apart("mms") > 1.5 * nearest_apart("srs") > 3 * nearest_apart("rkm")

    def test_prd_gives_the_outliers_that_it_keeps_little_weight(self, points: Any) -> None:
        reducer = fitted("prd", points)
        rare = [row for row in reducer.selected_idx_ if row in strays(points)]
        assert rare and max(reducer.weights_[rare]) < np.median(reducer.weights_[reducer.selected_idx_])

    def test_clc_keeps_outliers_as_centres_of_their_own(self, points: Any) -> None:
        reducer = fitted("clc", points)
        kept = strays(points) & set(reducer.selected_idx_)
        assert len(kept) >= 2 and (reducer.scores_[list(kept)] == 1).any()

    def test_first_keeps_the_beginning_of_each_category(self, points: Any) -> None:
        chosen = fitted("first", points).selected_idx_
        for code in range(3):
            mine, kept = np.flatnonzero(points.categories == code), chosen[points.categories[chosen] == code]
            assert sorted(kept) == mine[: len(kept)].tolist()

    def test_nrmd_keeps_what_lies_along_the_strong_direction(self) -> None:
        X = np.random.default_rng(0).normal(size=(300, 2)) * (1.0, 0.5)
        chosen = X[make_reducer("nrmd", keep=0.1).fit(X).selected_idx_]
        assert (np.abs(chosen[:, 1]) < 0.1 * np.abs(chosen[:, 0])).all()

    def test_nrmd_keeps_what_is_far_from_the_mean_where_features_outnumber_images(self) -> None:
        rng = np.random.default_rng(0)
        reach = rng.uniform(0.5, 2.0, size=40)
        X = reach[:, None] * rng.normal(size=(40, 200))
        chosen = make_reducer("nrmd", keep=10).fit(X - X.mean(axis=0)).selected_idx_
        assert reach[chosen].min() > np.median(reach)

    def test_phl_takes_images_with_few_neighbours_for_hole_free(self, points: Any) -> None:
        reducer = fitted("phl", points)
        gaps = np.linalg.norm(points.X[:, None] - points.X[None], axis=2)
        reach = np.array([reducer.radii_[code] for code in points.categories])
        same = points.categories[:, None] == points.categories
        near = ((gaps <= reach[:, None]) & same).sum(axis=1) - 1
        few = (near >= 2) & (near <= 3)
        assert few.any() and (reducer.scores_[few] == 0).all()
        assert (reducer.scores_[reducer.selected_idx_] == 0).all() and not strays(points) & set(reducer.selected_idx_)

    def test_des_keeps_the_undecided_beside_its_base(self, points: Any) -> None:
        reducer = fitted("des", points)
        added = [row for row in reducer.selected_idx_ if np.isfinite(reducer.scores_[row])]
        assert len(added) == len(reducer.selected_idx_) - round(0.2 * len(reducer.selected_idx_))
        assert np.median(reducer.scores_[added]) > 1.2 * np.median(reducer.scores_[np.isfinite(reducer.scores_)])

    @pytest.mark.parametrize("name", ["facility", "moderate"])
    def test_facility_and_moderate_keep_no_outlier(self, points: Any, name: str) -> None:
        assert not strays(points) & set(fitted(name, points).selected_idx_)

    def test_moderate_keeps_images_nearer_together_than_facility(self, points: Any) -> None:
        def nearest_apart(name: str) -> float:
            X = points.X[fitted(name, points).selected_idx_]
            gaps = np.linalg.norm(X[:, None] - X[None], axis=2)
            return float((gaps + np.diag(np.full(len(X), np.inf))).min(axis=1).mean())

        assert nearest_apart("facility") > 1.5 * nearest_apart("moderate")

    def test_class_coverage_keeps_the_fullest_images(self, points: Any) -> None:
        boxes = np.bincount(points.extras["objects"].images, points.extras["objects"].counts, len(points.X))
        assert boxes[fitted("class_coverage", points).selected_idx_].min() == boxes.max()

    def test_csod_gives_every_class_as_many_turns(self, points: Any) -> None:
        table = points.extras["objects"]
        reducer = make_reducer("csod", keep=12).fit(points.X, objects=table)
        held = np.zeros((len(points.X), 3), bool)
        held[table.images, table.classes] = True
        # the rarest class first, and every third pick after it
        turns = np.argsort(held.sum(axis=0))
        assert all(held[row, turns[place % 3]] for place, row in enumerate(reducer.selected_idx_))

    def test_stride_takes_every_tenth_frame(self, points: Any) -> None:
        assert set(np.diff(make_reducer("stride", keep=0.1).fit(points.X).selected_idx_)) <= {9, 10}
