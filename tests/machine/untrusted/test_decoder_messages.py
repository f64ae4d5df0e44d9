"""What decoders print is kept off stderr, in any number of threads; nothing else is."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detreduce.dataset.health.jpeg import confirmed_damage
from detreduce.images.decode import decode
from detreduce.machine.untrusted import decoder_messages
from detreduce.machine.untrusted.decoder_messages import damage_in, quiet_decoders

PIXELS = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def good(kind: str = ".jpg") -> bytes:
    return cv2.imencode(kind, PIXELS)[1].tobytes()


def damaged_jpeg() -> bytes:
    data = good()
    return data[: len(data) // 2] + b"\xff\xd9"


def damaged_png() -> bytes:
    data = bytearray(good(".png"))
    data[len(data) // 2] ^= 0xFF
    return bytes(data)


def heard(data: bytes) -> bool:
    with quiet_decoders() as suspicion:
        cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        return suspicion()


@pytest.mark.parametrize(("data", "damaged"), [(damaged_jpeg(), True), (damaged_png(), True), (good(), False)])
def test_a_message_is_heard_and_not_shown(data: bytes, damaged: bool, capfd: pytest.CaptureFixture[str]) -> None:
    assert heard(data) == damaged
    assert capfd.readouterr().err == ""


def test_what_others_print_is_still_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet_decoders():
        os.write(2, b"from another library\n")
    cv2.imdecode(np.frombuffer(damaged_jpeg(), np.uint8), cv2.IMREAD_COLOR)
    shown = capfd.readouterr().err
    assert "from another library" in shown and "JPEG" in shown, "after the block, stderr is as before"


@settings(max_examples=25)
@given(st.lists(st.sampled_from(["good", "png", "damaged", "damaged png"]), min_size=2, max_size=30))
def test_each_damaged_image_is_suspected(kinds: list[str]) -> None:
    made = {"good": good(), "png": good(".png"), "damaged": damaged_jpeg(), "damaged png": damaged_png()}
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(heard, [made[kind] for kind in kinds]))
    assert all(suspect for suspect, kind in zip(found, kinds, strict=True) if "damaged" in kind)
    assert not heard(good()), "alone, a sound image is not suspected"


def test_only_damaged_files_are_confirmed(tmp_path: Path) -> None:
    for name, data in {"a.jpg": good(), "b.jpg": damaged_jpeg(), "c.jpg": good(), "d.jpg": damaged_jpeg()}.items():
        (tmp_path / name).write_bytes(data)
    suspects = sorted(tmp_path.iterdir())
    assert [path.name for path, why in confirmed_damage(suspects) if "JPEG" in why] == ["b.jpg", "d.jpg"]
    assert confirmed_damage([]) == []


def test_without_another_process_all_suspects_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "none"))
    (tmp_path / "a.jpg").write_bytes(good())
    assert [path.name for path, _ in confirmed_damage([tmp_path / "a.jpg"])] == ["a.jpg"]


def test_the_log_of_opencv_is_as_before(capfd: pytest.CaptureFixture[str]) -> None:
    log = cv2.utils.logging
    level = log.getLogLevel()
    heard(b"no image")
    assert log.getLogLevel() == level


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_process_forked_in_a_block_hears_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet_decoders() as suspicion:
        child = os.fork()
        if not child:
            cv2.imdecode(np.frombuffer(damaged_jpeg(), np.uint8), cv2.IMREAD_COLOR)
            os._exit(0 if heard(damaged_jpeg()) and not heard(good()) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        cv2.imdecode(np.frombuffer(damaged_jpeg(), np.uint8), cv2.IMREAD_COLOR)
        assert suspicion(), "a fork does not take the messages of its parent"
    assert "JPEG" in capfd.readouterr().err, "the child's own stderr"


def test_an_interrupt_leaves_stderr_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    decoders = decoder_messages._Decoders()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    for name in ("_open", "_suspicion"):
        with monkeypatch.context() as patch:
            patch.setattr(decoders, name, interrupted)
            with pytest.raises(KeyboardInterrupt), decoders.quiet():
                pass
        assert decoders._blocks == 0
    with decoders.quiet() as suspicion:
        assert not suspicion()


def test_messages_about_sound_images_are_no_damage() -> None:
    assert not damage_in(["Corrupt JPEG data: 2 extraneous bytes before marker 0xd9"])
    assert not damage_in(["Invalid SOS parameters for sequential JPEG"])
    assert damage_in(["Corrupt JPEG data: 2000 extraneous bytes before marker 0xd9"])


def test_without_the_variable_decoding_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise ValueError("symbol not found")

    monkeypatch.setattr(decoder_messages, "_Redirection", refuse)
    monkeypatch.setattr(decoder_messages, "_decoders", decoder_messages._Decoders())
    assert decode(good()).shape == (48, 64, 3)
