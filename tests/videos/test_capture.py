"""The variables with which videos are opened are set only while a video is opened."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import pytest
from made_videos import make_video

from detreduce.errors import ImageReadError
from detreduce.videos import capture
from detreduce.videos.index import read_index

OPTIONS, LEVEL = "OPENCV_FFMPEG_CAPTURE_OPTIONS", "OPENCV_FFMPEG_LOGLEVEL"


@pytest.mark.parametrize("own", [None, "rtsp_transport;udp", "protocol_whitelist;http|a;b", "broken|;"])
def test_variables_are_as_before_after_threads_read_videos(
    own: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(LEVEL, raising=False)
    monkeypatch.delenv(OPTIONS, raising=False)
    if own is not None:
        monkeypatch.setenv(OPTIONS, own)
    before = dict(os.environ)
    seen: list[tuple[str, str]] = []
    open_capture = cv2.VideoCapture

    def opening(*arguments: Any) -> Any:
        time.sleep(0.002 * (len(seen) % 5))
        seen.append((os.environ[OPTIONS], os.environ[LEVEL]))
        return open_capture(*arguments)

    monkeypatch.setattr(capture.cv2, "VideoCapture", opening)
    files = [make_video(tmp_path / f"{number}.mp4", 3) for number in range(8)]
    (tmp_path / "no.mp4").write_text("no video")

    def read(file: Path) -> int:
        try:
            return len(read_index(file))
        except ImageReadError:
            return 0

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(read, [*files, tmp_path / "no.mp4"])) == [3] * 8 + [0]
    assert dict(os.environ) == before
    assert len(seen) >= 17
    # the last value counts
    assert all(options.split("|")[-1] == "protocol_whitelist;file" and level == "-8" for options, level in seen)
    assert all((own or "") in options for options, _ in seen)


def test_the_level_of_the_user_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LEVEL, "16")
    read_index(make_video(tmp_path / "a.mp4", 3))
    assert os.environ[LEVEL] == "16" and OPTIONS not in os.environ
