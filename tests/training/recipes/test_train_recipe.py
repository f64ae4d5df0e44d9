"""Real trainings of a second with a recipe, and the errors before a training starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tiny_dataset import make_tiny

from detreduce.dataset import load_dataset
from detreduce.display.listener import listening
from detreduce.errors import InputError, MissingFileError
from detreduce.training import harness
from detreduce.training.harness import train
from detreduce.training.recipes import prepare
from detreduce.training.recipes.recipe import Recipe
from detreduce.training.record import TrainingRecord
from detreduce.training.run import folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("source") / "tiny")


def trained(data: Path, output: Path, recipe: Any, **arguments: Any) -> TrainingRecord:
    given = {"epochs": 4, "imgsz": 64, "workers": 0, "allow_leaks": True, **arguments}
    return train(data, "yolov8n.yaml", output=output, recipe=recipe, **given)


def test_a_recipe_is_trained_and_its_record_says_which(data: Path, tmp_path: Path) -> None:
    recipe = Recipe(batch=4, images_seen=0.5, lr0="sqrt", mosaic=0.5, warmup=0.25, stream="class_uniform")
    record = trained(data, tmp_path / "run", recipe)
    # 4 epochs of 12 of the 24 images, in batches of 4
    assert (record.counts.images_seen, record.counts.batches, record.counts.optimiser_steps) == (48, 12, 12)
    assert record.images_per_epoch == 12
    resolved = record.resolved
    # ultralytics' AdamW for two classes: 0.002 * 5 / (4 + 2)
    assert resolved["optimizer"] == "AdamW"
    assert resolved["lr0"] == pytest.approx(0.001667 / 2)
    assert (resolved["batch"], resolved["nbs"], resolved["close_mosaic"], resolved["warmup_epochs"]) == (4, 4, 2, 1.0)
    assert Recipe.model_validate(record.recipe) == recipe.model_copy(update={"name": recipe.label})
    assert record.arguments["batch"] == 4
    assert TrainingRecord.load(tmp_path / "run").recipe == record.recipe


def test_growing_images_take_the_operations_of_full_size(data: Path, tmp_path: Path) -> None:
    record = trained(data, tmp_path / "run", {"progressive": True, "batch": 8}, imgsz=96)
    # 24 images at 0.8056 of the cost: 30 images an epoch, four batches
    assert (record.counts.images_seen, record.counts.batches) == (120, 16)
    # 6 of 16 batches (shares below 0.35) had 64 px; the last batch of each epoch has 6 images instead of 8
    seen = (46 * (64 / 96) ** 2 + 74) / 120
    full = record.flops.forward / seen
    assert full * 96 == pytest.approx(record.flops.forward * 120, rel=0.02)


def test_the_subset_of_a_recipe_is_chosen_first(data: Path, tmp_path: Path) -> None:
    recipe = {"subset": {"name": "srs", "keep": 8}, "batch": 4, "images_seen": 40}
    record = trained(data, tmp_path / "run", recipe)
    assert record.data.train_images == 8
    assert (record.counts.images_seen, record.counts.epochs) == (40, 4)
    assert record.data.path == str(data)
    assert "selection" in record.energy
    assert all(link.exists() for link in (tmp_path / "run").rglob("*.jpg")), "links lead to the dataset itself"


def test_a_recipe_may_train_on_all_images_that_remain(data: Path, tmp_path: Path) -> None:
    without, said = ["000.jpg", "001.jpg", "002.jpg"], list[str]()
    recipe = {"subset": {"keep": "all", "exclude": without}, "infobatch": True}
    with listening(said.append):
        record = trained(data, tmp_path / "run", recipe, allow_leaks=False)
    commands = [line for line in said if "detreduce inspect" in line]
    assert len(commands) == 1
    assert f"detreduce inspect {data} " in commands[0], "not the temporary folder of the subset"
    assert record.data.train_images == 21
    assert record.recipe == {"name": "srs_all-infobatch", "subset": {"name": "srs", "keep": "all", "exclude": without},
                             "infobatch": {}}  # fmt: skip
    # the first and the last of four epochs have all images; the others leave out at most half of them
    assert 2 * 21 + 2 * 11 <= record.counts.images_seen < 4 * 21
    assert record.training_tflops == pytest.approx(
        (record.flops.forward + record.flops.backward) * record.counts.images_seen / 1e12
    )


def test_a_batch_above_the_images_that_remain_is_refused_before_the_training(data: Path, tmp_path: Path) -> None:
    recipe = {"batch": 24, "subset": {"keep": "all", "exclude": ["000.jpg"]}}
    with pytest.raises(InputError, match="batch: 24 images are more than the 23"):
        trained(data, tmp_path / "run", recipe)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("recipe", [{"batch": 4}, {"subset": {"name": "srs", "keep": 8}, "batch": 4}])
def test_the_train_split_is_loaded_once(
    data: Path, tmp_path: Path, recipe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []

    def counted(place: Any, **options: Any) -> Any:
        loaded.append(str(place))
        return load_dataset(place, **options)

    def stop(*_: Any) -> None:
        raise LookupError

    monkeypatch.setattr(harness, "_train", stop)
    for module in (prepare, folder):
        monkeypatch.setattr(module, "load_dataset", counted)
    with pytest.raises(LookupError):
        trained(data, tmp_path / "run", recipe)
    others = [place for place in loaded if not place.startswith(str(tmp_path / "run"))]
    assert others == [str(data)]


@pytest.mark.parametrize(
    ("recipe", "arguments", "words"),
    [
        ({"batch": 25}, {}, "25 images are more than the 24"),
        ({"subset": {"name": "srs", "keep": 8}, "batch": 9}, {}, "9 images are more than the 8"),
        ({"freeze": 24}, {}, "no 24 layers"),
        ({"images_seen": 3}, {}, "3 images are less than one batch"),
        ({"images_seen": 0}, {}, "0 is not above 0"),
        ({"btch": 3}, {}, "Did you mean 'batch'"),
        ({"batch": 4}, {"batch": 8}, "batch=8 contradicts the recipe 'batch4'"),
        ({"batch": 4}, {"nbs": 64}, "nbs=64 contradicts the recipe 'batch4': its batch of 4 is also nbs"),
        ({"mosaic": 0.5}, {"close_mosaic": 2}, "close_mosaic=2 contradicts"),
        ({"lr0": 0.1}, {"lr0": 0.2}, "lr0=0.2 contradicts"),
        ({"batch": 4}, {"images_per_epoch": 12}, "images_per_epoch=12 cannot be used"),
        ({"stream": {"by": "weights", "file": "other.csv"}}, {}, "no weight for 24 of 24 images"),
        ({"stream": {"by": "weights", "file": "nan.csv"}}, {}, "'nan' is not a weight"),
        ({"stream": {"by": "weights", "file": "no.csv"}}, {}, "no.csv"),
        ("no.yaml", {}, "no.yaml"),
    ],
)
def test_a_recipe_that_cannot_be_trained_leaves_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: Any, arguments: dict, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("other.csv").write_text("image,weight\nstranger.jpg,1\n")
    Path("nan.csv").write_text("image,weight\n" + "".join(f"{row:03}.jpg,nan\n" for row in range(24)))
    with pytest.raises(InputError) as caught:
        trained(data, tmp_path / "run", recipe, **arguments)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_recipe_that_does_not_exist_is_a_missing_file(data: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        trained(data, tmp_path / "run", tmp_path / "no.yaml")
