"""Load Pascal VOC folders: defines the `Format` `VOC`."""

from __future__ import annotations

from pathlib import Path

from detreduce.dataset.formats.format import Format
from detreduce.dataset.formats.voc.layout import find_layout_beside, find_voc_layout, voc_layout
from detreduce.dataset.formats.voc.read import count_images, find_voc_splits, list_files, load_voc
from detreduce.dataset.formats.voc.write import MASKS, write_voc
from detreduce.dataset.paths.listing import absolute
from detreduce.dataset.reading.description import Description, find_root, split_values
from detreduce.dataset.records import DetectionDataset, Source, SplitSource
from detreduce.dataset.splits import choose_split, in_order
from detreduce.errors import MissingFileError


def is_voc_folder(folder: Path) -> bool:
    """Return whether a folder contains annotations and images in the folders that are usual for VOC."""
    return find_voc_layout(folder) is not None


def has_voc_beside(folder: Path) -> bool:
    """Return whether a folder contains VOC XML files next to their images."""
    return find_layout_beside(folder) is not None


def reads_from(source: Source) -> list[Path]:
    """Return the folders of a VOC dataset that contain XML files, lists and masks."""
    layout = find_voc_layout(source.root)
    if layout is None or layout.beside:
        return []
    names = (layout.notes, layout.lists.split("/")[0], *MASKS)
    return [absolute(source.root) / name for name in names]


def load_path(folder: Path, split: str | None, images: Path | None) -> DetectionDataset:
    """Load a VOC folder. Raise the same errors as `load_voc`."""
    splits = find_voc_splits(folder)
    return load_voc(Source("voc", folder, folder, splits), choose_split(split or "train", splits, folder))


def load_yaml(description: Description, split: str) -> DetectionDataset:
    """Load a dataset YAML with ``format: voc``. Raise MissingFileError if it does not name a VOC folder."""
    root = find_root(description)
    splits = _splits(description, root)
    source = Source("voc", description.file, root, splits)
    return load_voc(source, choose_split(split, splits, description.file))


def _splits(description: Description, root: Path) -> dict[str, SplitSource]:
    """Return the splits of a YAML.

    The YAML can name a list in ImageSets/Main for each split, for example ``train: trainval``. If it names none, each
    list in ImageSets/Main is a split.
    """
    if not is_voc_folder(root) and not has_voc_beside(root):
        raise MissingFileError(
            f"{description.file}: {root} is not a VOC folder (Annotations, JPEGImages).{description.how_to_get()}"
        )
    there = find_voc_splits(root)
    lists = {file.stem: file for file in list_files(root)}
    splits = {}
    for split, name in split_values(description).items():
        stem = Path(str(name)).stem
        if stem not in lists:
            known = ", ".join(lists) or "none"
            raise MissingFileError(
                f"{description.file}: {root / voc_layout(root).lists} has no list {stem!r}. "
                f"Use one of these lists: {known}."
            )
        splits[split] = SplitSource(next(iter(there.values())).images, lists[stem])
    return in_order(splits) if splits else there


VOC = Format(
    name="voc",
    example="a VOC folder",
    accepts_folder=is_voc_folder,
    accepts_images=has_voc_beside,
    load_path=load_path,
    load_yaml=load_yaml,
    load_split=load_voc,
    count_images=count_images,
    reads_from=reads_from,
    write=write_voc,
)
