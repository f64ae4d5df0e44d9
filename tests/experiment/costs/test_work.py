"""Forecasts of recipes whose images are not all of full size, or not all seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_forecast import HALF, config, finished  # noqa: F401

from detreduce.experiment.cells import Cell
from detreduce.experiment.config import ExperimentConfig
from detreduce.experiment.costs.forecast import Forecast
from detreduce.experiment.costs.work import PlannedWork, finished_work
from detreduce.experiment.ledger.finished_cell import FinishedCell
from detreduce.training.energy import PhaseEnergy
from detreduce.training.recipes.recipe import Recipe
from detreduce.training.recipes.settings import recipe_settings
from detreduce.training.record import Flops
from detreduce.training.streams.learnt import SkipLearnt, SkippingStream, count_refreshes, whole_epochs

PROGRESSIVE, SKIPPING = {"progressive": {"start": 0.5}}, {"skip_learnt": {}}
IMAGES, EPOCHS, IMGSZ = 80, 10, 64


def planned(recipe: dict[str, Any], keep: float = 1.0) -> Cell:
    return Cell("a", "recipe", 0, keep=keep, recipe=recipe)


def by_recipe(cell: FinishedCell, recipe: dict[str, Any], **counts: int) -> FinishedCell:
    record = cell.training
    record = record.model_copy(
        update={
            "counts": record.counts.model_copy(update=counts),
            "data": record.data.model_copy(update={"train_images": IMAGES}),
            "flops": Flops(forward=1.0, backward=3.0, method="made up for a test"),
        }
    )
    return replace(cell, cell={"label": "a", "recipe": recipe}, training=record)


def test_small_images_do_not_make_an_image_cheap(
    config: ExperimentConfig,  # noqa: F811
    finished: Callable[..., FinishedCell],  # noqa: F811
) -> None:
    arguments = {"epochs": EPOCHS, "imgsz": IMGSZ, "batch": 16}
    per_epoch = recipe_settings(
        Recipe.model_validate(PROGRESSIVE), arguments, images=IMAGES, chosen=IMAGES
    ).images_per_epoch
    assert per_epoch is not None and per_epoch > 1.2 * IMAGES
    seen = per_epoch * EPOCHS
    # it has the operations of 800 images of full size, which cost a second each
    grown = by_recipe(finished(seen, 800, 8.0), PROGRESSIVE, batches=-(-per_epoch // 16) * EPOCHS)
    assert finished_work(grown) == pytest.approx(800, rel=0.02)
    for cells in ([finished(400, 400, 4.0), grown], [grown]):
        found = Forecast.of(cells, config, images=IMAGES)
        assert found.training(HALF).seconds == pytest.approx(400, rel=0.02)
        assert found.training(planned(PROGRESSIVE)).seconds == pytest.approx(800, rel=0.02)


def test_a_training_that_skips_counts_what_it_sees_and_what_it_looks_at(
    config: ExperimentConfig,  # noqa: F811
    finished: Callable[..., FinishedCell],  # noqa: F811
) -> None:
    settings = config.model_copy(
        update={
            "train": config.train.model_copy(update={"warmup_epochs": 1, "close_mosaic": 2}),
        }
    )
    base = [finished(400, 400, 4.0), finished(800, 800, 8.0)]
    unknown = Forecast.of(base, settings, images=IMAGES).training(planned(SKIPPING)).seconds
    assert unknown is not None and 800 < unknown < 1200, "at most all images, and looking at them"
    # 480 of 800 images seen, and 160 looked at for a quarter of the operations each
    skipped = by_recipe(finished(480, 520, 5.2), SKIPPING, epochs=EPOCHS, images_scored=160)
    assert finished_work(skipped) == pytest.approx(520)
    found = Forecast.of([*base, skipped], settings, images=IMAGES)
    assert found.training(HALF).seconds == pytest.approx(400)
    looks = count_refreshes(EPOCHS, whole_epochs(EPOCHS, 1, 2), SkipLearnt())
    expected = 0.6 * 800 + looks * IMAGES * found.work.forward
    assert found.training(planned(SKIPPING)).seconds == pytest.approx(expected)
    other = planned({"skip_learnt": {"easy": 0.9}})
    assert found.training(other).seconds > expected, "other rules skip other images"


def test_a_training_that_leaves_out_small_losses_counts_what_it_sees(
    config: ExperimentConfig,  # noqa: F811
    finished: Callable[..., FinishedCell],  # noqa: F811
) -> None:
    base, recipe = [finished(400, 400, 4.0), finished(800, 800, 8.0)], {"infobatch": {}}
    unknown = Forecast.of(base, config, images=IMAGES).training(planned(recipe)).seconds
    assert unknown == pytest.approx(800), "at most all images"
    known = by_recipe(finished(600, 600, 6.0), recipe, epochs=EPOCHS)
    assert finished_work(known) == 600
    found = Forecast.of([*base, known], config, images=IMAGES)
    assert found.training(planned(recipe)).seconds == pytest.approx(600)
    assert found.training(planned({"infobatch": {"drop": 0.2}})).seconds == pytest.approx(800)


def test_the_preparation_of_a_stream_is_not_the_cost_of_an_image(
    config: ExperimentConfig,  # noqa: F811
    finished: Callable[..., FinishedCell],  # noqa: F811
) -> None:
    dear = finished(400, 900, 4.0)
    energy = {**dear.training.energy, "stream": PhaseEnergy(seconds=500, wh=50.0)}
    dear = replace(dear, training=dear.training.model_copy(update={"energy": energy}))
    assert Forecast.of([dear], config, images=IMAGES).training(HALF).wh == pytest.approx(4.0)
    found = Forecast.of([finished(400, 400, 4.0), dear], config, images=IMAGES)
    assert found.training(HALF).seconds == pytest.approx(400)


@given(
    epochs=st.integers(1, 40),
    warmup=st.floats(0, 8),
    close=st.integers(0, 12),
    refresh=st.integers(1, 7),
)
def test_the_counted_looks_are_those_of_a_training(epochs: int, warmup: float, close: int, refresh: int) -> None:
    options, whole = SkipLearnt(refresh=refresh), whole_epochs(epochs, warmup, close)
    stream = SkippingStream(6, 2, whole, options)
    looked = 0
    for epoch in range(epochs):
        if epoch not in whole and (epoch - min(set(range(epochs)) - whole)) % refresh == 0:
            looked += 1
        assert (len(stream.images_of(epoch)) == 6) or epoch not in whole
    assert count_refreshes(epochs, whole, options) == looked
    assert {0, epochs - 1} <= whole


def test_without_a_finished_cell_a_third_is_the_forward_pass() -> None:
    assert PlannedWork.of([], {"epochs": 3}, 10).forward == pytest.approx(1 / 3)
