"""Write a LabelMe subset: copies of the JSON files and links to the images, in the same folders and with the same
names.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path, PurePosixPath

from detreduce.dataset.formats.format import Reload
from detreduce.dataset.formats.labelme.read import load_labelme
from detreduce.dataset.paths.listing import absolute
from detreduce.dataset.records import Source, SplitSource
from detreduce.dataset.writing.annotated import refuse_lists
from detreduce.dataset.writing.choice import Choice
from detreduce.dataset.writing.dataset_yaml import DATA_YAML, write_dataset_yaml
from detreduce.dataset.writing.links import Placer
from detreduce.display.progress import progress


def write_labelme(choice: Choice, placer: Placer, target: Path) -> Reload:
    """Write the subset with `placer`. Return a function that loads the reduced split from `target`.

    The files are written to a temporary folder, which the caller then renames to `target`. JSON files are copied byte
    for byte. Raise InputError if link='list'.
    """
    refuse_lists(choice, placer)
    source = choice.dataset.source
    splits = choice.load_records()
    written = {}
    entries = {}
    for split, records in splits.items():
        with progress("Writing images", len(records), "images") as advance:
            for record in records:
                placer.image(record.path, PurePosixPath(record.name))
                if record.label_path is not None:
                    placer.copy(record.label_path, PurePosixPath(_relative(record.label_path, source.root)))
                advance()
        folder = _relative(source.splits[split].images[0], source.root)
        placer.make_folder(PurePosixPath(folder))
        written[split] = SplitSource((absolute(target / folder),))
        entries[split] = folder
    write_dataset_yaml(placer, source.format, entries)
    return partial(load_labelme, Source(source.format, target / DATA_YAML, target, written), choice.dataset.split)


def _relative(path: Path, root: Path) -> str:
    """Return a path relative to the root, with ``/`` as the separator."""
    return absolute(path).relative_to(absolute(root)).as_posix()
