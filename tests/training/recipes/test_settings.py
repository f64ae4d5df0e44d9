from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from detreduce.errors import InputError
from detreduce.training.progressive_size import ProgressiveSize
from detreduce.training.recipes.recipe import Recipe
from detreduce.training.recipes.settings import RecipeSettings, recipe_settings

TRAIN = {"epochs": 20, "lr0": 0.001, "optimizer": "AdamW", "nbs": 16}


def settings(images: int = 448, chosen: int | None = None, train: Any = None, **recipe: Any) -> RecipeSettings:
    wanted = Recipe.model_validate(recipe)
    return recipe_settings(wanted, TRAIN if train is None else train, images=images, chosen=chosen or images)


def test_a_recipe_that_says_nothing_changes_nothing() -> None:
    assert settings() == RecipeSettings(TRAIN, None)


def test_a_share_sees_as_many_images_as_a_subset_of_that_keep() -> None:
    assert settings(images_seen=0.1) == RecipeSettings(TRAIN, 45)
    assert settings(images_seen=900) == RecipeSettings(TRAIN, 45)
    assert settings(images_seen=2.0).images_per_epoch == 896
    assert settings(images_seen=0.25, chosen=45).images_per_epoch == 112


def test_a_stream_that_is_not_uniform_has_the_length_of_its_images() -> None:
    assert settings(stream="class_uniform").images_per_epoch == 448
    assert settings(stream="class_uniform", chosen=45).images_per_epoch == 45


def test_the_steps_that_small_images_save_are_added() -> None:
    # 96 px: 64 px in 35 % of the steps, so a training costs 0.35 * 4/9 + 0.65 = 0.8056 of one at full size
    small = {**TRAIN, "imgsz": 96}
    # a step more has 64 px, because 80 px is rounded down
    assert settings(progressive=True, train=small).images_per_epoch == pytest.approx(448 / 0.80556, abs=1)
    assert settings(progressive=True, images_seen=0.25, imgsz=96).images_per_epoch == pytest.approx(
        112 / 0.80556, abs=1
    )
    assert settings(progressive={"start": 1}).images_per_epoch == 448
    assert settings(progressive=False) == RecipeSettings(TRAIN, None)
    assert settings(progressive=True, skip_learnt=True) == RecipeSettings(TRAIN, None)
    assert settings(progressive=True, infobatch=True) == RecipeSettings(TRAIN, None)


@given(st.integers(1, 20), st.integers(1, 16), st.integers(16, 448), st.sampled_from([96, 320, 640]))
@example(epochs=1, batch=16, images=45, size=320)
def test_few_steps_too_have_the_operations_of_full_size(epochs: int, batch: int, images: int, size: int) -> None:
    arguments = {"epochs": epochs, "imgsz": size, "batch": batch}
    per_epoch = settings(images, train=arguments, progressive=True).images_per_epoch
    assert per_epoch is not None
    batches = -(-per_epoch // batch)
    work = sum(
        (ProgressiveSize().size((epoch + number / batches) / epochs, size) / size) ** 2
        * min(batch, per_epoch - number * batch)
        for epoch in range(epochs)
        for number in range(batches)
    )
    # half an image an epoch is rounded, the last batch of an epoch is smaller, and one step may have another size
    assert abs(work - epochs * images) <= epochs * (0.5 + batch * 0.6) + batch


def test_a_batch_brings_one_step_a_batch() -> None:
    assert settings(batch=4).arguments == {**TRAIN, "batch": 4, "nbs": 4}
    assert settings(batch=4, nbs=64).arguments == {**TRAIN, "batch": 4, "nbs": 64}
    assert settings(nbs=64).arguments == {**TRAIN, "nbs": 64}


def test_the_learning_rate_scales_with_the_square_root_of_the_batch() -> None:
    assert settings(batch=4, lr0="sqrt").arguments["lr0"] == pytest.approx(0.001 / 2)
    assert settings(batch=4, lr0="sqrt", train={**TRAIN, "batch": 8}).arguments["lr0"] == pytest.approx(
        0.001 / math.sqrt(2)
    )
    assert settings(batch=4, lr0=0.3).arguments["lr0"] == 0.3
    with pytest.raises(InputError, match="-1"):
        settings(batch=4, lr0="sqrt", train={**TRAIN, "batch": -1})


@pytest.mark.parametrize(("share", "closed"), [(1.0, 0), (0.5, 10), (0.52, 10), (0.03, 19)])
def test_a_share_of_mosaic_is_rounded_to_epochs(share: float, closed: int) -> None:
    assert settings(mosaic=share).arguments == {**TRAIN, "close_mosaic": closed}


def test_too_little_mosaic_is_none() -> None:
    assert settings(mosaic=0.02).arguments == {**TRAIN, "mosaic": 0.0, "close_mosaic": 0}
    with pytest.raises(InputError, match="mosaic is 0"):
        settings(mosaic=0.5, train={**TRAIN, "mosaic": 0})


def test_a_share_of_warmup_is_in_epochs() -> None:
    assert settings(warmup=0.125).arguments == {**TRAIN, "warmup_epochs": 2.5}
    assert settings(warmup=0).arguments == {**TRAIN, "warmup_epochs": 0}


def test_a_batch_that_the_recipe_does_not_set_may_be_larger_than_the_images() -> None:
    assert settings(chosen=10, images_seen=100) == RecipeSettings({**TRAIN, "epochs": 10}, 10)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"batch": 449}, "449 images are more than the 448"),
        ({"batch": 50, "chosen": 45}, "more than the 45"),
        # the arguments have no batch, so it is 16
        ({"nbs": 15}, "nbs: 15 images per optimiser step are fewer than the 16"),
        ({"images_seen": 7, "batch": 8}, "7 images are less than one batch of 8"),
    ],
)
def test_what_cannot_be_trained_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        settings(**wrong)


@given(st.integers(1, 20_000), st.integers(1, 100), st.integers(1, 64))
def test_the_images_seen_are_nearest_and_no_epoch_is_smaller_than_a_batch(seen: int, epochs: int, batch: int) -> None:
    train = {"epochs": epochs}
    if seen < batch:
        with pytest.raises(InputError, match="less than one batch"):
            settings(images_seen=seen, batch=batch, train=train)
        return
    found = settings(images_seen=seen, batch=batch, train=train)
    used, per_epoch = found.arguments["epochs"], found.images_per_epoch
    assert per_epoch is not None
    assert per_epoch >= batch
    assert used <= epochs
    assert abs(used * per_epoch - seen) <= used / 2
