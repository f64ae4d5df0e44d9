"""What decoders print is heard with its image, in any number of threads; nothing else is."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detreduce.images.decode import decode
from detreduce.machine.decoder_messages import damage_in, decode_quietly, heard_messages

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


def heard(data: bytes) -> str:
    with heard_messages() as messages:
        decode_quietly(lambda: cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))
    return damage_in(messages)


@pytest.mark.parametrize(("data", "word"), [(damaged_jpeg(), "JPEG"), (damaged_png(), "libpng"), (good(), "")])
def test_a_message_is_heard_and_not_shown(data: bytes, word: str, capfd: pytest.CaptureFixture[str]) -> None:
    found = heard(data)
    assert word in found and bool(found) == bool(word)
    assert capfd.readouterr().err == ""


def test_what_others_print_is_still_shown(capfd: pytest.CaptureFixture[str]) -> None:
    decode_quietly(lambda: os.write(2, b"from another library\n"))
    cv2.imdecode(np.frombuffer(damaged_jpeg(), np.uint8), cv2.IMREAD_COLOR)
    shown = capfd.readouterr().err
    assert "from another library" in shown and "JPEG" in shown, "after the block, stderr is as before"


@settings(max_examples=25)
@given(st.lists(st.sampled_from(["good", "png", "damaged", "damaged png"]), min_size=2, max_size=30))
def test_each_damaged_image_is_named_and_no_other(kinds: list[str]) -> None:
    made = {"good": good(), "png": good(".png"), "damaged": damaged_jpeg(), "damaged png": damaged_png()}
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(heard, [made[kind] for kind in kinds]))
    assert [bool(text) for text in found] == ["damaged" in kind for kind in kinds]


def test_the_log_of_opencv_is_as_before(capfd: pytest.CaptureFixture[str]) -> None:
    log = cv2.utils.logging
    level = log.getLogLevel()
    heard(b"no image")
    assert log.getLogLevel() == level


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_hears_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    found = []

    def fork() -> None:
        child = os.fork()
        if not child:
            cv2.imdecode(np.frombuffer(damaged_jpeg(), np.uint8), cv2.IMREAD_COLOR)
            os._exit(0 if heard(damaged_jpeg()) else 1)
        found.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    with heard_messages() as messages:
        decode_quietly(fork)
    assert found == [0] and messages == []
    assert "JPEG" in capfd.readouterr().err, "the child's own stderr"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_does_not_take_the_messages_of_its_parent() -> None:
    def decode_and_fork() -> None:
        cv2.imdecode(np.frombuffer(damaged_jpeg(), np.uint8), cv2.IMREAD_COLOR)
        if child := os.fork():
            os.waitpid(child, 0)
        else:
            os._exit(0)

    with heard_messages() as messages:
        decode_quietly(decode_and_fork)
    assert "JPEG" in damage_in(messages)


def test_an_interrupt_while_waiting_stops_no_other_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    from detreduce.machine import decoder_messages

    decoders = decoder_messages._Decoders()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(decoders._changed, "wait_for", interrupted)
        for alone in (False, True):
            with pytest.raises(KeyboardInterrupt), decoders._run(alone=alone):
                pass
    assert (decoders._running, decoders._want_alone) == (0, 0)
    assert decoders.hear(lambda: 1) == (1, [])


def test_messages_about_sound_images_are_no_damage() -> None:
    assert not damage_in(["Corrupt JPEG data: 2 extraneous bytes before marker 0xd9"])
    assert not damage_in(["Invalid SOS parameters for sequential JPEG"])
    assert damage_in(["Corrupt JPEG data: 2000 extraneous bytes before marker 0xd9"])


def test_without_the_variable_decoding_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from detreduce.machine import decoder_messages

    def refuse() -> None:
        raise ValueError("symbol not found")

    monkeypatch.setattr(decoder_messages, "_Redirection", refuse)
    monkeypatch.setattr(decoder_messages, "_decoders", decoder_messages._Decoders())
    assert decode(good()).shape == (48, 64, 3)
