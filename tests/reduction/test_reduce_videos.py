"""Videos are decoded once for near-duplicates and features, and a killed run goes on where it was."""

from __future__ import annotations

import html
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_videos import make_video, number_in, picture

import detreduce as dr
from detreduce.dataset.health.counts import summarise_videos
from detreduce.dataset.records import DetectionDataset
from detreduce.duplicates import near_duplicates
from detreduce.duplicates.in_time import FramesInOrder, TimeGroups
from detreduce.duplicates.time_search import TimeSearch
from detreduce.duplicates.video_pass import SignaturesInPass
from detreduce.errors import DetreduceWarning, InputError
from detreduce.features.request import Extraction
from detreduce.pages.selection.time_lines import time_lines
from detreduce.reduction.steps import extract
from detreduce.selection.explanation import explain
from detreduce.selection.record import Selection
from detreduce.videos.reader import VideoReader

# of 40 frames: a standing camera, then moving scenes, then the first scene again
SCENES = [0] * 12 + list(range(1, 17)) + [0] * 12


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    return make_video(tmp_path / "videos" / "drive.mp4", scenes=SCENES)


def in_pass(data: DetectionDataset, cache: Path, prefer: tuple[str, ...] = ()) -> tuple[SignaturesInPass, TimeSearch]:
    search = TimeSearch(data, np.arange(len(data)), 0.85, prefer, cache=cache)
    return search.in_pass(), search


def test_one_pass_finds_the_duplicates_and_features_of_two_searches(drive: Path, tmp_path: Path) -> None:
    data = dr.load_dataset(drive, every=1)
    frames, search = in_pass(data, tmp_path / "one")
    table = extract(data, Extraction(blocks=("image",), cache=tmp_path / "one"), frames)
    found = search.result(frames.matches)
    apart = near_duplicates(data, by="time", cache=tmp_path / "two")
    assert found.pairs == apart.pairs and found.groups == apart.groups
    # the standing camera gives one frame, at the start and at the end
    copies = {data.row_of[copy] for copy in found.redundant}
    assert copies >= set(range(1, 12)) | set(range(29, 40))
    assert not copies & set(range(12, 28))
    assert table.rows.tolist() == sorted(set(range(40)) - copies)
    whole = extract(data, Extraction(blocks=("image",), cache=tmp_path / "two"))
    assert (table.blocks["image"] == whole.blocks["image"][table.rows]).all()
    assert table.provenance["image"]["passes"] == len(table)


def test_frames_that_must_be_kept_are_no_duplicates(drive: Path, tmp_path: Path) -> None:
    data = dr.load_dataset(drive, every=1)
    frames, search = in_pass(data, tmp_path / "one", ("drive_000005.jpg",))
    extract(data, Extraction(blocks=("image",), cache=tmp_path / "one"), frames)
    found = search.result(frames.matches)
    assert "drive_000005.jpg" not in found.redundant
    assert found.pairs == near_duplicates(data, by="time", prefer=["drive_000005.jpg"], cache=tmp_path / "one").pairs


