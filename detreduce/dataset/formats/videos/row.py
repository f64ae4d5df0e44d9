"""Load videos, and folders of videos and images: defines the `Format` `VIDEOS`."""

from __future__ import annotations

from pathlib import Path

from detreduce.dataset.formats.format import Format
from detreduce.dataset.formats.unlabelled.row import image_splits
from detreduce.dataset.formats.videos.read import count_images, find_videos, load_videos
from detreduce.dataset.formats.videos.write import write_videos
from detreduce.dataset.reading.description import Description, find_root
from detreduce.dataset.records import DetectionDataset, Source, SplitSource
from detreduce.dataset.splits import choose_split
from detreduce.videos.every import DEFAULT
from detreduce.videos.paths import VIDEO_SUFFIXES, may_be_video


def accepts_file(file: Path) -> bool:
    """Return whether a file has the suffix of a video and is not TypeScript."""
    return file.suffix.lower() in VIDEO_SUFFIXES and may_be_video(file)


def accepts_folder(folder: Path) -> bool:
    """Return whether there is a video anywhere below a folder."""
    return folder.is_dir() and bool(find_videos(folder))


def load_path(place: Path, split: str | None, images: Path | None) -> DetectionDataset:
    """Load a video, or all videos and images below a folder, as the split train."""
    splits = {"train": SplitSource((place,))}
    root = place if place.is_dir() else place.parent
    return load_videos(
        Source("videos", place, root, splits, every=DEFAULT), choose_split(split or "train", splits, place)
    )


def load_yaml(description: Description, split: str) -> DetectionDataset:
    """Load a dataset YAML with ``format: videos``. The key ``every`` says which frames are used.

    Raise MissingFileError if a folder or a video that the YAML names does not exist.
    """
    root = find_root(description)
    splits = image_splits(description, root)
    every = str(description.values.get("every", DEFAULT))
    source = Source("videos", description.file, root, splits, every=every)
    return load_videos(source, choose_split(split, splits, description.file))


VIDEOS = Format(
    name="videos",
    example="a video or a folder of videos",
    accepts_file=accepts_file,
    accepts_folder=accepts_folder,
    load_path=load_path,
    load_yaml=load_yaml,
    load_split=load_videos,
    count_images=count_images,
    labelled=False,
    write=write_videos,
)
