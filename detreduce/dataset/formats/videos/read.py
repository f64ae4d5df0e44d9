"""Read videos, for example to choose which frames to label. Each frame that is used becomes an image of the dataset."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath

from detreduce.dataset.formats.unlabelled.read import find_label_files
from detreduce.dataset.paths.listing import absolute, find_files
from detreduce.dataset.reading.box_collector import BoxCollector
from detreduce.dataset.records import IMAGE_SUFFIXES, DetectionDataset, ImageRecord, Problem, Source
from detreduce.errors import ImageReadError, InputError
from detreduce.videos.every import DEFAULT, Every
from detreduce.videos.paths import VIDEO_SUFFIXES, VideoFrame, frame_name, may_be_video

_NO_FRAMES = "frames of this video are not used"


def load_videos(source: Source, split: str) -> DetectionDataset:
    """Load the frames of a split's videos, and the images next to the videos, without classes and boxes.

    A video that cannot be read is listed as a problem. Raise InputError if no frame and no image remains.
    """
    from detreduce.videos.index import read_index  # imports OpenCV

    every = Every.parse(source.every or DEFAULT)
    problems: list[Problem] = []
    files = _list_files(source, split, problems)
    videos = {name: path for name, path in files.items() if _has_video_suffix(path)}
    images = {name: path for name, path in files.items() if name not in videos}
    found: list[tuple[str, Path, tuple[int, int] | None, VideoFrame | None]] = [
        (name, path, None, None) for name, path in images.items()
    ]
    names = _names_of_videos(list(videos), list(images))
    for name, path in videos.items():
        try:
            index = read_index(path)
        except ImageReadError as error:
            problems.append(Problem(path, f"{error}; {_NO_FRAMES}"))
            continue
        if index.missing:
            problems.append(Problem(path, index.missing))
        for number in every.choose(index.times).tolist():
            frame = VideoFrame(path, number, float(index.times[number]))
            shown = frame_name(names[name], number)
            place = path / frame_name(path.stem, number)
            found.append((shown, place, (index.width, index.height), frame))
    if not found:
        where = source.splits[split].images[0]
        why = f" {problems[0]}." if problems and where.is_dir() else f" {problems[0].what}." if problems else ""
        raise InputError(f"{where}: there is no frame and no image that can be used.{why}")
    boxes = BoxCollector()
    for _ in found:
        boxes.add((), ())
    # sort by the number of the frame, because the names of more than a million frames are not in their order
    found.sort(key=lambda one: (one[0], -1) if one[3] is None else (one[0].rpartition("_")[0], one[3].number))
    records = tuple(
        ImageRecord(name, name, path, *arrays, width=size and size[0], height=size and size[1], frame=frame)
        for (name, path, size, frame), arrays in zip(found, boxes.arrays(), strict=True)
    )
    problems += find_label_files([str(path) for path in images.values()])
    return DetectionDataset(records, (), (), "cxcywhn", split, source, tuple(problems), labelled=False)


def count_images(source: Source, split: str) -> int:
    """Return the number of frames and images in a split."""
    return len(load_videos(source, split))


def find_videos(folder: Path) -> list[str]:
    """Return the videos below a folder, as sorted paths relative to the folder with ``/`` as the separator."""
    return [name for name in find_files(folder, VIDEO_SUFFIXES) if may_be_video(folder / name)]


def _has_video_suffix(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES


def _list_files(source: Source, split: str, problems: list[Problem]) -> dict[str, Path]:
    """Return the paths of the videos and images of a split, keyed by their names.

    The name is the path of the file below the folder of the split.
    """
    files: dict[str, Path] = {}
    for place in source.splits[split].images:
        if not place.is_dir():
            files[_unique(place.name, files)] = absolute(place)
            continue
        for name in find_files(place, VIDEO_SUFFIXES | IMAGE_SUFFIXES, problems):
            path = Path(f"{absolute(place)}{os.sep}{name}")
            if not _has_video_suffix(path) or may_be_video(path):
                files[_unique(name, files)] = path
    return files


def _unique(name: str, used: Collection[str]) -> str:
    """Return a name that is not in `used`. If `name` is used, a number is put in front, for example ``2/name``."""
    found, number = name, 2
    while found in used:
        found, number = f"{number}/{name}", number + 1
    return found


def _names_of_videos(videos: list[str], images: list[str]) -> dict[str, str]:
    """Map each video to the text with which the names of its frames begin.

    This text is the name of the video without its suffix. The suffix is kept if two videos would otherwise have frames
    with the same names, or if an image already has such a name. If an image has a name of that form too, a number is
    put in front, for example ``2/name``.
    """
    like_frames = {name.rpartition("_")[0] for name in images}
    names = {name: str(PurePosixPath(name).with_suffix("")) for name in videos}
    # a name with its suffix can be the short name of another video: x.mp4 and x.mp4.avi
    while clashing := _find_clashes(names, like_frames):
        names |= {name: name for name in clashing}
    used = like_frames.union(names.values())
    for name in [name for name, text in names.items() if text in like_frames]:
        names[name] = _unique(name, used)
        used.add(names[name])
    return names


def _find_clashes(names: Mapping[str, str], like_frames: Collection[str]) -> list[str]:
    """Return the videos whose short name in `names` is also the name of another video or is in `like_frames`."""
    counts = Counter(names.values())
    return [name for name, text in names.items() if text != name and (counts[text] > 1 or text in like_frames)]
