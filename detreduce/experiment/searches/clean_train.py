"""Leave images out of the train split of an experiment if they are also in val or test.

The remaining images are written to the cache folder as a dataset whose files are links. Every cell uses this dataset:
methods, random subsets, and the controls that train on all images.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from detreduce.dataset.load import load_dataset
from detreduce.dataset.records import DetectionDataset, ImageId
from detreduce.dataset.write import write_subset
from detreduce.dataset.writing.dataset_yaml import DATA_YAML
from detreduce.duplicates.leakage import LeakageReport, leaked_images, matches_in_words
from detreduce.errors import InputError
from detreduce.experiment.config import ExperimentConfig
from detreduce.experiment.ledger.identity import data_identity
from detreduce.experiment.searches.dropped_leaks import DroppedLeaks
from detreduce.experiment.sections import ReduceConfig
from detreduce.machine.cache_folder import cache_folder
from detreduce.machine.claims import claimed
from detreduce.machine.files import writing
from detreduce.machine.hashes import json_hash
from detreduce.machine.untrusted.regular_files import is_regular
from detreduce.selection.choose import bare_table
from detreduce.selection.named_images import ids_of_rows, image_rows
from detreduce.selection.sections import IMAGE_LISTS
from detreduce.training.recipes.recipe import Recipe

_NO_TRAIN_LEFT = (
    "reduce.drop_leaked: all images of train are also in val or test, so no image remains. Use a val and "
    "a test split with other images."
)


def drop_leaks(
    config: ExperimentConfig, dataset: DetectionDataset
) -> tuple[ExperimentConfig, DetectionDataset, DroppedLeaks | None]:
    """Leave out images of train that are also in val or test.

    `dataset` is the train split of the experiment. Return the changed configuration, the new train split, and the
    images that were left out. The search opens all images once, and its results are cached. If ``reduce.drop_leaked``
    is not set, there is no search, and nothing changes.

    Raises InputError if no image remains, if ``must_keep`` names an image that is left out, or if the dataset has
    neither val nor test.
    """
    if not config.reduce.drop_leaked:
        return config, dataset, None
    found = leaked_images(dataset)
    leaked = {item.image for item in found.leaked}
    dropped = DroppedLeaks(
        tuple(image for image in dataset.image_ids if image in leaked), len(dataset), _in_words(found, len(leaked))
    )
    if not leaked:
        return config, dataset, dropped
    if len(leaked) == len(dataset):
        raise InputError(_NO_TRAIN_LEFT)
    file = _write(dataset, leaked)
    reduce, recipes = _lists(config, dataset, found)
    clean = config.model_copy(update={"dataset": str(file), "reduce": reduce, "recipes": recipes})
    # do not warn the user that links in the cache folder lead to images outside it
    train = load_dataset(file, split=dataset.split)
    source = replace(train.source, origin=dataset.source.typed)
    return clean, replace(train, outside=dataset.outside, source=source), dropped


def _in_words(found: LeakageReport, count: int) -> str:
    words = matches_in_words(found.to_dict()["leaked"], found.provenance["matched"])
    who = "It is" if count == 1 else "They are"
    return f"Leaks: {words}{f'. {who} left out of all trainings' if count else ''}."


def _write(dataset: DetectionDataset, leaked: set[ImageId]) -> Path:
    """Write the images that are not in `leaked` as a dataset of links, and return the path of its data.yaml.

    If the cache already has this dataset, nothing is written.
    """
    source = dataset.source.path.absolute()
    kept = [image for image in dataset.image_ids if image not in leaked]
    key = json_hash([str(source), data_identity(dataset), list(map(str, kept))])[:16]
    # pages and messages show the name of the folder, so it begins with the name of the dataset
    name = f"{(source if source.is_dir() else source.parent).name or 'data'}-without-leaks"
    folder = cache_folder() / "datasets" / key / name
    with writing(folder), claimed(folder, wait=True):
        # another process may just have written the same dataset
        if not is_regular(folder / DATA_YAML):
            write_subset(dataset, kept, folder, link="symlink")
    return folder / DATA_YAML


def _lists(
    config: ExperimentConfig, dataset: DetectionDataset, found: LeakageReport
) -> tuple[ReduceConfig, list[Recipe]]:
    """Return the section `reduce` and the recipes, without the images in `found`.

    Their lists of images, such as ``exclude``, then contain image ids.
    """
    table, leaked = bare_table(dataset), {item.image: item for item in found.leaked}

    def cleaned(key: str, images: list[str | int]) -> list[ImageId]:
        """Return the ids of a list of images, without the leaked images."""
        ids = ids_of_rows(table, image_rows(table, images))
        for item in (leaked[image] for image in ids if image in leaked and key == "must_keep"):
            raise InputError(
                f"reduce.must_keep: the image {item.name!r} is also in {item.other_split}. Take it out of must_keep, "
                "or keep such images (without drop_leaked)."
            )
        return [image for image in ids if image not in leaked]

    def without(part: Any) -> Any:
        """Return a part of the configuration whose lists of images have no leaked images."""
        given = {key: getattr(part, key) for key in IMAGE_LISTS}
        update = {key: cleaned(key, value) for key, value in given.items() if isinstance(value, list)}
        return part.model_copy(update=update)

    reduce = config.reduce.model_copy(update={"methods": [without(method) for method in config.reduce.methods]})
    recipes = [
        recipe.model_copy(update={"subset": without(recipe.subset)}) if recipe.subset is not None else recipe
        for recipe in config.recipes
    ]
    return without(reduce), recipes
