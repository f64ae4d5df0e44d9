"""Numbers and times of frames are those of a plain decode from the start."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_videos import make_video, number_in, read_all, turn, vary_rate

from detreduce.errors import ImageReadError, InputError
from detreduce.videos import reader
from detreduce.videos.every import Every
from detreduce.videos.index import read_index
from detreduce.videos.paths import frame_name, stored_file, video_of
from detreduce.videos.reader import VideoReader, read_frame

CODECS = (("a.mp4", "mp4v"), ("a.avi", "MJPG"), ("a.webm", "VP80"), ("a.mkv", "mp4v"))


@pytest.mark.parametrize(("name", "codec"), CODECS)
def test_every_frame_has_the_number_and_the_pixels_of_a_plain_decode(name: str, codec: str, tmp_path: Path) -> None:
    file = make_video(tmp_path / name, codec=codec)
    index, plain = read_index(file), read_all(file)
    assert len(index) == len(plain) == 40
    assert index.rate == pytest.approx(10, rel=0.01) and index.seconds == pytest.approx(4, abs=0.11)
    for number, image in VideoReader(file).frames(range(40)):
        assert image is not None and number_in(image) == number
        assert (image == plain[number]).all()


@pytest.mark.parametrize(("name", "codec"), CODECS)
def test_jumps_lead_to_the_same_frames(name: str, codec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_WORTH_A_JUMP", 2)
    file = make_video(tmp_path / name, codec=codec)
    plain = read_all(file)
    numbers = np.random.default_rng(0).permutation(40).tolist()
    for number, image in VideoReader(file).frames(numbers, jump=True):
        assert image is not None and (image == plain[number]).all(), number


def test_a_variable_frame_rate_gives_the_times_of_the_file(tmp_path: Path) -> None:
    durations = [1, 1, 7, 1, 3] * 8
    file = vary_rate(make_video(tmp_path / "a.mp4"), durations)
    index = read_index(file)
    expected = np.concatenate([[0], np.cumsum(durations)[:-1]]) / 10
    assert index.times == pytest.approx(expected, abs=1e-3)
    # one frame each half second: the first at or after each multiple, and none twice
    chosen = Every.parse("0.5s").choose(index.times).tolist()
    wanted = []
    for number, time in enumerate(expected):
        before = -1 if number == 0 else expected[number - 1]
        if int(time / 0.5 + 1e-6) > (before // 0.5 if number else -1):
            wanted.append(number)
    assert chosen == wanted
    for number, image in VideoReader(file).frames(chosen):
        assert image is not None and number_in(image) == number


def test_a_turned_video_is_upright(tmp_path: Path) -> None:
    file = turn(make_video(tmp_path / "a.mp4"))
    index = read_index(file)
    assert (index.width, index.height) == (96, 192)
    assert next(VideoReader(file).frames([3]))[1].shape == (192, 96, 3)


@given(st.lists(st.floats(0.001, 3), min_size=1, max_size=60), st.floats(0.01, 5))
def test_the_first_frame_at_or_after_each_multiple_is_used(gaps: list[float], step: float) -> None:
    times = np.cumsum(gaps)
    chosen = Every(step, in_seconds=True).choose(times)
    assert chosen[0] == 0 and (np.diff(chosen) > 0).all()
    multiples = np.floor((times - times[0] + 1e-6) / step)
    # each multiple that was passed is passed by a chosen frame, and no two chosen frames pass the same
    assert sorted(set(multiples)) == multiples[chosen].tolist()


@pytest.mark.parametrize("text", ["", "0", "0s", "-1", "0.5", "1.5", "x", "1 m", "1e9", "nan", "inf", None, 0.5, True])
def test_other_steps_are_one_sentence(text: object) -> None:
    with pytest.raises(InputError, match=r"Use seconds, such as 0\.5s, or a number of frames"):
        Every.parse(text)  # type: ignore[arg-type]


def test_a_path_of_a_frame_names_its_video(tmp_path: Path) -> None:
    file = make_video(tmp_path / "drive.mp4", 12)
    path = file / frame_name("drive", 7)
    assert video_of(path) == (file, 7) and stored_file(path) == file
    assert number_in(read_frame(path)) == 7
    # a folder with the name of a video, and other names
    (tmp_path / "folder.mp4").mkdir()
    assert video_of(tmp_path / "folder.mp4" / "a_000001.jpg") is None
    assert video_of(tmp_path / "a_000001.jpg") is None and video_of(file / "a.jpg") is None
    with pytest.raises(ImageReadError, match="cannot be decoded"):
        read_frame(file / frame_name("drive", 99))


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "mp4v"), ("a.avi", "MJPG"), ("a.webm", "VP80")])
def test_a_video_cut_at_any_byte_is_read_or_refused_in_one_sentence(
    name: str, codec: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    data = make_video(folder / name, codec=codec).read_bytes()

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.integers(0, len(data) - 1))
    def check(size: int) -> None:
        file = folder / f"{size}{name}"
        file.write_bytes(data[:size])
        try:
            index = read_index(file)
        except ImageReadError as error:
            assert str(error) and "\n" not in str(error)
            return
        shown = list(VideoReader(file).frames(range(len(index))))
        readable = [number for number, image in shown if image is not None]
        assert readable == list(range(len(readable))), "the frames before the cut"
        # a cut frame may show damage, but all frames before it are whole
        assert all(number_in(image) == number for number, image in shown[: len(readable) - 1] if image is not None)

    check()
