"""The pictures of kept results: every configuration of the JSON is drawn where it belongs."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = REPOSITORY / "docs" / "results"
SEEDS = (0, 1, 2)
KEEPS = (0.25, 0.1)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("result_pictures", REPOSITORY / "scripts" / "pictures" / "results.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def row(label: str, keep: float, seed: int, figure: float, control: str | None = None) -> dict[str, Any]:
    method = label.partition("(")[0]
    cost = {"TFLOPs": 40 * keep, "mAP50": figure, "training_seed": seed}
    return {"label": label, "method": method, "control": control, "keep": keep, **cost}


@pytest.fixture
def many() -> list[dict[str, Any]]:
    """Seventeen methods, the controls and srs, at two keeps; the higher a method's number, the more it gains."""
    random = np.random.default_rng(0)
    rows = [row("full", 1.0, seed, 0.6 + 0.01 * seed, "full") for seed in SEEDS]
    for keep in KEEPS:
        base = 0.2 + keep
        for seed in SEEDS:
            rows.append(row("srs", keep, seed, base + 0.01 * seed))
            rows.append(row("full_equal_iterations", keep, seed, base + 0.1, "full_equal_iterations"))
            rows += [row(f"m{number:02}(by=x)", keep, seed, base + 0.01 * number) for number in range(17)]
    for one in rows:
        one["mAP50"] += float(random.normal(0, 0.001))
    return rows


def test_one_image_and_all_images_have_panels_of_their_own(script: ModuleType) -> None:
    rows = [row(name, keep, 0, 0.1 + keep / 4) for name in ("srs", "mms", "prd") for keep in (1, 1.0)]
    figure = script.method_rows(rows)
    assert len(figure.axes) == 2 and len({axes.get_title() for axes in figure.axes}) == 2


def of(rows: list[dict[str, Any]], label: str, keep: float) -> list[float]:
    return [one["mAP50"] for one in rows if one["label"] == label and one["keep"] == keep]


def points(axes: Any, gid: str) -> list[tuple[float, float]]:
    (marks,) = [marks for marks in axes.collections if marks.get_gid() == gid]
    return [tuple(map(float, point)) for point in marks.get_offsets()]


LEDGERS = sorted(file for file in RESULTS.glob("*.json") if file.stem != "tables")  # tables have no ledger


@pytest.mark.parametrize("file", LEDGERS, ids=lambda file: file.stem)
def test_every_configuration_of_a_kept_result_is_drawn(script: ModuleType, file: Path) -> None:
    rows = json.loads(file.read_text(encoding="utf-8"))["cells"]
    means = {
        key: float(np.mean([one["mAP50"] for one in rows if (one["label"], one["keep"]) == key]))
        for key in {(one["label"], one["keep"]) for one in rows}
    }
    axes = script.picture(rows).axes
    dots = [point for each in axes for marks in each.collections for point in np.asarray(marks.get_offsets()).flat]
    lines = [value for each in axes for line in each.lines for value in np.asarray(line.get_xdata(), float).flat]
    for (label, keep), mean in means.items():
        titled = any(f"all images: {mean:.3f}" in each.get_title() for each in axes)
        assert np.isclose([*dots, *lines], mean).any() or (label == "full" and titled), (label, keep)


def test_the_pictures_that_are_kept_are_shown_and_are_of_results() -> None:
    pages = [REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md")]
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    pictures = sorted(RESULTS.glob("*.png"))
    assert len(pictures) >= 3
    for file in pictures:
        of_one, of_several = file.with_suffix(".json").is_file(), any(RESULTS.glob(f"{file.stem}_*.json"))
        assert f"results/{file.name})" in text and (of_one or of_several), file.name


def test_few_methods_are_drawn_against_computation(script: ModuleType, many: list[dict[str, Any]]) -> None:
    few = [one for one in many if one["label"] in ("full", "srs", "m00(by=x)", "full_equal_iterations")]
    (axes,) = script.picture(few).axes
    assert "TFLOPs" in axes.get_xlabel()
    drawn = [marks for marks in axes.collections if ": " in (marks.get_gid() or "")]
    # full at one keep, the others at two keeps
    assert len(drawn) == 1 + 3 * 2


def test_many_methods_have_a_row_each_beside_srs(script: ModuleType, many: list[dict[str, Any]]) -> None:
    panels = script.picture(many).axes
    assert [axes.get_title().partition(";")[0] for axes in panels] == ["keep 25 %", "keep 10 %"]
    names = [text.get_text() for text in panels[0].get_yticklabels()]
    assert names == [f"m{number:02}(by=x)" for number in reversed(range(17))], "the best is on top"
    for axes, keep in zip(panels, KEEPS, strict=True):
        means = [(float(np.mean(of(many, label, keep))), place) for place, label in enumerate(names)]
        assert points(axes, "mean") == pytest.approx(np.array(means))
        single = [(value, place) for place, label in enumerate(names) for value in of(many, label, keep)]
        assert points(axes, "one training") == pytest.approx(np.array(single))
        lines = {line.get_gid(): line.get_xdata()[0] for line in axes.lines}
        for label in ("srs", "full_equal_iterations"):
            assert lines[label] == pytest.approx(np.mean(of(many, label, keep)))
        srs = of(many, "srs", keep)
        edges = [span.get_extents().transformed(axes.transData.inverted()) for span in axes.patches]
        low, high = np.mean(srs) - np.std(srs, ddof=1), np.mean(srs) + np.std(srs, ddof=1)
        assert any((box.x0, box.x1) == pytest.approx((low, high), abs=1e-6) for box in edges)
        assert "all images: 0.61" in axes.get_title()


def test_the_script_draws_the_named_and_says_what_there_is(
    script: ModuleType, many: list[dict[str, Any]], tmp_path: Path
) -> None:
    file = tmp_path / "made_up.json"
    file.write_text(json.dumps({"command": "none", "cells": many}))
    script.main([str(file)])
    with Image.open(file.with_suffix(".png")) as image:
        assert image.width > 800 and image.height > 600
    with pytest.raises(SystemExit, match="Did you mean 'aquarium'"):
        script.main(["aquarum"])
