from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import detreduce as dr
from detreduce.errors import InputError
from detreduce.experiment import run as run_module
from detreduce.experiment import sources
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.experiment.run import run_experiment
from detreduce.features.extract import extract_features
from detreduce.reducers import make_reducer
from detreduce.reduction import steps
from detreduce.reduction.steps import extract
from detreduce.selection.choose import choose, select
from detreduce.selection.record import Selection
from detreduce.selection.request import SelectionRequest


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch, stand_in_train: Callable[..., Any]) -> list[tuple[str, float | int, int]]:
    """The method, keep and seed of each fit. Nothing is trained."""
    found = []

    def counted(source: Any, request: SelectionRequest) -> Selection:
        found.append((request.method, request.keep, request.seed))
        return choose(source, request)

    monkeypatch.setattr(run_module, "train", stand_in_train)
    monkeypatch.setattr(steps, "choose", counted)
    return found


def change(config: Path, **reduce: Any) -> None:
    content = yaml.safe_load(config.read_text())
    content["reduce"] |= reduce
    config.write_text(yaml.safe_dump(content))


def selections(ledger: Ledger) -> list[tuple[dict[str, Any], Selection]]:
    return [
        (dict(cell.cell), Selection.load(ledger.cell_folder(cell.key) / "selection.json"))
        for cell in ledger
        if not cell.cell["control"]
    ]


def test_one_fit_of_a_nested_method_serves_every_keep_and_training_seed(
    config: Path, fits: list[tuple[str, float | int, int]]
) -> None:
    change(config, methods=["srs", "mms", "clc"], keep=[3, 0.5, 0.25])
    ledger = run_experiment(config, config.parent / "ledger")
    nested = [fit for fit in fits if fit[0] != "clc"]
    assert nested == [("srs", 0.5, 0), ("srs", 0.5, 1), ("mms", 0.5, 0)]
    assert sorted(fit[1:] for fit in fits if fit[0] == "clc") == [(k, s) for k in (0.25, 0.5, 3) for s in (0, 1)]
    from detreduce.dataset import load_dataset

    dataset = load_dataset(config.parent / "set" / "data.yaml")
    table = extract_features(dataset, backbone=f"file:{config.parent / 'vectors.csv'}", blocks=("image",))
    for cell, chosen in selections(ledger):
        alone = select(table, cell["method"], cell["keep"], cell["selection_seed"])
        assert chosen.image_ids == alone.image_ids and chosen.categories == alone.categories
        fit = chosen.provenance["fit"]
        assert fit["keep"] == (cell["keep"] if cell["method"] == "clc" else 0.5)
        assert fit["serves"] == ([cell["keep"]] if cell["method"] == "clc" else [3, 0.5, 0.25])
        kept = ledger[cell["key"]]
        assert kept.selection["fitted_at"] == fit["keep"] == kept.row()["selection_fitted_at"]
        assert kept.row()["selection_deterministic"] is make_reducer(kept.cell["method"], keep=1).deterministic
        assert kept.choosing["selection"].model_dump() == fit["energy"], "the cost of the one fit"


def test_a_fit_is_read_back_by_another_call_and_made_anew_for_a_larger_keep(
    config: Path, fits: list[tuple[str, float | int, int]]
) -> None:
    change(config, methods=["mms"], keep=[0.25])
    place = config.parent / "ledger"
    run_experiment(config, place)
    change(config, methods=["mms"], keep=[0.25, 2])
    run_experiment(config, place)
    assert fits == [("mms", 0.25, 0)]
    change(config, methods=["mms"], keep=[0.25, 0.75, 0.5])
    run_experiment(config, place)
    assert fits == [("mms", 0.25, 0), ("mms", 0.75, 0)]
    change(config, methods=[{"name": "mms", "start": 2}, "mms"], keep=[0.25])
    run_experiment(config, place)
    assert fits[2:] == [("mms", 0.25, 0)], "another start is another fit"


def test_what_comes_before_a_method_makes_another_fit(config: Path, fits: list[tuple[str, float | int, int]]) -> None:
    change(config, methods=["mms", {"name": "mms", "must_keep": ["07.jpg"], "class_floor": 2}], keep=[0.5, 5, 4])
    ledger = run_experiment(config, config.parent / "ledger")
    # with the two named images and the floors first
    assert fits == [("mms", 0.5, 0)] * 2
    for cell, chosen in selections(ledger):
        assert (chosen.image_ids[0] == "images/07.jpg") == bool(cell["composition"])
        assert len(chosen) == {0.5: 6, 5: 5, 4: 4}[cell["keep"]]


def test_one_image_and_all_images_come_from_one_fit(config: Path, fits: list[tuple[str, float | int, int]]) -> None:
    change(config, methods=["mms"], keep=[1, 1.0])
    ledger = run_experiment(config, config.parent / "ledger")
    assert fits == [("mms", 1.0, 0)]
    assert {(repr(cell["keep"]), len(chosen)) for cell, chosen in selections(ledger)} == {("1", 1), ("1.0", 12)}


@pytest.mark.parametrize(
    "method", ["mms", {"name": "srs", "drop_duplicates": "features"}], ids=["chosen by", "dropped"]
)
def test_other_features_make_another_fit(
    config: Path, fits: list[tuple[str, float | int, int]], method: str | dict[str, Any]
) -> None:
    change(config, methods=[method], keep=[3], seeds=[0])
    run_experiment(config, config.parent / "ledger")
    vectors = config.parent / "vectors.csv"
    vectors.write_text(vectors.read_text().replace("07.jpg,7,", "07.jpg,70,"))
    ledger = run_experiment(config, config.parent / "ledger")
    assert len(fits) == 2 and fits[0] == fits[1]
    table = extract_features(dr.load_dataset(config.parent / "set" / "data.yaml"), f"file:{vectors}", ("image",))
    options = dict(method) if isinstance(method, dict) else {"name": method}
    again = select(table, options.pop("name"), 3, 0, **options)
    assert again.image_ids in {chosen.image_ids for _, chosen in selections(ledger)}


def test_a_keep_that_the_readable_images_do_not_fill_is_no_keep_of_the_fit(
    config: Path, fits: list[tuple[str, float | int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # as if one image could not be read
    monkeypatch.setattr(sources, "extract", lambda *given: extract(*given).take(np.arange(1, 12)))
    change(config, methods=["mms"], keep=[3, 12])
    with pytest.raises(InputError, match="11"):
        run_experiment(config, config.parent / "ledger")
    assert fits[0] == ("mms", 3, 0)
    assert {len(chosen) for _, chosen in selections(Ledger(config.parent / "ledger"))} == {3}


def test_a_search_by_features_extracts_no_block_that_no_method_uses(
    config: Path, fits: list[tuple[str, float | int, int]]
) -> None:
    change(config, methods=["srs"], drop_duplicates="features")
    ledger = run_experiment(config, config.parent / "ledger")
    change(config, methods=["mms"], drop_duplicates="features")
    used = run_experiment(config, config.parent / "used")
    assert not list(ledger.path.glob("features-*.json")) and list(ledger.path.glob("image-*.json"))
    assert list(used.path.glob("features-*.json")) and not list(used.path.glob("image-*.json"))