def test_a_frame_that_cannot_be_decoded_is_not_compared(
    drive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, picture_of_frame = dr.load_dataset(drive, every=1), VideoReader._picture
    monkeypatch.setattr(
        VideoReader, "_picture", lambda reader: None if reader._number in (3, 20) else picture_of_frame(reader)
    )
    frames, search = in_pass(data, tmp_path / "one")
    with pytest.warns(DetreduceWarning, match="left out"):
        extract(data, Extraction(blocks=("image",), cache=tmp_path / "one"), frames)
    found = search.result(frames.matches, frames.failures)
    apart = near_duplicates(data, by="time", cache=tmp_path / "two")
    assert found.images == apart.images == 38
    assert found.problems == apart.problems and len(found.problems) == 2
    assert found.pairs == apart.pairs


KILLED = """
import os, sys
from pathlib import Path
import numpy as np
import detreduce as dr
from detreduce.duplicates.time_search import TimeSearch
from detreduce.duplicates.video_pass import SignaturesInPass
from detreduce.features.request import Extraction
from detreduce.images import alongside_job
from detreduce.pages.selection.time_lines import time_lines
from detreduce.reduction.steps import extract

video, cache, last = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
alongside_job.FRAMES_AT_RISK = 4
before, seen = SignaturesInPass.needed, []

def needed(self, row, vector):
    seen.append(row)
    if len(seen) > last:
        os._exit(9)
    return before(self, row, vector)

SignaturesInPass.needed = needed
data = dr.load_dataset(video, every=1)
search = TimeSearch(data, np.arange(len(data)), 0.85, cache=cache)
frames = search.in_pass()
table = extract(data, Extraction(blocks=("image",), cache=cache), frames)
print(len(seen), table.provenance["image"]["passes"])
"""


@pytest.mark.long
@pytest.mark.parametrize("last", [22])
def test_a_killed_run_goes_on_from_the_last_stored_batch(last: int, drive: Path, tmp_path: Path) -> None:
    def run(cache: Path, last: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", KILLED, str(drive), str(cache), str(last)]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)

    killed = run(tmp_path / "killed", last)
    assert killed.returncode == 9, killed.stderr
    again = run(tmp_path / "killed", 1000)
    assert again.returncode == 0, again.stderr
    seen = int(again.stdout.split()[0])
    # at most a batch and the frames in flight are seen again
    assert 40 - last <= seen <= 40 - last + 4 + 16
    data = dr.load_dataset(drive, every=1)
    tables = []
    for cache in (tmp_path / "killed", tmp_path / "fresh"):
        frames, search = in_pass(data, cache)
        table = extract(data, Extraction(blocks=("image",), cache=cache), frames)
        tables.append((table.rows.tolist(), table.blocks["image"].tobytes(), search.result(frames.matches).pairs))
    assert tables[0] == tables[1]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=30), st.data())
def test_stored_pictures_change_nothing(scenes: list[int], draw: Any) -> None:
    """Whatever frames are known before a pass, the groups are those of a pass over all frames."""
    video, pictures = Path("a.mp4"), [picture(0, scene)[:64, :64, 0] for scene in scenes]
    memo: dict[tuple[int, int], float] = {}

    def groups(known: set[int]) -> dict[int, int]:
        filled = set(known)
        order = FramesInOrder(
            TimeGroups(0.85, similarities=memo),
            {video: list(range(len(scenes)))},
            lambda place: pictures[place] if place in filled else None,
        )
        order.add_known()
        for place in range(len(scenes)):
            if place not in known:
                filled.add(place)
                order.add_up_to(video, place)
        order.add_all()
        return {place: match.leader for place, match in order.groups.matches.items()}

    whole = groups(set())
    assert groups(draw.draw(st.sets(st.integers(0, len(scenes) - 1)))) == whole
    # each frame is a copy of the last frame of another scene's end
    leader = 0
    for place, scene in enumerate(scenes):
        if scene != scenes[leader]:
            leader = place
        assert whole.get(place, place) == leader


def test_reduce_writes_frames_that_read_back(drive: Path, tmp_path: Path) -> None:
    make_video(drive.parent / "second.avi", 20, codec="MJPG", scenes=range(30, 50))
    cv2.imwrite(str(drive.parent / "still.png"), picture(1, 99))
    result = dr.reduce(drive.parent, tmp_path / "out", keep=12, every=1, cache=tmp_path / "cache")
    assert len(result.dataset) == 12 and result.selection.categories["rule"] == "video"
    # each video has its share of the frames that show something new
    full, kept = result.selection.categories["full"], result.selection.categories["kept"]
    assert full == {"drive.mp4": 18, "images": 1, "second.avi": 20}
    assert sum(kept.values()) == 12 and abs(kept["drive.mp4"] - kept["second.avi"]) <= 1
    (step,) = (one for one in result.selection.steps if one["step"] == "drop_duplicates")
    assert step["dropped"] == 22 and result.selection.images_remaining == 39
    for record in dr.load_dataset(tmp_path / "out"):
        if record.path.stem != "still":
            assert number_in(cv2.imread(str(record.path))[..., ::-1]) == int(record.path.stem[-6:])
    made = Selection.load(tmp_path / "out" / "selection.json")
    for image in ("drive_000003.jpg", made.image_ids[0]):
        assert explain(made, image, cache=tmp_path / "cache").name == image
    nearest = explain(made, made.image_ids[0], cache=tmp_path / "cache")
    assert nearest.nearest_kept is not None


