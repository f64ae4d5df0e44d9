"""Images seen at equal operations, with known answers, and what a training then really sees."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from detreduce.experiment.tuning.lengths import LEAST_BATCHES, ImageCosts, Training, images_seen, possible_lengths
from detreduce.training.recipes.recipe import Recipe
from detreduce.training.recipes.settings import recipe_settings

BATCH8, SMALL = Recipe(batch=8), Recipe(batch=8, imgsz=224)
COSTS = ImageCosts(1.0, {"batch8": 1.0, SMALL.label: 0.49, "batch4": 1.0})


def test_smaller_images_see_more_of_them() -> None:
    training = Training(images=448, epochs=20, batch=16)
    assert training.full == 8960
    assert images_seen(BATCH8, 960, training, COSTS) == 960
    # 960 / 0.49 = 1959.2, and an epoch has a whole number of images
    assert images_seen(SMALL, 960, training, COSTS) == 1960
    # 80 / 0.49 = 163.3 images are fewer than 20 epochs of a batch of 8 would see, and 160 is more than them
    assert images_seen(SMALL, 80, training, COSTS) == 160
    assert images_seen(SMALL, 64, training, COSTS) == 128


def test_lengths_end_at_the_whole_training() -> None:
    training = Training(images=448, epochs=20, batch=16)
    found = possible_lengths([BATCH8, Recipe(batch=4)], training, COSTS)
    # 50 batches of 16, in steps of 80: whole batches and equal epochs
    assert (found[0], found[1], found[-1]) == (800, 880, 8960)
    assert found == sorted(set(found))
    # a short training has one length
    assert possible_lengths([BATCH8], Training(24, 4, 16), COSTS) == [96]
    # lengths at which the rounded images seen differ by more than 1.9 % are left out
    small = possible_lengths([SMALL], training, COSTS)
    assert set(small) <= set(found) and all(
        abs(images_seen(SMALL, length, training, COSTS) * 0.49 / length - 1) <= 0.019 for length in small[:-1]
    )


def test_many_lengths_are_thinned() -> None:
    found = possible_lengths([BATCH8], Training(100_000, 100, 16), COSTS)
    assert 100 < len(found) <= 203 and found[-1] == 10_000_000


@given(st.integers(16, 5000), st.integers(1, 120), st.sampled_from([4, 8, 16]), st.sampled_from([4, 8, 16]))
def test_a_training_sees_what_was_planned(images: int, epochs: int, given_batch: int, batch: int) -> None:
    training, recipe = Training(images, epochs, given_batch), Recipe(batch=batch)
    costs = ImageCosts(1.0, {recipe.label: 1.0, Recipe().label: 1.0})
    *shorter, full = possible_lengths([recipe], training, costs)
    for length in (*shorter[:3], *shorter[-1:]):
        assert length >= LEAST_BATCHES * given_batch
        for one in (recipe, Recipe()):
            wanted = images_seen(one, length, training, costs)
            made = recipe_settings(
                one.model_copy(update={"images_seen": wanted}),
                {"epochs": epochs, "batch": given_batch},
                images=images,
                chosen=images,
            )
            assert made.arguments["epochs"] * made.images_per_epoch == wanted
        assert images_seen(Recipe(), length, training, costs) == length
    assert full == images * epochs == images_seen(recipe, full, training, costs)
