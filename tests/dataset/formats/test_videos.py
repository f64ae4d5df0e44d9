"""Videos are datasets: each frame that is used is an image, and only chosen frames are written."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_videos import make_video, number_in, picture, read_all

from detreduce.dataset import load_dataset
from detreduce.dataset.health.counts import check_images, summarise
from detreduce.dataset.write import write_subset
from detreduce.errors import InputError


def test_a_video_is_a_dataset_of_its_frames(tmp_path: Path) -> None:
    file = make_video(tmp_path / "drive.mp4")
    data = load_dataset(file)
    assert not data.labelled and data.source.every == "0.5s" and data.problems == ()
    assert [record.frame.number for record in data] == [0, 5, 10, 15, 20, 25, 30, 35]
    assert [record.frame.time for record in data] == pytest.approx(np.arange(8) / 2)
    assert data[1].name == data[1].id == "drive_000005.jpg" and data[1].size == (192, 96) and data[1].file == file
    assert len(load_dataset(file, every=10)) == 4 and len(load_dataset(file, every="1s")) == 4
    (one,) = summarise(data).videos
    assert (one.name, one.frames, one.used, one.width, one.height) == ("drive.mp4", 40, 8, 192, 96)
    assert check_images(data) == ()


def test_videos_and_images_of_one_folder_are_one_dataset(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    make_video(folder / "b" / "drive.mp4", 12)
    make_video(folder / "a.mp4", 12)
    make_video(folder / "a.avi", 12, codec="MJPG")
    cv2.imwrite(str(folder / "still.png"), picture(9))
    (folder / "notes.mp4").write_text("this is no video")
    data = load_dataset(folder, every=6)
    assert [record.name for record in data] == [
        *("a.avi_000000.jpg", "a.avi_000006.jpg", "a.mp4_000000.jpg", "a.mp4_000006.jpg"),
        *("b/drive_000000.jpg", "b/drive_000006.jpg", "still.png"),
    ]
    assert [problem.file.name for problem in data.problems] == ["notes.mp4"]
    assert "not a video" in data.problems[0].what
    written = write_subset(data, [record.id for record in data], tmp_path / "out", frames="png")
    assert sorted(record.name for record in written) == sorted(record.name.replace(".jpg", ".png") for record in data)
    plain = read_all(folder / "b" / "drive.mp4")
    image = cv2.imread(str(tmp_path / "out" / "images" / "b" / "drive_000006.png"))
    assert (image[..., ::-1] == plain[6]).all()


def test_an_image_with_the_name_of_a_frame_keeps_its_name(tmp_path: Path) -> None:
    make_video(tmp_path / "drive.mp4", 12)
    cv2.imwrite(str(tmp_path / "drive_000000.jpg"), picture(1))
    names = [record.name for record in load_dataset(tmp_path, every=6)]
    assert names == ["drive.mp4_000000.jpg", "drive.mp4_000006.jpg", "drive_000000.jpg"]


@pytest.mark.parametrize(
    ("videos", "images"),
    [
        (["x.mp4", "x.avi", "x.mp4.avi"], []),
        (["x.mp4", "x.avi", "x.mp4.avi", "x.mp4.mkv", "x.mp4.avi.mkv"], []),
        (["x.mp4"], ["x_000000.jpg", "x.mp4_000000.png"]),
        (["x.mp4", "2/x.mp4"], ["x_0.jpg", "x.mp4_000006.jpg", "2/x_1.jpg"]),
    ],
)
def test_names_of_frames_are_different(videos: list[str], images: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for name in videos:
        make_video(folder / name, 12, codec="mp4v" if name.endswith("mp4") else "MJPG")
    for name in images:
        cv2.imwrite(str(folder / name), picture(1))
    data = load_dataset(folder, every=6)
    assert len({record.name for record in data}) == len(data) == 2 * len(videos) + len(images)
    assert set(images) <= {record.name for record in data}
    assert len(write_subset(data, data.image_ids, tmp_path / "out")) == len(data)


@pytest.mark.parametrize("name", ["index.ts", "index.mts", "src/a.TS"])
@pytest.mark.parametrize(
    "text", [b"", b"export const G = 1;\n" * 200, "\ufeffconst a = 'é';".encode("utf-16"), b"<?xml version='1.0'?><TS>"]
)
def test_source_code_is_no_video(name: str, text: bytes, tmp_path: Path) -> None:
    file = tmp_path / "in" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(text)
    cv2.imwrite(str(tmp_path / "in" / "a.png"), picture(0))
    data = load_dataset(tmp_path / "in")
    assert data.source.format == "images" and data.problems == () and len(data) == 1
    write_subset(data, data.image_ids, tmp_path / "out", link="list")
    with pytest.raises(InputError, match="not a dataset"):
        load_dataset(file)
    make_video(tmp_path / "in" / "b.mp4", 12)
    data = load_dataset(tmp_path / "in")
    assert data.source.format == "videos" and data.problems == ()


@pytest.mark.parametrize("cut", [0, 100])
@pytest.mark.parametrize("name", ["a.ts", "a.m2ts", "a.MTS"])
def test_transport_streams_are_videos(name: str, cut: int, tmp_path: Path) -> None:
    packets = make_video(tmp_path / "made.ts", 40, codec="mp4v").read_bytes()
    if name != "a.ts":
        # each packet of these files begins with a time of four bytes
        packets = b"".join(b"\0\0\1\2" + packets[at : at + 188] for at in range(0, len(packets), 188))
    file = tmp_path / "in" / name
    file.parent.mkdir()
    file.write_bytes(packets[cut:])
    data = load_dataset(file.parent)
    assert data.source.format == "videos" and len(data) >= 1 and data[0].file == file


def test_a_damaged_transport_stream_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "a.ts").write_bytes(np.random.default_rng(0).bytes(4000))
    cv2.imwrite(str(tmp_path / "a.png"), picture(0))
    assert [problem.file.name for problem in load_dataset(tmp_path).problems] == ["a.ts"]


@pytest.mark.parametrize("train", ["stills", "[stills, broken]"])
def test_a_dataset_of_videos_has_no_lists_even_if_a_split_has_no_frames(train: str, tmp_path: Path) -> None:
    make_video(tmp_path / "clips" / "a.mp4", 12)
    for name in ("stills/a.png", "broken/b.mp4"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"")
    cv2.imwrite(str(tmp_path / "stills" / "a.png"), picture(0))
    yaml = tmp_path / "data.yaml"
    yaml.write_text(f"format: videos\ntrain: {train}\nval: clips\n")
    data = load_dataset(yaml)
    with pytest.raises(InputError, match="link='list' writes no images"):
        write_subset(data, data.image_ids, tmp_path / "out", link="list")


@pytest.mark.parametrize("every", ["1", "0.3s", "7"])
def test_the_frame_in_each_written_file_is_the_frame_of_its_number(every: str, tmp_path: Path) -> None:
    file = make_video(tmp_path / "drive.mp4", 90)
    data = load_dataset(file, every=every)
    chosen = np.random.default_rng(0).permutation(data.image_ids)[:12].tolist()
    written = write_subset(data, chosen, tmp_path / "out")
    assert sorted(record.name for record in written) == sorted(chosen)
    for record in written:
        assert number_in(cv2.imread(str(record.path))[..., ::-1]) == int(record.path.stem[-6:])
    with (tmp_path / "out" / "frames.csv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    assert [row["image"] for row in sorted(rows, key=lambda row: int(row["rank"]))] == [
        f"images/{one}" for one in chosen
    ]
    for row in rows:
        assert row["video"] == "drive.mp4" and float(row["time"]) == pytest.approx(int(row["frame"]) / 10, abs=1e-3)
    assert load_dataset(tmp_path / "out").image_ids == [f"images/{one}" for one in sorted(chosen)]


@pytest.mark.parametrize("content", [b"", b"no video", b"\0" * 4096, b"#EXTM3U\nhttp://127.0.0.1:9/a.ts\n"])
def test_a_file_that_is_no_video_is_one_sentence(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(InputError, match="not a video"):
        load_dataset(tmp_path / "a.mp4")
    with pytest.raises(InputError, match="not a video"):
        load_dataset(tmp_path)
    make_video(tmp_path / "b.mp4", 12)
    data = load_dataset(tmp_path)
    assert {record.file.name for record in data} == {"b.mp4"} and len(data.problems) == 1


def test_a_video_that_ends_before_its_stated_length_is_a_problem(tmp_path: Path) -> None:
    file = make_video(tmp_path / "a.avi", 120, codec="MJPG")
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])
    loaded = load_dataset(file)
    assert 2 <= len(loaded) < 24
    assert "the header states 12.0 s" in loaded.problems[0].what or "states 12.0 s" in loaded.problems[0].what


def test_options_for_videos_are_checked(tmp_path: Path) -> None:
    file = make_video(tmp_path / "a.mp4", 12)
    cv2.imwrite(str(tmp_path / "stills.png"), picture(0))
    with pytest.raises(InputError, match="every='0' is not valid"):
        load_dataset(file, every="0")
    data = load_dataset(file)
    for wrong in ("gif", "jpg:0", "jpg:101", "png:9", ""):
        with pytest.raises(InputError, match="frames="):
            write_subset(data, data.image_ids, tmp_path / "out", frames=wrong)
    with pytest.raises(InputError, match="link='list' writes no images"):
        write_subset(data, data.image_ids, tmp_path / "out", link="list")
    folder = tmp_path / "stills"
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), picture(0))
    with pytest.raises(InputError, match="for videos only"):
        load_dataset(folder, every="1s")


def test_a_yaml_names_videos_and_the_step(tmp_path: Path) -> None:
    make_video(tmp_path / "clips" / "a.mp4", 40)
    make_video(tmp_path / "later" / "b.mp4", 20)
    yaml = tmp_path / "data.yaml"
    yaml.write_text("format: videos\nevery: 1s\ntrain: clips\nval: later\n")
    assert len(load_dataset(yaml)) == 4 and len(load_dataset(yaml, "val")) == 2
    assert len(load_dataset(yaml, every="0.5s")) == 8
    written = write_subset(load_dataset(yaml), load_dataset(yaml).image_ids[:2], tmp_path / "out")
    assert len(written) == 2 and len(load_dataset(tmp_path / "out", "val")) == 2