@pytest.mark.parametrize("method", ["stride", "srs", "first"])
def test_controls_decode_only_what_they_write(
    method: str, drive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_video(drive.parent / "second.mp4", 20)
    result = dr.reduce(drive.parent, tmp_path / "out", method, keep=6, every=1, page=False)
    kept = sorted(result.selection.image_ids)
    assert len(kept) == 6
    if method == "stride":
        # each video gets its share, in equal steps
        assert kept == [f"drive_{number:06}.jpg" for number in (0, 10, 20, 30)] + [
            f"second_{number:06}.jpg" for number in (0, 10)
        ]
    limited = dr.reduce(drive.parent, tmp_path / "few", method, keep=4, every=1, max_per_group=2, page=False)
    assert sorted(image[:5] for image in limited.selection.image_ids) == ["drive", "drive", "secon", "secon"]


def test_a_cut_video_is_reduced_up_to_its_end(tmp_path: Path) -> None:
    file = make_video(tmp_path / "cut.avi", 120, codec="MJPG", scenes=range(120))
    data = file.read_bytes()
    file.write_bytes(data[: len(data) * 2 // 3])
    result = dr.reduce(file, tmp_path / "out", keep=5, every=10, cache=tmp_path / "cache")
    assert len(result.dataset) == 5 and "states 12.0 s" in str(
        result.dataset.problems or dr.load_dataset(file).problems
    )


def test_too_few_frames_are_one_sentence_with_what_to_do(drive: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--every"):
        dr.reduce(drive, tmp_path / "out", keep=200)
    assert not (tmp_path / "out").exists()


def test_duplicates_are_kept_where_too_few_frames_would_remain(tmp_path: Path) -> None:
    still = make_video(tmp_path / "still.mp4", scenes=[0] * 40)
    with pytest.warns(DetreduceWarning, match="too few images would remain"):
        result = dr.reduce(still, tmp_path / "out", keep=8, every=1, cache=tmp_path / "cache")
    assert len(result.dataset) == 8


def test_time_needs_videos(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(3):
        cv2.imwrite(str(tmp_path / "in" / f"{number}.png"), picture(number, number))
    with pytest.raises(InputError, match="has none"):
        dr.reduce(tmp_path / "in", tmp_path / "out", "first", keep=1, drop_duplicates="time")
    with pytest.raises(InputError, match="has none"):
        dr.reduce(tmp_path / "in", tmp_path / "out", "first", keep=1, categories="video")


def test_frames_csv_names_the_order_of_choice(drive: Path, tmp_path: Path) -> None:
    dr.reduce(drive, tmp_path / "out", keep=4, cache=tmp_path / "cache")
    selection = json.loads((tmp_path / "out" / "selection.json").read_text())
    lines = (tmp_path / "out" / "frames.csv").read_text().splitlines()
    assert lines[0] == "image,video,frame,time,rank"
    ranks = {line.split(",")[0]: int(line.split(",")[4]) for line in lines[1:]}
    assert ranks == {f"images/{image}": rank for rank, image in enumerate(selection["image_ids"], start=1)}


def test_the_page_has_a_time_line_for_each_video(drive: Path, tmp_path: Path) -> None:
    make_video(drive.parent / "b & <c>.mp4", 20)
    dr.reduce(drive.parent, tmp_path / "out", keep=10, every=2, cache=tmp_path / "cache")
    page = (tmp_path / "out" / "selection.html").read_text(encoding="utf-8")
    made = Selection.load(tmp_path / "out" / "selection.json")
    times = time_lines(made, dr.load_dataset(drive.parent, every=2))
    assert [line.name for line in times] == ["b & <c>.mp4", "drive.mp4"]
    assert sum(line.kept for line in times) == 10 and [line.used for line in times] == [10, 20]
    lengths = {video.name: video.seconds for video in summarise_videos(dr.load_dataset(drive.parent, every=2))}
    for line in times:
        assert line.seconds == pytest.approx(lengths[line.name], abs=0.001)
        assert line.length == f"{lengths[line.name]:.1f} s"
        assert line.kept_path.count("M") == line.kept == len(line.marks)
        for mark in line.marks:
            number = int(mark.words.split("_")[1][:6])
            assert mark.x == pytest.approx(1000 * number / 10 / line.seconds, abs=0.1)
            assert html.escape(mark.words) in page
    assert page.count('<figure class="line">') == 2
    assert page.count("data:image/jpeg") >= 20, "frames have pictures"


def test_without_videos_there_is_no_time_line(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(4):
        cv2.imwrite(str(tmp_path / "in" / f"{number}.png"), picture(number, number))
    dr.reduce(tmp_path / "in", tmp_path / "out", "first", keep=2)
    assert "Kept frames in time" not in (tmp_path / "out" / "selection.html").read_text(encoding="utf-8")
